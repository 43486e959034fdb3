#include "train/adafactor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"
#include "support/tolerance.h"
#include "train/floats.h"

namespace prescript {
namespace {

double norm(const Doubles& values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

// As for AdamW: nearer to the float64 trajectory than transformers' own float32 one, or within the
// rounding of what is stored between steps, at the largest of its norms.
TEST(Adafactor, FollowsTransformersFloat64TrajectoryAtLeastAsWellAsItsFloat32) {
  const auto golden =
      parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/train/adafactor.json", ExitCode::kData);
  ASSERT_EQ(golden.size(), 10U);
  for (const auto& one : golden) {
    SCOPED_TRACE(one["shape"].dump() + ", decay " + one["weight_decay"].dump());
    auto parameters = one["start"].get<Floats>();
    OptimizerState state;
    double largest = 0;
    for (size_t step = 0; step < one["rates"].size(); ++step) {
      const auto gradient = one["gradients"][step].get<Floats>();
      const Floats before = parameters;
      const double change = adafactor_step({.weight_decay = one["weight_decay"].get<double>()},
                                           one["rates"][step].get<double>(),
                                           one["shape"][1].get<int64_t>(),
                                           gradient,
                                           parameters,
                                           state);
      const auto exact = one["float64"]["parameters"][step].get<Doubles>();
      const double ours = tolerance::norm_error(widened(parameters), exact);
      const double theirs =
          tolerance::norm_error(one["float32"]["parameters"][step].get<Doubles>(), exact);
      largest = std::max(largest, norm(exact));
      EXPECT_LE(ours, std::max(theirs, 2 * kRounding * largest / norm(exact)))
          << "step " << step + 1;
      EXPECT_LT(theirs, 1e-5) << "the comparison would be empty";
      double squares = 0;
      for (size_t i = 0; i < before.size(); ++i) {
        squares += std::pow(static_cast<double>(parameters[i]) - before[i], 2);
      }
      EXPECT_DOUBLE_EQ(change, std::sqrt(squares));
    }
    EXPECT_GT(tolerance::norm_error(one["start"].get<Doubles>(), widened(parameters)), 0.1);
    EXPECT_LE(tolerance::norm_error(widened(state.row_moment),
                                    one["float64"]["row_moment"].get<Doubles>()),
              4e-7);
    EXPECT_LE(tolerance::norm_error(widened(state.column_moment),
                                    one["float64"]["column_moment"].get<Doubles>()),
              4e-7);
    EXPECT_TRUE(state.first_moment.empty() && state.second_moment.empty());
  }
}

// By hand. Gradient rows (3, 4) and (0, 0): the means of squares are 12.5 and 0 over rows, 4.5 and
// 8 over columns, and the first step keeps nothing of what was before. The factored moment of the
// first row is 12.5 / 6.25 = 2 times the columns', 9 and 16: the update is (1, 1), its root mean
// square sqrt(2 / 4) is not clipped. At rate 0.5 with decay 0.2, 1 - 0.5 * 0.2 = 0.9 of the
// parameters remains.
//
// The second gradient has rows (0, 0) and (0, 8): step 2 keeps 1 - 2^-0.8 of the moments.
TEST(Adafactor, TwoStepsByHand) {
  Floats parameters = {10, 20, 30, 40};
  OptimizerState state;
  const AdafactorOptions options{.weight_decay = 0.2};
  const double change = adafactor_step(options, 0.5, 2, Floats{3, 4, 0, 0}, parameters, state);
  EXPECT_EQ(state.row_moment[0], 12.5F);
  EXPECT_NEAR(state.row_moment[1], 1e-30, 1e-36);
  EXPECT_EQ(state.column_moment, (Floats{4.5F, 8}));
  EXPECT_EQ(parameters, (Floats{8.5F, 17.5F, 27, 36}));
  EXPECT_DOUBLE_EQ(change, std::sqrt(1.5 * 1.5 + 2.5 * 2.5 + 3 * 3 + 4 * 4));

  const double kept = 1 - std::pow(2, -0.8);
  const double row0 = kept * 12.5;
  const double row1 = (1 - kept) * 32;
  const double column1 = kept * 8 + (1 - kept) * 32;
  const double update = 8 / std::sqrt(row1 / ((row0 + row1) / 2) * column1);
  const double root_mean_square = update / 2;  // the other three are 0
  adafactor_step(options, 0.5, 2, Floats{0, 0, 0, 8}, parameters, state);
  EXPECT_FLOAT_EQ(state.row_moment[0], static_cast<float>(row0));
  EXPECT_FLOAT_EQ(state.row_moment[1], static_cast<float>(row1));
  EXPECT_FLOAT_EQ(state.column_moment[1], static_cast<float>(column1));
  EXPECT_FLOAT_EQ(parameters[0], 0.9F * 8.5F);
  EXPECT_FLOAT_EQ(parameters[3],
                  static_cast<float>(0.9 * 36 - 0.5 * update / std::max(1.0, root_mean_square)));
}

TEST(Adafactor, AnUpdateIsClippedToItsRootMeanSquare) {
  // Steps 2 to 10 have no gradient, so that the eleventh finds moments far below its squares.
  Floats parameters = {0, 0};
  OptimizerState state;
  adafactor_step({}, 1, 2, Floats{1, -1}, parameters, state);
  for (int step = 2; step <= 10; ++step) {
    const Floats before = parameters;
    EXPECT_EQ(adafactor_step({}, 1, 2, Floats{0, 0}, parameters, state), 0);
    EXPECT_EQ(parameters, before) << "nothing moves without gradient or decay";
  }
  parameters = {0, 0};
  const double change = adafactor_step({}, 0.3, 2, Floats{100, -100}, parameters, state);
  EXPECT_NEAR(change, 0.3 * std::sqrt(2), 1e-7) << "root mean square 1, times the rate";
  parameters = {0, 0};
  OptimizerState again = state;
  EXPECT_GT(adafactor_step({.clip_threshold = 10}, 0.3, 2, Floats{1e4F, 0}, parameters, again),
            0.3 * std::sqrt(2));
}

TEST(Adafactor, StateOfAnotherShapeIsRefused) {
  Floats parameters = {1, 2, 3, 4, 5, 6};
  const Floats gradient = {1, 1, 1, 1, 1, 1};
  OptimizerState state;
  adafactor_step({}, 0.1, 3, gradient, parameters, state);
  EXPECT_THROW(adafactor_step({}, 0.1, 2, gradient, parameters, state), ContractError);
  EXPECT_THROW(adafactor_step({}, 0.1, 4, gradient, parameters, state), ContractError);
  EXPECT_THROW(adafactor_step({}, 0.1, 3, Floats{1, 1, 1}, parameters, state), ContractError);
}

}  // namespace
}  // namespace prescript
