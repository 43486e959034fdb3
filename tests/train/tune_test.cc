#include "train/tune.h"

#include <cmath>
#include <filesystem>
#include <numbers>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/autograd_llama.h"
#include "support/expect_error.h"
#include "support/tiny_base.h"
#include "support/tolerance.h"
#include "train/batches.h"
#include "train/tiny_run.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kP = 4;
const RunIdentity kIdentity = {{"run", "of a test"}};

TuneOptions short_run() {
  return {.candidates = {{.learning_rate = 0.01, .weight_decay = 0.01, .seed = 3}},
          .schedule = {.kind = ScheduleKind::kConstant, .steps = 5},
          .clip_norm = 1,
          .batch_size = 2,
          .evaluate_every = 2,
          .checkpoint_every = 2};
}

/// As initialisation by seed.
SoftPrompt first_prompt(const CandidateOptions& candidate) {
  return tiny_prompt(kP, candidate.seed - 2);
}

RunState first_state(const TuneOptions& options = short_run()) {
  RunState state;
  for (const CandidateOptions& candidate : options.candidates) {
    state.candidates.push_back({.prompt = first_prompt(candidate)});
  }
  return state;
}

/// Candidates that differ in all that they may differ in.
TuneOptions grid() {
  TuneOptions options = short_run();
  options.candidates = {{.learning_rate = 0.01, .weight_decay = 0.01, .seed = 3},
                        {.learning_rate = 0.03, .weight_decay = 0.01, .seed = 3},
                        {.learning_rate = 0.01, .weight_decay = 1, .seed = 3},
                        {.learning_rate = 0.01, .weight_decay = 0.01, .seed = 4},
                        {.learning_rate = 0.003, .weight_decay = 0, .seed = 5}};
  return options;
}

/// The run of one candidate of them alone.
TuneOptions solo(TuneOptions options, size_t candidate) {
  options.candidates = {options.candidates.at(candidate)};
  return options;
}

/// A decoder, exemplars, and runs in directories of their own.
class Tune : public testing::Test {
 protected:
  Tune() {
    const auto exemplars = tiny_exemplars();
    data_.train = {exemplars.begin(), exemplars.begin() + 3};
    data_.validation = {exemplars.begin() + 3, exemplars.end()};
  }

  RunDirectory open(const std::string& name) const {
    return {directory_ / name, RunDirectory::Mode::kResume};
  }

  TuneEnd run(RunDirectory& directory,
              RunState& state,
              const TuneOptions& options,
              const TuneObserver& observer = {}) {
    return tune(
        base_.decoder(), step_options_, data_, options, directory, kIdentity, state, observer);
  }

  /// A whole run, from its beginning.
  RunState run_new(const std::string& name,
                   const TuneOptions& options,
                   const TuneObserver& observer = {}) {
    RunDirectory directory = open(name);
    directory.begin("");
    RunState state = first_state(options);
    EXPECT_EQ(run(directory, state, options, observer), TuneEnd::kFinished);
    return state;
  }

  static Checkpoint newest(const RunDirectory& directory) {
    return directory.newest_checkpoint([](const std::string& reason) { ADD_FAILURE() << reason; })
        .value();
  }

  /// The lines of metrics.jsonl, less what differs from run to run.
  std::vector<std::string> metrics(const std::string& name) const {
    std::istringstream text(bytes_of_file(directory_ / (name + "/metrics.jsonl")));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) {
      auto values = ordered_json::parse(line);
      for (const char* key : {"seconds", "flops_per_second", "share_of_peak", "peak_rss_bytes"}) {
        values.erase(key);
      }
      lines.push_back(values.dump());
    }
    return lines;
  }

  /// The validation losses of a run by their steps.
  std::map<int64_t, double> validations(const std::string& name) const {
    std::map<int64_t, double> losses;
    for (const std::string& line : metrics(name)) {
      const auto values = ordered_json::parse(line);
      if (values.contains("validation_loss")) losses[values["step"]] = values["validation_loss"];
    }
    return losses;
  }

  /// The soft prompt stands behind the instruction, which is computed once.
  void set_head_start() {
    step_options_.position = PromptPosition::kBeforeQuestion;
    step_options_.head_start.clear();
    for (int32_t i = 0; i < data_.train[0].rendered.question_token; ++i) {
      step_options_.head_start.push_back(Row::token(data_.train[0].rendered.ids[i]));
    }
  }

  /// The lines of a candidate by its number; 0: of a run without a search.
  std::vector<ordered_json> lines_of_candidate(const std::string& name, size_t number) const {
    std::vector<ordered_json> lines;
    for (const std::string& line : metrics(name)) {
      ordered_json values = ordered_json::parse(line);
      if (number == 0 || values.value("candidate", size_t{0}) == number) lines.push_back(values);
    }
    return lines;
  }

  /// The candidate (index) with the least validation loss after step 0.
  size_t best_candidate_of_lines(const std::string& name) const {
    size_t best = 0;
    double least = INFINITY;
    for (const std::string& line : metrics(name)) {
      const auto values = ordered_json::parse(line);
      if (!values.contains("validation_loss") || values["step"] == 0) continue;
      if (values["validation_loss"] >= least) continue;
      least = values["validation_loss"];
      best = values["candidate"].get<size_t>() - 1;
    }
    return best;
  }

  void expect_stops_and_resumes(const TuneOptions& options);

  TemporaryDirectory directory_;
  TinyBase base_{make_cpu_ops(1), DType::kFloat32};
  StepOptions step_options_;
  TrainingData data_;
};

