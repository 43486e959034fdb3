// The folder of a run that is there already, or that another run holds.

#include "cli/train_run.h"

namespace prescript {
namespace {

using testing::HasSubstr;

class TrainOutput : public TrainRun {};

TEST_F(TrainOutput, AnOccupiedOutputIsRefusedUnlessItIsOverwritten) {
  train_whole();
  const auto before = files_below(output());
  const ProcessResult refused = train({"training.seed=8"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, testing::AllOf(HasSubstr("--resume"), HasSubstr("--overwrite")));
  EXPECT_EQ(files_below(output()), before);
  train_whole({"training.seed=8", "--overwrite"});
  train_whole({"training.seed=8", "output=runs/new"});
  EXPECT_EQ(adapter(), adapter("new"));
  EXPECT_EQ(metrics(), metrics("new"));
}

TEST_F(TrainOutput, OfTwoRunsAtOnceTheSecondIsRefused) {
  ProcessOptions options;
  options.directory = directory_.path();
  options.environment = {{"XDG_CACHE_HOME", directory_ / "cache"},
                         {"OMP_NUM_THREADS", "1"},
                         {"PROGRAM", PRESCRIPT_PROGRAM}};
  options.arguments = {"/bin/sh", "-c", R"(
    "$PROGRAM" train recipe.yaml training.steps=1000000 2>first &
    while ! [ -s runs/out/metrics.jsonl ]; do sleep 0.01; done
    "$PROGRAM" train recipe.yaml --resume; echo "new $?"
    "$PROGRAM" train recipe.yaml --overwrite; echo "overwrite $?"
    kill -TERM $!; wait $!; echo "first $?")"};
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.out, "new 2\noverwrite 2\nfirst 75\n");
  EXPECT_THAT(result.err, HasSubstr("another run"));
}

TEST_F(TrainOutput, WhatNoRunLeftIsNeverDropped) {
  for (const char* flag : {"--overwrite", "--resume"}) {
    for (const char* name : {"checkpoints", "adapter"}) {
      const std::string foreign = output("foreign") + "/" + name + "/precious";
      std::filesystem::create_directories(foreign);
      const ProcessResult result = train({"output=runs/foreign", flag});
      EXPECT_EQ(result.exit_code, 2) << result.err;
      EXPECT_THAT(result.err, HasSubstr(name));
      EXPECT_TRUE(std::filesystem::exists(foreign));
      std::filesystem::remove_all(output("foreign"));
    }
  }
}

TEST_F(TrainOutput, AnAdapterWithoutCheckpointsIsNotResumed) {
  train_whole();
  const auto before = adapter();
  std::filesystem::remove_all(output() + "/checkpoints");
  const ProcessResult result = train({"--resume", "optimizer.learning_rate=1"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("no checkpoint to go on from"));
  EXPECT_EQ(adapter(), before);
  train_whole({"--overwrite"});
}

TEST_F(TrainOutput, FewerStepsThanWereFinishedAreRefused) {
  train_whole();
  const auto before = adapter();
  const ProcessResult result = train({"--resume", "training.steps=2"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("training.steps: it is 2"));
  EXPECT_EQ(adapter(), before);
}

}  // namespace
}  // namespace prescript
