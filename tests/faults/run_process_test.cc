#include "support/run_process.h"

#include <csignal>
#include <string>

#include <gtest/gtest.h>

namespace prescript {
namespace {

using std::chrono::milliseconds;

ProcessResult shell(const std::string& script, ProcessOptions options = {}) {
  options.arguments = {"/bin/sh", "-c", script};
  return run_process(options);
}

TEST(RunProcess, KeepsOutputAndExitCode) {
  const ProcessResult result = shell("echo out; echo err >&2; cat; exit 7");
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.signal, 0);
}

TEST(RunProcess, KeepsMoreThanAPipeHolds) {
  const ProcessResult result = shell("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero");
  EXPECT_EQ(result.out.size(), 1'000'000U);
  EXPECT_EQ(result.err.size(), 1'000'000U);
}

TEST(RunProcess, NamesTheSignalThatEndedIt) {
  const ProcessResult result = shell("kill -9 $$");
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_FALSE(result.timed_out);
}

TEST(RunProcess, EndsAtTheTimeout) {
  const ProcessResult result = shell("exec sleep 60", {.timeout = milliseconds(50)});
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
}

TEST(RunProcess, AddsAndRemovesVariables) {
  ::setenv("RUN_PROCESS_KEPT", "kept", 1);
  ::setenv("RUN_PROCESS_GONE", "gone", 1);
  const ProcessResult result =
      shell("echo $RUN_PROCESS_KEPT${RUN_PROCESS_GONE-absent}$RUN_PROCESS_NEW",
            {.environment = {{"RUN_PROCESS_GONE", std::nullopt}, {"RUN_PROCESS_NEW", "new"}}});
  EXPECT_EQ(result.out, "keptabsentnew\n");
}

TEST(RunProcess, RunsInTheDirectory) {
  EXPECT_EQ(shell("pwd", {.directory = "/"}).out, "/\n");
}

TEST(RunProcess, SendsTheSignalWhenTheTextAppears) {
  const ProcessResult result =
      shell("trap 'exit 75' TERM; echo ready; while :; do sleep 0.01; done",
            {.signal = SIGTERM, .signal_on = "ready"});
  EXPECT_EQ(result.exit_code, 75);
  EXPECT_LT(result.after_signal, milliseconds(5000));
}

TEST(RunProcess, AProgramThatCannotStartIs127) {
  EXPECT_EQ(run_process({.arguments = {"/no/such/program"}}).exit_code, 127);
  EXPECT_EQ(shell("true", {.directory = "/no/such/folder"}).exit_code, 127);
}

}  // namespace
}  // namespace prescript
