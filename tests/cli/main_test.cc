#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/program.h"

namespace prescript {
namespace {

using testing::HasSubstr;

TEST(Program, HelpNamesTheCommandsAndGoesToStdout) {
  const auto result = run_prescript({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("tokenize"));
  EXPECT_THAT(result.out, HasSubstr("Exit codes"));
  EXPECT_EQ(result.err, "");
}

TEST(Program, VersionNamesLibTorchThreadsAndCommit) {
  const auto result = run_prescript({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, testing::StartsWith("prescript "));
  EXPECT_THAT(result.out, HasSubstr("commit "));
  EXPECT_THAT(result.out, HasSubstr("LibTorch "));
  EXPECT_THAT(result.out, HasSubstr("threads 1"));
  EXPECT_THAT(result.out, HasSubstr("\ncuda "));
}

TEST(Program, AWrongCommandLineIsExitTwoWithAMessage) {
  for (const auto& [arguments, message] :
       std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "which command?"},
           {{"tokenise"}, "tokenise"},
           {{"--bar"}, "--bar"},
           {{"tokenize", "--input", "x"}, "--model"},
           {{"tokenize", "--model", "m", "--input", "x", "extra"}, "extra"},
           {{"tokenize", "--model", "m", "--model", "n", "--input", "x"}, "--model"}}) {
    const auto result = run_prescript(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, HasSubstr(message));
  }
}

TEST(Program, WhatTheCommandLineHoldsCannotDriveTheTerminal) {
  const std::string hostile = "\x1b[2J\x7f\xc2\x9b\xff.yaml";
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{hostile},
                                             {"inspect", hostile},
                                             {"validate", hostile},
                                             {"validate", "x.yaml", hostile}}) {
    const auto result = run_prescript(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    for (const char* control : {"\x1b", "\x7f", "\xc2\x9b", "\xff"}) {
      EXPECT_THAT(result.err, testing::Not(HasSubstr(control))) << arguments[0];
    }
  }
  EXPECT_THAT(run_prescript({"inspect", hostile}).err, HasSubstr("\\x1b[2J\\x7f\\x9b\\xff.yaml"));
}

TEST(Program, SeveralProcessesAreRefused) {
  ProcessOptions options;
  options.environment["WORLD_SIZE"] = "2";
  const auto result = run_prescript({"tokenize", "--model", "m", "--input", "x"}, options);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_THAT(result.err, HasSubstr("WORLD_SIZE"));
  for (const char* alone : {"1", ""}) {
    options.environment["WORLD_SIZE"] = alone;
    EXPECT_EQ(run_prescript({"tokenize", "--model", "m", "--input", "x"}, options).exit_code, 4);
  }
}

TEST(Program, ResultsThatCannotBeWrittenAreExitFive) {
  for (const char* redirection : {">/dev/full", ">&-"}) {
    const auto result = run_prescript_in_shell(std::string("--help ") + redirection);
    EXPECT_EQ(result.exit_code, 5) << redirection;
    EXPECT_THAT(result.err, HasSubstr("stdout"));
  }
  EXPECT_EQ(run_prescript_in_shell("--help 2>&-").exit_code, 0);
}

}  // namespace
}  // namespace prescript
