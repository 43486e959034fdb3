#include "train/watch.h"

#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Of SmolLM2.
constexpr WatchOptions kOptions{
    .vocabulary_norm = 3.25, .rate_step = 1, .num_steps = 200, .window = 20};

/// A step that deserves no warning.
WatchedStep good_step(int64_t step) {
  return {.step = step,
          .loss = 3.8 * std::pow(0.998, static_cast<double>(step)),
          .learning_rate = 0.003,
          .norm = 2.86,
          .change = 0.072};
}

/// The warnings of a run of 200 steps, and the steps at which they came.
struct Seen {
  std::vector<std::string> warnings = {};
  std::vector<int64_t> steps = {};
};

Seen run(const std::function<void(WatchedStep&)>& change, const WatchOptions& options = kOptions) {
  Seen seen;
  Watch state;
  for (int64_t step = 1; step <= 200; ++step) {
    WatchedStep watched = good_step(step);
    change(watched);
    for (const std::string& warning : watch(options, watched, state)) {
      seen.warnings.push_back(warning);
      seen.steps.push_back(step);
    }
  }
  return seen;
}

TEST(Watch, AGoodRunHasNoWarning) {
  EXPECT_THAT(run([](WatchedStep&) {}).warnings, IsEmpty());
}

TEST(Watch, ALossThatHasNotFallenIsWarnedOfOnce) {
  const Seen seen = run([](WatchedStep& step) { step.loss = 3.5; });
  ASSERT_THAT(seen.steps, ElementsAre(100));
  EXPECT_THAT(seen.warnings[0],
              HasSubstr("has not fallen in 100 steps: 3.5 over the first 20, 3.5 over the last;"));
  const auto to = [](double end) {
    return [end](WatchedStep& step) {
      step.loss = step.step <= 20 ? 4 : step.step <= 80 ? 100 : end;
    };
  };
  EXPECT_THAT(run(to(3.97)).steps, ElementsAre(100));
  EXPECT_THAT(run(to(4.5)).steps, ElementsAre(100)) << "one that rises has not fallen";
  EXPECT_THAT(run(to(3.95)).steps, IsEmpty());
}

TEST(Watch, ALossThatValidationSaysHasFallenIsNot) {
  EXPECT_THAT(run([](WatchedStep& step) {
                step.loss = 3.5;
                step.validation_fall = 0.02;
              }).steps,
              IsEmpty());
  EXPECT_THAT(run([](WatchedStep& step) {
                step.loss = 3.5;
                step.validation_fall = 1e-6;
              }).steps,
              ElementsAre(100));
}

TEST(Watch, NoiseOfBatchesIsNoAlarm) {
  // Of a run that falls by a tenth in a hundred steps, with batches as noisy as the demo's.
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    RandomStream random(seed, "noise");
    EXPECT_THAT(run([&](WatchedStep& step) {
                  step.loss =
                      3.7 * (1 - 0.001 * static_cast<double>(step.step)) + 0.14 * random.normal();
                }).steps,
                IsEmpty())
        << seed;
  }
}

TEST(Watch, AWindowIsAnEpochWithinBounds) {
  EXPECT_EQ(loss_window(72, 8), 20);
  EXPECT_EQ(loss_window(401, 8), 51);
  EXPECT_EQ(loss_window(1'000'000, 8), 100);
  EXPECT_EQ(loss_window(3, 1'000'000'000), 20);
  WatchOptions options = kOptions;
  options.window = 30;
  EXPECT_THAT(run([](WatchedStep& step) { step.loss = 3.5; }, options).steps, ElementsAre(150));
  options.window = 100;
  EXPECT_THAT(run([](WatchedStep& step) { step.loss = 3.5; }, options).steps, IsEmpty());
}

TEST(Watch, RowsFarFromTheVocabularysNormAreWarnedOfOnce) {
  const auto norm_at_50 = [](double norm) {
    return [norm](WatchedStep& step) {
      if (step.step >= 50) step.norm = norm;
    };
  };
  const Seen large = run(norm_at_50(33));
  ASSERT_THAT(large.steps, ElementsAre(50));
  EXPECT_THAT(large.warnings[0],
              HasSubstr("step 50: rows of the soft prompt have 10 times the norm"));
  const Seen small = run(norm_at_50(0.1));
  ASSERT_THAT(small.steps, ElementsAre(50));
  EXPECT_THAT(small.warnings[0], HasSubstr("0.031 times the norm"));
  EXPECT_THAT(run(norm_at_50(7.2)).steps, IsEmpty()) << "Med-PaLM's U(-0.5, 0.5)";
  EXPECT_THAT(run(norm_at_50(0.5)).steps, IsEmpty());
}

/// The first step at a learning rate, which AdamW takes in full.
std::function<void(WatchedStep&)> at_rate(double rate) {
  return [rate](WatchedStep& step) {
    step.learning_rate = rate;
    step.change = rate * 24;  // sqrt(576)
  };
}

TEST(Watch, ALearningRateThatIsFarOffIsWarnedOfOnce) {
  const Seen high = run(at_rate(0.3));
  ASSERT_THAT(high.steps, ElementsAre(1));
  EXPECT_THAT(high.warnings[0],
              HasSubstr("learning rate 0.3: step 1 moved the soft prompt by 2.2 times its norm; "
                        "0.03 would move it by about 0.2"));
  const Seen low = run(at_rate(3e-6));
  ASSERT_THAT(low.steps, ElementsAre(1));
  EXPECT_THAT(low.warnings[0], HasSubstr("by 2.2e-05 times its norm; 0.03 would move it"));
  EXPECT_THAT(run(at_rate(0)).warnings, ElementsAre(HasSubstr("by 0 times its norm")));
  for (const double published : {0.001, 0.003, 0.01, 0.028}) {
    EXPECT_THAT(run(at_rate(published)).warnings, IsEmpty()) << published;
  }
  WatchOptions options = kOptions;
  options.num_steps = 30'000;
  EXPECT_THAT(run(at_rate(3e-6), options).warnings, IsEmpty()) << "so many steps reach far";
  options.num_steps = 40;
  EXPECT_THAT(run(at_rate(2e-5), options).steps, ElementsAre(1)) << "of recipes/demo.yaml";
  options.num_steps = 1;
  EXPECT_THAT(run(at_rate(0.001), options).warnings, IsEmpty()) << "a trial";
}

TEST(Watch, TheRateIsJudgedBehindTheWarmUp) {
  WatchOptions options = kOptions;
  options.rate_step = 40;
  EXPECT_THAT(run(at_rate(0.3), options).steps, ElementsAre(40));
}

TEST(Watch, ASoftPromptThatBeginsAtZeroMayMove) {
  EXPECT_THAT(run([](WatchedStep& step) {
                if (step.step == 1) step.norm = 0;
              }).warnings,
              ElementsAre(HasSubstr("0 times the norm")))
      << "but it is far from the vocabulary";
}

TEST(Watch, WithoutTheVocabularysNormNormsAreNotWatched) {
  EXPECT_THAT(run(at_rate(300), {.num_steps = 200, .window = 20}).warnings, IsEmpty());
}

}  // namespace
}  // namespace prescript
