#include <filesystem>

#include <gmock/gmock.h>

#include "cli/tiny_files.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class ExemplarsCommand : public TinyFiles {
 protected:
  static ProcessResult exemplars(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "exemplars");
    return run_prescript(arguments);
  }

  ProcessResult check(const std::string& bytes, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"check", directory_.write("a.jsonl", bytes)});
    return exemplars(more);
  }

  ordered_json checked(const std::string& bytes, std::vector<std::string> more = {}) const {
    more.emplace_back("--json");
    const auto result = check(bytes, more);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.exit_code == 0 ? ordered_json::parse(result.out) : ordered_json();
  }
};

const char* const kAdvice =
    R"({"id": "one", "question": "Secret fever?", "answer": "Secret rest. Call Mr Secretson.", "source": "ward", "topic": "skin"})"
    "\n"
    R"({"id": "two", "question": "secret FEVER", "answer": "Secret ice.", "source": "ward"})"
    "\n"
    R"({"id": "three", "question": "Secret cough?", "review": {"status": "accepted", "reviewer": "r7"}})"
    "\n";

TEST_F(ExemplarsCommand, CheckNamesWhatToLookAtAndShowsNoText) {
  const auto result = check(kAdvice);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const std::string path = directory_ / "a.jsonl";
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("3 exemplars read in 1 file\n"),
                    HasSubstr("  sources: ward 2\n"),
                    HasSubstr("  topics: skin 1\n"),
                    HasSubstr("  review: accepted 1\n"),
                    HasSubstr("  reviewers: r7 1\n"),
                    HasSubstr("Defects: none\n"),
                    HasSubstr("Without an answer: 1\n  " + path + ":3 \"three\"\n"),
                    HasSubstr("Repeated questions: 1\n  " + path + ":2 \"two\" is the same as " +
                              path + ":1 \"one\", with another answer\n"),
                    HasSubstr("Repeated answers: none\n"),
                    HasSubstr("--against\n"),
                    HasSubstr("--model, or a training recipe with --recipe\n")));
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("Texts that may identify somebody: 1\n  " + path +
                              ":1 \"one\": answer: name with a title 1\n"),
                    HasSubstr("Patterns do not find names without a title")));
  EXPECT_THAT(result.out, Not(HasSubstr("Secret")));
  EXPECT_THAT(result.out, Not(HasSubstr("FEVER")));
}

TEST_F(ExemplarsCommand, StrictTakesAdviceForAnError) {
  const auto result = check(kAdvice, {"--strict"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("--strict: 3 findings"));
  EXPECT_EQ(check(R"({"question": "Fever?", "answer": "Rest."})", {"--strict"}).exit_code, 0);
}

TEST_F(ExemplarsCommand, DefectsAreAllToldWithExitThree) {
  const auto result = check("{\"question\": \"\", \"context\": 1}\n{\n" + std::string(kAdvice));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("Defects: 3\n"),
                    HasSubstr("a.jsonl:1: question: empty"),
                    HasSubstr("a.jsonl:1: context: expected a string"),
                    HasSubstr("a.jsonl:2:"),
                    HasSubstr("Repeated questions: 1\n")));
  EXPECT_THAT(result.err, HasSubstr("3 defects; mend the lines that are named"));
}

TEST_F(ExemplarsCommand, JsonHoldsEveryFinding) {
  const ordered_json found = checked(kAdvice);
  EXPECT_EQ(found.at("num_exemplars"), 3);
  EXPECT_EQ(found.at("num_defects"), 0);
  EXPECT_EQ(found.at("num_findings"), 3);
  EXPECT_EQ(found.at("without_answer").at(0).at("id"), "three");
  const ordered_json& pair = found.at("repeated_questions").at(0);
  EXPECT_EQ(pair.at("exemplar").at("id"), "two");
  EXPECT_EQ(pair.at("like").at("id"), "one");
  EXPECT_EQ(pair.at("likeness"), "same");
  EXPECT_EQ(pair.at("other_answer"), true);
  EXPECT_EQ(found.at("identifiers").at(0).at("kinds"), (ordered_json{{"name with a title", 1}}));
  EXPECT_EQ(found.at("overlap"), nullptr);
  EXPECT_EQ(found.at("context"), nullptr);
  EXPECT_EQ(found.at("sources"), (ordered_json{{"ward", 2}}));
  EXPECT_THAT(found.dump(), Not(HasSubstr("Secret")));
}

