#include "rating/study_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "rating/small_study.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

std::vector<StudyQuestion> numbered_questions(size_t count) {
  std::vector<StudyQuestion> questions;
  for (size_t i = 0; i < count; ++i) {
    questions.push_back({"q" + std::to_string(i), "Question " + std::to_string(i)});
  }
  return questions;
}

SourceAnswers all_answered(const std::string& name, const std::vector<StudyQuestion>& questions) {
  SourceAnswers answers{.source = {.name = name, .adapter_dir = {}, .adapter_hash = {}},
                        .texts = {}};
  for (const StudyQuestion& question : questions) answers.texts.emplace_back(question.id, name);
  return answers;
}

TEST(StudyPlan, EveryAnswerOfEveryDrawnQuestionIsATask) {
  const StudyPlan plan = small_plan(StudyKind::kLay);
  std::set<std::pair<std::string, size_t>> seen;
  for (const StudyTask& task : plan.tasks) {
    ASSERT_EQ(task.answers.size(), 1u);
    EXPECT_TRUE(seen.emplace(task.question_id, task.answers[0].source).second);
    EXPECT_EQ(task.answers[0].text,
              plan.sources[task.answers[0].source].name + "'s words on " + task.question_id);
  }
  EXPECT_EQ(seen.size(), 6u);
}

TEST(StudyPlan, ARankingTaskHoldsTheAnswersOfAllSources) {
  const StudyPlan plan = small_plan(StudyKind::kRanking);
  ASSERT_EQ(plan.tasks.size(), 3u);
  for (const StudyTask& task : plan.tasks) {
    ASSERT_EQ(task.answers.size(), 2u);
    EXPECT_NE(task.answers[0].source, task.answers[1].source);
  }
}

TEST(StudyPlan, TheSeedDecidesAll) {
  const auto tasks = small_plan(StudyKind::kClinician, 1).tasks;
  EXPECT_EQ(tasks, small_plan(StudyKind::kClinician, 1).tasks);
  bool any_differs = false;
  for (uint64_t seed = 2; seed < 6; ++seed) {
    any_differs |= small_plan(StudyKind::kClinician, seed).tasks != tasks;
  }
  EXPECT_TRUE(any_differs);
}

// A rater who guessed from the position would be right as often as by chance.
TEST(StudyPlan, PositionsTellNothingOfTheSource) {
  const auto questions = numbered_questions(400);
  const std::vector<SourceAnswers> sources = {all_answered("a", questions),
                                              all_answered("b", questions)};
  const StudyPlan ranking =
      draw_study(questions, sources, {.kind = StudyKind::kRanking, .seed = 3, .limit = {}});
  const auto first_is_a = std::count_if(ranking.tasks.begin(),
                                        ranking.tasks.end(),
                                        [](const auto& t) { return t.answers[0].source == 0; });
  EXPECT_NEAR(static_cast<double>(first_is_a), 200, 40);  // four standard deviations
  const StudyPlan rating =
      draw_study(questions, sources, {.kind = StudyKind::kLay, .seed = 3, .limit = {}});
  const auto early_a = std::count_if(rating.tasks.begin(),
                                     rating.tasks.begin() + 400,
                                     [](const auto& t) { return t.answers[0].source == 0; });
  EXPECT_NEAR(static_cast<double>(early_a), 200, 57);
}

TEST(StudyPlan, DrawsUpToTheLimitAmongThoseThatAllAnswer) {
  const auto questions = numbered_questions(20);
  SourceAnswers partial = all_answered("partial", questions);
  partial.texts.resize(12);
  const std::vector<SourceAnswers> sources = {all_answered("a", questions), partial};
  const auto drawn_with = [&](std::optional<size_t> limit, uint64_t seed) {
    std::set<std::string> ids;
    for (const StudyTask& task :
         draw_study(questions, sources, {.kind = StudyKind::kLay, .seed = seed, .limit = limit})
             .tasks) {
      ids.insert(task.question_id);
    }
    return ids;
  };
  EXPECT_EQ(drawn_with({}, 1).size(), 12u);
  EXPECT_EQ(drawn_with(50, 1).size(), 12u);
  EXPECT_EQ(drawn_with(5, 1).size(), 5u);
  EXPECT_NE(drawn_with(5, 1), drawn_with(5, 2));
  EXPECT_FALSE(drawn_with({}, 1).contains("q12"));
}

TEST(StudyPlan, MistakesAreNamed) {
  const auto questions = numbered_questions(3);
  const SourceAnswers a = all_answered("a", questions);
  const auto draw = [&](std::vector<SourceAnswers> sources, StudyKind kind) {
    return [&questions, sources, kind] {
      draw_study(questions, sources, {.kind = kind, .seed = 1, .limit = {}});
    };
  };
  expect_input_error(ExitCode::kUsage, "name at least one", draw({}, StudyKind::kLay));
  expect_input_error(ExitCode::kUsage, "2 to 9", draw({a}, StudyKind::kRanking));
  expect_input_error(ExitCode::kUsage, "comes twice", draw({a, a}, StudyKind::kLay));
  SourceAnswers none = a;
  none.source.name = "none";
  none.texts = {{"other", "x"}};
  expect_input_error(
      ExitCode::kData, "no question is answered by every source", draw({a, none}, StudyKind::kLay));
}

}  // namespace
}  // namespace prescript
