#include "infer/scoring.h"

#include <gtest/gtest.h>

#include "support/tiny_base.h"

namespace prescript {
namespace {

/// `text` behind an adapter; its last `num_targets` tokens are targets.
Sequence scored(const std::string& text, int32_t num_targets, int32_t prompt = -1, int32_t P = 0) {
  Sequence sequence;
  sequence.rows = tiny_rows(text, prompt, P);
  const auto size = static_cast<int32_t>(sequence.rows.size());
  for (int32_t t = size - num_targets; t < size; ++t) sequence.target_positions.push_back(t);
  return sequence;
}

/// Four options of a question, "(A)" to "(D)".
std::vector<Sequence> options_of(const std::string& question, int32_t prompt, int32_t P) {
  std::vector<Sequence> sequences;
  for (const char letter : std::string("ABCD")) {
    sequences.push_back(scored(question + "(" + letter + ")", 3, prompt, P));
  }
  return sequences;
}

TEST(Scoring, OptionsOfAQuestionEqualEachScoredAlone) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  TinyBase reference(make_reference_ops(), DType::kFloat64);
  AdapterSet adapters(base.decoder());
  AdapterSet reference_adapters(reference.decoder());
  for (AdapterSet* set : {&adapters, &reference_adapters}) {
    set->add("a", tiny_adapter(5, 1));
    set->add("b", tiny_adapter(9, 2));
  }
  const std::string shared = "Which of these hurts? ";
  const std::vector<std::vector<Sequence>> questions = {options_of(shared + "One of", 0, 5),
                                                        options_of(shared + "None of", 1, 9),
                                                        options_of(shared + "Two of", 0, 5),
                                                        options_of(shared + "All of", -1, 0)};
  const Scores together = score_questions(base.decoder(), adapters, questions, {});
  const Scores divided = score_questions(
      base.decoder(), adapters, questions, {.max_pass_rows = 16, .max_forest_rows = 200});
  ASSERT_EQ(together.of_questions.size(), questions.size());
  for (size_t q = 0; q < questions.size(); ++q) {
    ASSERT_EQ(together.of_questions[q].size(), 4U);
    for (size_t s = 0; s < 4; ++s) {
      const std::vector<std::vector<Sequence>> alone = {{questions[q][s]}};
      const auto expected =
          score_questions(reference.decoder(), reference_adapters, alone, {}).of_questions[0][0];
      const auto found = together.of_questions[q][s];
      EXPECT_NEAR(found.log_likelihood, expected.log_likelihood, 1e-4) << q << " " << s;
      EXPECT_NEAR(divided.of_questions[q][s].log_likelihood, expected.log_likelihood, 1e-4);
      EXPECT_LT(expected.log_likelihood, -1) << "the comparison would be empty";
      EXPECT_EQ(found.num_tokens, 3);
    }
  }
}

TEST(Scoring, RowsComputedEqualAHandCountForTheOptionsOfAQuestion) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  adapters.add("a", tiny_adapter(5, 1));
  EXPECT_EQ(adapters.rows_computed(), 5);
  const std::string question(40, 'q');
  const std::vector<std::vector<Sequence>> questions = {options_of(question, 0, 5)};
  // The root's 5 rows exist. The question and "(" are 41 shared rows, each letter is a row of its
  // own, ")" is only a target.
  EXPECT_EQ(score_questions(base.decoder(), adapters, questions, {}).rows_computed, 41 + 4);
}

TEST(Scoring, RowsComputedEqualAHandCountForOneQuestionUnderSeveralAdapters) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  adapters.add("a", tiny_adapter(5, 1));
  adapters.add("b", tiny_adapter(9, 2));
  EXPECT_EQ(adapters.rows_computed(), 14);
  const std::string instruction(30, 'i');
  std::vector<std::vector<Sequence>> questions;
  for (const auto& [prompt, P] : {std::pair{0, 5}, std::pair{1, 9}, std::pair{-1, 0}}) {
    questions.push_back({scored(instruction + "xxxxxxxxxx" + "answer", 6, prompt, P)});
    questions.push_back({scored(instruction + "yyyyyyyyyyyy" + "no", 2, prompt, P)});
  }
  // Under each adapter and the base: 30 rows of instruction, then 10 + 5 and 12 + 1.
  EXPECT_EQ(score_questions(base.decoder(), adapters, questions, {}).rows_computed,
            3 * (30 + 15 + 13));
}

TEST(Scoring, ALongInputIsCutBetweenQuestionsOnly) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  const std::vector<std::vector<Sequence>> questions = {options_of(std::string(40, 'q'), -1, 0),
                                                        options_of(std::string(50, 'r'), -1, 0)};
  std::vector<size_t> done;
  const Scores scores =
      score_questions(base.decoder(),
                      adapters,
                      questions,
                      {.max_forest_rows = 1},
                      [&](size_t count, const Scores& so_far) {
                        done.push_back(count);
                        EXPECT_EQ(so_far.of_questions[count - 1][3].num_tokens, 3);
                      });
  EXPECT_EQ(done, (std::vector<size_t>{1, 2}));
  EXPECT_EQ(scores.rows_computed, 41 + 4 + 51 + 4);
}

}  // namespace
}  // namespace prescript
