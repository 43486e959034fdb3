#include "evaluate/report_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "evaluate/small_evaluation.h"
#include "evaluate/summarize.h"

namespace prescript {
namespace {

using nlohmann::json;

TEST(ReportJson, HoldsEveryNumberWithItsInterval) {
  const Evaluation evaluation = summarize(small_evaluation());
  const json report = json::parse(report_json(evaluation));
  EXPECT_EQ(report.at("format_version"), 1);
  EXPECT_EQ(report.at("settings").at("bootstrap_seed"), 7);
  ASSERT_EQ(report.at("conditions").size(), 4U);
  const json& quiz = report["conditions"][0];
  EXPECT_EQ(quiz.at("accuracy")[0], 0.5);
  EXPECT_EQ(quiz.at("accuracy")[1], evaluation.conditions[0].accuracy->low);
  EXPECT_EQ(quiz.at("selective").at("threshold").at("num_questions"), 4);
  EXPECT_EQ(report["comparisons"][0].at("won"), json({"q3"}));
  EXPECT_EQ(report["shared_work"][0].at("rows_unshared"), 60);
}

TEST(ReportJson, HoldsNoTextOfAQuestionOrAnAnswer) {
  const std::string report = report_json(summarize(small_evaluation()));
  for (const char* text : {"Question q1", "other\"", "rest", "fluids"}) {
    EXPECT_THAT(report, testing::Not(testing::HasSubstr(text)));
  }
}

TEST(ReportJson, TheSameFilesGiveTheSameBytes) {
  EXPECT_EQ(report_json(summarize(small_evaluation())), report_json(summarize(small_evaluation())));
}

}  // namespace
}  // namespace prescript
