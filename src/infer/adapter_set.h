#pragma once
// The adapters of a run, made ready on one base model.

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapter/adapter.h"
#include "model/forest_run.h"

namespace prescript {

/// Soft prompts in the backend's memory. One that stands at the start of every sequence is a root
/// computed once: its K/V are kept for all forests to come. Adapter i is soft prompt i of every
/// Sequence.
class AdapterSet {
 public:
  static constexpr int32_t kBase = -1;  // no adapter

  /// `decoder` must outlive this.
  explicit AdapterSet(Decoder& decoder) : decoder_(decoder) {}

  /// Throws InputError(kModel) when the soft prompt is of another width than the model, or longer
  /// than its context; ContractError when the name is taken.
  void add(const std::string& name, Adapter adapter);

  int32_t size() const { return static_cast<int32_t>(adapters_.size()); }
  const std::string& name(int32_t index) const { return names_.at(index); }
  const Adapter& adapter(int32_t index) const { return adapters_.at(index); }
  std::optional<int32_t> find(const std::string& name) const;

  std::span<const Tensor> prompts_PD() const { return prompts_PD_; }
  /// The rows of the roots, and their K/V.
  std::span<const std::vector<Row>> roots() const { return root_rows_; }
  std::span<KeyValueRun* const> root_key_values() const { return root_pointers_; }
  /// Rows that were computed for the roots.
  int64_t rows_computed() const { return rows_computed_; }

 private:
  Decoder& decoder_;
  std::vector<std::string> names_;
  std::vector<Adapter> adapters_;
  std::vector<Buffer> blocks_;
  std::vector<Tensor> prompts_PD_;
  std::vector<std::vector<Row>> root_rows_;
  std::deque<KeyValueRun> roots_;
  std::vector<KeyValueRun*> root_pointers_;
  int64_t rows_computed_ = 0;
};

}  // namespace prescript
