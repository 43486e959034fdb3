#pragma once
// Membership inference: can an exemplar's loss tell whether the adapter was trained on it?

#include <span>
#include <string>
#include <vector>

#include "statistics/bootstrap.h"
#include "statistics/roc.h"

namespace prescript {

/// What an exemplar costs, with the adapter and without: means over its targets.
struct ExemplarLoss {
  std::string id;
  double with_adapter = 0;
  double base = 0;
};

/// An attack: exemplars of a low score are called members. Intervals are of members and
/// non-members resampled each by themselves.
struct MembershipAttack {
  Estimate auc;                 // 0.5 is chance
  Estimate true_positive_rate;  // the share of members found at kFalsePositiveRate
  std::vector<RocPoint> curve;
};

inline constexpr double kFalsePositiveRate = 0.01;

/// How many of so many non-members may be called members at kFalsePositiveRate; of fewer than 100,
/// none.
size_t false_positives_allowed(size_t num_non_members);

/// The share of members that is found at kFalsePositiveRate on average where nothing tells members
/// from non-members: with k false positives allowed of n, that of a random score above the k + 1st
/// of n others, (k + 1) / (n + 1).
double true_positive_rate_by_chance(size_t num_non_members);

struct Membership {
  size_t num_members = 0;
  size_t num_non_members = 0;
  MembershipAttack by_loss;     // the score is the loss with the adapter
  MembershipAttack calibrated;  // the same less the base model's, which knows how hard a text is
  double member_loss = 0;       // means over exemplars
  double non_member_loss = 0;
  double member_base_loss = 0;
  double non_member_base_loss = 0;
};

/// Throws ContractError when there are no members or no non-members.
/// Source   Loss threshold: Yeom et al. 2018, "Privacy risk in machine learning", section 3.
///          Calibration: Watson et al. 2022, "On the importance of difficulty calibration in
///          membership inference attacks". The rate at few false positives: Carlini et al. 2022,
///          "Membership inference attacks from first principles".
Membership infer_membership(std::span<const ExemplarLoss> members,
                            std::span<const ExemplarLoss> non_members,
                            const BootstrapOptions& options);

}  // namespace prescript
