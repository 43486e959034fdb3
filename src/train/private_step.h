#pragma once
// One step of DP-SGD: the gradient of each exemplar by itself, clipped, and noise on their sum.

#include <cstdint>
#include <span>
#include <vector>

#include "train/step.h"

namespace prescript {

struct PrivacyOptions {
  double clip_norm = 0;         // C: the norm that one exemplar's gradient is scaled down to
  double noise_multiplier = 0;  // sigma: the noise on the sum has deviation sigma * C
  double delta = 0;             // that epsilon is told for
  uint64_t key = 0;             // of the drawn exemplars and the noise; whoever has it has no noise
};

/// Soft prompts of one step that go through the decoder side by side: so many exemplars have their
/// gradients computed together.
inline constexpr int64_t kExemplarsSideBySide = 16;

/// The probability with which a step draws an exemplar, where `batch_size` of `num_exemplars` are
/// expected. Throws ContractError when it is above 1.
double sample_rate(size_t num_exemplars, int64_t batch_size);

/// The exemplars of `step` (from 1), ascending indices below `num_exemplars`: each is drawn with
/// probability `rate`, whatever happens to the others (Poisson sampling). May be none.
std::vector<size_t> draw_exemplars(size_t num_exemplars, double rate, uint64_t key, int64_t step);

/// The batches of each forest in which a step computes the gradients of `exemplars` one by one: a
/// soft prompt of its own, of the same values, for every exemplar.
std::vector<std::vector<PromptedBatch>> batches_of_single_exemplars(
    std::span<const TrainingExemplar* const> exemplars, std::span<const float> prompt_PD);

/// What a step under privacy came to, for its one soft prompt.
struct PrivateStep {
  StepResult result;        // its gradient is the noisy one
  int64_t num_clipped = 0;  // exemplars whose gradient was longer than C
};

/// With g_i the gradient of exemplar i's loss, the mean over its own targets, and B the expected
/// number of exemplars:
///
///     gradient = (sum_i g_i * min(1, C / |g_i|) + sigma * C * normal) / B
///
/// The sum is float64 in the order of the exemplars; the noise follows from (key, step). The loss
/// of the result is that of every step: the mean over all targets of the exemplars, without noise;
/// not a number where there are none. `prompted` holds kExemplarsSideBySide soft prompts. Throws as
/// PromptedDecoder::differentiate does.
/// Cost     An exemplar's rows are its whole sequence: soft prompt and hard prompt are computed for
///          every exemplar anew, forward and backward.
/// Source   Abadi et al. 2016, "Deep learning with differential privacy", algorithm 1.
PrivateStep differentiate_privately(PromptedDecoder& prompted,
                                    std::span<const TrainingExemplar* const> exemplars,
                                    std::span<const float> prompt_PD,
                                    const PrivacyOptions& options,
                                    int64_t expected_exemplars,
                                    int64_t step);

}  // namespace prescript
