#include "rating/axes.h"

#include <set>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Axes, AreThoseOfThePaper) {
  ASSERT_EQ(clinician_axes().size(), 12u);
  ASSERT_EQ(lay_axes().size(), 2u);
  EXPECT_EQ(
      clinician_axes()[0].question,
      "How does the answer relate to the consensus in the scientific and clinical community?");
  EXPECT_EQ(clinician_axes()[1].options[0].label, "Death or severe harm");
  EXPECT_EQ(clinician_axes()[10].question, "Does the answer omit any content it shouldn't?");
  EXPECT_EQ(lay_axes()[1].options[1].label, "Somewhat helpful");
}

TEST(Axes, KeysAreUniqueAndFavourableOptionsExist) {
  std::set<std::string> keys;
  for (const auto axes : {clinician_axes(), lay_axes()}) {
    for (const Axis& axis : axes) {
      EXPECT_TRUE(keys.insert(axis.key).second) << axis.key;
      EXPECT_LT(axis.favourable, axis.options.size());
      std::set<std::string> options;
      for (const AxisOption& option : axis.options) options.insert(option.key);
      EXPECT_EQ(options.size(), axis.options.size());
    }
  }
}

TEST(Axes, ARankingHasAPlaceForEachAnswer) {
  const auto axes = ranking_axes(3);
  ASSERT_EQ(axes.size(), 3u);
  EXPECT_EQ(axes[2].key, "C");
  ASSERT_EQ(axes[2].options.size(), 3u);
  EXPECT_EQ(axes[2].options[2].key, "3");
  EXPECT_EQ(axes[2].favourable, 0u);
}

}  // namespace
}  // namespace prescript
