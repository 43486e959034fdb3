#pragma once
// What a run with noise gives away at most: (epsilon, delta).

#include <cstdint>
#include <vector>

namespace prescript {

/// One step: every exemplar is drawn with probability `sample_rate`, and the sum of vectors of norm
/// at most C gets Gaussian noise of deviation `noise_multiplier` * C.
struct SampledGaussian {
  double noise_multiplier = 0;  // > 0
  double sample_rate = 0;       // in [0, 1]
};

/// Renyi differential privacy of such steps, towards one exemplar added to the set or taken out of
/// it, and the (epsilon, delta) that follows.
/// Source   Mironov, Talwar & Zhang 2019, "Renyi differential privacy of the sampled Gaussian
///          mechanism", section 3.3; conversion by Balle et al. 2020, "Hypothesis testing
///          interpretations and Renyi differential privacy", theorem 21; orders and algorithm are
///          those of Opacus' RDPAccountant.
class Accountant {
 public:
  /// Throws ContractError for a mechanism out of range.
  explicit Accountant(const SampledGaussian& mechanism);

  /// Epsilon after so many steps, for `delta` in (0, 1); 0 after none.
  double epsilon(int64_t steps, double delta) const;

 private:
  std::vector<double> divergences_;  // of one step, by order
};

}  // namespace prescript
