#include "io/csv.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

std::vector<std::vector<std::string>> cells_of(std::string_view text) {
  std::vector<std::vector<std::string>> rows;
  for (const CsvRow& row : parse_csv(text, "a.csv", ExitCode::kData)) {
    rows.emplace_back();
    for (const CsvCell& cell : row) rows.back().push_back(cell.text);
  }
  return rows;
}

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, ReadsWhatSpreadsheetsWrite) {
  EXPECT_EQ(cells_of("a,b\n1,2\n"), (Rows{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(cells_of("\xef\xbb\xbf"
                     "a,b\r\n1,\r\n"),
            (Rows{{"a", "b"}, {"1", ""}}));
  EXPECT_EQ(cells_of("\"x, \"\"y\"\"\nz\",b\n\n,\nlast"),
            (Rows{{"x, \"y\"\nz", "b"}, {"", ""}, {"last"}}));
  EXPECT_EQ(cells_of("\"\",\"\"\r\n"), (Rows{{"", ""}}));
  EXPECT_TRUE(cells_of("").empty());
  EXPECT_TRUE(cells_of("\n\r\n").empty());
}

TEST(Csv, KnowsWhereEachCellBegins) {
  const auto rows = parse_csv("a,\"b\nc\",d\ne,f\n", "a.csv", ExitCode::kData);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0][1].line, 1u);
  EXPECT_EQ(rows[0][1].column, 3u);
  EXPECT_EQ(rows[0][2].line, 2u);
  EXPECT_EQ(rows[0][2].column, 4u);
  EXPECT_EQ(rows[1][1].line, 3u);
  EXPECT_EQ(rows[1][1].column, 3u);
}

TEST(Csv, MistakesAreNamedByLineAndColumn) {
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"a\nb,\"c\nd\n", "a.csv:2:3: this quote is never closed"},
           {"a\nb\"c\n", "a.csv:2:2: a quote inside of a cell"},
           {"\"a\"b\n", "a.csv:1:4: text behind a closing quote"},
           {"a\n\xff\n", "a.csv:2:1: "}}) {
    expect_input_error(ExitCode::kData, message, [&] { cells_of(text); });
  }
}

TEST(Csv, WritesWhatItReads) {
  const std::vector<std::string> row = {"", "plain", "a,b", "say \"so\"", "two\nlines", " edge "};
  EXPECT_EQ(csv_row(row), ",plain,\"a,b\",\"say \"\"so\"\"\",\"two\nlines\", edge \n");
  EXPECT_EQ(cells_of(csv_row(row)), Rows{row});
}

}  // namespace
}  // namespace prescript
