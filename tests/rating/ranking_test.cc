#include "rating/ranking.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

/// Questions q0, q1, ... answered by `sources`; answer A of every task is the first source's.
StudyPlan plan_of(size_t num_questions, const std::vector<std::string>& sources) {
  StudyPlan plan{.kind = StudyKind::kRanking, .seed = 1, .sources = {}, .tasks = {}};
  for (const std::string& name : sources) {
    plan.sources.push_back({.name = name, .adapter_dir = {}, .adapter_hash = {}});
  }
  for (size_t q = 0; q < num_questions; ++q) {
    StudyTask task{.question_id = "q" + std::to_string(q), .question = "?", .answers = {}};
    for (size_t s = 0; s < sources.size(); ++s) task.answers.push_back({s, "text"});
    plan.tasks.push_back(task);
  }
  return plan;
}

/// "132": A takes place 1, B 3, C 2.
Rating placed(const std::string& rater, size_t task, const std::string& places) {
  Rating rating{.rater = rater, .task = task, .choices = {}, .submitted_at = ""};
  for (size_t i = 0; i < places.size(); ++i) {
    rating.choices[std::string(1, static_cast<char>('A' + i))] = places.substr(i, 1);
  }
  return rating;
}

TEST(Ranking, SharedPlacesHaveTheirMean) {
  EXPECT_EQ(mid_ranks({1, 2, 3}), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(mid_ranks({1, 3, 3}), (std::vector<double>{1, 2.5, 2.5}));
  EXPECT_EQ(mid_ranks({2, 2, 2, 2}), (std::vector<double>{2.5, 2.5, 2.5, 2.5}));
  EXPECT_EQ(mid_ranks({9, 1}), (std::vector<double>{2, 1}));
}

TEST(Ranking, FollowsWhatRatersSaidByHand) {
  const StudyPlan plan = plan_of(3, {"a", "b", "c"});
  const auto results = ranking_results(plan,
                                       {placed("R1", 0, "213"),   // b a c
                                        placed("R2", 0, "113"),   // a b share the first place
                                        placed("R1", 1, "312")},  // b c a
                                       {});
  EXPECT_EQ(results.num_questions, 2u);  // the third has no rating
  ASSERT_EQ(results.sources.size(), 3u);
  EXPECT_EQ(results.sources[0].source, 1u);
  // b: question 0 has (1 + 1.5) / 2 = 1.25, question 1 has 1.
  EXPECT_DOUBLE_EQ(results.sources[0].mean_place.value, 1.125);
  // a: (2 + 1.5) / 2 = 1.75 and 3; c: 3 and 2.
  EXPECT_DOUBLE_EQ(results.sources[1].mean_place.value, 2.375);
  EXPECT_EQ(results.sources[1].source, 0u);
  EXPECT_DOUBLE_EQ(results.sources[2].mean_place.value, 2.5);
  // First places: b (1 + 1/2) / 2 = 0.75 and 1; a 0.25 and 0.
  EXPECT_DOUBLE_EQ(results.sources[0].first_share.value, 0.875);
  EXPECT_DOUBLE_EQ(results.sources[1].first_share.value, 0.125);
  EXPECT_FALSE(results.sources[0].behind);
  EXPECT_DOUBLE_EQ(results.sources[1].behind->value, 1.25);
  // a against b: one loss, one tie, one loss.
  ASSERT_EQ(results.pairs.size(), 3u);
  EXPECT_EQ(results.pairs[0].wins, 0u);
  EXPECT_EQ(results.pairs[0].ties, 1u);
  EXPECT_EQ(results.pairs[0].losses, 2u);
  EXPECT_DOUBLE_EQ(results.pairs[0].share.value, 0.125);
}

TEST(Ranking, LettersBelongToTheTasksOwnOrder) {
  StudyPlan plan = plan_of(1, {"a", "b"});
  std::swap(plan.tasks[0].answers[0], plan.tasks[0].answers[1]);
  const auto results = ranking_results(plan, {placed("R1", 0, "12")}, {});
  EXPECT_EQ(results.sources[0].source, 1u);
}

TEST(Ranking, TellsClearFirstsFromTies) {
  const StudyPlan plan = plan_of(40, {"clear", "close", "last"});
  std::vector<Rating> ratings;
  for (size_t q = 0; q < 40; ++q) {
    // The first two change places, evenly but for two questions.
    ratings.push_back(placed("R1", q, q % 2 == 0 || q < 3 ? "123" : "213"));
  }
  const auto results = ranking_results(plan, ratings, {});
  EXPECT_EQ(results.sources[0].source, 0u);
  EXPECT_TRUE(results.sources[1].ties_with_first);
  EXPECT_FALSE(results.sources[2].ties_with_first);
  EXPECT_FALSE(results.alpha);  // one rater agrees with nobody
}

TEST(Ranking, AgreementIsPerfectWhereAllRatersPlaceAlike) {
  const StudyPlan plan = plan_of(5, {"a", "b", "c"});
  std::vector<Rating> ratings;
  for (size_t q = 0; q < 5; ++q) {
    for (const char* rater : {"R1", "R2"})
      ratings.push_back(placed(rater, q, q % 2 == 0 ? "132" : "321"));
  }
  EXPECT_DOUBLE_EQ(ranking_results(plan, ratings, {}).alpha->value, 1);
}

TEST(Ranking, WithoutRatingsThereIsNothing) {
  const auto results = ranking_results(plan_of(2, {"a", "b"}), {}, {});
  EXPECT_TRUE(results.sources.empty());
  EXPECT_EQ(results.num_questions, 0u);
}

}  // namespace
}  // namespace prescript
