// Runs that cannot be, or that end early: their exit codes, and what they name.

#include <sys/stat.h>

#include "cli/train_run.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class TrainFailures : public TrainRun {};

TEST_F(TrainFailures, ALossThatIsNotFiniteIsExitSixNamingStepAndExemplars) {
  // Each step multiplies the soft prompt by 1 - 1e6.
  const Arguments blow_up = {"optimizer.learning_rate=1000",
                             "optimizer.weight_decay=1000",
                             "training.steps=50",
                             "data.validation=null"};
  const ProcessResult result = train(blow_up);
  EXPECT_EQ(result.exit_code, 6);
  const int64_t step = metrics().back()["step"].get<int64_t>();
  EXPECT_THAT(result.err, HasSubstr("step " + std::to_string(step + 1) + ": "));
  EXPECT_THAT(result.err, testing::ContainsRegex("exemplars? \"t[0-9]"));
  EXPECT_THAT(result.err, HasSubstr("optimizer.learning_rate"));
  EXPECT_FALSE(fs::exists(output() + "/adapter"));
  Arguments again = blow_up;
  again.push_back("--resume");
  const ProcessResult resumed = train(again);
  EXPECT_EQ(resumed.exit_code, 6);
  EXPECT_THAT(resumed.err, HasSubstr("resuming after step " + std::to_string(step)));
}

TEST_F(TrainFailures, AnOverLongExemplarIsExitThreeNamingIt) {
  directory_.write("train.jsonl",
                   training_lines() + exemplar_line("too-long", std::string(1100, 'q'), "No."));
  const ProcessResult result = train();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, testing::AllOf(HasSubstr("train.jsonl:13"), HasSubstr("too-long")));
  EXPECT_THAT(result.err, Not(HasSubstr("qqq")));
  EXPECT_FALSE(fs::exists(output()));
}

TEST_F(TrainFailures, EachKindOfMistakeHasItsExitCode) {
  for (const auto& [code, argument, message] :
       std::vector<std::tuple<int, std::string, std::string>>{
           {2, "device=cuda", "cuda"},
           {2, "device=tpu", "tpu"},
           {2, "optimizer.learning_rat=1", "optimizer.learning_rate"},
           {2, "output=/proc/prescript", "/proc/prescript"},
           {2, "output=recipe.yaml", "recipe.yaml"},
           {2, "output=recipe.yaml/in", "recipe.yaml"},
           {3, "data.train=absent.jsonl", "absent.jsonl"},
           {3, "data.validation=absent.jsonl", "absent.jsonl"},
           {3, "data.few_shot=12", "data.few_shot"},
           {4, "base_model=absent", "absent"},
           {4, "soft_prompt.position=after_bos", "BOS"},
           {5, "training.memory_gb=0.01", "training.memory_gb: 0.01 GB is too little"}}) {
    const ProcessResult result = train({argument});
    EXPECT_EQ(result.exit_code, code) << argument << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << argument;
    EXPECT_FALSE(fs::exists(output() + "/recipe.yaml")) << argument;
  }
  EXPECT_EQ(train_with({"absent.yaml"}).exit_code, 2);
  EXPECT_EQ(train({"--resume", "--overwrite"}).exit_code, 2);
  EXPECT_EQ(train({"--gradient", "g.safetensors"}).exit_code, 2);
  EXPECT_EQ(train({}, {.environment = {{"WORLD_SIZE", "2"}}}).exit_code, 7);
}

TEST_F(TrainFailures, StaysWithinTheMemoryThatARefusalSaysIsEnough) {
  for (const std::string setting : {"dtype=fp32", "dtype=bf16", "weights.format=as_stored"}) {
    const double enough =
        enough_memory(train({setting, "training.memory_gb=0.01", "--dry-run"}).err);
    train_whole({setting, "training.memory_gb=" + std::to_string(enough), "--overwrite"});
    const std::string log = bytes_of_file(output() + "/metrics.jsonl");
    const std::string key = "\"peak_rss_bytes\": ";
    EXPECT_LE(std::stod(log.substr(log.rfind(key) + key.size())), enough * 1e9);
  }
}

TEST_F(TrainFailures, AGradientGoesIntoAFileOnly) {
  for (const std::string& path : {std::string(), directory_.path(), directory_ / "pipe"}) {
    ::mkfifo((directory_ / "pipe").c_str(), 0600);
    const ProcessResult result = train({"--dry-run", "--gradient", path});
    EXPECT_EQ(result.exit_code, 2) << path;
    EXPECT_THAT(result.err, HasSubstr("--gradient"));
  }
  EXPECT_TRUE(std::filesystem::is_fifo(directory_ / "pipe"));
}

TEST_F(TrainFailures, ThreadsThatCannotBeStartedAreExitFive) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer maps more than any limit";
#endif
  // The stacks of so many take 8 GB.
  const ProcessResult result = run_process(
      {.arguments = {"/bin/sh",
                     "-c",
                     std::string("ulimit -v 6000000; exec '") + PRESCRIPT_PROGRAM +
                         "' train recipe.yaml training.threads=1024 training.memory_gb=100"},
       .directory = directory_.path()});
  EXPECT_EQ(result.exit_code, 5) << result.err;
  EXPECT_THAT(result.err, HasSubstr("cannot start 1024 threads: "));
  EXPECT_THAT(result.err, HasSubstr("lower training.threads"));
}

TEST_F(TrainFailures, AFileBeyondTheLimitIsExitFive) {
  ProcessOptions options;
  options.directory = directory_.path();
  options.environment["OMP_NUM_THREADS"] = "1";
  options.arguments = {"/bin/sh",
                       "-c",
                       std::string("ulimit -f 4; exec '") + PRESCRIPT_PROGRAM +
                           "' train recipe.yaml training.steps=60"};
  const ProcessResult result = run_process(options);
  EXPECT_EQ(result.exit_code, 5) << result.signal;
  EXPECT_THAT(result.err, HasSubstr("File too large"));
  train_whole({"--resume", "training.steps=60"});
}

}  // namespace
}  // namespace prescript
