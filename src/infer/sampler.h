#pragma once
// From logits to the next token.

#include <cstdint>
#include <span>
#include <string>

#include "base/random.h"

namespace prescript {

/// Temperature divides the logits first; then top-k and top-p cut what is left, in this order, as
/// transformers does.
struct SamplingOptions {
  double temperature = 0;  // >= 0; 0: the most likely token, whatever top-k and top-p say
  int64_t top_k = 0;       // 0: all tokens
  double top_p = 1;        // in (0, 1]: the fewest likeliest tokens that reach this probability
  uint64_t seed = 1;
};

/// Throws InputError(kUsage) naming the option whose value is out of range.
void check_sampling_options(const SamplingOptions& options);

/// The random stream of one token: `request` is the request's id, `position` the number of tokens
/// that it has been given before. The company of a request changes nothing.
RandomStream sampling_stream(uint64_t seed, const std::string& request, uint64_t position);

/// The id of the next token. Equal logits: the lower id comes first. Draws one number from `stream`
/// unless the temperature is 0. Throws InputError(kNotFinite) when a logit is not a number or
/// infinite. Cost O(V), O(V log V) when sampling.
int32_t sample(std::span<const float> logits_V,
               const SamplingOptions& options,
               RandomStream stream);

}  // namespace prescript
