#include "audit/membership.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/random.h"

namespace prescript {
namespace {

using Losses = std::vector<ExemplarLoss>;

/// Losses around `loss`, over base losses around 3 that vary by `difficulty`, which both share.
Losses random_losses(size_t count, double loss, double difficulty, const char* purpose) {
  RandomStream stream(1, purpose);
  Losses losses;
  for (size_t i = 0; i < count; ++i) {
    const double hard = difficulty * stream.normal();
    losses.push_back(
        {std::to_string(i), loss + hard + 0.1 * stream.normal(), 3 + hard + 0.1 * stream.normal()});
  }
  return losses;
}

TEST(Membership, LossesThatPartThemGiveAwayAll) {
  const Losses members = {{"a", 0.1, 2}, {"b", 0.3, 2}};
  const Losses others = {{"c", 1.5, 2}, {"d", 0.4, 2}, {"e", 2, 2}};
  const Membership found = infer_membership(members, others, {});
  EXPECT_EQ(found.num_members, 2U);
  EXPECT_EQ(found.num_non_members, 3U);
  EXPECT_EQ(found.by_loss.auc.value, 1);
  EXPECT_EQ(found.by_loss.true_positive_rate.value, 1);
  EXPECT_EQ(found.by_loss.auc.low, 1);
  EXPECT_DOUBLE_EQ(found.member_loss, 0.2);
  EXPECT_DOUBLE_EQ(found.non_member_loss, 1.3);
  EXPECT_EQ(found.member_base_loss, 2);
}

TEST(Membership, APairInTheWrongOrderCountsForItsShare) {
  const Losses members = {{"a", 0.1, 2}, {"b", 1, 2}};
  const Losses others = {{"c", 0.5, 2}, {"d", 2, 2}};
  const Membership found = infer_membership(members, others, {});
  EXPECT_EQ(found.by_loss.auc.value, 0.75);
  EXPECT_EQ(found.by_loss.true_positive_rate.value, 0.5) << "no false positive of two is allowed";
}

TEST(Membership, ByChanceItIsAHalfWithinItsInterval) {
  const Membership found = infer_membership(
      random_losses(200, 2, 0.5, "members"), random_losses(200, 2, 0.5, "others"), {});
  for (const MembershipAttack& attack : {found.by_loss, found.calibrated}) {
    EXPECT_LT(attack.auc.low, 0.5);
    EXPECT_GT(attack.auc.high, 0.5);
    EXPECT_LT(attack.auc.high - attack.auc.low, 0.15);
    EXPECT_LT(attack.true_positive_rate.value, 0.05);
  }
}

// Texts differ more in how hard they are than training moves them: only the difference tells.
TEST(Membership, CalibrationTakesOutHowHardATextIs) {
  const Membership found = infer_membership(
      random_losses(200, 1.6, 1, "members"), random_losses(200, 2, 1, "others"), {});
  EXPECT_LT(found.by_loss.auc.value, 0.7);
  EXPECT_GT(found.calibrated.auc.value, 0.95);
  EXPECT_GT(found.calibrated.true_positive_rate.low, found.by_loss.true_positive_rate.high);
}

TEST(Membership, FalsePositivesAreAllowedByTheHundred) {
  EXPECT_EQ(false_positives_allowed(1), 0U);
  EXPECT_EQ(false_positives_allowed(99), 0U);
  EXPECT_EQ(false_positives_allowed(100), 1U);
  EXPECT_EQ(false_positives_allowed(199), 1U);
  for (size_t hundreds = 1; hundreds < 100; ++hundreds) {
    EXPECT_EQ(false_positives_allowed(100 * hundreds), hundreds) << "29 / 2900 is 1 %";
  }
}

// What infer_membership finds where there is nothing to find, on average of many samples.
TEST(Membership, MembersFoundByChanceAreThoseOfRandomLosses) {
  constexpr int kSamples = 300;
  for (const size_t num_others : {4U, 24U, 150U}) {
    double sum = 0;
    for (int sample = 0; sample < kSamples; ++sample) {
      const std::string purpose = std::to_string(num_others) + "/" + std::to_string(sample);
      sum += infer_membership(random_losses(40, 2, 0.5, ("members " + purpose).c_str()),
                              random_losses(num_others, 2, 0.5, ("others " + purpose).c_str()),
                              {.replicas = 1})
                 .by_loss.true_positive_rate.value;
    }
    const double chance = true_positive_rate_by_chance(num_others);
    EXPECT_NEAR(sum / kSamples / chance, 1, 0.25) << num_others;
  }
}

TEST(Membership, NeedsBothKinds) {
  EXPECT_THROW(infer_membership({}, Losses{{"a", 1, 1}}, {}), ContractError);
  EXPECT_THROW(infer_membership(Losses{{"a", 1, 1}}, {}, {}), ContractError);
}

}  // namespace
}  // namespace prescript
