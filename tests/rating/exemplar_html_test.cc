#include "rating/exemplar_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/utf8.h"

namespace prescript {
namespace {

using testing::HasSubstr;
using testing::Not;

AuthoredExemplar exemplar_with(const std::string& question, const std::string& answer) {
  return {.number = 1,
          .id = "e",
          .question = question,
          .letters = "",
          .json = "{}",
          .versions = {{.number = 1,
                        .answer = answer,
                        .rationale = {},
                        .author = "A1",
                        .written_at = "2026-11-27T00:00:00Z"}}};
}

TEST(ExemplarHtml, TextIsNeverMarkup) {
  const auto exemplar = exemplar_with("<script>q</script>", "</textarea><script>a</script>");
  for (const std::string& html :
       {exemplar_html("B2", exemplar, "store"), exemplar_list_html("B2", {exemplar})}) {
    EXPECT_THAT(html, Not(HasSubstr("<script>")));
    EXPECT_THAT(html, HasSubstr("&lt;script&gt;q"));
  }
}

TEST(ExemplarHtml, ALeadingLineBreakOfAnAnswerIsKeptInItsTextarea) {
  EXPECT_THAT(exemplar_html("B2", exemplar_with("Q?", "\nA."), "store"),
              HasSubstr(">\n\nA.</textarea>"));
}

TEST(ExemplarHtml, LongQuestionsAreCutBetweenCharacters) {
  std::string question;
  for (int i = 0; i < 200; ++i) question += "ä";
  for (const char* shift : {"", "x"}) {
    const std::string html = exemplar_list_html("B2", {exemplar_with(shift + question, "A.")});
    EXPECT_FALSE(first_invalid_utf8(html));
    EXPECT_THAT(html, HasSubstr("…"));
  }
}

}  // namespace
}  // namespace prescript
