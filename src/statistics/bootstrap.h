#pragma once
// Intervals by resampling: how far a number might have come out otherwise, had other questions of
// the same kind been asked.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "statistics/estimate.h"

namespace prescript {

/// How intervals are made; a report states all three.
struct BootstrapOptions {
  uint64_t seed = 1;
  size_t replicas = 1000;  // >= 1
  double level = 0.95;     // in (0, 1): the share of replicas that an interval holds
};

/// A number computed from the items at `indices` of a sample, in which an item may occur several
/// times or not at all; nothing when it is not defined for them. Called from one thread.
using Statistic = std::function<std::optional<double>(std::span<const size_t> indices)>;

/// The statistic of a sample of `size` items with its percentile bootstrap interval: in every
/// replica, `size` items are drawn with replacement, and the interval runs between the quantiles
/// (1 - level) / 2 and (1 + level) / 2 of the replicas' values, interpolated linearly. Items are
/// what was sampled: questions, not the answers or ratings of one. Equal seed, replicas and size
/// draw equal items, so that systems judged on the same questions are resampled together.
/// Nothing when the statistic is not defined for the sample itself, or in no replica.
/// Throws   ContractError when size or replicas is 0, the level not in (0, 1), or the statistic
///          returns what is not finite.
/// Source   Efron and Tibshirani, "An introduction to the bootstrap", 1993, section 13.3; the
///          interval of Singhal et al. 2023 (with 1 000 replicas).
std::optional<Estimate> bootstrap(size_t size,
                                  const Statistic& statistic,
                                  const BootstrapOptions& options = {});

/// The same for a sample drawn in groups (members and non-members): each group is resampled to its
/// own size, and its items are those behind the groups before it. No group may be empty.
std::optional<Estimate> grouped_bootstrap(std::span<const size_t> group_sizes,
                                          const Statistic& statistic,
                                          const BootstrapOptions& options = {});

/// The mean of `values`; of zeros and ones, their share. Throws ContractError also when there are
/// none, or one is not finite.
Estimate bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {});

/// mean(values) - mean(others) on the same items, resampled together.
Estimate bootstrap_paired_difference(std::span<const double> values,
                                     std::span<const double> others,
                                     const BootstrapOptions& options = {});

/// mean(values) - mean(others) of two samples of their own items, each resampled by itself.
Estimate bootstrap_difference(std::span<const double> values,
                              std::span<const double> others,
                              const BootstrapOptions& options = {});

/// The `share` quantile of `sorted` numbers, interpolated linearly between neighbours (numpy's
/// default; Hyndman and Fan's type 7). Throws ContractError when there are none.
double quantile(std::span<const double> sorted, double share);

}  // namespace prescript
