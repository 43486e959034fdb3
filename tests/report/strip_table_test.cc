#include "report/strip_table.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/markup.h"

namespace prescript {
namespace {

IntervalTable one_row(const std::optional<Estimate>& estimate,
                      std::optional<double> reference = {}) {
  return {.caption = "c",
          .label_columns = {"name"},
          .value_column = "value",
          .style = NumberStyle::kPercent,
          .rows = {{.labels = {"a"}, .estimate = estimate, .reference = reference}}};
}

std::string strip_of(const Table& table, size_t row = 0) {
  return table.rows[row][2].graphic->source;
}

// The axis runs from 0 % to 100 % between 4 % and 96 % of the strip.
TEST(IntervalTable, DrawsValueAndEndsWhereTheyBelong) {
  const std::string strip = strip_of(interval_table(one_row(Estimate{0.5, 0, 1}, 0.25)));
  expect_well_formed(strip);
  EXPECT_EQ(attributes(strip, "cx"), std::vector<std::string>{"50%"});
  EXPECT_EQ(count_of(strip, "<line class=\"interval\" x1=\"4%\" x2=\"96%\""), 1U);
  EXPECT_EQ(count_of(strip, "<line class=\"reference\" x1=\"27%\""), 1U);
}

TEST(IntervalTable, PutsAllRowsOnOneAxis) {
  IntervalTable intervals = one_row(Estimate{0.2, 0.1, 0.3});
  intervals.rows.push_back({.labels = {"b"}, .estimate = Estimate{0.9, 0.8, 1}});
  const Table table = interval_table(intervals);
  EXPECT_THAT(table.columns[2].graphic->source, testing::HasSubstr("100\u00a0%"));
  EXPECT_LT(std::stod(attributes(strip_of(table, 0), "cx")[0]), 30);
  EXPECT_GT(std::stod(attributes(strip_of(table, 1), "cx")[0]), 80);
}

TEST(IntervalTable, DrawsNothingWithoutANumber) {
  for (const std::optional<Estimate>& estimate : {std::optional<Estimate>(),
                                                  std::optional(Estimate{NAN, NAN, NAN}),
                                                  std::optional(Estimate{INFINITY, 0, 1})}) {
    const Table table = interval_table(one_row(estimate));
    EXPECT_TRUE(attributes(strip_of(table), "cx").empty());
    expect_well_formed(table_html(table).source);
  }
  expect_well_formed(table_html(interval_table({.caption = "no rows"})).source);
}

TEST(IntervalTable, TakesHugeAndHostileThings) {
  IntervalTable intervals = one_row(Estimate{1e300, -1e300, 1e300});
  intervals.caption = intervals.label_columns[0] = intervals.rows[0].labels[0] = kHostile;
  intervals.detail_columns = {{kHostile}};
  intervals.rows[0].details = {{kHostile, kHostile}};
  const std::string html = table_html(interval_table(intervals)).source;
  expect_well_formed(html);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_EQ(html.find("inf%"), std::string::npos);
}

TEST(ShareTable, StacksTheSharesOfARow) {
  const Table table = share_table(
      {.caption = "harm",
       .label_columns = {"source"},
       .options = {"no", "some", "severe"},
       .rows = {{{"base"},
                 {Estimate{0.5, 0.4, 0.6}, Estimate{0.45, 0.4, 0.5}, Estimate{0.05, 0, 0.1}}}}});
  const std::string strip = table.rows[0][1].graphic->source;
  expect_well_formed(strip);
  EXPECT_THAT(attributes(strip, "width"), testing::ElementsAre("50%", "45%", "5%"));
  EXPECT_EQ(count_of(strip, "<rect x=\"50%\""), 1U);
  EXPECT_EQ(count_of(strip, "<rect x=\"95%\""), 1U);
  EXPECT_EQ(count_of(strip, "</text>"), 2U) << "5 % are too narrow for a number";
  EXPECT_EQ(table.rows[0][4].text, "5.0\u00a0%");
  expect_well_formed(table_html(table).source);
}

TEST(ShareTable, LeavesOutWhatIsNotKnown) {
  const Table table =
      share_table({.caption = "harm",
                   .label_columns = {"source"},
                   .options = {kHostile, "b"},
                   .rows = {{{kHostile}, {std::nullopt, Estimate{NAN, NAN, NAN}}}}});
  EXPECT_EQ(count_of(table.rows[0][1].graphic->source, "<rect"), 0U);
  EXPECT_EQ(table.rows[0][2].text, "–");
  expect_well_formed(table_html(table).source);
}

}  // namespace
}  // namespace prescript
