#pragma once
// A plain Llama written with LibTorch's operators and differentiated by autograd, one unshared
// sequence after the other: the oracle of the decoder.

#include <vector>

#include "forest/sequence.h"
#include "io/tensor_source.h"
#include "model/decoder_config.h"
#include "support/matrix.h"

namespace prescript {

struct AutogradResult {
  std::vector<double> log_probs;  // of all targets, by sequence
  double loss = 0;                // −Σ weight·log_prob
  std::vector<Matrix> gradients;  // of each soft prompt
  double logit_deviation = 0;     // standard deviation of all logits at target rows
};

/// `weights` under HF's names. In bfloat16 everything is rounded where transformers rounds it:
/// norms and the loss are float32 inside, the rest is bfloat16. In float64 only the rotary angles
/// are float32, as the model defines them.
AutogradResult autograd_llama(const DecoderConfig& config,
                              const TensorSource& weights,
                              const std::vector<Sequence>& sequences,
                              const std::vector<Matrix>& prompts,
                              DType dtype);

/// The logits [rows, V] of one sequence of tokens, all its rows, in float64.
Matrix autograd_llama_logits(const DecoderConfig& config,
                             const TensorSource& weights,
                             const std::vector<int32_t>& ids);

}  // namespace prescript
