// Runs that are stopped anywhere and resumed.

#include <filesystem>

#include "train/tune_run.h"

namespace prescript {
namespace {

class TuneResume : public Tune {
 protected:
  void expect_stops_and_resumes(const TuneOptions& options);
};

/// Stops such a run at every question whether it is to stop, and goes on with it.
void TuneResume::expect_stops_and_resumes(const TuneOptions& options) {
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

TEST_F(TuneResume, ARunStoppedAtAnyQuestionAndResumedEndsWithTheSameBits) {
  expect_stops_and_resumes(short_run());
}

TEST_F(TuneResume, SoDoesOneWithAHeadStart) {
  TuneOptions options = short_run();
  options.schedule.steps = 3;
  set_head_start();
  expect_stops_and_resumes(options);
}

TEST_F(TuneResume, SoDoesOneOfAdafactorThatIsWarnedAbout) {
  TuneOptions options = short_run();
  options.optimizer = OptimizerKind::kAdafactor;
  options.vocabulary_norm = 1e-3;  // far below the soft prompt's
  options.candidates[0].learning_rate = 1e-6;
  expect_stops_and_resumes(options);
  int num_warnings = 0;
  for (const std::string& line : metrics("whole")) {
    num_warnings += nlohmann::json::parse(line).contains("warning") ? 1 : 0;
  }
  EXPECT_EQ(num_warnings, 2) << "of the norm and of the learning rate, once each";
}

TEST_F(TuneResume, SoDoesOneUnderPrivacy) {
  TuneOptions options = short_run();
  options.privacy = {{.clip_norm = 0.1, .noise_multiplier = 0.7, .delta = 1e-3, .key = 99}};
  expect_stops_and_resumes(options);
  double epsilon = 0;
  for (const std::string& text : metrics("whole")) {
    const auto line = nlohmann::json::parse(text);
    if (!line.contains("loss")) continue;
    EXPECT_GT(line["epsilon"].get<double>(), epsilon);
    epsilon = line["epsilon"].get<double>();
    EXPECT_LE(line["clipped"].get<int64_t>(), line["exemplars"].get<int64_t>());
  }
}

TEST_F(TuneResume, SoDoesASearch) {
  TuneOptions options = grid();
  options.schedule.steps = 3;
  options.patience = 1;
  options.candidates[1].learning_rate = -0.01;  // uphill: it stops before the others
  options.candidates[2].learning_rate = 1e39;   // it fails
  expect_stops_and_resumes(options);
}

}  // namespace
}  // namespace prescript
