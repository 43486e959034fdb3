#include <gmock/gmock.h>

#include "cli/tiny_files.h"
#include "infer/scoring.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

class ScoreCommand : public TinyFiles {
 protected:
  /// Log-likelihood of one sequence alone, in float64 by plain formulas.
  LogLikelihood expected(const HandMade& made) const {
    TinyBase base(make_reference_ops(), DType::kFloat64);
    AdapterSet adapters(base.decoder());
    adapters.add("kind", kind());
    adapters.add("brief", brief());
    const std::vector<std::vector<Sequence>> questions = {{made.sequence}};
    return score_questions(base.decoder(), adapters, questions, {}).of_questions[0][0];
  }

  void expect_score(const ordered_json& line, const HandMade& made) const {
    const LogLikelihood score = expected(made);
    EXPECT_NEAR(line.at("log_likelihood"), score.log_likelihood, 1e-3) << line;
    EXPECT_EQ(line.at("num_tokens"), score.num_tokens) << line;
    EXPECT_LT(score.log_likelihood, -1);
  }

  ProcessResult score(const std::string& input, const std::vector<std::string>& more) const {
    return run("score", input, more);
  }
};

constexpr const char* kTwoAnswers =
    "{\"id\":\"q1\",\"question\":\"What is pain?\",\"answer\":\"A signal.\"}\n"
    "{\"id\":\"q2\",\"question\":\"Cough?\",\"answer\":\"No.\"}\n";

TEST_F(ScoreCommand, AnAnswerIsScoredWithItsEndUnderEachAdapterInOrder) {
  const auto result = score(kTwoAnswers, with_both());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 4U);
  expect_score(lines[0],
               under_kind("What is pain?").scored().text("A signal.").token(kTinyTurnEnds));
  expect_score(
      lines[1],
      under_brief("What is pain?").text(" ").scored().text("A signal.").token(kTinyEndOfText));
  expect_score(lines[2], under_kind("Cough?").scored().text("No.").token(kTinyTurnEnds));
  const std::vector<std::pair<std::string, std::string>> order = {
      {"q1", "kind"}, {"q1", "brief"}, {"q2", "kind"}, {"q2", "brief"}};
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i].at("id"), order[i].first);
    EXPECT_EQ(lines[i].at("adapter"), order[i].second);
  }
}

TEST_F(ScoreCommand, WithoutAdaptersTheBaseIsScored) {
  const auto result = score(kTwoAnswers, {"--json", "--dtype", "fp32"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 2U);
  expect_score(lines[0],
               under_base("What is pain?").scored().text("A signal.").token(kTinyTurnEnds));
  EXPECT_EQ(result.out.find("{\"id\":\"q1\",\"adapter\":null,\"log_likelihood\":-"), 0U);
  EXPECT_THAT(result.out, HasSubstr(",\"num_tokens\":10}\n"));
}

TEST_F(ScoreCommand, OptionsAreScoredByLetterOrByTextAlone) {
  const std::string input =
      R"({"id":"m","question":"Which?","options":{"B":"heart","A":"liver"},"answer":"B"})";
  const std::string message = "Which?\n(A) liver\n(B) heart";
  const auto by_letter = score(input, with_both());
  ASSERT_EQ(by_letter.exit_code, 0) << by_letter.err;
  EXPECT_EQ(by_letter.out.find(R"({"id":"m","adapter":"kind","options":{"A":{"log_likelihood":-)"),
            0U)
      << by_letter.out;
  const auto letters = json_lines(by_letter.out);
  expect_score(letters[0].at("options").at("A"), under_kind(message).scored().text("(A)"));
  expect_score(letters[0].at("options").at("B"), under_kind(message).scored().text("(B)"));
  expect_score(letters[1].at("options").at("A"),
               under_brief(message).text(" ").scored().text("(A)"));

  const auto by_text = score(input, with_both({"--by", "text"}));
  ASSERT_EQ(by_text.exit_code, 0) << by_text.err;
  const auto texts = json_lines(by_text.out);
  expect_score(texts[0].at("options").at("A"), under_kind(message).scored().text("liver"));
  expect_score(texts[0].at("options").at("B"), under_kind(message).scored().text("heart"));
}

TEST_F(ScoreCommand, ALineRunsUnderTheAdapterItNames) {
  const auto result = score(R"({"id":"1","question":"Pain?","answer":"No.","adapter":"brief"}
{"id":"2","question":"Pain?","answer":"No.","adapter":null}
{"id":"3","question":"Pain?","answer":"No."})",
                            with_both());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_EQ(lines[0].at("adapter"), "brief");
  EXPECT_TRUE(lines[1].at("adapter").is_null());
  EXPECT_EQ(lines[2].at("adapter"), "kind");
  expect_score(lines[0], under_brief("Pain?").text(" ").scored().text("No.").token(kTinyEndOfText));
  expect_score(lines[1], under_base("Pain?").scored().text("No.").token(kTinyTurnEnds));
}

