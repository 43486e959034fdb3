#include "rating/ratings_csv.h"

#include <gtest/gtest.h>

#include "rating/small_study.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

constexpr const char* kTime = "2026-11-27T17:40:00Z";

class RatingsCsv : public testing::Test {
 protected:
  std::vector<Rating> parse(const std::string& text) {
    return parse_ratings_csv(text, "r.csv", study_);
  }

  TemporaryDirectory directory_;
  Study study_{new_small_study(directory_, StudyKind::kLay)};
};

TEST_F(RatingsCsv, WritesWhatItReads) {
  const std::vector<Rating> ratings = {{"R1", 0, every_axis(study_, 0), kTime},
                                       {"R2", 5, every_axis(study_, 1), kTime}};
  EXPECT_EQ(ratings_csv(study_, ratings),
            "rater,task,intent,helpfulness,submitted_at\n"
            "R1,1,addresses,helpful,2026-11-27T17:40:00Z\n"
            "R2,6,does_not,somewhat,2026-11-27T17:40:00Z\n");
  EXPECT_EQ(parse(ratings_csv(study_, ratings)), ratings);
}

TEST_F(RatingsCsv, ReadsWhatWasTypedInFromPaper) {
  const auto ratings = parse("helpfulness,task,rater,intent\r\nnot,3,r1,addresses\r\n");
  ASSERT_EQ(ratings.size(), 1u);
  EXPECT_EQ(ratings[0].rater, "R1");
  EXPECT_EQ(ratings[0].task, 2u);
  EXPECT_EQ(ratings[0].choices, (Choices{{"intent", "addresses"}, {"helpfulness", "not"}}));
  EXPECT_EQ(ratings[0].submitted_at.size(), 20u);
  EXPECT_TRUE(parse("rater,task,intent,helpfulness\n").empty());
}

TEST_F(RatingsCsv, MistakesAreNamedByLineAndColumn) {
  const std::string header = "rater,task,intent,helpfulness,submitted_at\n";
  const std::string good = "R1,1,addresses,helpful,\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "r.csv: empty"},
      {"rater;task;intent\n", "r.csv:1:1: the columns are divided by semicolons"},
      {"rater,task,intent,mood\n", "r.csv:1:19: unknown column \"mood\""},
      {"rater,task,intent,intent\n", "r.csv:1:19: the column intent comes twice"},
      {"rater,task,intent\n", "r.csv:1:1: the column helpfulness is missing"},
      {header + good + "R1,2,addresses\n", "r.csv:3:1: 3 cells"},
      {header + "Jane Doe,1,addresses,helpful,\n", "r.csv:2:1: "},
      {header + "R1,0,addresses,helpful,\n", "r.csv:2:4: \"0\" is not the number of a task"},
      {header + "R1,7,addresses,helpful,\n", "r.csv:2:4: "},
      {header + "R1,1e0,addresses,helpful,\n", "r.csv:2:4: "},
      {header + "R1,1,addresses,very,\n",
       "r.csv:2:16: helpfulness: \"very\" is not one of helpful, somewhat, not"},
      {header + "R1,1,,helpful,\n", "r.csv:2:6: intent: \"\""},
      {header + "R1,1,addresses,helpful,yesterday\n", "r.csv:2:24: "},
      {header + good + good, "r.csv:3:1: this rater has rated this task"},
      {header + "R1,1,\"addresses,helpful,\n", "r.csv:2:6: this quote is never closed"}};
  for (const auto& [text, message] : cases) {
    expect_input_error(ExitCode::kData, message, [&, &text = text] { parse(text); });
  }
}

TEST_F(RatingsCsv, OnlyWhatIsNewIsAdded) {
  study_.submit({"R1", 0, every_axis(study_, 0), kTime});
  const Rating same{"R1", 0, every_axis(study_, 0), kTime};
  const Rating other{"R1", 0, every_axis(study_, 1), kTime};
  const Rating added{"R2", 0, every_axis(study_, 1), kTime};
  EXPECT_EQ(new_ratings(study_, {same, added}, false, "r.csv"), std::vector<Rating>{added});
  expect_input_error(ExitCode::kData, "R1 has rated task 1 otherwise", [&] {
    new_ratings(study_, {added, other}, false, "r.csv");
  });
  EXPECT_EQ(new_ratings(study_, {other}, true, "r.csv"), std::vector<Rating>{other});
}

}  // namespace
}  // namespace prescript
