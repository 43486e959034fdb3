#include "train/private_step.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/tiny_base.h"
#include "support/tolerance.h"
#include "train/exact_step.h"
#include "train/floats.h"
#include "train/optimizer.h"
#include "train/tiny_run.h"

namespace prescript {
namespace {

constexpr int64_t kP = 6;

double distance(const Floats& a, const Floats& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += std::pow(double{a[i]} - b[i], 2);
  return std::sqrt(squares);
}

class PrivateStepOfTinyRun : public testing::Test {
 protected:
  PrivateStep step(const std::vector<const TrainingExemplar*>& exemplars,
                   const PrivacyOptions& options,
                   int64_t expected = 1,
                   int64_t number = 1) {
    return differentiate_privately(
        prompted_, exemplars, prompt_.values_PD, options, expected, number);
  }

  const std::vector<TrainingExemplar> exemplars_ = tiny_exemplars();
  const SoftPrompt prompt_ = tiny_prompt(kP);
  TinyBase base_{make_cpu_ops(1), DType::kFloat32};
  PromptedDecoder prompted_{base_.decoder(), kExemplarsSideBySide, kP, {}};
};

// The oracle: autograd on each exemplar alone in float64, whose loss is the mean over its targets,
// clipped and added here.
TEST_F(PrivateStepOfTinyRun, AddsTheClippedGradientsOfEachExemplarAlone) {
  std::vector<Doubles> gradients;
  Doubles norms;
  for (const TrainingExemplar& exemplar : exemplars_) {
    gradients.push_back(
        exact_step({exemplar}, prompt_, PromptPosition::kStart).gradients[0].values);
    double squares = 0;
    for (const double value : gradients.back()) squares += value * value;
    norms.push_back(std::sqrt(squares));
  }
  Doubles sorted = norms;
  std::ranges::sort(sorted);
  ASSERT_GT(sorted[2] / sorted[1], 1.01);
  const double clip_norm = (sorted[1] + sorted[2]) / 2;  // three are longer
  Doubles sum(gradients[0].size());
  for (size_t e = 0; e < gradients.size(); ++e) {
    const double scale = std::min(1.0, clip_norm / norms[e]);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += scale * gradients[e][i] / 4;
  }
  const PrivateStep found = step(pointers(exemplars_), {.clip_norm = clip_norm}, 4);
  EXPECT_EQ(found.num_clipped, 3);
  EXPECT_LE(tolerance::norm_error(widened(found.result.prompts[0].gradient), sum),
            tolerance::kGradientFloat32);
}

TEST_F(PrivateStepOfTinyRun, UnclippedAndOfEqualAnswersItIsTheUsualGradient) {
  const std::vector<TrainingExemplar> equal = {tiny_exemplar("a", "Is it? ", "Yes."),
                                               tiny_exemplar("b", "Is it so? ", "Not."),
                                               tiny_exemplar("c", "And now? ", "Two.")};
  const PromptedBatch batch{pointers(equal), prompt_.values_PD};
  const PromptResult usual = prompted_.differentiate(std::span(&batch, 1)).prompts[0];
  const PrivateStep found = step(pointers(equal), {.clip_norm = 1e6}, 3);
  EXPECT_EQ(found.num_clipped, 0);
  EXPECT_NEAR(found.result.prompts[0].loss / usual.loss, 1, tolerance::kScheduleLossFloat32);
  EXPECT_LE(distance(found.result.prompts[0].gradient, usual.gradient),
            tolerance::kScheduleGradientFloat32 * norm_of(usual.gradient));
}

// What one exemplar can do to the sum, whatever it is: the sensitivity that the noise is made for.
TEST_F(PrivateStepOfTinyRun, OneExemplarMoreMovesTheSumByTheClipNormAtMost) {
  const auto all = pointers(exemplars_);
  for (const double clip_norm : {1e-3, 0.1, 10.0}) {
    for (size_t left_out = 0; left_out < all.size(); ++left_out) {
      auto others = all;
      others.erase(others.begin() + static_cast<ptrdiff_t>(left_out));
      const Floats with = step(all, {.clip_norm = clip_norm}).result.prompts[0].gradient;
      const Floats without = step(others, {.clip_norm = clip_norm}).result.prompts[0].gradient;
      EXPECT_LE(distance(with, without), clip_norm * (1 + 1e-4)) << left_out;
    }
  }
}

// What else is in a pass rounds an exemplar's gradient otherwise at most, also where that is
// coarse.
TEST_F(PrivateStepOfTinyRun, InBfloat16TheSumMovesByTheClipNormUpToRounding) {
  TinyBase base(make_cpu_ops(1), DType::kBFloat16);
  PromptedDecoder prompted(base.decoder(), kExemplarsSideBySide, kP, {});
  const auto sum_of = [&](const std::vector<const TrainingExemplar*>& exemplars) {
    return differentiate_privately(
               prompted, exemplars, prompt_.values_PD, {.clip_norm = 1e-3}, /*expected=*/1, 1)
        .result.prompts[0]
        .gradient;
  };
  const auto all = pointers(exemplars_);
  for (size_t left_out = 0; left_out < all.size(); ++left_out) {
    auto others = all;
    others.erase(others.begin() + static_cast<ptrdiff_t>(left_out));
    EXPECT_LE(distance(sum_of(all), sum_of(others)), 1e-3 * (1 + 1e-3)) << left_out;
  }
}

TEST_F(PrivateStepOfTinyRun, ExemplarsBeyondThoseSideBySideCountToo) {
  std::vector<const TrainingExemplar*> many;
  for (int i = 0; i < 7; ++i) {
    for (const TrainingExemplar& exemplar : exemplars_) many.push_back(&exemplar);
  }
  ASSERT_GT(std::ssize(many), 2 * kExemplarsSideBySide);
  const PrivateStep once = step(pointers(exemplars_), {.clip_norm = 0.5}, 5);
  const PrivateStep seven = step(many, {.clip_norm = 0.5}, 35);
  EXPECT_EQ(seven.num_clipped, 7 * once.num_clipped);
  EXPECT_EQ(seven.result.rows_computed, 7 * once.result.rows_computed);
  EXPECT_NEAR(seven.result.prompts[0].loss / once.result.prompts[0].loss, 1, 1e-6);
  EXPECT_LE(distance(seven.result.prompts[0].gradient, once.result.prompts[0].gradient),
            tolerance::kScheduleGradientFloat32 * norm_of(once.result.prompts[0].gradient));
}

TEST_F(PrivateStepOfTinyRun, NothingIsShared) {
  const PrivateStep found = step(pointers(exemplars_), {.clip_norm = 1});
  EXPECT_EQ(found.result.rows_computed, found.result.rows_unshared);
}

// Without exemplars the gradient is the noise alone.
TEST_F(PrivateStepOfTinyRun, NoiseIsNormalOfTheSaidDeviation) {
  const PrivacyOptions options{.clip_norm = 0.25, .noise_multiplier = 2, .key = 5};
  double sum = 0;
  double squares = 0;
  double fourths = 0;
  double count = 0;
  for (int64_t number = 1; number <= 300; ++number) {
    const PrivateStep found = step({}, options, 10, number);
    EXPECT_TRUE(std::isnan(found.result.prompts[0].loss));
    for (const float value : found.result.prompts[0].gradient) {
      const double z = value * 10 / (2 * 0.25);
      sum += z;
      squares += z * z;
      fourths += z * z * z * z;
      ++count;
    }
  }
  ASSERT_GT(count, 20000);
  EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2 / count));
  EXPECT_NEAR(fourths / count, 3, 5 * std::sqrt(96 / count));
}

