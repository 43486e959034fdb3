#include "train/tune.h"

#include <cmath>
#include <numbers>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/autograd_llama.h"
#include "support/expect_error.h"
#include "support/fake_card.h"
#include "support/tiny_base.h"
#include "support/tolerance.h"
#include "train/batches.h"
#include "train/tune_run.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(Tune, AStoppedRunHasItsLastFinishedStepInACheckpoint) {
  RunDirectory directory = open("run");
  directory.begin("");
  RunState state = first_state();
  bool stop = false;
  EXPECT_EQ(run(directory,
                state,
                short_run(),
                {.on_step = [&](const StepReport& report) { stop = report.step == 3; },
                 .stop_requested = [&] { return stop; }}),
            TuneEnd::kStopped);
  EXPECT_EQ(state.step, 3);
  const Checkpoint checkpoint = newest(directory);
  EXPECT_EQ(checkpoint.state.step, 3);
  EXPECT_EQ(checkpoint.identity, kIdentity);
  expect_same_candidate(checkpoint.state.candidates[0], state.candidates[0]);
}

TEST_F(Tune, WhatWasFinishedBeforeAStepThatDoesNotFitIsInACheckpoint) {
  const RunState whole = run_new("whole", short_run());
  auto made = std::make_unique<FakeCard>();
  FakeCard& card = *made;
  TinyBase base(std::move(made), DType::kFloat32);
  RunDirectory directory = open("run");
  directory.begin("");
  RunState state = first_state();
  const auto go_on = [&] {
    return tune(base.decoder(),
                step_options_,
                data_,
                short_run(),
                directory,
                kIdentity,
                state,
                {.on_step = [&](const StepReport& report) {
                  if (report.step == 3) card.largest_block = 1000;
                }});
  };
  EXPECT_THROW(go_on(), OutOfMemory);
  EXPECT_EQ(newest(directory).state.step, 3);
  card.largest_block = SIZE_MAX;
  EXPECT_EQ(go_on(), TuneEnd::kFinished);
  expect_same_state(state, whole);
  EXPECT_EQ(metrics("run"), metrics("whole"));
}

TEST_F(Tune, ValidatesBeforeTheFirstStepAtTheIntervalAndBehindTheLast) {
  run_new("run", short_run());
  std::vector<std::string> kinds;
  for (const std::string& line : metrics("run")) {
    const auto values = ordered_json::parse(line);
    kinds.push_back((values.contains("loss") ? "s" : "v") + values["step"].dump());
  }
  EXPECT_THAT(kinds, ElementsAre("v0", "s1", "s2", "v2", "s3", "s4", "v4", "s5", "v5"));
}

TEST_F(Tune, ObserversHearWhatTheLogHolds) {
  std::vector<std::string> heard;
  run_new("run",
          short_run(),
          {.on_step =
               [&](const StepReport& report) {
                 heard.push_back("s" + std::to_string(report.step));
                 EXPECT_GT(report.seconds, 0);
               },
           .on_validation =
               [&](const ValidationReport& report) {
                 heard.push_back("v" + std::to_string(report.step));
               }});
  EXPECT_THAT(heard, ElementsAre("v0", "s1", "s2", "v2", "s3", "s4", "v4", "s5", "v5"));
}

TEST_F(Tune, NoStepReachesMoreThanThePeak) {
  TuneOptions options = short_run();
  options.peak_flops_per_second = 1;  // as if others had used the processor while it was measured
  std::vector<double> peaks = {1};
  run_new("run", options, {.on_step = [&](const StepReport& report) {
            EXPECT_LE(report.share_of_peak(), 1);
            EXPECT_GE(report.peak_flops_per_second, peaks.back());
            peaks.push_back(report.peak_flops_per_second);
          }});
  EXPECT_EQ(peaks.size(), 6U);
  EXPECT_GT(peaks[1], 1);
}

TEST_F(Tune, KeepsTheBestByValidationAndNeverStepZero) {
  TuneOptions options = short_run();
  options.schedule.steps = 12;
  options.candidates[0].learning_rate = 0.2;  // so large that the loss goes up and down
  options.evaluate_every = 1;
  std::map<int64_t, std::vector<float>> prompts;
  RunDirectory directory = open("run");
  directory.begin("");
  RunState state = first_state();
  run(directory, state, options, {.on_step = [&](const StepReport& report) {
        prompts[report.step] = state.candidates[0].prompt.values_PD;
      }});
  std::map<int64_t, double> losses = validations("run");
  ASSERT_EQ(losses.size(), 13U);
  const CandidateState& kept = state.candidates[0];
  EXPECT_EQ(kept.loss_at_start, losses[0]);
  EXPECT_EQ(kept.last_loss, losses[12]);
  losses.erase(0);
  const auto best =
      std::min_element(losses.begin(), losses.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      });
  ASSERT_NE(best->first, 12) << "the last is the best: the test would be empty";
  EXPECT_EQ(kept.best_step, best->first);
  EXPECT_EQ(kept.best_loss, best->second);
  EXPECT_EQ(kept.best_prompt_PD, prompts[best->first]);
}