void expect_same_candidate(const CandidateState& a, const CandidateState& b) {
  EXPECT_EQ(a.prompt.values_PD, b.prompt.values_PD);
  EXPECT_EQ(a.optimizer.first_moment, b.optimizer.first_moment);
  EXPECT_EQ(a.optimizer.second_moment, b.optimizer.second_moment);
  EXPECT_EQ(a.optimizer.num_steps, b.optimizer.num_steps);
  EXPECT_EQ(a.loss_at_start, b.loss_at_start);
  EXPECT_EQ(a.last_loss, b.last_loss);
  EXPECT_EQ(a.best_loss, b.best_loss);
  EXPECT_EQ(a.best_step, b.best_step);
  EXPECT_EQ(a.best_prompt_PD, b.best_prompt_PD);
  EXPECT_EQ(a.evaluations_since_best, b.evaluations_since_best);
  EXPECT_EQ(a.failed_step, b.failed_step);
}

/// Everything but the sizes of the logs, which hold times.
void expect_same_state(const RunState& a, const RunState& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.evaluated_step, b.evaluated_step);
  EXPECT_EQ(a.loss_without_prompt, b.loss_without_prompt);
  ASSERT_EQ(a.candidates.size(), b.candidates.size());
  for (size_t c = 0; c < a.candidates.size(); ++c) {
    expect_same_candidate(a.candidates[c], b.candidates[c]);
  }
}

/// Stops such a run at every question whether it is to stop, and goes on with it.
void Tune::expect_stops_and_resumes(const TuneOptions& options) {
  int64_t num_questions = 0;
  const RunState expected = run_new("whole", options, {.stop_requested = [&] {
                                      ++num_questions;
                                      return false;
                                    }});
  const auto expected_metrics = metrics("whole");
  ASSERT_GT(num_questions, 20);
  for (int64_t stop = 1; stop <= num_questions; ++stop) {
    const std::string name = "stopped " + std::to_string(stop);
    int64_t questions = 0;
    {
      RunDirectory directory = open(name);
      directory.begin("");
      RunState state = first_state(options);
      ASSERT_EQ(
          run(directory, state, options, {.stop_requested = [&] { return ++questions == stop; }}),
          TuneEnd::kStopped)
          << stop;
    }
    RunDirectory directory = open(name);
    RunState state = newest(directory).state;
    ASSERT_EQ(run(directory, state, options), TuneEnd::kFinished);
    expect_same_state(state, expected);
    expect_same_state(newest(directory).state, expected);
    EXPECT_EQ(metrics(name), expected_metrics);
    ASSERT_FALSE(HasFailure()) << "stopped at question " << stop << " of " << num_questions;
    std::filesystem::remove_all(directory_ / name);
  }
}

TEST_F(Tune, ARunStoppedAtAnyQuestionAndResumedEndsWithTheSameBits) {
  expect_stops_and_resumes(short_run());
}

TEST_F(Tune, SoDoesOneWithAHeadStart) {
  TuneOptions options = short_run();
  options.schedule.steps = 3;
  set_head_start();
  expect_stops_and_resumes(options);
}

TEST_F(Tune, SoDoesASearch) {
  TuneOptions options = grid();
  options.schedule.steps = 3;
  options.patience = 1;
  options.candidates[1].learning_rate = -0.01;  // uphill: it stops before the others
  options.candidates[2].learning_rate = 1e39;   // it fails
  expect_stops_and_resumes(options);
}

