#include "train/step.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/arena.h"
#include "io/quote.h"

namespace prescript {
namespace {

/// Validation sets are cut into forests of about this many tokens.
constexpr int64_t kMaxForestTokens = 1 << 16;

void count_targets(std::span<const PromptedBatch> batches, std::span<PromptResult> results) {
  for (size_t i = 0; i < batches.size(); ++i) {
    for (const TrainingExemplar* exemplar : batches[i].exemplars) {
      results[i].num_targets += std::ssize(exemplar->rendered.targets);
    }
  }
}

std::string ids_of(const std::vector<const TrainingExemplar*>& exemplars) {
  constexpr size_t kMaxNamed = 8;
  std::string text;
  for (size_t i = 0; i < exemplars.size(); ++i) {
    if (i == kMaxNamed) return text + ", ...";
    text += (text.empty() ? "" : ", ") + quote(exemplars[i]->id);
  }
  return text;
}

/// Adds the log-probabilities of each batch to the loss of its result, and says which are not
/// finite.
void add_log_probs(const PromptedSequences& all,
                   const Forest& forest,
                   const std::vector<double>& log_probs,
                   std::span<PromptResult> results) {
  std::vector<double> sums(results.size());
  std::set<int32_t> bad_sequences;
  for (size_t t = 0; t < log_probs.size(); ++t) {
    const int32_t sequence = forest.targets[t].sequence;
    sums[all.batch_of[sequence]] += log_probs[t];
    if (!std::isfinite(log_probs[t])) bad_sequences.insert(sequence);
  }
  std::vector<std::vector<const TrainingExemplar*>> bad(results.size());
  for (const int32_t sequence : bad_sequences) {
    bad[all.batch_of[sequence]].push_back(all.exemplar_of[sequence]);
  }
  for (size_t i = 0; i < results.size(); ++i) {
    results[i].loss += sums[i];
    if (bad[i].empty() || !results[i].not_finite.empty()) continue;
    results[i].not_finite = "the loss is not finite at exemplar " + ids_of(bad[i]);
  }
}

/// Counts what one forest took.
void add_costs(const PromptedSequences& all, const ForestResult& run, StepResult& result) {
  result.rows_computed += run.rows_computed;
  result.rows_unshared += num_unshared_rows(all.sequences);
  result.rows_padded += num_padded_rows(all.sequences);
  result.flops += run.flops;
}

/// From sums of log-probabilities to losses.
void finish_losses(std::span<PromptResult> results) {
  for (PromptResult& result : results) {
    result.loss = -result.loss / static_cast<double>(result.num_targets);
  }
}

/// How many of the first of `exemplars` are scored in one forest under so many soft prompts.
size_t num_scored_together(std::span<const TrainingExemplar* const> exemplars, size_t num_prompts) {
  size_t count = 0;
  for (size_t tokens = 0; count < exemplars.size() && tokens < kMaxForestTokens; ++count) {
    tokens += num_prompts * exemplars[count]->rendered.ids.size();
  }
  return count;
}

}  // namespace

PromptedSequences sequences_of(std::span<const PromptedBatch> batches,
                               int64_t num_virtual_tokens,
                               PromptPosition position) {
  PromptedSequences all;
  for (size_t i = 0; i < batches.size(); ++i) {
    const SplicedPrompt prompt{
        .index = static_cast<int32_t>(i),
        .num_virtual_tokens = batches[i].prompt_PD.empty() ? 0 : num_virtual_tokens,
        .position = position};
    for (const TrainingExemplar* exemplar : batches[i].exemplars) {
      all.sequences.push_back(splice(exemplar->rendered, prompt));
      all.batch_of.push_back(i);
      all.exemplar_of.push_back(exemplar);
    }
  }
  return all;
}

std::vector<std::vector<PromptedBatch>> batches_of_validation(
    std::span<const TrainingExemplar* const> exemplars,
    std::span<const std::span<const float>> prompts_PD) {
  std::vector<std::vector<PromptedBatch>> forests;
  while (!exemplars.empty()) {
    const auto some = exemplars.first(num_scored_together(exemplars, prompts_PD.size()));
    exemplars = exemplars.subspan(some.size());
    auto& batches = forests.emplace_back();
    for (const auto& prompt_PD : prompts_PD) {
      batches.push_back({{some.begin(), some.end()}, prompt_PD});
    }
  }
  return forests;
}

PromptedDecoder::PromptedDecoder(Decoder& decoder,
                                 int64_t num_prompts,
                                 int64_t num_virtual_tokens,
                                 const StepOptions& options)
    : decoder_(decoder),
      num_virtual_tokens_(num_virtual_tokens),
      options_(options),
      prompts_PD_(num_prompts),
      gradients_PD_(num_prompts) {
  const DType dtype = decoder.ops().accumulate_dtype();
  const int64_t D = decoder.config().hidden_size;
  const auto lay_out = [&](Arena& arena) {
    for (Tensor& prompt_PD : prompts_PD_) prompt_PD = arena.take(num_virtual_tokens, D, dtype);
    for (Tensor& gradient_PD : gradients_PD_) {
      gradient_PD = arena.take(num_virtual_tokens, D, dtype);
    }
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

void PromptedDecoder::upload(size_t index, std::span<const float> prompt_PD) {
  PRESCRIPT_CHECK(index < prompts_PD_.size(), "soft prompt " + std::to_string(index));
  if (!prompt_PD.empty()) decoder_.ops().upload(prompt_PD.data(), prompts_PD_[index]);
}

template <typename Run>
ForestResult PromptedDecoder::run_within_memory(const Forest& forest, const Run& run) const {
  try {
    return run();
  } catch (const DeviceError& error) {
    if (error.code() != ExitCode::kResources) throw;
    throw OutOfMemory(error, std::min(options_.plan.max_rows, forest.num_rows()));
  }
}

StepResult PromptedDecoder::differentiate(std::span<const PromptedBatch> batches) {
  StepResult result;
  decoder_.ops().take_phase_seconds();  // what went before is no part of the step
  result.prompts.resize(batches.size());
  count_targets(batches, result.prompts);
  PromptedSequences all = sequences_of(batches, num_virtual_tokens_, options_.position);
  for (size_t s = 0; s < all.sequences.size(); ++s) {
    const int64_t num_targets = result.prompts[all.batch_of[s]].num_targets;
    all.sequences[s].target_weight = 1.0F / static_cast<float>(num_targets);
  }
  const Forest forest = build_forest(all.sequences, given_rows_, {.share = options_.share});
  for (size_t i = 0; i < batches.size(); ++i) {
    upload(i, batches[i].prompt_PD);
    decoder_.ops().zero(gradients_PD_[i]);
  }
  const ForestResult run = run_within_memory(forest, [&] {
    return differentiate_forest(
        decoder_, forest, options_.plan, prompts_PD_, given(), gradients_PD_);
  });
  add_log_probs(all, forest, run.log_probs, result.prompts);
  finish_losses(result.prompts);
  for (size_t i = 0; i < batches.size(); ++i) {
    PromptResult& of_prompt = result.prompts[i];
    of_prompt.gradient.resize(batches[i].prompt_PD.size());
    decoder_.ops().download(gradients_PD_[i], of_prompt.gradient.data());
    const auto is_finite = [](float value) { return std::isfinite(value); };
    if (!of_prompt.not_finite.empty() || std::ranges::all_of(of_prompt.gradient, is_finite)) {
      continue;
    }
    of_prompt.not_finite =
        "the gradient is not finite over the exemplars " + ids_of(batches[i].exemplars);
  }
  add_costs(all, run, result);
  result.phases = decoder_.ops().take_phase_seconds();
  return result;
}

StepResult PromptedDecoder::score(std::span<const TrainingExemplar* const> exemplars,
                                  std::span<const std::span<const float>> prompts_PD) {
  StepResult result;
  result.prompts.resize(prompts_PD.size());
  for (size_t i = 0; i < prompts_PD.size(); ++i) upload(i, prompts_PD[i]);
  for (const auto& batches : batches_of_validation(exemplars, prompts_PD)) {
    count_targets(batches, result.prompts);
    const PromptedSequences all = sequences_of(batches, num_virtual_tokens_, options_.position);
    const Forest forest = build_forest(all.sequences, given_rows_, {.share = options_.share});
    const ForestResult run = run_within_memory(forest, [&] {
      return score_forest(decoder_, forest, options_.plan, prompts_PD_, given());
    });
    add_log_probs(all, forest, run.log_probs, result.prompts);
    add_costs(all, run, result);
  }
  finish_losses(result.prompts);
  return result;
}

}  // namespace prescript