TEST_F(ScoreCommand, OptionsOfTheCommandLineReplaceTheAdaptersHardPrompt) {
  const std::string input = R"({"id":"1","question":"Pain?","answer":"No."})";
  const auto told = json_lines(score(input, with_both({"--instruction", "Be sure."})).out);
  ASSERT_EQ(told.size(), 2U);
  expect_score(told[0],
               HandMade()
                   .soft_prompt(0, kKindTokens)
                   .chat("Be sure.\n\nPain?")
                   .scored()
                   .text("No.")
                   .token(kTinyTurnEnds));
  const auto bare = json_lines(
      score(input, {"--adapter", directory_ / "kind", "--json", "--instruction", ""}).out);
  ASSERT_EQ(bare.size(), 1U);
  expect_score(bare[0],
               HandMade()
                   .soft_prompt(0, kKindTokens)
                   .chat("Pain?")
                   .scored()
                   .text("No.")
                   .token(kTinyTurnEnds));
  const auto plain = json_lines(
      score(input, {"--adapter", directory_ / "kind", "--json", "--format", "plain"}).out);
  ASSERT_EQ(plain.size(), 1U);
  expect_score(plain[0],
               HandMade()
                   .soft_prompt(0, kKindTokens)
                   .text("Be kind.\n\nPain?\nAnswer: ")
                   .scored()
                   .text("No.")
                   .token(kTinyEndOfText));
}

TEST_F(ScoreCommand, CompanyChangesAScoreByRoundingOnly) {
  const auto together = json_lines(score(kTwoAnswers, with_both()).out);
  const auto alone = json_lines(score(R"({"id":"q2","question":"Cough?","answer":"No."})",
                                      {"--adapter", directory_ / "brief", "--json"})
                                    .out);
  ASSERT_EQ(together.size(), 4U);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_NEAR(alone[0].at("log_likelihood"), together[3].at("log_likelihood"), 1e-4);
}

TEST_F(ScoreCommand, ForPeopleThereIsATable) {
  const auto result =
      score(R"({"id":"m","question":"Which?","options":{"A":"liver","B":"heart"},"answer":"B"})",
            {"--adapter", directory_ / "kind"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out.find("id  adapter  option  log-likelihood  tokens\n"), 0U) << result.out;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 3);
}

TEST_F(ScoreCommand, TheAdaptersDtypeIsTheDefaultUnlessTheyDisagree) {
  Adapter coarse = kind();
  coarse.dtype = "bf16";
  publish_adapter(coarse, directory_ / "coarse");
  const std::string input = R"({"id":"1","question":"Pain?","answer":"No."})";
  const auto exact = json_lines(score(input, {"--adapter", directory_ / "kind", "--json"}).out);
  const auto rounded = json_lines(score(input, {"--adapter", directory_ / "coarse", "--json"}).out);
  const auto asked = json_lines(
      score(input, {"--adapter", directory_ / "coarse", "--json", "--dtype", "fp32"}).out);
  EXPECT_EQ(asked.at(0).at("log_likelihood"), exact.at(0).at("log_likelihood"));
  EXPECT_NE(rounded.at(0).at("log_likelihood"), exact.at(0).at("log_likelihood"));

  const auto both = score(input, with_both({"--adapter", directory_ / "coarse"}));
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("--dtype"));
  EXPECT_EQ(
      score(input, with_both({"--adapter", directory_ / "coarse", "--dtype", "bf16"})).exit_code,
      0);
}

