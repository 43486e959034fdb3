#include "train/private_step.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "train/optimizer.h"

namespace prescript {
namespace {

/// Adds what one forest took and found to the whole.
void add(const StepResult& forest, StepResult& whole) {
  whole.rows_computed += forest.rows_computed;
  whole.rows_unshared += forest.rows_unshared;
  whole.rows_padded += forest.rows_padded;
  whole.flops += forest.flops;
  for (size_t i = 0; i < whole.phases.size(); ++i) whole.phases[i] += forest.phases[i];
  PromptResult& of_all = whole.prompts[0];
  for (const PromptResult& of_one : forest.prompts) {
    of_all.loss += of_one.loss * static_cast<double>(of_one.num_targets);
    of_all.num_targets += of_one.num_targets;
    if (of_all.not_finite.empty()) of_all.not_finite = of_one.not_finite;
  }
}

}  // namespace

double sample_rate(size_t num_exemplars, int64_t batch_size) {
  const double rate = static_cast<double>(batch_size) / static_cast<double>(num_exemplars);
  PRESCRIPT_CHECK(rate > 0 && rate <= 1, "an expected batch of more exemplars than there are");
  return rate;
}

std::vector<size_t> draw_exemplars(size_t num_exemplars, double rate, uint64_t key, int64_t step) {
  RandomStream stream(key, "drawn exemplars", static_cast<uint64_t>(step));
  std::vector<size_t> drawn;
  for (size_t i = 0; i < num_exemplars; ++i) {
    if (stream.uniform() < rate) drawn.push_back(i);
  }
  return drawn;
}

std::vector<std::vector<PromptedBatch>> batches_of_single_exemplars(
    std::span<const TrainingExemplar* const> exemplars, std::span<const float> prompt_PD) {
  std::vector<std::vector<PromptedBatch>> forests;
  for (size_t i = 0; i < exemplars.size(); ++i) {
    if (i % kExemplarsSideBySide == 0) forests.emplace_back();
    forests.back().push_back({{exemplars[i]}, prompt_PD});
  }
  return forests;
}

PrivateStep differentiate_privately(PromptedDecoder& prompted,
                                    std::span<const TrainingExemplar* const> exemplars,
                                    std::span<const float> prompt_PD,
                                    const PrivacyOptions& options,
                                    int64_t expected_exemplars,
                                    int64_t step) {
  PrivateStep found;
  found.result.prompts.resize(1);
  std::vector<double> sum_PD(prompt_PD.size());
  for (const auto& batches : batches_of_single_exemplars(exemplars, prompt_PD)) {
    const StepResult forest = prompted.differentiate(batches);
    add(forest, found.result);
    for (const PromptResult& of_one : forest.prompts) {
      const double norm = norm_of(of_one.gradient);
      const double scale = norm > options.clip_norm ? options.clip_norm / norm : 1;
      found.num_clipped += norm > options.clip_norm ? 1 : 0;
      for (size_t i = 0; i < sum_PD.size(); ++i) sum_PD[i] += scale * of_one.gradient[i];
    }
  }
  PromptResult& result = found.result.prompts[0];
  result.loss = exemplars.empty() ? std::numeric_limits<double>::quiet_NaN()
                                  : result.loss / static_cast<double>(result.num_targets);
  RandomStream noise(options.key, "noise", static_cast<uint64_t>(step));
  const double deviation = options.noise_multiplier * options.clip_norm;
  result.gradient.reserve(sum_PD.size());
  for (const double sum : sum_PD) {
    result.gradient.push_back(static_cast<float>((sum + deviation * noise.normal()) /
                                                 static_cast<double>(expected_exemplars)));
  }
  return found;
}

}  // namespace prescript
