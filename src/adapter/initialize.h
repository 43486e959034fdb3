#pragma once
// How a soft prompt begins. All are plain functions of rows of the base model's embedding.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "adapter/soft_prompt.h"

namespace prescript {

/// Rows of the embedding by token id, [ids, D] float32.
using EmbeddingRows = std::function<std::vector<float>(const std::vector<int32_t>& ids)>;

/// The ids of a text, repeated or cut to P. `ids` must not be empty (ContractError).
std::vector<int32_t> repeat_to_length(std::span<const int32_t> ids, int64_t num_virtual_tokens);

/// P ids drawn without replacement (with, where there are fewer) from `ids` by seed.
std::vector<int32_t> sample_ids(std::span<const int32_t> ids,
                                int64_t num_virtual_tokens,
                                uint64_t seed);

/// The rows of these ids.
SoftPrompt soft_prompt_of_rows(const std::vector<int32_t>& ids,
                               int64_t hidden_size,
                               const EmbeddingRows& embedding);

/// A row for each label, the mean of the rows of its tokens, and behind them the rows of `fill`. No
/// label may be without tokens (ContractError).
/// Source   Lester et al. 2021, section 3.2.
SoftPrompt soft_prompt_of_labels(std::span<const std::vector<int32_t>> labels,
                                 const std::vector<int32_t>& fill,
                                 int64_t hidden_size,
                                 const EmbeddingRows& embedding);

/// Uniform in [-scale, scale). Med-PaLM: 0.5 (Singhal et al. 2023).
SoftPrompt uniform_soft_prompt(int64_t num_virtual_tokens,
                               int64_t hidden_size,
                               double scale,
                               uint64_t seed);

/// The root mean square norm of the embedding rows of `ids`.
double norm_of_vocabulary(const std::vector<int32_t>& ids, const EmbeddingRows& embedding);

/// The scale whose rows have the root mean square norm of the embedding rows of `ids`:
/// U(-s, s) in D dimensions has norm s * sqrt(D / 3).
double scale_of_vocabulary(const std::vector<int32_t>& ids,
                           int64_t hidden_size,
                           const EmbeddingRows& embedding);

}  // namespace prescript
