#include "train/adamw.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"
#include "support/tolerance.h"
#include "train/floats.h"

namespace prescript {
namespace {

struct Trajectory {
  std::vector<Doubles> parameters;  // behind each step
  Doubles norms;
  OptimizerState state;
};

Trajectory follow(const nlohmann::json& golden, const nlohmann::json& golden_case) {
  auto parameters = golden["start"].get<Floats>();
  const AdamWOptions options{.weight_decay = golden_case["weight_decay"].get<double>()};
  const auto clip_norm = golden_case["clip_norm"].get<double>();
  Trajectory found;
  for (size_t step = 0; step < golden["rates"].size(); ++step) {
    auto gradient = golden["gradients"][step].get<Floats>();
    found.norms.push_back(norm_of(gradient));
    clip_to_norm(gradient, found.norms.back(), clip_norm);
    adamw_step(options, golden["rates"][step].get<double>(), gradient, parameters, found.state);
    found.parameters.push_back(widened(parameters));
  }
  return found;
}

// Ours stores float32 between steps and computes in float64, so it must be as near to torch's
// float64 trajectory as torch's own float32 one is, or within the rounding of what it stores.
// clip_grad_norm_ divides by the norm plus 1e-6, we by the norm: that moves a clipped gradient by
// 1e-6, its moments likewise.
TEST(AdamW, FollowsTorchsFloat64TrajectoryAtLeastAsWellAsTorchsFloat32) {
  const auto golden =
      parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/train/adamw.json", ExitCode::kData);
  const auto start = golden["start"].get<Doubles>();
  ASSERT_EQ(golden["cases"].size(), 4U);
  for (const auto& golden_case : golden["cases"]) {
    const Trajectory found = follow(golden, golden_case);
    const auto& exact = golden_case["float64"];
    const auto& single = golden_case["float32"];
    const std::string name =
        "decay " + golden_case["weight_decay"].dump() + ", clip " + golden_case["clip_norm"].dump();
    for (size_t step = 0; step < found.parameters.size(); ++step) {
      const auto exact_parameters = exact["parameters"][step].get<Doubles>();
      const double ours = tolerance::norm_error(found.parameters[step], exact_parameters);
      const double torchs =
          tolerance::norm_error(single["parameters"][step].get<Doubles>(), exact_parameters);
      EXPECT_LE(ours, std::max(torchs, kRounding)) << name << ", step " << step + 1;
      EXPECT_LT(torchs, 1e-6) << "the comparison would be empty";
      EXPECT_NEAR(found.norms[step] / exact["norms"][step].get<double>(), 1, 1e-14);
    }
    EXPECT_GT(tolerance::norm_error(start, found.parameters.back()), 1e-3);
    const double moments = golden_case["clip_norm"] == 0.0 ? 2e-7 : 2e-6;
    EXPECT_LE(tolerance::norm_error(widened(found.state.first_moment),
                                    exact["first_moment"].get<Doubles>()),
              moments)
        << name;
    EXPECT_LE(tolerance::norm_error(widened(found.state.second_moment),
                                    exact["second_moment"].get<Doubles>()),
              2 * moments)
        << name;
  }
}

TEST(AdamW, AParameterWithoutGradientOnlyDecays) {
  Floats parameters = {2};
  OptimizerState state;
  for (int step = 0; step < 3; ++step) {
    adamw_step({.weight_decay = 0.5}, 0.1, Floats{0}, parameters, state);
  }
  EXPECT_FLOAT_EQ(parameters[0], static_cast<float>(2 * std::pow(1 - 0.1 * 0.5, 3)));
}

TEST(AdamW, StateOfAnotherSizeIsRefused) {
  Floats parameters = {1, 2};
  OptimizerState state;
  adamw_step({}, 0.1, Floats{1, 1}, parameters, state);
  Floats other = {1, 2, 3};
  EXPECT_THROW(adamw_step({}, 0.1, Floats{1, 1, 1}, other, state), ContractError);
  EXPECT_THROW(adamw_step({}, 0.1, Floats{1, 1, 1}, parameters, state), ContractError);
}

}  // namespace
}  // namespace prescript
