#include "infer/sampler.h"

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

// Probabilities 0.5, 0.25, 0.125, 0.125 at temperature 1, in an order that sorting must undo.
const std::vector<float> kLogits = {
    std::log(0.125F), std::log(0.5F), std::log(0.125F), std::log(0.25F)};

std::map<int32_t, double> frequencies(const SamplingOptions& options) {
  constexpr int kDraws = 20000;
  std::map<int32_t, double> counts;
  for (int i = 0; i < kDraws; ++i) {
    counts[sample(kLogits, options, sampling_stream(options.seed, "r", i))] += 1.0 / kDraws;
  }
  return counts;
}

// Three standard deviations of a frequency of 20000 draws are at most 0.011.
constexpr double kTolerance = 0.012;

TEST(Sampler, TemperatureZeroTakesTheLargestLogitAndTheLowestIdOfEqualOnes) {
  EXPECT_EQ(sample(kLogits, {}, RandomStream(1, "unused")), 1);
  EXPECT_EQ(sample(std::vector<float>{0, 3, 1, 3}, {}, RandomStream(1, "unused")), 1);
}

TEST(Sampler, TemperatureOneDrawsFromTheSoftmax) {
  const auto found = frequencies({.temperature = 1});
  EXPECT_NEAR(found.at(0), 0.125, kTolerance);
  EXPECT_NEAR(found.at(1), 0.5, kTolerance);
  EXPECT_NEAR(found.at(2), 0.125, kTolerance);
  EXPECT_NEAR(found.at(3), 0.25, kTolerance);
}

TEST(Sampler, TemperatureDividesTheLogits) {
  // At 0.5 the probabilities are squared: 16 : 4 : 1 : 1.
  const auto found = frequencies({.temperature = 0.5});
  EXPECT_NEAR(found.at(1), 16.0 / 22, kTolerance);
  EXPECT_NEAR(found.at(3), 4.0 / 22, kTolerance);
}

TEST(Sampler, TopKKeepsTheLikeliestAndTheLowestIdOfEqualOnes) {
  const auto found = frequencies({.temperature = 1, .top_k = 3});
  EXPECT_EQ(found.count(2), 0U);
  EXPECT_NEAR(found.at(0), 1.0 / 7, kTolerance);
  EXPECT_NEAR(found.at(1), 4.0 / 7, kTolerance);
}

TEST(Sampler, TopPKeepsTheFewestThatReachIt) {
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 0.4}).size(), 1U);
  const auto two = frequencies({.temperature = 1, .top_p = 0.6});
  EXPECT_EQ(two.size(), 2U);
  EXPECT_NEAR(two.at(1), 2.0 / 3, kTolerance);
  EXPECT_EQ(frequencies({.temperature = 1, .top_p = 1}).size(), 4U);
}

TEST(Sampler, TopKCutsBeforeTopP) {
  // Of the two likeliest, 0.5 is 2/3: it alone reaches 0.6. Before the cut it would not.
  EXPECT_EQ(frequencies({.temperature = 1, .top_k = 2, .top_p = 0.6}).size(), 1U);
}

TEST(Sampler, StreamsDependOnSeedRequestAndPosition) {
  const double first = sampling_stream(1, "a", 0).uniform();
  EXPECT_EQ(first, sampling_stream(1, "a", 0).uniform());
  EXPECT_NE(first, sampling_stream(2, "a", 0).uniform());
  EXPECT_NE(first, sampling_stream(1, "b", 0).uniform());
  EXPECT_NE(first, sampling_stream(1, "a", 1).uniform());
}

TEST(Sampler, RefusesLogitsThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const double temperature : {0.0, 1.0}) {
      expect_input_error(ExitCode::kNotFinite, "not finite", [&] {
        sample(std::vector<float>{0, bad}, {.temperature = temperature}, RandomStream(1, "x"));
      });
    }
  }
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  const auto refuses = [](const SamplingOptions& options, const char* name) {
    expect_input_error(ExitCode::kUsage, name, [&] { check_sampling_options(options); });
  };
  refuses({.temperature = -1}, "--temperature");
  refuses({.temperature = std::nan("")}, "--temperature");
  refuses({.top_k = -1}, "--top-k");
  refuses({.top_p = 0}, "--top-p");
  refuses({.top_p = 1.5}, "--top-p");
  refuses({.top_p = std::nan("")}, "--top-p");
}

}  // namespace
}  // namespace prescript