TEST_F(PrivateStepOfTinyRun, NoiseFollowsFromKeyAndStep) {
  const auto noise = [&](uint64_t key, int64_t number) {
    return step({}, {.clip_norm = 1, .noise_multiplier = 1, .key = key}, 1, number)
        .result.prompts[0]
        .gradient;
  };
  EXPECT_EQ(noise(1, 1), noise(1, 1));
  EXPECT_NE(noise(1, 1), noise(1, 2));
  EXPECT_NE(noise(1, 1), noise(2, 1));
}

TEST(DrawnExemplars, EachIsDrawnAtTheRateAndByItself) {
  constexpr int64_t kSteps = 4000;
  constexpr double kRate = 0.3;
  const double deviation = std::sqrt(kRate * (1 - kRate) / kSteps);
  std::vector<double> counts(8);
  double both = 0;
  for (int64_t number = 1; number <= kSteps; ++number) {
    const auto drawn = draw_exemplars(8, kRate, 11, number);
    EXPECT_TRUE(std::ranges::is_sorted(drawn));
    for (const size_t i : drawn) ++counts.at(i);
    both += std::ranges::count(drawn, 2U) > 0 && std::ranges::count(drawn, 5U) > 0 ? 1 : 0;
  }
  for (const double count : counts) EXPECT_NEAR(count / kSteps, kRate, 5 * deviation);
  EXPECT_NEAR(both / kSteps, kRate * kRate, 5 * deviation);
  EXPECT_EQ(draw_exemplars(8, 1, 11, 1).size(), 8U);
  EXPECT_EQ(draw_exemplars(100, 0.5, 11, 1), draw_exemplars(100, 0.5, 11, 1));
  EXPECT_NE(draw_exemplars(100, 0.5, 11, 1), draw_exemplars(100, 0.5, 11, 2));
  EXPECT_NE(draw_exemplars(100, 0.5, 11, 1), draw_exemplars(100, 0.5, 12, 1));
}

TEST(DrawnExemplars, NoMoreAreExpectedThanThereAre) {
  EXPECT_EQ(sample_rate(12, 3), 0.25);
  EXPECT_EQ(sample_rate(12, 12), 1);
  EXPECT_THROW(sample_rate(12, 13), ContractError);
}

}  // namespace
}  // namespace prescript
