#include "adapter/initialize.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace prescript {
namespace {

constexpr size_t kRowsAtOnce = 1024;  // the whole embedding may be gigabytes

}  // namespace

std::vector<int32_t> repeat_to_length(std::span<const int32_t> ids, int64_t num_virtual_tokens) {
  PRESCRIPT_CHECK(!ids.empty(), "a text without tokens has nothing to repeat");
  std::vector<int32_t> repeated;
  for (int64_t i = 0; i < num_virtual_tokens; ++i) repeated.push_back(ids[i % ids.size()]);
  return repeated;
}

std::vector<int32_t> sample_ids(std::span<const int32_t> ids,
                                int64_t num_virtual_tokens,
                                uint64_t seed) {
  PRESCRIPT_CHECK(!ids.empty(), "no ids to sample from");
  RandomStream stream(seed, "soft prompt vocabulary rows");
  std::vector<int32_t> sample;
  if (num_virtual_tokens > std::ssize(ids)) {
    for (int64_t i = 0; i < num_virtual_tokens; ++i)
      sample.push_back(ids[stream.below(ids.size())]);
    return sample;
  }
  for (const size_t index : shuffled_indices(ids.size(), stream)) {
    if (std::ssize(sample) == num_virtual_tokens) break;
    sample.push_back(ids[index]);
  }
  return sample;
}

SoftPrompt soft_prompt_of_rows(const std::vector<int32_t>& ids,
                               int64_t hidden_size,
                               const EmbeddingRows& embedding) {
  SoftPrompt prompt{.num_virtual_tokens = std::ssize(ids),
                    .hidden_size = hidden_size,
                    .values_PD = embedding(ids)};
  PRESCRIPT_CHECK(std::ssize(prompt.values_PD) == std::ssize(ids) * hidden_size,
                  std::to_string(prompt.values_PD.size()) + " values for " +
                      std::to_string(ids.size()) + " rows of " + std::to_string(hidden_size));
  return prompt;
}

SoftPrompt soft_prompt_of_labels(std::span<const std::vector<int32_t>> labels,
                                 const std::vector<int32_t>& fill,
                                 int64_t hidden_size,
                                 const EmbeddingRows& embedding) {
  SoftPrompt prompt = soft_prompt_of_rows(fill, hidden_size, embedding);
  std::vector<float> means;
  for (const std::vector<int32_t>& ids : labels) {
    PRESCRIPT_CHECK(!ids.empty(), "a label without tokens has no row");
    const SoftPrompt rows = soft_prompt_of_rows(ids, hidden_size, embedding);
    for (int64_t d = 0; d < hidden_size; ++d) {
      double sum = 0;
      for (int64_t i = 0; i < std::ssize(ids); ++i) sum += rows.values_PD[i * hidden_size + d];
      means.push_back(static_cast<float>(sum / static_cast<double>(ids.size())));
    }
  }
  prompt.num_virtual_tokens += std::ssize(labels);
  prompt.values_PD.insert(prompt.values_PD.begin(), means.begin(), means.end());
  return prompt;
}

SoftPrompt uniform_soft_prompt(int64_t num_virtual_tokens,
                               int64_t hidden_size,
                               double scale,
                               uint64_t seed) {
  SoftPrompt prompt{.num_virtual_tokens = num_virtual_tokens,
                    .hidden_size = hidden_size,
                    .values_PD = std::vector<float>(num_virtual_tokens * hidden_size)};
  RandomStream stream(seed, "soft prompt uniform");
  for (float& value : prompt.values_PD) {
    // 24 bits are exact in float32: rounding cannot reach the excluded end of the interval.
    const float unit = static_cast<float>(stream.next_u64() >> 40) * 0x1p-23f - 1.0f;
    value = static_cast<float>(scale) * unit;
  }
  return prompt;
}

double norm_of_vocabulary(const std::vector<int32_t>& ids, const EmbeddingRows& embedding) {
  PRESCRIPT_CHECK(!ids.empty(), "no rows to measure");
  double sum_of_squares = 0;
  for (size_t begin = 0; begin < ids.size(); begin += kRowsAtOnce) {
    const size_t end = std::min(begin + kRowsAtOnce, ids.size());
    const std::vector<int32_t> some(ids.begin() + static_cast<ptrdiff_t>(begin),
                                    ids.begin() + static_cast<ptrdiff_t>(end));
    for (const float x : embedding(some)) sum_of_squares += static_cast<double>(x) * x;
  }
  return std::sqrt(sum_of_squares / static_cast<double>(ids.size()));
}

double scale_of_vocabulary(const std::vector<int32_t>& ids,
                           int64_t hidden_size,
                           const EmbeddingRows& embedding) {
  return norm_of_vocabulary(ids, embedding) * std::sqrt(3 / static_cast<double>(hidden_size));
}

}  // namespace prescript
