// Candidates of a search, side by side and alone.

#include <cmath>

#include <gmock/gmock.h>

#include "support/expect_error.h"
#include "support/tolerance.h"
#include "train/tune_run.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::ElementsAre;
using testing::HasSubstr;

/// The run of one candidate of them alone.
TuneOptions solo(TuneOptions options, size_t candidate) {
  options.candidates = {options.candidates.at(candidate)};
  return options;
}

class TuneSearch : public Tune {
 protected:
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
};

TEST_F(TuneSearch, EveryCandidateOfASearchEqualsItsSoloRun) {
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

TEST_F(TuneSearch, SoDoesEveryCandidateOfAdafactor) {
  TuneOptions options = grid();
  options.optimizer = OptimizerKind::kAdafactor;
  const RunState together = run_new("grid", options);
  for (size_t c = 0; c < options.candidates.size(); ++c) {
    SCOPED_TRACE("candidate " + std::to_string(c + 1));
    const RunState alone = run_new("alone " + std::to_string(c), solo(options, c));
    const auto values = [](const CandidateState& candidate) {
      const std::vector<float>& floats = candidate.prompt.values_PD;
      return std::vector<double>(floats.begin(), floats.end());
    };
    EXPECT_LE(tolerance::norm_error(values(together.candidates[c]), values(alone.candidates[0])),
              1e-5);
    EXPECT_EQ(together.candidates[c].optimizer.num_steps, 5);
    EXPECT_EQ(together.candidates[c].optimizer.row_moment.size(), size_t{kP});
    EXPECT_TRUE(together.candidates[c].optimizer.first_moment.empty());
  }
}

TEST_F(TuneSearch, ACandidateWithoutPatienceStopsAndTheRunEndsWhenAllHave) {
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

TEST_F(TuneSearch, ACandidateThatIsNotFiniteIsOutAndTheOthersGoOn) {
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

}  // namespace
}  // namespace prescript
