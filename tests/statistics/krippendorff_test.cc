#include "statistics/krippendorff.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "statistics/golden_statistics.h"

namespace prescript {
namespace {

using Units = std::vector<std::vector<size_t>>;

/// By unit, from rows of raters with options from 1 and nulls.
Units units_of(const nlohmann::json& table) {
  Units units(table[0].size());
  for (const auto& rater : table)
    for (size_t u = 0; u < rater.size(); ++u)
      if (!rater[u].is_null()) units[u].push_back(rater[u].get<size_t>() - 1);
  return units;
}

TEST(Krippendorff, EqualsThePublishedExample) {
  const Units units = units_of(golden_statistics("krippendorff")[0]["ratings"]);
  ASSERT_EQ(units.size(), 12U);
  EXPECT_NEAR(*krippendorff_alpha(units, 5, RatingScale::kNominal), 0.743, 5e-4);
  EXPECT_NEAR(*krippendorff_alpha(units, 5, RatingScale::kOrdinal), 0.815, 5e-4);
}

TEST(Krippendorff, EqualsThePackageOfThatName) {
  const auto golden = golden_statistics("krippendorff");
  ASSERT_EQ(golden.size(), 4U);
  for (const auto& expected : golden) {
    const Units units = units_of(expected["ratings"]);
    const auto options = expected["options"].get<size_t>();
    EXPECT_NEAR(*krippendorff_alpha(units, options, RatingScale::kNominal),
                expected["nominal"].get<double>(),
                1e-12);
    EXPECT_NEAR(*krippendorff_alpha(units, options, RatingScale::kOrdinal),
                expected["ordinal"].get<double>(),
                1e-12);
    EXPECT_NEAR(*krippendorff_alpha(units, options + 3, RatingScale::kOrdinal),
                expected["ordinal"].get<double>(),
                1e-12)
        << "options that nobody chose change nothing";
  }
}

TEST(Krippendorff, OfRatersWhoAgreeIsOne) {
  EXPECT_EQ(krippendorff_alpha(Units{{0, 0}, {2, 2, 2}}, 3, RatingScale::kOrdinal), 1);
}

TEST(Krippendorff, IsNotDefinedWithoutVariationOrPairs) {
  for (const Units& units : {Units{},
                             Units{{}},
                             Units{{1}},
                             Units{{0}, {1}, {0}},
                             Units{{1, 1}, {1, 1}},
                             Units{{1, 1}, {0}}}) {
    EXPECT_FALSE(krippendorff_alpha(units, 2, RatingScale::kNominal));
    EXPECT_FALSE(krippendorff_alpha(units, 2, RatingScale::kOrdinal));
  }
  EXPECT_FALSE(krippendorff_alpha(Units{}, 0, RatingScale::kNominal));
}

TEST(Krippendorff, RefusesAnOptionThatDoesNotExist) {
  EXPECT_THROW(krippendorff_alpha(Units{{0, 2}}, 2, RatingScale::kNominal), ContractError);
  EXPECT_THROW(krippendorff_alpha(Units{{2}}, 2, RatingScale::kNominal), ContractError);
}

}  // namespace
}  // namespace prescript
