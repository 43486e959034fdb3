#pragma once
// A number and how far it might have come out otherwise.

#include <cstddef>

namespace prescript {

/// A number with its interval. The percentile interval of a share that is 0 or 1 has no width, nor
/// has that of a sample of one: the sample shows nothing else.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
  /// Replicas in which the number is not defined (no rating differs, say); the interval is of the
  /// others.
  size_t undefined_replicas = 0;
};

}  // namespace prescript