TEST_F(Tune, WhereEveryStepIsWorseThanTheStartTheBestOfThemIsKept) {
  data_.validation = data_.train;
  TuneOptions options = short_run();
  options.candidates[0].learning_rate = -0.01;  // uphill
  const CandidateState kept = run_new("run", options).candidates[0];
  EXPECT_GT(*kept.best_loss, *kept.loss_at_start);
  EXPECT_GE(kept.best_step, 1);
  EXPECT_FALSE(kept.best_prompt_PD.empty());
  EXPECT_NE(kept.best_prompt_PD, first_state().candidates[0].prompt.values_PD);
}

TEST_F(Tune, LosesPatienceAfterThatManyEvaluationsWithoutABetterOne) {
  TuneOptions options = short_run();
  options.schedule.steps = 100;
  options.candidates[0].learning_rate = -0.01;  // uphill
  options.evaluate_every = 3;
  options.patience = 2;
  data_.validation = data_.train;
  const RunState state = run_new("run", options);
  EXPECT_EQ(state.step, 6);
  EXPECT_TRUE(is_finished(state, options));
  const RunDirectory directory = open("run");
  EXPECT_EQ(newest(directory).state.step, 6);
  EXPECT_TRUE(is_finished(newest(directory).state, options));
}

TEST_F(Tune, ABetterEvaluationRestoresPatience) {
  TuneOptions options = short_run();
  options.schedule.steps = 8;
  options.evaluate_every = 1;
  options.patience = 1;
  const RunState state = run_new("run", options);
  const auto losses = validations("run");
  for (const auto& [step, loss] : losses) {
    if (step > 0 && step < state.step) {
      EXPECT_LT(loss, losses.at(step - 1));
    }
  }
  EXPECT_GT(state.step, 2);
}

TEST_F(Tune, WithoutValidationTheLastStateCountsAndPatienceIsEndless) {
  data_.validation.clear();
  TuneOptions options = short_run();
  options.patience = 1;
  const RunState state = run_new("run", options);
  EXPECT_EQ(state.step, 5);
  EXPECT_FALSE(state.candidates[0].best_loss || state.candidates[0].loss_at_start ||
               state.loss_without_prompt);
  EXPECT_TRUE(validations("run").empty());
  EXPECT_EQ(metrics("run").size(), 5U);
}

TEST_F(Tune, ChecksInAtTheIntervalAndAtTheEnd) {
  std::vector<std::vector<int64_t>> checkpoints;
  run_new("run", short_run(), {.on_step = [&](const StepReport&) {
            std::vector<int64_t> steps;
            for (const auto& [step, file] : list_checkpoints(directory_ / "run/checkpoints")) {
              steps.push_back(step);
            }
            checkpoints.push_back(steps);
          }});
  EXPECT_THAT(
      checkpoints,
      ElementsAre(ElementsAre(), ElementsAre(), ElementsAre(2), ElementsAre(2), ElementsAre(4, 2)));
  EXPECT_EQ(list_checkpoints(directory_ / "run/checkpoints").front().first, 5);
}

TEST_F(Tune, ALongerRunGoesOnFromTheEndOfAShorterOne) {
  TuneOptions options = short_run();
  options.evaluate_every = 1;  // the end of the short run is validated in both
  TuneOptions shorter = options;
  shorter.schedule.steps = 3;
  run_new("resumed", shorter);
  RunDirectory directory = open("resumed");
  RunState state = newest(directory).state;
  EXPECT_TRUE(is_finished(state, shorter));
  EXPECT_FALSE(is_finished(state, options));
  run(directory, state, options);
  expect_same_state(state, run_new("whole", options));
  EXPECT_EQ(metrics("resumed"), metrics("whole"));
}

TEST_F(Tune, ALossThatIsNotFiniteLeavesTheStateBeforeTheStep) {
  TuneOptions options = short_run();
  options.candidates[0].learning_rate = 1e39;  // the second step cannot be finite
  options.clip_norm = 0;
  options.candidates[0].weight_decay = 0;
  data_.validation.clear();
  RunDirectory directory = open("run");
  directory.begin("");
  RunState state = first_state();
  try {
    run(directory, state, options);
    ADD_FAILURE() << "every loss was finite";
  } catch (const InputError& error) {
    EXPECT_EQ(error.code(), ExitCode::kNotFinite);
    EXPECT_THAT(error.what(), HasSubstr("step 2: "));
    for (const size_t index : batch_of_step(3, 2, 3, 2)) {
      EXPECT_THAT(error.what(), HasSubstr(data_.train[index].id));
    }
  }
  EXPECT_EQ(state.step, 1);
  const RunState kept = newest(directory).state;
  expect_same_state(kept, state);
  EXPECT_EQ(metrics("run").size(), 1U);
}

