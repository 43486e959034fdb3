#include "report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/markup.h"

namespace prescript {
namespace {

using testing::HasSubstr;

/// Without the style sheet, which is not markup.
std::string markup_of(const Page& page) {
  std::string html = page.html();
  const size_t begin = html.find("<style>");
  const size_t end = html.find("</style>");
  EXPECT_LT(begin, end);
  return html.erase(begin, end + 8 - begin);
}

TEST(Page, IsOneFileThatLoadsNothing) {
  Page page("Evaluation", "of a model");
  page.section("Accuracy");
  page.charts(std::vector<LineChart>{{.title = "chart"}});
  const std::string html = page.html();
  EXPECT_THAT(html, HasSubstr("default-src 'none'; style-src 'unsafe-inline'"));
  for (const char* part : {"http://", "https://", "url(", "@import", "<script", "<link"})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  expect_well_formed(markup_of(page));
}

TEST(Page, ListsItsSections) {
  Page page("t", "s");
  page.section("First");
  page.section("Second");
  EXPECT_THAT(page.html(), HasSubstr("<a href=\"#section-2\"><bdi>Second</bdi></a>"));
  EXPECT_THAT(page.html(), HasSubstr("<h2 id=\"section-2\" dir=\"auto\">Second</h2>"));
}

TEST(Page, EscapesEveryText) {
  Page page(kHostile, kHostile);
  page.section(kHostile);
  page.subsection(kHostile);
  page.paragraph(kHostile);
  page.note(kHostile);
  page.list(std::vector<std::string>{kHostile, kHostile});
  const std::vector<std::pair<std::string, std::string>> pairs = {{kHostile, kHostile}};
  page.facts(pairs);
  page.texts(kHostile, pairs);
  page.preformatted(kHostile);
  page.table({.caption = kHostile, .columns = {{kHostile}}, .rows = {{{kHostile}}}});
  page.charts(std::vector<LineChart>{{.title = kHostile}});
  expect_well_formed(markup_of(page));
}

TEST(Page, OfNothingIsAPage) {
  expect_well_formed(markup_of(Page("", "")));
}

}  // namespace
}  // namespace prescript
