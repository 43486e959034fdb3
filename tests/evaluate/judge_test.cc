#include "evaluate/judge.h"

#include <cmath>

#include <gtest/gtest.h>

#include "evaluate/small_evaluation.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

Exemplar question() {
  Exemplar exemplar;
  exemplar.id = "q";
  exemplar.options = {{"A", "\xc3\xa4\xc3\xb6"}, {"B", "four"}, {"C", "eighteen"}};
  exemplar.answer = "B";
  return exemplar;
}

std::vector<OptionScore> scores(double a, double b, double c) {
  const auto both = [](double x) { return LogLikelihood{x, 3}; };
  return {{"A", both(a), both(a)}, {"B", both(b), both(b)}, {"C", both(c), both(c)}};
}

std::vector<GeneratedText> texts(const std::vector<std::string>& answers) {
  std::vector<GeneratedText> made;
  for (const std::string& answer : answers) made.push_back({answer, 4, answer.empty()});
  return made;
}

TEST(JudgeOptions, TakesTheLikeliestAndItsProbability) {
  const Exemplar asked = question();
  const Judgement judgement = judge_options(asked, scores(-3, -1, -2), "letter");
  EXPECT_EQ(judgement.said, "B");
  EXPECT_TRUE(judgement.correct);
  EXPECT_FALSE(judgement.tied);
  EXPECT_NEAR(judgement.confidence, 1 / (1 + std::exp(-1) + std::exp(-2)), 1e-15);
}

TEST(JudgeOptions, OfEqualsTheFirstAndSaysSo) {
  const Exemplar asked = question();
  const Judgement judgement = judge_options(asked, scores(-2, -2, -5), "text");
  EXPECT_EQ(judgement.said, "A");
  EXPECT_TRUE(judgement.tied);
  EXPECT_FALSE(judgement.correct);
}

TEST(JudgeOptions, NormalizesByCharactersNotBytes) {
  // Per character: A -3 / 2 (4 bytes), B -8 / 4, C -12 / 8.
  const Exemplar asked = question();
  EXPECT_EQ(judge_options(asked, scores(-3, -8, -11), "text_normalized").said, "C");
  EXPECT_EQ(judge_options(asked, scores(-3, -8, -13), "text_normalized").said, "A");
}

TEST(JudgeTexts, ThePluralityOfTheFirstSamplesDecides) {
  const Exemplar asked = question();
  const auto samples = texts({"(A)", "Answer: (B)", "no idea", "(B)", "(C)", "(C)", "(C)"});
  const Judgement of_five = judge_texts(asked, samples, 5);
  EXPECT_EQ(of_five.said, "B");
  EXPECT_TRUE(of_five.correct);
  EXPECT_FALSE(of_five.tied);
  EXPECT_EQ(of_five.confidence, 2.0 / 5) << "an unparsed sample is no agreement";
  EXPECT_EQ(of_five.num_tokens, 4);
  const Judgement of_all = judge_texts(asked, samples, 7);
  EXPECT_EQ(of_all.said, "C");
  EXPECT_EQ(of_all.confidence, 3.0 / 7);
}

TEST(JudgeTexts, OfEqualVotesTheFirstStatedWins) {
  const Exemplar asked = question();
  const Judgement judgement = judge_texts(asked, texts({"(C)", "(B)", "(B)", "(C)"}), 4);
  EXPECT_EQ(judgement.said, "C");
  EXPECT_TRUE(judgement.tied);
}

TEST(JudgeTexts, NothingParsedIsWrongAndUnsure) {
  const Exemplar asked = question();
  const Judgement judgement = judge_texts(asked, texts({"", "vitamin D"}), 2);
  EXPECT_EQ(judgement.said, "");
  EXPECT_FALSE(judgement.correct);
  EXPECT_EQ(judgement.confidence, 0);
  EXPECT_EQ(judgement.cut_off, 1);
}

TEST(JudgeTexts, FewerSamplesThanVotesAreAnError) {
  const Exemplar asked = question();
  expect_input_error(
      ExitCode::kData, "has 1 samples, but 2 vote", [&] { judge_texts(asked, texts({"(A)"}), 2); });
}

TEST(Answered, CountsTheAnswersThatJudgingTakes) {
  EvaluationFiles files = small_evaluation();
  const auto counts = [&] {
    const Answered so_far = answered(files);
    EXPECT_EQ(so_far.strange_answers, 0U);
    return std::vector<size_t>{
        so_far.questions_finished, so_far.questions, so_far.answers, so_far.answers_needed};
  };
  EXPECT_EQ(counts(), (std::vector<size_t>{5, 5, 10, 10}));
  files.description.tasks[0].scoring = {"letter", "text"};  // both from the same record
  EXPECT_EQ(counts(), (std::vector<size_t>{5, 5, 10, 10}));
  files.records.records.erase(files.records.records.begin());
  files.records.records.push_back(files.records.records.back());  // counts once
  EXPECT_EQ(counts(), (std::vector<size_t>{4, 5, 9, 10}));
  files.description.tasks[1].strategies = {"zero_shot", "few_shot"};
  EXPECT_EQ(counts(), (std::vector<size_t>{3, 5, 9, 12}));
}

}  // namespace
}  // namespace prescript
