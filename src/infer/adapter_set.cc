#include "infer/adapter_set.h"

#include <algorithm>

#include "base/arena.h"
#include "base/counted.h"

namespace prescript {

void AdapterSet::add(const std::string& name, Adapter adapter) {
  PRESCRIPT_CHECK(!find(name), "adapter " + name + " is there already");
  const auto index = size();
  const int64_t P = adapter.prompt.num_virtual_tokens;
  const int64_t D = adapter.prompt.hidden_size;
  if (D != decoder_.config().hidden_size) {
    throw InputError(ExitCode::kModel,
                     "adapter " + name + ": its virtual tokens have width " + std::to_string(D) +
                         ", the base model has " + std::to_string(decoder_.config().hidden_size) +
                         "; use the base model it was trained on");
  }
  if (P >= decoder_.num_positions()) {
    throw InputError(ExitCode::kModel,
                     "adapter " + name + ": " + counted(P, "virtual token") +
                         " leave no room in the model's context of " +
                         std::to_string(decoder_.num_positions()));
  }
  const DType dtype = decoder_.ops().accumulate_dtype();  // float32 on a device
  Arena measuring;
  measuring.take(P, D, dtype);
  blocks_.push_back(decoder_.ops().allocate(measuring.used()));
  Arena arena(blocks_.back().get(), measuring.used());
  prompts_PD_.push_back(arena.take(P, D, dtype));
  decoder_.ops().upload(adapter.prompt.values_PD.data(), prompts_PD_.back());

  if (adapter.position == PromptPosition::kStart) {
    std::vector<Row> rows;
    for (int64_t i = 0; i < P; ++i) {
      rows.push_back(Row::virtual_token(index, static_cast<int32_t>(i)));
    }
    roots_.push_back(compute_key_values(decoder_, rows, P, prompts_PD_));
    root_pointers_.push_back(&roots_.back());
    root_rows_.push_back(std::move(rows));
    rows_computed_ += P;
  }
  names_.push_back(name);
  adapters_.push_back(std::move(adapter));
}

std::optional<int32_t> AdapterSet::find(const std::string& name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<int32_t>(found - names_.begin());
}

}  // namespace prescript
