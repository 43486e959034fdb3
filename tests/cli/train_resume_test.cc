// Runs that stop, by a signal or in mid-air, and go on.

#include <csignal>

#include "base/random.h"
#include "cli/train_run.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr milliseconds kMostTimeToStop{2000};

class TrainResume : public TrainRun {
 protected:
  /// A run of 4 steps, to be gone on with.
  void train_four_steps() const { train_whole({"training.steps=4"}); }

  /// Goes on with `runs/NAME` and holds the end against the undisturbed run in `runs/whole`.
  void expect_resumes(const std::string& name, Arguments arguments = {}) const {
    arguments.push_back("--resume");
    const ProcessResult result = train(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(adapter(name), adapter("whole"));
    EXPECT_EQ(metrics(name), metrics("whole"));
  }
};

TEST_F(TrainResume, OfAFinishedRunChangesNothing) {
  train_whole();
  const auto before = files_below(output());
  const auto written = fs::last_write_time(output() + "/adapter/prescript.json");
  const ProcessResult result = train({"--resume"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("finished already"));
  EXPECT_EQ(files_below(output()), before);
  EXPECT_EQ(fs::last_write_time(output() + "/adapter/prescript.json"), written);
}

TEST_F(TrainResume, AMissingAdapterOfAFinishedRunIsExportedAgain) {
  train_whole();
  const auto before = files_below(output());
  fs::remove_all(output() + "/adapter");
  ASSERT_EQ(train({"--resume"}).exit_code, 0);
  EXPECT_EQ(files_below(output()), before);
}

TEST_F(TrainResume, WithoutACheckpointItStartsFromTheBeginningAndSaysSo) {
  train_whole({"output=runs/whole"});
  for (const bool crashed : {false, true}) {
    if (crashed) {
      fs::create_directories(output() + "/checkpoints");
      directory_.write("runs/out/metrics.jsonl", "{\"step\": 1}\n");
    }
    const ProcessResult result = train({"--resume"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, HasSubstr("no checkpoint yet"));
    EXPECT_EQ(adapter(), adapter("whole"));
    EXPECT_EQ(metrics(), metrics("whole"));
    fs::remove_all(output());
  }
}

TEST_F(TrainResume, ARecipeMayComeThroughAPipe) {
  train_four_steps();
  const ProcessResult result =
      run_process({.arguments = {"/bin/sh",
                                 "-c",
                                 std::string("cat recipe.yaml | '") + PRESCRIPT_PROGRAM +
                                     "' train /dev/stdin training.steps=5 --resume"},
                   .directory = directory_.path()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(TrainResume, GoesOnToMoreSteps) {
  train_four_steps();
  train_whole({"output=runs/whole"});
  expect_resumes("out");
}

TEST_F(TrainResume, ARateThatFallsCannotBeMadeToLastLonger) {
  train_whole({"training.steps=4", "optimizer.schedule=linear"});
  const ProcessResult result = train({"optimizer.schedule=linear", "--resume"});
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("training.steps: it is 6, but the run in this directory has 4 and its rate "
                        "falls to 0 over these; set it back"));
}

TEST_F(TrainResume, AChangedKeyThatMattersIsNamed) {
  train_four_steps();
  const auto before = files_below(output());
  for (const std::string change : {"optimizer.learning_rate=0.01",
                                   "optimizer.name=adafactor",
                                   "optimizer.schedule=linear",
                                   "optimizer.weight_decay=0.1",
                                   "training.batch_size=4",
                                   "training.seed=8",
                                   "training.micro_batch_tokens=512",
                                   "training.share=false",
                                   "data.instruction=Be brief.",
                                   "data.format=plain",
                                   "data.few_shot=1",
                                   "dtype=bf16",
                                   "soft_prompt.num_virtual_tokens=5",
                                   "soft_prompt.position=before_question"}) {
    const ProcessResult result = train({change, "--resume"});
    EXPECT_EQ(result.exit_code, 2) << change << result.err;
    EXPECT_THAT(result.err, HasSubstr(change.substr(0, change.find('=')) + ": it is "));
    EXPECT_THAT(result.err, HasSubstr("--overwrite"));
    EXPECT_EQ(files_below(output()), before) << change;
  }
}

TEST_F(TrainResume, IntervalsAndPathsOfTheSameContentMayChange) {
  train_four_steps();
  train_whole({"output=runs/whole"});
  fs::rename(directory_ / "train.jsonl", directory_ / "moved.jsonl");
  fs::rename(directory_ / "validation.jsonl", directory_ / "moved too.jsonl");
  fs::rename(directory_ / "tiny", directory_ / "moved");
  fs::rename(output(), output("moved"));
  const ProcessResult result = train({"data.train=moved.jsonl",
                                      "data.validation=moved too.jsonl",
                                      "base_model=moved",
                                      "output=runs/moved",
                                      "training.checkpoint_every=1",
                                      "training.memory_gb=2",
                                      "training.threads=2",
                                      "weights.format=as_stored",
                                      "--resume"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(metrics("moved"), metrics("whole"));
  EXPECT_EQ(adapter("moved")["adapter_model.safetensors"],
            adapter("whole")["adapter_model.safetensors"]);
}

TEST_F(TrainResume, WhereWeightsNoLongerFitTheyAreStreamed) {
  write_tiny_model(directory_ / "tiny",
                   {.hidden_size = 256,
                    .feed_forward_size = 768,
                    .num_layers = 8,
                    .num_heads = 8,
                    .num_kv_heads = 4,
                    .head_size = 32});
  train_whole({"training.steps=4", "training.memory_gb=2"});
  const auto chosen = [&] { return bytes_of_file(output() + "/recipe.yaml"); };
  EXPECT_THAT(chosen(), HasSubstr("residence: device"));
  train_whole({"output=runs/whole"});
  const ProcessResult refused = train({"weights.residence=device",
                                       "weights.format=converted",
                                       "training.memory_gb=0.01",
                                       "--resume"});
  ASSERT_EQ(refused.exit_code, 5) << refused.err;
  // Rounded up to 0.01 GB with a margin of as much; the model's weights are twice that.
  const double too_little = enough_memory(refused.err) - 0.02;
  expect_resumes("out", {"training.memory_gb=" + std::to_string(too_little)});
  EXPECT_THAT(chosen(), HasSubstr("residence: streamed"));
}

TEST_F(TrainResume, EditedContentIsRefused) {
  train_four_steps();
  const auto refused = [&](const std::string& key) {
    const ProcessResult result = train({"--resume"});
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(key));
  };
  directory_.write("train.jsonl", training_lines() + "\n");
  refused("data.train");
  directory_.write("train.jsonl", training_lines());
  directory_.write("validation.jsonl", validation_lines() + "\n");
  refused("data.validation");
  directory_.write("validation.jsonl", validation_lines());
  write_tiny_model(directory_ / "tiny", {.seed = 2});
  refused("base_model");
}

TEST_F(TrainResume, OfAChangedLogIsRefused) {
  train_four_steps();
  directory_.write("runs/out/metrics.jsonl", "");
  const ProcessResult result = train({"--resume"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("metrics.jsonl"));
}

TEST_F(TrainResume, ADamagedCheckpointGivesWayToTheOneBefore) {
  train_four_steps();
  train_whole({"output=runs/whole"});
  const std::string newest = "runs/out/checkpoints/step-00000004.safetensors";
  directory_.write(newest, bytes_of_file(directory_ / newest) + "x");
  const ProcessResult result = train({"--resume"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("step-00000004.safetensors"));
  EXPECT_THAT(result.err, HasSubstr("resuming after step 2"));
  EXPECT_EQ(adapter(), adapter("whole"));
  EXPECT_EQ(metrics(), metrics("whole"));
}

/// A run whose validations and steps take some tenths of a second, so that signals fall into all of
/// its phases.
class TrainSignal : public TrainResume {
 protected:
  TrainSignal() {
    std::string lines;
    for (int i = 0; i < 40; ++i) {
      const std::string words(static_cast<size_t>(100 + i), static_cast<char>('a' + i % 26));
      lines += exemplar_line("v" + std::to_string(i), words, words);
    }
    directory_.write("validation.jsonl", lines);
    const auto started = std::chrono::steady_clock::now();
    train_whole(with("whole"));
    duration_ =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started);
  }

  static Arguments with(const std::string& name, Arguments more = {}) {
    more.insert(more.end(),
                {"training.steps=20", "training.evaluate_every=10", "output=runs/" + name});
    return more;
  }

  /// Stops a run and goes on with it.
  void stop_and_resume(const std::string& name, const ProcessOptions& stop) {
    const ProcessResult result = train(with(name), stop);
    if (result.signal == stop.signal && stop.signal != SIGKILL) {
      // While its libraries are loaded, no program can have a handler.
      EXPECT_FALSE(fs::exists(output(name))) << "it had begun";
    } else if (stop.signal != SIGKILL && result.exit_code != 0) {
      EXPECT_EQ(result.exit_code, 75) << result.err;
      EXPECT_LT(result.after_signal, kMostTimeToStop);
      EXPECT_THAT(result.err, HasSubstr("stopped by a signal"));
      num_stopped_ += 1;
    }
    EXPECT_FALSE(fs::exists(output(name) + "/adapter") && result.exit_code == 75);
    expect_resumes(name, with(name));
    fs::remove_all(output(name));
  }

  milliseconds duration_{0};
  int num_stopped_ = 0;
};

TEST_F(TrainSignal, TermAndIntAtAnyTimeAreExit75AndResume) {
  const int kTimes = 8;
  for (int i = 0; i < kTimes; ++i) {
    stop_and_resume("stopped",
                    {.signal = i % 2 == 0 ? SIGTERM : SIGINT,
                     .signal_after = duration_ * (i + 1) / (kTimes + 1)});
    ASSERT_FALSE(HasFailure()) << "after " << i + 1 << " of " << kTimes + 1;
  }
  EXPECT_GT(num_stopped_, 0) << "no signal fell into a run";
}

TEST_F(TrainSignal, StopsBeforeTheFirstStepAndInTheStepBehindAValidation) {
  for (const char* text :
       {"warning: data.rationale", "step 0: validation", "step 10: validation"}) {
    const std::string rationale = text[0] == 'w' ? "true" : "false";
    train_whole(with("expected", {"data.rationale=" + rationale}));
    const ProcessResult result = train(with("stopped", {"data.rationale=" + rationale}),
                                       {.signal = SIGTERM, .signal_on = text});
    EXPECT_EQ(result.exit_code, 75) << text << result.err;
    EXPECT_LT(result.after_signal, kMostTimeToStop);
    ASSERT_EQ(train(with("stopped", {"data.rationale=" + rationale, "--resume"})).exit_code, 0);
    EXPECT_EQ(adapter("stopped"), adapter("expected")) << text;
    EXPECT_EQ(metrics("stopped"), metrics("expected")) << text;
    fs::remove_all(output("stopped"));
    fs::remove_all(output("expected"));
  }
}

TEST_F(TrainSignal, StopsInTheValidationBeforeTheFirstStep) {
  ProcessOptions options;
  options.directory = directory_.path();
  options.environment = {{"XDG_CACHE_HOME", directory_ / "cache"},
                         {"OMP_NUM_THREADS", "1"},
                         {"PROGRAM", PRESCRIPT_PROGRAM}};
  // The event file gets its first bytes right before that validation.
  options.arguments = {"/bin/sh", "-c", R"(
    "$PROGRAM" train recipe.yaml training.steps=20 training.evaluate_every=10 output=runs/out &
    while ! [ -s runs/out/events.out.tfevents.prescript ]; do sleep 0.01; done
    kill -TERM $!; wait $!; echo $?)"};
  EXPECT_EQ(run_process(options).out, "75\n");
  EXPECT_EQ(bytes_of_file(output() + "/metrics.jsonl"), "") << "the validation is over";
  expect_resumes("out", with("out"));
}

TEST_F(TrainSignal, KilledAtAnyTimeItResumes) {
  RandomStream random(20, "kill times");
  for (int i = 0; i < 8; ++i) {
    const auto after = milliseconds(random.below(static_cast<uint64_t>(duration_.count()) + 1));
    stop_and_resume("killed", {.signal = SIGKILL, .signal_after = after});
    ASSERT_FALSE(HasFailure()) << "after " << after.count() << " ms of " << duration_.count();
  }
}

}  // namespace
}  // namespace prescript
