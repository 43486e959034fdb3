#pragma once
// A step of training by autograd, exemplar after exemplar.

#include <vector>

#include "support/autograd_llama.h"
#include "support/temporary_directory.h"
#include "support/tiny_base.h"
#include "train/tiny_run.h"

namespace prescript {

/// Loss and gradient of the unshared sequences in float64.
inline AutogradResult exact_step(const std::vector<TrainingExemplar>& exemplars,
                                 const SoftPrompt& prompt,
                                 PromptPosition position) {
  std::vector<Sequence> sequences;
  size_t num_targets = 0;
  for (const TrainingExemplar& exemplar : exemplars) {
    sequences.push_back(expected_sequence(
        exemplar.rendered, static_cast<int32_t>(prompt.num_virtual_tokens), position));
    num_targets += sequences.back().target_positions.size();
  }
  for (Sequence& sequence : sequences) {
    sequence.target_weight = 1.0F / static_cast<float>(num_targets);
  }
  const TemporaryDirectory directory;
  write_tiny_model(directory / "tiny");
  return autograd_llama(decoder_config_from_hf(directory / "tiny"),
                        *open_safetensors_directory(directory / "tiny"),
                        sequences,
                        {matrix_of(prompt)},
                        DType::kFloat64);
}

}  // namespace prescript
