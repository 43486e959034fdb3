#include "evaluate/evaluation_directory.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "evaluate/small_evaluation.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using Mode = EvaluationDirectory::Mode;

class EvaluationDirectoryTest : public testing::Test {
 protected:
  EvaluationDirectoryTest() {
    Task task;
    task.name = "quiz";
    for (const AskedQuestion& question : small_.questions) {
      if (question.task == "quiz") task.questions.push_back(question.exemplar);
    }
    tasks_.push_back(task);
  }

  /// Opens it and appends `lines`.
  Records open(Mode mode, const std::string& lines = "") {
    EvaluationDirectory directory(path(), mode, small_.description, tasks_);
    if (!lines.empty()) directory.append(lines);
    return directory.before();
  }
  std::string path() const { return dir_ / "a/b"; }
  std::string line(size_t record) const { return line_of(small_.records.records.at(record)); }

  TemporaryDirectory dir_;
  EvaluationFiles small_ = small_evaluation();
  std::vector<Task> tasks_;
};

TEST_F(EvaluationDirectoryTest, WhatWasAppendedIsReadBack) {
  open(Mode::kNew, line(0) + line(1));
  const EvaluationFiles files = read_evaluation(path());
  EXPECT_EQ(files.records.records.size(), 2U);
  ASSERT_EQ(files.questions.size(), 4U);
  EXPECT_EQ(files.questions[3].task, "quiz");
  EXPECT_EQ(files.questions[3].exemplar.options, small_.questions[3].exemplar.options);
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(path()).permissions(), fs::perms::owner_all);
  for (const char* name : {kRecords, kQuestions, kEvaluationJson}) {
    EXPECT_EQ(fs::status(path() + "/" + name).permissions(),
              fs::perms::owner_read | fs::perms::owner_write)
        << name;
  }
}

TEST_F(EvaluationDirectoryTest, IsOccupiedUnlessToldOtherwise) {
  open(Mode::kNew);
  open(Mode::kNew, line(0));  // nothing was computed before
  expect_input_error(ExitCode::kUsage, "--resume goes on with it", [&] { open(Mode::kNew); });
  EXPECT_EQ(open(Mode::kResume, line(1)).records.size(), 1U);
  EXPECT_EQ(open(Mode::kResume).records.size(), 2U);
  EXPECT_TRUE(open(Mode::kOverwrite, line(2)).records.empty());
  EXPECT_EQ(read_evaluation(path()).records.records.size(), 1U);
}

TEST_F(EvaluationDirectoryTest, ALineThatACrashCutOffIsCutAwayOnResume) {
  open(Mode::kNew, line(0) + line(1).substr(0, 20));
  EXPECT_EQ(open(Mode::kResume, line(2)).records.size(), 1U);
  const Records records = read_evaluation(path()).records;
  ASSERT_EQ(records.records.size(), 2U);
  EXPECT_EQ(records.records[1].key, small_.records.records[2].key);
}

TEST_F(EvaluationDirectoryTest, AnotherEvaluationIsNotGoneOnWith) {
  open(Mode::kNew, line(0));
  small_.description.settings.seed = 2;
  expect_input_error(ExitCode::kUsage, "seed differs", [&] { open(Mode::kResume); });
  small_.description.settings.seed = 1;
  tasks_[0].questions.pop_back();
  expect_input_error(ExitCode::kUsage, "tasks differs", [&] { open(Mode::kResume); });
}

TEST_F(EvaluationDirectoryTest, IsHeldByOneProcess) {
  const EvaluationDirectory holder(path(), Mode::kNew, small_.description, tasks_);
  expect_input_error(ExitCode::kUsage, "a/b", [&] { open(Mode::kNew); });
}

TEST_F(EvaluationDirectoryTest, OthersAreNoEvaluation) {
  expect_input_error(
      ExitCode::kUsage, "it holds no evaluation", [&] { read_evaluation(dir_ / "other"); });
}

}  // namespace
}  // namespace prescript
