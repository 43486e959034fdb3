#include "report/table.h"

#include <cmath>

#include <gtest/gtest.h>

#include "base/error.h"
#include "report/markup.h"

namespace prescript {
namespace {

TEST(TableHtml, HasACaptionAndScopedHeaders) {
  const Table table{
      .caption = "Accuracy",
      .columns = {{"Task"}, {"n", ColumnKind::kNumber}},
      .rows = {{{"medqa"}, {"7", "[1, 9]"}}, {{"medqa"}, {"8"}}, {{"pubmedqa"}, {"9"}}}};
  const std::string html = table_html(table).source;
  expect_well_formed(html);
  EXPECT_EQ(count_of(html, "<caption>Accuracy</caption>"), 1U);
  EXPECT_EQ(count_of(html, "<th scope=\"col\""), 2U);
  EXPECT_EQ(count_of(html, "<th scope=\"row\""), 3U);
  EXPECT_EQ(count_of(html, "<td class=\"number\">"), 3U);
  EXPECT_EQ(count_of(html, "<small>[1, 9]</small>"), 1U);
  EXPECT_EQ(count_of(html, "<tr class=\"more\">"), 1U) << "medqa, again";
}

TEST(TableHtml, EscapesEveryText) {
  const Table table{.caption = kHostile,
                    .columns = {{kHostile}, {kHostile, ColumnKind::kNumber}},
                    .rows = {{{kHostile, kHostile}, {kHostile}}}};
  expect_well_formed(table_html(table).source);
}

TEST(TableHtml, WithoutRowsSaysSo) {
  const std::string html = table_html({.caption = "c", .columns = {{"a"}, {"b"}}}).source;
  expect_well_formed(html);
  EXPECT_EQ(count_of(html, "<td colspan=\"2\">nothing to show</td>"), 1U);
}

TEST(TableHtml, RefusesARowOfAnotherLength) {
  EXPECT_THROW(table_html({.caption = "c", .columns = {{"a"}, {"b"}}, .rows = {{{"1"}}}}),
               ContractError);
}

TEST(EstimateCell, IsADashWithoutANumber) {
  EXPECT_EQ(estimate_cell(std::nullopt, NumberStyle::kPercent).text, "–");
  EXPECT_EQ(estimate_cell(Estimate{.value = NAN}, NumberStyle::kPlain).text, "–");
  EXPECT_EQ(estimate_cell(Estimate{.value = NAN}, NumberStyle::kPlain).detail, "");
  const Cell cell = estimate_cell(Estimate{0.5, 0.25, 0.75}, NumberStyle::kPercent);
  EXPECT_EQ(cell.text, "50.0\u00a0%");
  EXPECT_EQ(cell.detail, "[25.0,\u00a075.0]");
}

}  // namespace
}  // namespace prescript