TEST_F(Tune, APoisonedPromptEndsTheRunBeforeItsFirstStep) {
  RunDirectory directory = open("run");
  directory.begin("");
  RunState state = first_state();
  state.candidates[0].prompt.values_PD[5] = std::nanf("");
  expect_input_error(ExitCode::kNotFinite, "step 0: ", [&] { run(directory, state, short_run()); });
  EXPECT_EQ(newest(directory).state.step, 0);
  EXPECT_TRUE(metrics("run").empty());
}

/// AdamW as Loshchilov & Hutter write it, in float64, over gradients of autograd.
class TextbookRun {
 public:
  TextbookRun(const TrainingData& data, const TuneOptions& options)
      : data_(data), options_(options), prompt_(matrix_of(first_prompt(options.candidates[0]))) {
    write_tiny_model(directory_ / "tiny");
    config_ = decoder_config_from_hf(directory_ / "tiny");
    weights_ = open_safetensors_directory(directory_ / "tiny");
    m_.resize(prompt_.values.size());
    v_.resize(prompt_.values.size());
  }

  /// Takes a step; returns its loss.
  double step(int64_t t) {
    const auto batch =
        batch_of_step(data_.train.size(), options_.batch_size, options_.candidates[0].seed, t);
    std::vector<Sequence> sequences;
    double num_targets = 0;
    for (const size_t index : batch) {
      sequences.push_back(
          expected_sequence(data_.train[index].rendered, kP, PromptPosition::kStart));
      num_targets += static_cast<double>(sequences.back().target_positions.size());
    }
    auto [log_probs, loss, gradients, deviation] =
        autograd_llama(config_, *weights_, sequences, {prompt_}, DType::kFloat64);
    std::vector<double>& g = gradients[0].values;
    double norm = 0;
    for (double& value : g) norm += std::pow(value /= num_targets, 2);
    norm = std::sqrt(norm);
    const double clip = norm > options_.clip_norm ? options_.clip_norm / norm : 1;
    const double rate = rate_of(t);
    for (size_t i = 0; i < g.size(); ++i) {
      m_[i] = 0.9 * m_[i] + 0.1 * clip * g[i];
      v_[i] = 0.999 * v_[i] + 0.001 * std::pow(clip * g[i], 2);
      const double m_hat = m_[i] / (1 - std::pow(0.9, t));
      const double v_hat = v_[i] / (1 - std::pow(0.999, t));
      double& theta = prompt_.values[i];
      theta -=
          rate * (m_hat / (std::sqrt(v_hat) + 1e-8) + options_.candidates[0].weight_decay * theta);
    }
    return loss / num_targets;
  }

  const Matrix& prompt() const { return prompt_; }

 private:
  /// Warm-up of 2 steps, then half a cosine over the other 3.
  double rate_of(int64_t t) const {
    const double highest = options_.candidates[0].learning_rate;
    if (t <= 2) return highest * static_cast<double>(t) / 2;
    return highest * (1 + std::cos(std::numbers::pi * static_cast<double>(t - 3) / 3)) / 2;
  }

  const TrainingData& data_;
  const TuneOptions& options_;
  TemporaryDirectory directory_;
  DecoderConfig config_;
  std::shared_ptr<const TensorSource> weights_;
  Matrix prompt_;
  std::vector<double> m_;
  std::vector<double> v_;
};

TEST_F(Tune, FiveStepsEqualATextbookLoopOverAutograd) {
  TuneOptions options = short_run();
  options.candidates[0].learning_rate = 0.02;
  options.schedule = {.kind = ScheduleKind::kCosine, .warmup_steps = 2, .steps = 5};
  options.clip_norm = 0.5;
  std::vector<double> losses;
  const RunState state = run_new("run", options, {.on_step = [&](const StepReport& report) {
                                   losses.push_back(report.candidates.at(0).loss);
                                 }});
  TextbookRun textbook(data_, options);
  const Matrix start = textbook.prompt();
  for (int64_t t = 1; t <= 5; ++t) {
    EXPECT_NEAR(losses[static_cast<size_t>(t - 1)] / textbook.step(t), 1, 1e-4) << "step " << t;
  }
  const std::vector<float>& learned = state.candidates[0].prompt.values_PD;
  const std::vector<double> found(learned.begin(), learned.end());
  std::vector<double> found_change;
  std::vector<double> exact_change;
  for (size_t i = 0; i < found.size(); ++i) {
    found_change.push_back(found[i] - start.values[i]);
    exact_change.push_back(textbook.prompt().values[i] - start.values[i]);
  }
  EXPECT_LE(tolerance::norm_error(found, textbook.prompt().values), 1e-4);
  // Adam divides by the gradient's own size: where an element of it is near 0, rounding shows.
  EXPECT_LE(tolerance::norm_error(found_change, exact_change), 1e-2);
}

}  // namespace
}  // namespace prescript
