#include "train/step.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/arena.h"
#include "io/quote.h"

namespace prescript {
namespace {

/// Validation sets are cut into forests of about this many unshared rows.
constexpr int64_t kMaxForestRows = 1 << 16;

int64_t count_targets(std::span<const Sequence> sequences) {
  int64_t count = 0;
  for (const Sequence& sequence : sequences) {
    count += static_cast<int64_t>(sequence.target_positions.size());
  }
  return count;
}

std::string ids_of(std::span<const TrainingExemplar* const> exemplars,
                   const std::set<int32_t>& chosen) {
  constexpr size_t kMaxNamed = 8;
  std::string text;
  size_t named = 0;
  for (const int32_t index : chosen) {
    if (named++ == kMaxNamed) return text + ", ...";
    text += (text.empty() ? "" : ", ") + quote(exemplars[index]->id);
  }
  return text;
}

/// Throws when a log-probability is not finite, naming the exemplars it belongs to.
void check_finite(const Forest& forest,
                  const std::vector<double>& log_probs,
                  std::span<const TrainingExemplar* const> exemplars) {
  std::set<int32_t> bad;
  for (size_t t = 0; t < log_probs.size(); ++t) {
    if (!std::isfinite(log_probs[t])) bad.insert(forest.targets[t].sequence);
  }
  if (bad.empty()) return;
  throw InputError(ExitCode::kNotFinite,
                   "the loss is not finite at exemplar " + ids_of(exemplars, bad));
}

double sum_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum;
}

}  // namespace

PromptedDecoder::PromptedDecoder(Decoder& decoder,
                                 int64_t num_virtual_tokens,
                                 const StepOptions& options)
    : decoder_(decoder), num_virtual_tokens_(num_virtual_tokens), options_(options) {
  const DType dtype = decoder.ops().accumulate_dtype();
  const int64_t D = decoder.config().hidden_size;
  const auto lay_out = [&](Arena& arena) {
    prompt_PD_ = arena.take(num_virtual_tokens, D, dtype);
    gradient_PD_ = arena.take(num_virtual_tokens, D, dtype);
  };
  Arena measuring;
  lay_out(measuring);
  block_ = decoder.ops().allocate(measuring.used());
  Arena arena(block_.get(), measuring.used());
  lay_out(arena);
  if (options.share && !options.head_start.empty()) given_rows_ = {options.head_start};
}

std::vector<KeyValueRun*> PromptedDecoder::given() {
  if (given_rows_.empty()) return {};
  if (!head_start_) {
    head_start_ = compute_key_values(decoder_, given_rows_[0], options_.plan.max_rows, {});
  }
  return {&*head_start_};
}

std::vector<Sequence> PromptedDecoder::sequences(std::span<const TrainingExemplar* const> exemplars,
                                                 bool with_prompt) const {
  const SplicedPrompt prompt{.index = 0,
                             .num_virtual_tokens = with_prompt ? num_virtual_tokens_ : 0,
                             .position = options_.position};
  std::vector<Sequence> sequences;
  for (const TrainingExemplar* exemplar : exemplars) {
    sequences.push_back(splice(exemplar->rendered, prompt));
  }
  return sequences;
}

StepResult PromptedDecoder::differentiate(std::span<const TrainingExemplar* const> exemplars,
                                          std::span<const float> prompt_PD) {
  std::vector<Sequence> batch = sequences(exemplars, /*with_prompt=*/true);
  StepResult result;
  result.num_targets = count_targets(batch);
  for (Sequence& sequence : batch) {
    sequence.target_weight = 1.0F / static_cast<float>(result.num_targets);
  }
  const Forest forest = build_forest(batch, given_rows_, {.share = options_.share});
  decoder_.ops().upload(prompt_PD.data(), prompt_PD_);
  decoder_.ops().zero(gradient_PD_);
  const ForestResult run = differentiate_forest(decoder_,
                                                forest,
                                                options_.plan,
                                                std::span(&prompt_PD_, 1),
                                                given(),
                                                std::span(&gradient_PD_, 1));
  check_finite(forest, run.log_probs, exemplars);
  result.loss = -sum_of(run.log_probs) / static_cast<double>(result.num_targets);
  result.gradient.resize(prompt_PD.size());
  decoder_.ops().download(gradient_PD_, result.gradient.data());
  const auto is_finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(result.gradient.begin(), result.gradient.end(), is_finite)) {
    std::set<int32_t> all;
    for (size_t i = 0; i < exemplars.size(); ++i) all.insert(static_cast<int32_t>(i));
    throw InputError(ExitCode::kNotFinite,
                     "the gradient is not finite over the exemplars " + ids_of(exemplars, all));
  }
  result.rows_computed = run.rows_computed;
  result.rows_unshared = num_unshared_rows(batch);
  result.rows_padded = num_padded_rows(batch);
  result.flops = run.flops;
  return result;
}

StepResult PromptedDecoder::score(std::span<const TrainingExemplar* const> exemplars,
                                  std::span<const float> prompt_PD) {
  const bool with_prompt = !prompt_PD.empty();
  if (with_prompt) decoder_.ops().upload(prompt_PD.data(), prompt_PD_);
  StepResult result;
  double sum = 0;
  for (size_t begin = 0; begin < exemplars.size();) {
    size_t end = begin;
    std::vector<Sequence> some;
    for (int64_t rows = 0; end < exemplars.size() && rows < kMaxForestRows; ++end) {
      some.push_back(sequences(exemplars.subspan(end, 1), with_prompt).front());
      rows += static_cast<int64_t>(some.back().rows.size());
    }
    const Forest forest = build_forest(some, given_rows_, {.share = options_.share});
    const ForestResult run =
        score_forest(decoder_, forest, options_.plan, std::span(&prompt_PD_, 1), given());
    check_finite(forest, run.log_probs, exemplars.subspan(begin, end - begin));
    sum += sum_of(run.log_probs);
    result.num_targets += count_targets(some);
    result.rows_computed += run.rows_computed;
    result.rows_unshared += num_unshared_rows(some);
    result.rows_padded += num_padded_rows(some);
    result.flops += run.flops;
    begin = end;
  }
  result.loss = -sum / static_cast<double>(result.num_targets);
  return result;
}

}  // namespace prescript
