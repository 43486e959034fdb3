#include "statistics/calibration.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "base/error.h"
#include "statistics/golden_statistics.h"

namespace prescript {
namespace {

using Answers = std::vector<JudgedAnswer>;

TEST(Calibration, EqualsScikitLearnsBrierScoreAndNumpysBins) {
  const auto golden = golden_statistics("answers");
  ASSERT_EQ(golden.size(), 5U);
  for (const auto& expected : golden) {
    const Answers answers = judged_answers(expected);
    for (const auto& [bins, error] : expected["expected_error"].items()) {
      const Calibration found = calibration(answers, std::stoul(bins));
      EXPECT_NEAR(found.expected_error, error.get<double>(), 1e-12) << bins;
      EXPECT_NEAR(found.brier, expected["brier"].get<double>(), 1e-12);
      size_t count = 0;
      for (const CalibrationBin& bin : found.bins) count += bin.count;
      EXPECT_EQ(count, answers.size());
    }
  }
}

TEST(Calibration, OfOneAnswer) {
  const Calibration found = calibration(Answers{{0.7, true}}, 10);
  ASSERT_EQ(found.bins.size(), 10U);
  EXPECT_EQ(found.bins[6].count, 1U);
  EXPECT_DOUBLE_EQ(found.bins[6].confidence, 0.7);
  EXPECT_DOUBLE_EQ(found.bins[6].accuracy, 1);
  EXPECT_NEAR(found.expected_error, 0.3, 1e-15);
  EXPECT_NEAR(found.brier, 0.09, 1e-15);
}

TEST(Calibration, PutsAnEdgeIntoTheBinBelow) {
  Answers answers;
  for (int tenth = 0; tenth <= 10; ++tenth) answers.push_back({tenth / 10.0, false});
  const Calibration found = calibration(answers, 10);
  EXPECT_EQ(found.bins[0].count, 2U) << "0 and 0.1";
  for (size_t b = 1; b < 10; ++b) EXPECT_EQ(found.bins[b].count, 1U) << b;
  EXPECT_EQ(found.bins[9].high, 1);
}

TEST(Calibration, OfEqualConfidencesIsOneBin) {
  const Calibration found = calibration(Answers{{1, true}, {1, true}, {1, false}, {1, true}});
  EXPECT_DOUBLE_EQ(found.expected_error, 0.25);
  EXPECT_DOUBLE_EQ(found.brier, 0.25);
  EXPECT_EQ(found.bins[0].count, 0U);
  EXPECT_EQ(found.bins[0].accuracy, 0);
}

TEST(Calibration, RefusesWhatIsNoConfidence) {
  EXPECT_THROW(calibration({}), ContractError);
  EXPECT_THROW(calibration(Answers{{0.5, true}}, 0), ContractError);
  EXPECT_THROW(calibration(Answers{{NAN, true}}), ContractError);
  EXPECT_THROW(calibration(Answers{{1.01, true}}), ContractError);
  EXPECT_THROW(calibration(Answers{{-0.01, true}}), ContractError);
}

}  // namespace
}  // namespace prescript
