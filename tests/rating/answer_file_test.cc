#include "rating/answer_file.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

class AnswerFile : public testing::Test {
 protected:
  std::vector<AnswerLine> read(const std::string& text) {
    return read_answer_lines(directory_.write("a.jsonl", text));
  }
  TemporaryDirectory directory_;
};

TEST_F(AnswerFile, ReadsExemplarsAndGeneratedAnswers) {
  const auto lines = read(
      "\xef\xbb\xbf{\"id\":\"1\",\"question\":\"Q?\",\"context\":\"C.\",\"answer\":\"Yes.\"}\r\n\n"
      "{\"id\":\"2\",\"adapter\":null,\"text\":\"\",\"num_tokens\":1,\"stop\":\"length\"}\n"
      "{\"id\":\"3\",\"question\":\"Which?\",\"options\":{\"A\":\"x\",\"B\":\"y\"},\"answer\":"
      "\"B\"}\n"
      "{\"id\":\"4\",\"question\":\"Open?\"}");
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0].question, "C.\n\nQ?");
  EXPECT_EQ(lines[0].text, "Yes.");
  EXPECT_EQ(lines[0].adapter, "");
  EXPECT_EQ(lines[1].text, "");
  EXPECT_EQ(lines[1].adapter, "base");
  EXPECT_EQ(lines[2].question, "Which?\n(A) x\n(B) y");
  EXPECT_EQ(lines[2].text, "(B) y");
  EXPECT_EQ(lines[3].text, std::nullopt);
}

TEST_F(AnswerFile, ASourceTakesTheAnswersOfItsName) {
  const auto lines = read(
      "{\"id\":\"1\",\"adapter\":null,\"text\":\"b1\"}\n{\"id\":\"1\",\"adapter\":\"care\","
      "\"text\":\"c1\"}\n");
  EXPECT_EQ(answers_of(lines, "care", "a").texts,
            (std::vector<std::pair<std::string, std::string>>{{"1", "c1"}}));
  EXPECT_EQ(answers_of(lines, "base", "a").texts[0].second, "b1");
  expect_input_error(
      ExitCode::kData, "none of them \"other\"", [&] { answers_of(lines, "other", "a"); });
  const auto one = read("{\"id\":\"1\",\"adapter\":\"care\",\"text\":\"c1\"}\n");
  EXPECT_EQ(answers_of(one, "any name", "a").texts.size(), 1u);
}

TEST_F(AnswerFile, QuestionsAreJoinedById) {
  const auto first = read("{\"id\":\"1\",\"question\":\"Q1\"}\n{\"id\":\"2\",\"text\":\"t\"}\n");
  const auto second = read(
      "{\"id\":\"1\",\"question\":\"Q1\",\"answer\":\"a\"}\n{\"id\":\"2\",\"question\":\"Q2\"}\n");
  const auto questions = questions_of({first, second});
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[1].id, "2");
  EXPECT_EQ(questions[1].text, "Q2");
  const auto other = read("{\"id\":\"1\",\"question\":\"Another\"}\n");
  expect_input_error(ExitCode::kData, "is another question at", [&] {
    questions_of({first, other});
  });
}

TEST_F(AnswerFile, MistakesAreNamedWithoutText) {
  expect_input_error(ExitCode::kData, "no answers", [&] { read("\n"); });
  expect_input_error(
      ExitCode::kData, "a.jsonl:1: id: missing", [&] { read("{\"text\":\"secret\"}"); });
  expect_input_error(ExitCode::kData, "a.jsonl:1: text: expected a string", [&] {
    read("{\"id\":\"1\",\"text\":5}");
  });
  expect_input_error(
      ExitCode::kData, "a.jsonl:2:", [&] { read("{\"id\":\"1\",\"text\":\"\"}\n{\"id\":"); });
  const auto twice = read("{\"id\":\"1\",\"text\":\"a\"}\n{\"id\":\"1\",\"text\":\"b\"}\n");
  expect_input_error(
      ExitCode::kData, "a.jsonl:2: id: \"1\" has an answer", [&] { answers_of(twice, "x", "a"); });
  const auto open = read("{\"id\":\"1\",\"question\":\"Q\"}\n");
  expect_input_error(
      ExitCode::kData, "neither text nor answer", [&] { answers_of(open, "x", "a"); });
}

}  // namespace
}  // namespace prescript
