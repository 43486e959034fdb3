#include "exemplars/jsonl.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace prescript {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::vector<std::pair<std::string, size_t>> lines(std::string_view bytes) {
  std::vector<std::pair<std::string, size_t>> found;
  for_each_jsonl_line(bytes, "a.jsonl", [&](std::string_view line, size_t number) {
    found.emplace_back(line, number);
  });
  return found;
}

TEST(JsonlLine, IsCountedFromOneAndBlankOnesTooButNotShown) {
  EXPECT_THAT(lines("\xef\xbb\xbf{}\r\n \t\n\n{1}"), ElementsAre(Pair("{}\r", 1), Pair("{1}", 4)));
  EXPECT_THAT(lines(""), ElementsAre());
  EXPECT_THAT(lines("{}\n"), ElementsAre(Pair("{}", 1)));
}

TEST(JsonlLine, OfUtf16IsRefused) {
  EXPECT_THROW(lines(std::string_view("\xff\xfe{\0", 4)), InputError);
}

}  // namespace
}  // namespace prescript