TEST_F(ExemplarsCommand, OverlapIsThatOfTheEvaluationsQuestions) {
  const std::string against = directory_.write("test.jsonl",
                                               R"({"id": "t1", "question": "Other?"})"
                                               "\n"
                                               R"({"id": "t2", "question": "SECRET cough."})");
  const ordered_json found = checked(kAdvice, {"--against", against});
  ASSERT_EQ(found.at("overlap").size(), 1u);
  EXPECT_EQ(found.at("overlap").at(0).at("question").at("id"), "t2");
  EXPECT_EQ(found.at("overlap").at(0).at("exemplar").at("id"), "three");
  EXPECT_EQ(found.at("files").size(), 1u);
  EXPECT_EQ(check(kAdvice, {"--against", directory_ / "none.jsonl"}).exit_code, 3);
  EXPECT_EQ(check(kAdvice, {directory_ / "a.jsonl"}).exit_code, 2);
}

TEST_F(ExemplarsCommand, LengthIsInTokensWithAllThatIsFed) {
  write_tiny_model(directory_ / "short", {.max_positions = 64});
  const ordered_json exemplar = {{"question", std::string(30, 'q')},
                                 {"answer", std::string(20, 'a')}};
  // A token is a byte; "\nAnswer: " and <|endoftext|> make 60, virtual tokens the rest.
  const auto with = [&](const char* virtual_tokens) {
    return checked(exemplar.dump(),
                   {"--model",
                    directory_ / "short",
                    "--format",
                    "plain",
                    "--num-virtual-tokens",
                    virtual_tokens});
  };
  EXPECT_EQ(with("4").at("context"), 64);
  EXPECT_EQ(with("4").at("tokens").at("max"), 64);
  EXPECT_EQ(with("4").at("too_long").size(), 0u);
  EXPECT_EQ(with("5").at("too_long").at(0).at("tokens"), 65);
  EXPECT_EQ(check(exemplar.dump(), {"--format", "plain"}).exit_code, 2);  // of which model?
}

