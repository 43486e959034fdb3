#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace prescript {
namespace {

void check_finite(std::span<const float> logits_V) {
  for (const float logit : logits_V) {
    if (!std::isfinite(logit)) {
      throw InputError(ExitCode::kNotFinite,
                       "the model's logits are not finite; its weights or the adapter are damaged, "
                       "or overflow in this dtype (try --dtype fp32)");
    }
  }
}

/// Ids by falling logit, equal ones by rising id; only the first `count` are in order.
std::vector<int32_t> likeliest(std::span<const float> logits_V, size_t count) {
  std::vector<int32_t> ids(logits_V.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](int32_t a, int32_t b) {
    return logits_V[a] != logits_V[b] ? logits_V[a] > logits_V[b] : a < b;
  };
  std::partial_sort(ids.begin(), ids.begin() + static_cast<int64_t>(count), ids.end(), before);
  ids.resize(count);
  return ids;
}

}  // namespace

void check_sampling_options(const SamplingOptions& options) {
  const auto fail = [](const std::string& message) { throw InputError(ExitCode::kUsage, message); };
  if (!std::isfinite(options.temperature) || options.temperature < 0) {
    fail("--temperature: " + std::to_string(options.temperature) +
         " is not a number of at least 0; 0 takes the most likely token");
  }
  if (options.top_k < 0) {
    fail("--top-k: " + std::to_string(options.top_k) + " is negative; 0 keeps all tokens");
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    fail("--top-p: " + std::to_string(options.top_p) + " is not in (0, 1]; 1 keeps all tokens");
  }
}

RandomStream sampling_stream(uint64_t seed, const std::string& request, uint64_t position) {
  return {seed, "sampling " + request, position};
}

int32_t sample(std::span<const float> logits_V,
               const SamplingOptions& options,
               RandomStream stream) {
  PRESCRIPT_CHECK(!logits_V.empty(), "no logits");
  check_finite(logits_V);
  if (options.temperature == 0) {
    return static_cast<int32_t>(std::max_element(logits_V.begin(), logits_V.end()) -
                                logits_V.begin());
  }
  const size_t count = options.top_k == 0
                           ? logits_V.size()
                           : std::min(logits_V.size(), static_cast<size_t>(options.top_k));
  const std::vector<int32_t> ids = likeliest(logits_V, count);

  std::vector<double> weights;  // exp of scaled logits; the first is 1
  double total = 0;
  for (const int32_t id : ids) {
    const double below_best = static_cast<double>(logits_V[id]) - logits_V[ids.front()];
    weights.push_back(std::exp(below_best / options.temperature));
    total += weights.back();
  }
  double kept = 0;
  size_t num_kept = 0;
  while (num_kept < weights.size() && (num_kept == 0 || kept < options.top_p * total)) {
    kept += weights[num_kept++];
  }
  double remaining = stream.uniform() * kept;
  for (size_t i = 0; i + 1 < num_kept; ++i) {
    remaining -= weights[i];
    if (remaining < 0) return ids[i];
  }
  return ids[num_kept - 1];
}

}  // namespace prescript
