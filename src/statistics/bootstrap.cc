#include "statistics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace prescript {
namespace {

void check_finite(std::span<const double> values) {
  for (size_t i = 0; i < values.size(); ++i)
    PRESCRIPT_CHECK(std::isfinite(values[i]),
                    "value " + std::to_string(i) + " is " + std::to_string(values[i]));
}

std::optional<double> checked(std::optional<double> value) {
  PRESCRIPT_CHECK(!value || std::isfinite(*value),
                  "the statistic returned " + std::to_string(*value));
  return value;
}

/// The mean of the values at those indices that lie in [begin, begin + values.size()).
double mean_at(std::span<const double> values, std::span<const size_t> indices, size_t begin) {
  double sum = 0;
  for (const size_t index : indices) sum += values[index - begin];
  return sum / static_cast<double>(indices.size());
}

}  // namespace

double quantile(std::span<const double> sorted, double share) {
  PRESCRIPT_CHECK(!sorted.empty(), "the quantile of nothing");
  PRESCRIPT_CHECK(share >= 0 && share <= 1, "share " + std::to_string(share));
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

std::optional<Estimate> grouped_bootstrap(std::span<const size_t> group_sizes,
                                          const Statistic& statistic,
                                          const BootstrapOptions& options) {
  PRESCRIPT_CHECK(!group_sizes.empty(), "a sample of no groups");
  for (const size_t size : group_sizes) PRESCRIPT_CHECK(size > 0, "a sample of no items");
  PRESCRIPT_CHECK(options.replicas > 0, "no replicas");
  PRESCRIPT_CHECK(options.level > 0 && options.level < 1, "level " + std::to_string(options.level));
  std::vector<size_t> indices(std::accumulate(group_sizes.begin(), group_sizes.end(), size_t{0}));
  std::iota(indices.begin(), indices.end(), size_t{0});
  const std::optional<double> value = checked(statistic(indices));
  if (!value) return std::nullopt;

  std::vector<double> replicas;
  replicas.reserve(options.replicas);
  for (size_t replica = 0; replica < options.replicas; ++replica) {
    RandomStream stream(options.seed, "bootstrap", replica);
    size_t begin = 0;
    for (const size_t size : group_sizes) {
      for (size_t i = 0; i < size; ++i) indices[begin + i] = begin + stream.below(size);
      begin += size;
    }
    if (const auto replica_value = checked(statistic(indices))) replicas.push_back(*replica_value);
  }
  if (replicas.empty()) return std::nullopt;
  std::sort(replicas.begin(), replicas.end());
  return Estimate{.value = *value,
                  .low = quantile(replicas, (1 - options.level) / 2),
                  .high = quantile(replicas, (1 + options.level) / 2),
                  .undefined_replicas = options.replicas - replicas.size()};
}

std::optional<Estimate> bootstrap(size_t size,
                                  const Statistic& statistic,
                                  const BootstrapOptions& options) {
  return grouped_bootstrap(std::span(&size, 1), statistic, options);
}

Estimate bootstrap_mean(std::span<const double> values, const BootstrapOptions& options) {
  check_finite(values);
  return *bootstrap(
      values.size(),
      [&](std::span<const size_t> indices) { return mean_at(values, indices, 0); },
      options);
}

Estimate bootstrap_paired_difference(std::span<const double> values,
                                     std::span<const double> others,
                                     const BootstrapOptions& options) {
  PRESCRIPT_CHECK(
      values.size() == others.size(),
      std::to_string(values.size()) + " values beside " + std::to_string(others.size()));
  std::vector<double> differences(values.size());
  for (size_t i = 0; i < values.size(); ++i) differences[i] = values[i] - others[i];
  return bootstrap_mean(differences, options);
}

Estimate bootstrap_difference(std::span<const double> values,
                              std::span<const double> others,
                              const BootstrapOptions& options) {
  check_finite(values);
  check_finite(others);
  const size_t n = values.size();
  const std::vector<size_t> sizes = {n, others.size()};
  return *grouped_bootstrap(
      sizes,
      [&](std::span<const size_t> indices) {
        return mean_at(values, indices.first(n), 0) - mean_at(others, indices.subspan(n), n);
      },
      options);
}

}  // namespace prescript