TEST_F(ExemplarsCommand, ARecipesFilesAreCheckedAsItWouldFeedThem) {
  write_tiny_model(directory_ / "short", {.max_positions = 150});
  std::string train;
  for (const char* id : {"a", "b", "c"}) {
    train +=
        ordered_json{{"id", id}, {"question", std::string(30, *id)}, {"answer", "Yes."}}.dump() +
        "\n";
  }
  // Not fed, and so not measured.
  train += ordered_json{{"id", "d"},
                        {"question", std::string(200, 'd')},
                        {"answer", "Yes."},
                        {"review", {{"status", "rejected"}, {"version", 1}}}}
               .dump();
  const std::string recipe = directory_.write(
      "r.yaml",
      "base_model: " + directory_ / "short" + "\nsoft_prompt.num_virtual_tokens: 7\ndata:\n" +
          "  {train: " + directory_.write("t.jsonl", train) + ", validation: " +
          directory_.write("v.jsonl",
                           ordered_json{{"id", "v"}, {"question", std::string(31, 'a')}}.dump()) +
          ", format: plain, instruction: Be kind., few_shot: 1}\noutput: out\n");
  const auto result = exemplars({"check", "--recipe", recipe, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const ordered_json found = ordered_json::parse(result.out);
  EXPECT_EQ(found.at("files").size(), 2u);
  EXPECT_EQ(found.at("num_exemplars"), 5);
  EXPECT_EQ(found.at("context"), 150);
  // Two of a, b, c; the third stands in each as "Question: " 30 "\nAnswer: Yes.\n\n". A token is a
  // byte; the instruction and its blank line take 10, virtual tokens 7, <|endoftext|> 1.
  EXPECT_EQ(found.at("tokens").at("total"), 2 * found.at("tokens").at("max").get<int>());
  EXPECT_EQ(found.at("tokens").at("max"), 10 + (10 + 30 + 13 + 2) + (10 + 30 + 13) + 7 + 1);
  EXPECT_EQ(found.at("without_answer").at(0).at("id"), "v");
  // It agrees with what the recipe's commands say.
  directory_.write("v.jsonl", R"({"id": "v", "question": "Why?", "answer": "Yes."})");
  const auto inspected = run_prescript({"inspect", recipe, "--json"});
  ASSERT_EQ(inspected.exit_code, 0) << inspected.err;
  EXPECT_EQ(ordered_json::parse(inspected.out).at("train").at("tokens").at("max"),
            found.at("tokens").at("max").get<int>() - 7);
  EXPECT_EQ(exemplars({"check", "--recipe", recipe, "--model", model()}).exit_code, 2);
  EXPECT_EQ(exemplars({"check", directory_ / "t.jsonl", "--recipe", recipe}).exit_code, 2);
  EXPECT_EQ(exemplars({"check"}).exit_code, 2);
}

TEST_F(ExemplarsCommand, AnEvaluationsExemplarsAreCheckedAgainstItsQuestions) {
  const std::string shown =
      directory_.write("s.jsonl", R"({"question": "Fever?", "answer": "No."})");
  const std::string tasks =
      "base_model: nowhere\noutput: out\ntasks:\n  talk:\n    questions: " +
      directory_.write("q.jsonl", "{\"question\": \"Secret fever?\"}\n{\"question\": \"Fever\"}");
  const std::string few_shot = "\n    few_shot: {from: " + shown + ", count: 1}";
  const std::string recipe = directory_.write(
      "e.yaml", tasks + few_shot + "\nexemplars: [" + directory_.write("a.jsonl", kAdvice) + "]\n");
  const auto result = exemplars({"check", "--recipe", recipe, "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const ordered_json found = ordered_json::parse(result.out);
  EXPECT_EQ(found.at("files").size(), 2u);
  ASSERT_EQ(found.at("overlap").size(), 2u);
  EXPECT_EQ(found.at("overlap").at(0).at("exemplar").at("id"), "one");
  EXPECT_EQ(found.at("overlap").at(1).at("exemplar").at("place"), shown + ":1");
  // Few-shot exemplars drawn from a file of questions are none of those that are asked.
  const std::string asked =
      directory_.write("asked.yaml",
                       tasks + "\n    few_shot: {from: " + directory_ / "q.jsonl" + ", count: 1}" +
                           "\nexemplars: [" + directory_ / "a.jsonl" + "]");
  const auto again = ordered_json::parse(exemplars({"check", "--recipe", asked, "--json"}).out);
  EXPECT_EQ(again.at("files").size(), 1u);
  EXPECT_EQ(again.at("overlap").size(), 1u);
  const auto none = exemplars({"check", "--recipe", directory_.write("n.yaml", tasks + "\n")});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("it names no exemplars"));
}

TEST_F(ExemplarsCommand, ImportedExemplarsAreCheckedAndScored) {
  const std::string input = directory_.write(
      "data.json", R"([{"instruction": "Fever?", "input": "", "output": "Rest."}])");
  const std::string output = directory_ / "out.jsonl";
  const auto imported = exemplars({"import", "auto", input, "--output", output});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_EQ(imported.out, output + ": 1 exemplar imported from alpaca\n");
  EXPECT_EQ(std::filesystem::status(output).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(exemplars({"check", output, "--strict"}).exit_code, 0);
  const auto scored = run_prescript({"score", "--model", model(), "--input", output, "--json"});
  EXPECT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_THAT(scored.out, HasSubstr("\"data-1\""));
  const auto again = exemplars({"import", "alpaca", input, "--output", output});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  EXPECT_EQ(exemplars({"import", "alpaca", input, "--output", output, "--overwrite"}).exit_code, 0);
}

TEST_F(ExemplarsCommand, AnImportWithDefectsWritesNothing) {
  const std::string input = directory_.write(
      "data.jsonl",
      "{\"instruction\": \"Secret?\", \"output\": \"x\"}\n{\"output\": \"Secret\"}\n");
  const auto result = exemplars({"import", "alpaca", input, "--output", directory_ / "out.jsonl"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("data.jsonl:2: instruction: missing"));
  EXPECT_THAT(result.err, Not(HasSubstr("Secret")));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "out.jsonl"));
}

TEST_F(ExemplarsCommand, ImportTellsWhatItLeftOut) {
  const std::string input = directory_.write("t.csv", "question,answer,Notiz\nQ?,A.,x\nR?,,y\n");
  const auto result =
      exemplars({"import", "csv", input, "--output", directory_ / "out.jsonl", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const ordered_json found = ordered_json::parse(result.out);
  EXPECT_EQ(found.at("imported"), 1);
  EXPECT_EQ(found.at("left_out"), (ordered_json{{"without an answer", 1}}));
  EXPECT_EQ(found.at("unused_fields"), ordered_json::array({"Notiz"}));
  EXPECT_EQ(exemplars({"import", "csv", input, "--output", "x", "--column", "Notiz"}).exit_code, 2);
}

TEST_F(ExemplarsCommand, ACommandMustBeNamed) {
  const auto result = exemplars({});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err, "");
}

}  // namespace
}  // namespace prescript