TEST_F(Tune, EveryCandidateOfASearchEqualsItsSoloRun) {
  for (const auto position : {PromptPosition::kStart, PromptPosition::kBeforeQuestion}) {
    step_options_.position = position;
    if (position == PromptPosition::kBeforeQuestion) set_head_start();
    const std::string name = "grid " + std::to_string(static_cast<int>(position));
    const RunState together = run_new(name, grid());
    for (size_t c = 0; c < grid().candidates.size(); ++c) {
      SCOPED_TRACE("candidate " + std::to_string(c + 1));
      const std::string alone_name = name + " " + std::to_string(c);
      const RunState alone = run_new(alone_name, solo(grid(), c));
      const CandidateState& found = together.candidates[c];
      const CandidateState& expected = alone.candidates[0];
      EXPECT_NEAR(*found.best_loss / *expected.best_loss, 1, tolerance::kScheduleLossFloat32);
      EXPECT_EQ(found.best_step, expected.best_step);
      EXPECT_NEAR(*together.loss_without_prompt / *alone.loss_without_prompt,
                  1,
                  tolerance::kScheduleLossFloat32);
      const auto difference = [](const std::vector<float>& a, const std::vector<float>& b) {
        return tolerance::norm_error(std::vector<double>(a.begin(), a.end()),
                                     std::vector<double>(b.begin(), b.end()));
      };
      EXPECT_LE(difference(found.prompt.values_PD, expected.prompt.values_PD), 1e-5);
      EXPECT_LE(difference(found.best_prompt_PD, expected.best_prompt_PD), 1e-5);
      const auto found_lines = lines_of_candidate(name, c + 1);
      const auto expected_lines = lines_of_candidate(alone_name, 0);
      ASSERT_EQ(found_lines.size(), expected_lines.size());
      for (size_t i = 0; i < found_lines.size(); ++i) {
        EXPECT_EQ(found_lines[i]["step"], expected_lines[i]["step"]);
        for (const char* key : {"loss", "validation_loss", "learning_rate"}) {
          ASSERT_EQ(found_lines[i].contains(key), expected_lines[i].contains(key));
          if (!found_lines[i].contains(key)) continue;
          EXPECT_NEAR(found_lines[i][key].get<double>() / expected_lines[i][key].get<double>(),
                      1,
                      tolerance::kScheduleLossFloat32)
              << key << " of step " << found_lines[i]["step"];
        }
      }
    }
    EXPECT_EQ(best_candidate(together), best_candidate_of_lines(name));
  }
}

TEST_F(Tune, ACandidateWithoutPatienceStopsAndTheRunEndsWhenAllHave) {
  data_.validation = data_.train;
  TuneOptions options = grid();
  options.schedule.steps = 9;
  options.evaluate_every = 1;
  options.patience = 2;
  options.candidates.resize(3);
  options.candidates[1].learning_rate = -0.01;  // uphill
  std::vector<size_t> running;
  const RunState state = run_new("run", options, {.on_step = [&](const StepReport& report) {
                                   running.push_back(report.candidates.size());
                                 }});
  EXPECT_EQ(state.step, 9);
  EXPECT_THAT(running, ElementsAre(3, 3, 2, 2, 2, 2, 2, 2, 2));
  EXPECT_EQ(state.candidates[1].optimizer.num_steps, 2);
  EXPECT_EQ(state.candidates[2].optimizer.num_steps, 9);
  EXPECT_FALSE(state.candidates[1].failed_step);

  for (CandidateOptions& candidate : options.candidates) candidate.learning_rate = -0.01;
  EXPECT_EQ(run_new("all", options).step, 2);
}

TEST_F(Tune, ACandidateThatIsNotFiniteIsOutAndTheOthersGoOn) {
  TuneOptions options = grid();
  options.candidates.resize(3);
  options.candidates[1].learning_rate = 1e39;  // the second step cannot be finite
  options.clip_norm = 0;
  std::vector<size_t> failed;
  const RunState state = run_new("run", options, {.on_failure = [&](size_t c, const auto& what) {
                                   failed.push_back(c);
                                   EXPECT_THAT(what, HasSubstr("not finite"));
                                 }});
  EXPECT_THAT(failed, ElementsAre(1));
  EXPECT_EQ(state.candidates[1].failed_step, 2);
  EXPECT_EQ(state.candidates[1].optimizer.num_steps, 1);
  EXPECT_NE(best_candidate(state), 1U);
  for (const size_t c : {0, 2}) {
    const RunState alone = run_new("solo " + std::to_string(c), solo(options, c));
    EXPECT_NEAR(*state.candidates[c].last_loss / *alone.candidates[0].last_loss,
                1,
                tolerance::kScheduleLossFloat32);
  }

  for (CandidateOptions& candidate : options.candidates) candidate.learning_rate = 1e39;
  RunDirectory directory = open("all");
  directory.begin("");
  RunState lost = first_state(options);
  expect_input_error(ExitCode::kNotFinite, "step 2: no candidate is left; of number 1", [&] {
    run(directory, lost, options);
  });
  EXPECT_EQ(newest(directory).state.step, 1);
}

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