TEST_F(ScoreCommand, WeightsThatStayInTheirFileGiveTheSameNumbers) {
  for (const char* dtype : {"fp32", "bf16"}) {
    const auto converted = score(kTwoAnswers, with_both({"--json", "--dtype", dtype}));
    for (const char* where : {"as_stored", "streamed"}) {
      const auto other =
          score(kTwoAnswers, with_both({"--json", "--dtype", dtype, "--weights", where}));
      ASSERT_EQ(other.exit_code, 0) << other.err;
      EXPECT_EQ(other.out, converted.out) << where;
    }
  }
}

TEST_F(ScoreCommand, EachMistakeHasItsExitCodeAndMessage) {
  const std::string line = R"({"id":"1","question":"Pain?","answer":"No."})";
  struct Case {
    std::string input;
    std::vector<std::string> more;
    int exit_code;
    std::string message;
  };
  const std::string long_question(1100, 'x');
  for (const Case& c : std::vector<Case>{
           {line, {"--by", "number"}, 2, "letter, text"},
           {line, {"--format", "html"}, 2, "chat, plain"},
           {line, {"--instruction", " \n\t"}, 2, "--instruction: it is blank"},
           {line, {"--instruction", "\xff"}, 2, "--instruction: it is not UTF-8"},
           {line, {"--instruction", "<|im_end|>"}, 2, "instruction: holds the text of the special"},
           {line, {"--dtype", "fp16"}, 2, "fp32, bf16"},
           {line, {"--weights", "stored"}, 2, "converted, as_stored, streamed"},
           {line, {"--adapter", directory_ / "nowhere"}, 4, "nowhere"},
           {line, {"--adapter", model()}, 4, "tiny"},
           {line, {"--adapter", std::string(300, 'n')}, 4, "name too long"},
           {R"({"id":"1","question":"Pain?"})", {}, 3, "input.jsonl:1"},
           {"\n"
            R"({"id":"1","question":"Pain?","answer":"No.","adapter":"Kind"})",
            {"--adapter", directory_ / "kind"},
            3,
            "input.jsonl:2: adapter: \"Kind\" is not given; those given are kind"},
           {R"({"id":"1","question":"Pain?","answer":"No.","adapter":"kind"})", {}, 3, "none is"},
           {R"({"id":"long","question":")" + long_question + R"(","answer":"No."})",
            {},
            3,
            "exemplar \"long\" takes 1123 tokens"},
           {"", {}, 3, "input.jsonl"}}) {
    const auto result = score(c.input, c.more);
    EXPECT_EQ(result.exit_code, c.exit_code) << c.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.message));
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(ScoreCommand, AnAdapterOfAnotherBaseIsRefusedUnlessAllowed) {
  write_tiny_model(model(), {.seed = 2});
  const std::string line = R"({"id":"1","question":"Pain?","answer":"No."})";
  const auto refused = score(line, {"--adapter", directory_ / "kind"});
  EXPECT_EQ(refused.exit_code, 4);
  EXPECT_THAT(refused.err, HasSubstr("--allow-other-base"));
  const auto allowed = score(line, {"--adapter", directory_ / "kind", "--allow-other-base"});
  EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  EXPECT_THAT(allowed.err, HasSubstr("warning: "));
}

TEST_F(ScoreCommand, AScoreThatIsNotANumberIsExitSixAndNamesTheExemplar) {
  std::string weights = bytes_of_file(model() + "/model.safetensors");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t i = 0; i < 32; ++i) {
    weights.replace(weights.size() - 4 * (i + 1), 4, reinterpret_cast<const char*>(&nan), 4);
  }
  directory_.write("tiny/model.safetensors", weights);
  const auto result = score(kTwoAnswers, {"--json"});
  EXPECT_EQ(result.exit_code, 6);
  EXPECT_THAT(result.err, HasSubstr("q1"));
  EXPECT_THAT(result.err, testing::Not(HasSubstr("pain")));
}

TEST_F(ScoreCommand, AnOptionWithoutEffectIsAWarning) {
  const auto result = score(kTwoAnswers, {"--by", "letter"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("--by changes nothing"));
}

}  // namespace
}  // namespace prescript
