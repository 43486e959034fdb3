#include "rating/results.h"

#include <gtest/gtest.h>

#include "rating/small_study.h"

namespace prescript {
namespace {

/// Ratings of the lay axes: `chosen` by (rater, question, source) with an option each.
class LayResults : public testing::Test {
 protected:
  void rate(const std::string& rater,
            const std::string& question,
            size_t source,
            const std::string& intent,
            const std::string& helpfulness) {
    for (size_t task = 0; task < plan_.tasks.size(); ++task) {
      if (plan_.tasks[task].question_id != question ||
          plan_.tasks[task].answers[0].source != source)
        continue;
      ratings_.push_back({rater, task, {{"intent", intent}, {"helpfulness", helpfulness}}, ""});
    }
  }
  RatingResults results() const { return rating_results(plan_, axes_of(plan_), ratings_, {}); }

  StudyPlan plan_ = small_plan(StudyKind::kLay);
  std::vector<Rating> ratings_;
};

TEST_F(LayResults, SharesCountRatings) {
  rate("R1", "q1", 0, "addresses", "helpful");
  rate("R2", "q1", 0, "addresses", "not");
  rate("R1", "q2", 0, "does_not", "helpful");
  rate("R1", "q1", 1, "does_not", "not");
  const auto shares = results().shares;  // intent: source 0, 1; helpfulness: source 0, 1
  ASSERT_EQ(shares.size(), 4u);
  EXPECT_EQ(shares[0].num_ratings, 3u);
  EXPECT_DOUBLE_EQ(shares[0].shares[0].value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(shares[0].shares[1].value, 1.0 / 3);
  // Two questions, drawn with replacement: both q1 (share 1), both q2 (share 0), or each once.
  EXPECT_DOUBLE_EQ(shares[0].shares[0].low, 0);
  EXPECT_DOUBLE_EQ(shares[0].shares[0].high, 1);
  EXPECT_DOUBLE_EQ(shares[1].shares[1].value, 1);
  EXPECT_DOUBLE_EQ(shares[2].shares[0].value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(shares[2].shares[1].value, 0);
  EXPECT_DOUBLE_EQ(shares[2].shares[2].value, 1.0 / 3);
}

TEST_F(LayResults, ASourceWithoutRatingsHasNoShares) {
  rate("R1", "q1", 0, "addresses", "helpful");
  const auto all = results();
  EXPECT_EQ(all.shares[1].num_ratings, 0u);
  EXPECT_TRUE(all.shares[1].shares.empty());
  EXPECT_FALSE(all.comparisons[0].difference);
  EXPECT_EQ(all.comparisons[0].num_questions, 0u);
}

TEST_F(LayResults, ComparisonsTakeQuestionsRatedForBoth) {
  rate("R1", "q1", 0, "addresses", "helpful");
  rate("R2", "q1", 0, "does_not", "helpful");
  rate("R1", "q1", 1, "does_not", "helpful");
  rate("R1", "q2", 0, "addresses", "helpful");
  rate("R1", "q2", 1, "addresses", "not");
  rate("R1", "q3", 1, "addresses", "not");  // not rated for source 0
  const auto comparisons = results().comparisons;
  ASSERT_EQ(comparisons.size(), 2u);
  EXPECT_EQ(comparisons[0].num_questions, 2u);
  EXPECT_DOUBLE_EQ(comparisons[0].difference->value, (0.5 + 1) / 2 - (0.0 + 1) / 2);
  EXPECT_DOUBLE_EQ(comparisons[1].difference->value, 1 - 0.5);
}

TEST_F(LayResults, AgreementNeedsTwoRatersOfATask) {
  rate("R1", "q1", 0, "addresses", "helpful");
  rate("R1", "q2", 0, "does_not", "not");
  EXPECT_FALSE(results().agreement[0].alpha);
  EXPECT_EQ(results().agreement[0].num_tasks, 0u);
  rate("R2", "q1", 0, "addresses", "helpful");
  rate("R2", "q2", 0, "does_not", "somewhat");
  const auto agreement = results().agreement;
  EXPECT_EQ(agreement[0].num_tasks, 2u);
  EXPECT_DOUBLE_EQ(agreement[0].alpha->value, 1);
  // Ordinal alpha of {helpful, helpful}, {not, somewhat}, options in order helpful, somewhat, not
  // with n = 2, 1, 1: d²(h,s) = 1.5² = 2.25, d²(s,n) = 1² = 1, d²(h,n) = 2.5² = 6.25;
  // observed (2 · 1) / 4 = 0.5, expected 2 (2 · 2.25 + 2 · 6.25 + 1 · 1) / 12 = 3; alpha 1 - 0.5
  // / 3.
  EXPECT_NEAR(agreement[1].alpha->value, 1 - 0.5 / 3, 1e-12);
}

TEST(QuestionOfTasks, NumbersQuestionsNotTasks) {
  const StudyPlan plan = small_plan(StudyKind::kLay);
  const auto questions = question_of_tasks(plan);
  ASSERT_EQ(questions.size(), 6u);
  EXPECT_EQ(questions[0], 0u);
  for (size_t i = 0; i < 6; ++i) {
    for (size_t j = 0; j < 6; ++j) {
      EXPECT_EQ(questions[i] == questions[j],
                plan.tasks[i].question_id == plan.tasks[j].question_id);
    }
  }
}

}  // namespace
}  // namespace prescript
