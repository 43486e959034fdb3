#include "train/accountant.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace prescript {
namespace {

TEST(Accountant, AgreesWithOpacus) {
  const auto golden =
      parse_json_file(PRESCRIPT_SOURCE_DIR "/tests/golden/privacy/epsilons.json", ExitCode::kData);
  ASSERT_EQ(golden.size(), 567U);
  for (const auto& one : golden) {
    const Accountant accountant({.noise_multiplier = one["noise"].get<double>(),
                                 .sample_rate = one["sample_rate"].get<double>()});
    const double found =
        accountant.epsilon(one["steps"].get<int64_t>(), one["delta"].get<double>());
    EXPECT_NEAR(found / one["epsilon"].get<double>(), 1, 1e-6) << one.dump();
  }
}

TEST(Accountant, MoreStepsMoreExemplarsAndLessNoiseCostMore) {
  const Accountant accountant({.noise_multiplier = 1, .sample_rate = 0.1});
  EXPECT_EQ(accountant.epsilon(0, 1e-5), 0);
  EXPECT_LT(accountant.epsilon(1, 1e-5), accountant.epsilon(2, 1e-5));
  EXPECT_LT(accountant.epsilon(10, 1e-4), accountant.epsilon(10, 1e-6));
  const Accountant more_often({.noise_multiplier = 1, .sample_rate = 0.2});
  EXPECT_LT(accountant.epsilon(10, 1e-5), more_often.epsilon(10, 1e-5));
  const Accountant less_noise({.noise_multiplier = 0.9, .sample_rate = 0.1});
  EXPECT_LT(accountant.epsilon(10, 1e-5), less_noise.epsilon(10, 1e-5));
}

// The divergence of two Gaussians of one deviation: order / (2 sigma^2), whose best order is known.
TEST(Accountant, WithoutSamplingItIsTheGaussianMechanism) {
  const double sigma = 4;
  const Accountant accountant({.noise_multiplier = sigma, .sample_rate = 1});
  double least = INFINITY;
  for (int order = 2; order < 64; ++order) {
    least = std::min(least,
                     order / (2 * sigma * sigma) - std::log(1e-5 * order) / (order - 1) +
                         std::log1p(-1.0 / order));
  }
  EXPECT_LE(accountant.epsilon(1, 1e-5), least);
  EXPECT_NEAR(accountant.epsilon(1, 1e-5) / least, 1, 1e-2);
}

TEST(Accountant, RefusesWhatIsNoMechanism) {
  EXPECT_THROW(Accountant({.noise_multiplier = 0, .sample_rate = 0.1}), ContractError);
  EXPECT_THROW(Accountant({.noise_multiplier = 1, .sample_rate = 1.1}), ContractError);
  EXPECT_THROW(Accountant({.noise_multiplier = 1, .sample_rate = 0.1}).epsilon(1, 0),
               ContractError);
}

}  // namespace
}  // namespace prescript
