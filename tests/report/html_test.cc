#include "report/html.h"

#include <gtest/gtest.h>

#include "report/markup.h"
#include "text/utf8.h"

namespace prescript {
namespace {

TEST(EscapeHtml, ReplacesWhatHasAMeaning) {
  EXPECT_EQ(escape_html("a < b & \"c\" > 'd'"), "a &lt; b &amp; &quot;c&quot; &gt; &#39;d&#39;");
  EXPECT_EQ(escape_html("&amp;"), "&amp;amp;");
  EXPECT_EQ(escape_html(""), "");
  EXPECT_EQ(escape_html("Größe مرحبا 水 🩺"), "Größe مرحبا 水 🩺");
}

TEST(EscapeHtml, ShowsControlsAndReplacesWhatIsNotUtf8) {
  EXPECT_EQ(escape_html(std::string_view("a\0b", 3)), "a␀b");
  EXPECT_EQ(escape_html("\x1b[31m\x7f"), "␛[31m␡");
  EXPECT_EQ(escape_html("\xc2\x85"), "\ufffd") << "a C1 control";
  EXPECT_EQ(escape_html("a\xff\xfe"
                        "b\xe2\x82"),
            "a\ufffd\ufffd"
            "b\ufffd\ufffd");
  EXPECT_EQ(escape_html("\xed\xa0\x80"), "\ufffd\ufffd\ufffd") << "a surrogate";
}

TEST(EscapeHtml, KeepsTabsAndMakesLineEndsOne) {
  EXPECT_EQ(escape_html("a\tb\r\nc\rd\n\r\n"), "a\tb\nc\nd\n\n");
  EXPECT_EQ(escape_html("\r"), "\n");
}

TEST(EscapeHtml, OfAnyBytesIsUtf8WithoutMarkup) {
  std::string bytes;
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second)
      bytes += {static_cast<char>(first), static_cast<char>(second)};
  const std::string html = escape_html(bytes);
  EXPECT_FALSE(first_invalid_utf8(html));
  EXPECT_EQ(html.find_first_of("<>\"'"), std::string::npos);
}

TEST(InlineText, IsolatesItsDirection) {
  EXPECT_EQ(inline_text("a<b").source, "<bdi>a&lt;b</bdi>");
  expect_well_formed(inline_text(kHostile).source);
}

TEST(InlineText, MayBreakLongNames) {
  EXPECT_EQ(inline_text("a_b/c d").source, "<bdi>a_<wbr>b/<wbr>c d</bdi>");
  EXPECT_EQ(inline_text(std::string(20, 'x')).source.find("<wbr>"), std::string::npos);
  EXPECT_EQ(count_of(inline_text(std::string(61, 'x')).source, "<wbr>"), 3U);
  EXPECT_EQ(inline_text("twelve words of this kind do not need a place to break at all")
                .source.find("<wbr>"),
            std::string::npos);
}

}  // namespace
}  // namespace prescript
