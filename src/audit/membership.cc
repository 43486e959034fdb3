#include "audit/membership.h"

#include <numeric>

#include "base/error.h"

namespace prescript {
namespace {

/// Positives of a ROC score high, members low.
double loss_score(const ExemplarLoss& loss) {
  return -loss.with_adapter;
}

double calibrated_score(const ExemplarLoss& loss) {
  return loss.base - loss.with_adapter;
}

MembershipAttack attack(std::span<const ExemplarLoss> members,
                        std::span<const ExemplarLoss> non_members,
                        double (*score)(const ExemplarLoss&),
                        const BootstrapOptions& options) {
  const auto curve_of = [&](std::span<const size_t> indices) {
    std::vector<double> positives;
    std::vector<double> negatives;
    for (const size_t i : indices) {
      if (i < members.size()) {
        positives.push_back(score(members[i]));
      } else {
        negatives.push_back(score(non_members[i - members.size()]));
      }
    }
    return roc_curve(positives, negatives);
  };
  std::vector<size_t> all(members.size() + non_members.size());
  std::iota(all.begin(), all.end(), size_t{0});
  const size_t sizes[] = {members.size(), non_members.size()};
  const auto estimate = [&](double (*figure)(std::span<const RocPoint>)) {
    return grouped_bootstrap(
               sizes,
               [&](std::span<const size_t> indices) -> std::optional<double> {
                 return figure(curve_of(indices));
               },
               options)
        .value();
  };
  return {.auc = estimate(area_under_roc),
          .true_positive_rate = estimate([](std::span<const RocPoint> curve) {
            return true_positive_rate_at(curve, kFalsePositiveRate);
          }),
          .curve = curve_of(all)};
}

double mean(std::span<const ExemplarLoss> losses, double ExemplarLoss::*loss) {
  double sum = 0;
  for (const ExemplarLoss& one : losses) sum += one.*loss;
  return sum / static_cast<double>(losses.size());
}

}  // namespace

size_t false_positives_allowed(size_t num_non_members) {
  // As true_positive_rate_at compares shares.
  size_t allowed = 0;
  while (static_cast<double>(allowed + 1) / static_cast<double>(num_non_members) <=
         kFalsePositiveRate) {
    ++allowed;
  }
  return allowed;
}

double true_positive_rate_by_chance(size_t num_non_members) {
  return static_cast<double>(false_positives_allowed(num_non_members) + 1) /
         static_cast<double>(num_non_members + 1);
}

Membership infer_membership(std::span<const ExemplarLoss> members,
                            std::span<const ExemplarLoss> non_members,
                            const BootstrapOptions& options) {
  PRESCRIPT_CHECK(!members.empty() && !non_members.empty(), "members and non-members");
  return {.num_members = members.size(),
          .num_non_members = non_members.size(),
          .by_loss = attack(members, non_members, loss_score, options),
          .calibrated = attack(members, non_members, calibrated_score, options),
          .member_loss = mean(members, &ExemplarLoss::with_adapter),
          .non_member_loss = mean(non_members, &ExemplarLoss::with_adapter),
          .member_base_loss = mean(members, &ExemplarLoss::base),
          .non_member_base_loss = mean(non_members, &ExemplarLoss::base)};
}

}  // namespace prescript
