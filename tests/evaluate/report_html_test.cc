#include "evaluate/report_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evaluate/report_html_charts.h"
#include "evaluate/report_html_tables.h"
#include "evaluate/sample_evaluation.h"
#include "report/markup.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// The page without its style sheet.
std::string markup_of(const Evaluation& evaluation) {
  std::string html = report_html(evaluation);
  const size_t begin = html.find("<style>");
  const size_t end = html.find("</style>");
  EXPECT_LT(begin, end);
  return html.erase(begin, end + 8 - begin);
}

std::vector<std::string> texts_of(const std::vector<Cell>& cells) {
  std::vector<std::string> texts;
  for (const Cell& cell : cells) texts.push_back(cell.text);
  return texts;
}

TEST(ReportHtml, HoldsEverySection) {
  const std::string html = markup_of(sample_evaluation(""));
  expect_well_formed(html);
  for (const char* heading : {"Results",
                              "Where prompting and adapters help or hurt",
                              "Deferral and calibration",
                              "Contamination",
                              "Questions won and lost",
                              "Training",
                              "Work saved by sharing",
                              "How it was done",
                              "What this report does not show"})
    EXPECT_THAT(html, HasSubstr(std::string("dir=\"auto\">") + heading + "</h2>"));
}

TEST(ReportHtml, EscapesWhateverFilesAndModelsHold) {
  const std::string html = markup_of(sample_evaluation(kHostile));
  expect_well_formed(html);
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(ReportHtml, OfNothingIsAPage) {
  expect_well_formed(markup_of({}));
}

TEST(ReportHtml, SaysHowItWasDone) {
  const std::string html = markup_of(sample_evaluation(""));
  for (const char* fact : {"2026-11-27",
                           "7f3c0123456789ab",
                           "ab12cd34ab12cd34",
                           "bf16 on cpu",
                           "seed 5",
                           "41 samples",
                           "00112233445566778899",
                           "base_model: "})
    EXPECT_THAT(html, HasSubstr(std::string(fact).substr(0, 16))) << fact;
}

TEST(ReportHtml, ShowsTheFirstComparisonsQuestionsOnly) {
  const std::string html = markup_of(sample_evaluation(""));
  EXPECT_EQ(count_of(html, "<div class=\"texts\">"), 12U) << "zero-shot: six won and six lost";
  EXPECT_THAT(html, HasSubstr(">q11</h3>"));
  EXPECT_THAT(html, Not(HasSubstr(">q12</h3>")));
  EXPECT_EQ(count_of(html, "(no answer found)"), 6U);
}

TEST(ReportHtml, ShowsAtMostTenWonAndTenLost) {
  Evaluation evaluation = sample_evaluation("");
  for (Example& example : evaluation.examples) example.second_strategy = "zero_shot";
  EXPECT_EQ(count_of(markup_of(evaluation), "<div class=\"texts\">"), 20U);
}

TEST(ReportHtmlTables, HaveTheConditionsNumbers) {
  const Table table = accuracy_table(sample_evaluation(""));
  ASSERT_EQ(table.rows.size(), 6U) << "not those of long form";
  EXPECT_THAT(
      texts_of(table.rows[0]),
      ElementsAre("medqa", "base", "zero\u2011shot", "letter", "27.5\u00a0%", "", "40", "3", "1"));
  EXPECT_EQ(table.rows[0][4].detail, "[15.0,\u00a042.5]");
  const Table long_form = long_form_table(sample_evaluation(""));
  ASSERT_EQ(long_form.rows.size(), 2U);
  EXPECT_THAT(
      texts_of(long_form.rows[0]),
      ElementsAre("liveqa", "base", "zero\u2011shot", "0.150", "10", "–", "0", "180.5", "2"));
}

TEST(ReportHtmlTables, CompareSystemsApartFromStrategies) {
  const Evaluation evaluation = sample_evaluation("");
  const Table systems = comparison_table(evaluation, true, "accuracy");
  ASSERT_EQ(systems.rows.size(), 1U);
  EXPECT_THAT(texts_of(systems.rows[0]),
              ElementsAre("medqa",
                          "health against base",
                          "zero\u2011shot",
                          "letter",
                          "+10.0",
                          "",
                          "6",
                          "2",
                          "0.289"));
  const Table strategies = comparison_table(evaluation, false, "accuracy");
  ASSERT_EQ(strategies.rows.size(), 1U);
  EXPECT_EQ(strategies.rows[0][1].text, "few\u2011shot");
  EXPECT_EQ(strategies.rows[0][2].text, "health");
  EXPECT_EQ(comparison_table(evaluation, true, "rouge_l").rows.size(), 1U);
  EXPECT_EQ(comparison_table(evaluation, true, "must_have_coverage").rows.size(), 0U);
}

TEST(ReportHtmlTables, StateThresholdsAndSavings) {
  const Evaluation evaluation = sample_evaluation("");
  EXPECT_EQ(confidence_table(evaluation).rows.size(), 2U);
  const Table thresholds = threshold_table(evaluation);
  ASSERT_EQ(thresholds.rows.size(), 2U);
  EXPECT_EQ(thresholds.rows[0][4].text, "no: the best");
  EXPECT_EQ(thresholds.rows[1][4].text, "yes");
  EXPECT_EQ(thresholds.rows[1][5].text, "70.0\u00a0%");
  EXPECT_EQ(thresholds.rows[1][7].detail, "[40.0,\u00a080.0]");
  EXPECT_EQ(shared_work_table(evaluation).rows[0].back().text, "75.0\u00a0%");
  EXPECT_EQ(contamination_table(evaluation).rows[0][3].text, "2");
}

TEST(ReportHtmlCharts, HaveACurveForEachSystem) {
  const auto deferral = deferral_charts(sample_evaluation(""));
  ASSERT_EQ(deferral.size(), 1U);
  EXPECT_TRUE(deferral[0].steps);
  EXPECT_EQ(deferral[0].level, 0.25);
  ASSERT_EQ(deferral[0].series.size(), 2U);
  EXPECT_EQ(deferral[0].series[1].name, "health");
  EXPECT_EQ(deferral[0].series[0].points.size(), 10U);
  const auto calibration = calibration_charts(sample_evaluation(""));
  ASSERT_EQ(calibration.size(), 1U);
  EXPECT_EQ(calibration[0].series[0].points.size(), 7U) << "bins that hold an answer";
  const auto losses = loss_charts(sample_evaluation(""));
  ASSERT_EQ(losses.size(), 1U) << "the base was not trained";
  EXPECT_EQ(losses[0].series.size(), 2U);
}

}  // namespace
}  // namespace prescript
