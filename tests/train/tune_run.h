#pragma once
// Runs of the loop over a tiny decoder, in directories of their own.

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/measured_keys.h"
#include "support/tiny_base.h"
#include "train/tiny_run.h"
#include "train/tune.h"

namespace prescript {

inline constexpr int64_t kP = 4;
inline const RunIdentity kIdentity = {{"run", "of a test"}};

inline TuneOptions short_run() {
  return {.candidates = {{.learning_rate = 0.01, .weight_decay = 0.01, .seed = 3}},
          .schedule = {.kind = ScheduleKind::kConstant, .steps = 5},
          .clip_norm = 1,
          .batch_size = 2,
          .evaluate_every = 2,
          .checkpoint_every = 2};
}

/// As initialisation by seed.
inline SoftPrompt first_prompt(const CandidateOptions& candidate) {
  return tiny_prompt(kP, candidate.seed - 2);
}

inline RunState first_state(const TuneOptions& options = short_run()) {
  RunState state;
  for (const CandidateOptions& candidate : options.candidates) {
    state.candidates.push_back({.prompt = first_prompt(candidate)});
  }
  return state;
}

/// Candidates that differ in all that they may differ in.
inline TuneOptions grid() {
  TuneOptions options = short_run();
  options.candidates = {{.learning_rate = 0.01, .weight_decay = 0.01, .seed = 3},
                        {.learning_rate = 0.03, .weight_decay = 0.01, .seed = 3},
                        {.learning_rate = 0.01, .weight_decay = 1, .seed = 3},
                        {.learning_rate = 0.01, .weight_decay = 0.01, .seed = 4},
                        {.learning_rate = 0.003, .weight_decay = 0, .seed = 5}};
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
      lines.push_back(without_measured(nlohmann::ordered_json::parse(line)).dump());
    }
    return lines;
  }

  /// The validation losses of a run by their steps.
  std::map<int64_t, double> validations(const std::string& name) const {
    std::map<int64_t, double> losses;
    for (const std::string& line : metrics(name)) {
      const auto values = nlohmann::ordered_json::parse(line);
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

  TemporaryDirectory directory_;
  TinyBase base_{make_cpu_ops(1), DType::kFloat32};
  StepOptions step_options_;
  TrainingData data_;
};

inline void expect_same_candidate(const CandidateState& a, const CandidateState& b) {
  EXPECT_EQ(a.prompt.values_PD, b.prompt.values_PD);
  EXPECT_EQ(a.optimizer.first_moment, b.optimizer.first_moment);
  EXPECT_EQ(a.optimizer.second_moment, b.optimizer.second_moment);
  EXPECT_EQ(a.optimizer.row_moment, b.optimizer.row_moment);
  EXPECT_EQ(a.optimizer.column_moment, b.optimizer.column_moment);
  EXPECT_EQ(a.optimizer.num_steps, b.optimizer.num_steps);
  EXPECT_EQ(a.loss_at_start, b.loss_at_start);
  EXPECT_EQ(a.last_loss, b.last_loss);
  EXPECT_EQ(a.best_loss, b.best_loss);
  EXPECT_EQ(a.best_step, b.best_step);
  EXPECT_EQ(a.best_prompt_PD, b.best_prompt_PD);
  EXPECT_EQ(a.evaluations_since_best, b.evaluations_since_best);
  EXPECT_EQ(a.failed_step, b.failed_step);
  EXPECT_EQ(a.watch.num_losses, b.watch.num_losses);
  EXPECT_EQ(a.watch.first_sum, b.watch.first_sum);
  EXPECT_EQ(a.watch.last_sum, b.watch.last_sum);
  EXPECT_EQ(a.watch.has_warned_of_norm, b.watch.has_warned_of_norm);
}

/// Everything but the sizes of the logs, which hold times.
inline void expect_same_state(const RunState& a, const RunState& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.evaluated_step, b.evaluated_step);
  EXPECT_EQ(a.loss_without_prompt, b.loss_without_prompt);
  ASSERT_EQ(a.candidates.size(), b.candidates.size());
  for (size_t c = 0; c < a.candidates.size(); ++c) {
    expect_same_candidate(a.candidates[c], b.candidates[c]);
  }
}

}  // namespace prescript
