#include <gmock/gmock.h>

#include "cli/tiny_files.h"
#include "infer/generator.h"
#include "support/damage.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

class GenerateCommand : public TinyFiles {
 protected:
  /// The generation of one prompt alone, with the model's end-of-text and `end_token`.
  Generation expected(const HandMade& prompt,
                      int32_t end_token,
                      GenerationOptions options,
                      const std::string& id = "alone") const {
    TinyBase base(make_cpu_ops(1), DType::kFloat32);
    AdapterSet adapters(base.decoder());
    adapters.add("kind", kind());
    adapters.add("brief", brief());
    options.end_tokens = {kTinyEndOfText, end_token};
    const std::vector<GenerationRequest> requests = {{id, prompt.sequence.rows}};
    return generate(base.decoder(), adapters, requests, options).front();
  }

  static void expect_line(const ordered_json& line, const Generation& generation) {
    std::string text;
    for (const int32_t id : generation.ids) {
      if (id < 256) text += static_cast<char>(id);
    }
    const auto clean = ordered_json::parse(
        ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace));
    EXPECT_EQ(line.at("text"), clean);
    EXPECT_EQ(line.at("num_tokens"), generation.ids.size());
    const bool ended = generation.stop == StopReason::kEndOfTurn;
    EXPECT_EQ(line.at("stop"), ended ? "end_of_turn" : "length");
  }

  ProcessResult generate_from(const std::string& input,
                              const std::vector<std::string>& more) const {
    return run("generate", input, more);
  }

  /// With --prompt instead of a file.
  ProcessResult ask(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"generate", "--model", model()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_prescript(arguments);
  }
};

constexpr const char* kQuestions =
    "{\"id\":\"q1\",\"question\":\"What is pain?\"}\n"
    "{\"id\":\"q2\",\"question\":\"Cough?\"}\n"
    "{\"id\":\"q3\",\"question\":\"And now?\",\"adapter\":null}\n";

TEST_F(GenerateCommand, EachLineRunsUnderEachAdapterAsItWouldAlone) {
  const auto result = generate_from(kQuestions, with_both({"--max-new-tokens", "50"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 5U);
  for (size_t i = 0; i < 4; ++i) {
    const std::string question = i < 2 ? "What is pain?" : "Cough?";
    const bool is_kind = i % 2 == 0;
    EXPECT_EQ(lines[i].at("id"), i < 2 ? "q1" : "q2");
    EXPECT_EQ(lines[i].at("adapter"), is_kind ? "kind" : "brief");
    expect_line(lines[i],
                expected(is_kind ? under_kind(question) : under_brief(question),
                         is_kind ? kTinyTurnEnds : kTinyEndOfText,
                         {.max_new_tokens = 50}));
  }
  EXPECT_TRUE(lines[4].at("adapter").is_null());
  expect_line(lines[4], expected(under_base("And now?"), kTinyTurnEnds, {.max_new_tokens = 50}));
}

TEST_F(GenerateCommand, WeightsThatStayInTheirFileGiveTheSameText) {
  const auto converted = generate_from(kQuestions, with_both());
  const auto as_stored = generate_from(kQuestions, with_both({"--weights", "as_stored"}));
  ASSERT_EQ(as_stored.exit_code, 0) << as_stored.err;
  EXPECT_EQ(as_stored.out, converted.out);
}

TEST_F(GenerateCommand, AnAnswerEndsWhereItsRenderingDoes) {
  // At this temperature every token comes up now and then; of this seed as the test needs it.
  const GenerationOptions options = {.max_new_tokens = 500,
                                     .sampling = {.temperature = 5, .seed = 19}};
  const auto result = generate_from(
      kQuestions, with_both({"--max-new-tokens", "500", "--temperature", "5", "--seed", "19"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto lines = json_lines(result.out);
  ASSERT_EQ(lines.size(), 5U);
  const Generation chat = expected(under_kind("Cough?"), kTinyTurnEnds, options, "kind/q2");
  const Generation plain = expected(under_brief("Cough?"), kTinyEndOfText, options, "brief/q2");
  expect_line(lines[2], chat);
  expect_line(lines[3], plain);
  EXPECT_EQ(chat.ids.back(), kTinyTurnEnds) << "the comparison would be empty";
  EXPECT_THAT(plain.ids, testing::Contains(kTinyTurnEnds)) << "the comparison would be empty";
  EXPECT_NE(plain.ids.back(), kTinyTurnEnds);
}

TEST_F(GenerateCommand, KeysOfALineAreInTheDocumentedOrder) {
  const auto result = ask({"--prompt", "Hi", "--max-new-tokens", "1", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto line = json_lines(result.out).at(0);
  std::vector<std::string> keys;
  for (const auto& [key, value] : line.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"id", "adapter", "text", "num_tokens", "stop"}));
  EXPECT_EQ(line.at("id"), "prompt");
  EXPECT_EQ(line.at("num_tokens"), 1);
}

TEST_F(GenerateCommand, APromptEqualsALineWithItsText) {
  const std::vector<std::string> more = {
      "--adapter", "x=" + directory_ / "kind", "--json", "--max-new-tokens", "8"};
  auto with_prompt = more;
  with_prompt.insert(with_prompt.end(), {"--prompt", "[Is \"this\" \\n?]"});
  const auto prompt = ask(with_prompt);
  ASSERT_EQ(prompt.exit_code, 0) << prompt.err;
  const auto line = generate_from(R"({"id":"prompt","question":"[Is \"this\" \\n?]"})", more);
  EXPECT_EQ(prompt.out, line.out);
  EXPECT_EQ(json_lines(prompt.out).at(0).at("adapter"), "x");
}

TEST_F(GenerateCommand, SamplesFollowSeedLineAndAdapterAndNotTheCompany) {
  const std::vector<std::string> sampling = {
      "--temperature", "1", "--top-k", "50", "--top-p", "0.9", "--max-new-tokens", "12"};
  auto seeded = sampling;
  seeded.insert(seeded.end(), {"--seed", "7"});
  const auto together = json_lines(generate_from(kQuestions, with_both(seeded)).out);
  auto alone_arguments = seeded;
  alone_arguments.insert(alone_arguments.end(), {"--adapter", directory_ / "brief", "--json"});
  const auto alone =
      json_lines(generate_from(R"({"id":"q2","question":"Cough?"})", alone_arguments).out);
  ASSERT_EQ(together.size(), 5U);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(alone[0].at("text"), together[3].at("text"));
  const auto unseeded = json_lines(generate_from(kQuestions, with_both(sampling)).out);
  EXPECT_NE(unseeded.at(0).at("text"), together[0].at("text"));

  // Two adapters of the same bytes are two samples.
  auto twins = seeded;
  twins.insert(twins.end(),
               {"--json",
                "--adapter",
                "one=" + directory_ / "kind",
                "--adapter",
                "two=" + directory_ / "kind"});
  const auto pair = json_lines(generate_from(R"({"id":"q2","question":"Cough?"})", twins).out);
  EXPECT_NE(pair.at(0).at("text"), pair.at(1).at("text"));
}

TEST_F(GenerateCommand, ForPeopleThereAreHeadingsWhereThereAreSeveralAnswers) {
  const auto one = ask({"--prompt", "Hi", "--max-new-tokens", "4"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, testing::Not(HasSubstr("==")));
  const auto several =
      generate_from(kQuestions, {"--max-new-tokens", "4", "--adapter", directory_ / "kind"});
  EXPECT_EQ(several.exit_code, 0) << several.err;
  EXPECT_EQ(several.out.find("== q1 [kind]\n"), 0U);
  EXPECT_THAT(several.out, HasSubstr("\n\n== q3 [base model]\n"));
}

TEST_F(GenerateCommand, EachMistakeHasItsExitCodeAndMessage) {
  struct Case {
    std::vector<std::string> more;
    int exit_code;
    std::string message;
  };
  const std::string input = directory_.write("q.jsonl", kQuestions);
  for (const Case& c : std::vector<Case>{
           {{}, 2, "--prompt TEXT or --input"},
           {{"--prompt", "Hi", "--input", input}, 2, "--prompt TEXT or --input"},
           {{"--prompt", " \n"}, 2, "--prompt: it is empty"},
           {{"--prompt", "\xff"}, 2, "not UTF-8"},
           {{"--prompt", "Hi", "--max-new-tokens", "0"}, 2, "--max-new-tokens"},
           {{"--prompt", "Hi", "--max-new-tokens", "x"}, 2, "--max-new-tokens"},
           {{"--prompt", "Hi", "--temperature", "-1"}, 2, "--temperature"},
           {{"--prompt", "Hi", "--temperature", "nan"}, 2, "--temperature"},
           {{"--prompt", "Hi", "--top-p", "0"}, 2, "--top-p"},
           {{"--prompt", "Hi", "--top-k", "-1"}, 2, "--top-k"},
           {{"--prompt", "Hi", "--seed", "-1"}, 2, "--seed"},
           {{"--prompt", "Hi", "--temperature", "inf"}, 2, "allowed is a number in [0, "},
           {{"--prompt", "Hi", "--temperature", "1e999"}, 2, "--temperature: found \"1e999\""},
           {{"--prompt", "Hi", "--temperature", ""}, 2, "--temperature: found \"\""},
           {{"--prompt", "Hi", "--top-p", ""}, 2, "--top-p: found \"\""},
           {{"--prompt", "Hi", "--top-p", "nan"}, 2, "--top-p: found \"nan\""},
           {{"--prompt", "Hi", "--top-k", ""}, 2, "--top-k: found \"\""},
           {{"--prompt", "Hi", "--top-k", "9223372036854775808"}, 2, "allowed is a whole number"},
           {{"--prompt", "Hi", "--max-new-tokens", ""}, 2, "--max-new-tokens: found \"\""},
           {{"--prompt", "Hi", "--max-new-tokens", "1e3"}, 2, "--max-new-tokens: found \"1e3\""},
           {{"--prompt", "Hi", "--seed", ""}, 2, "--seed: found \"\""},
           {{"--prompt", "Hi", "--seed", "18446744073709551616"}, 2, "allowed is a whole number"},
           {{"--prompt", "Hi", "--adapter", "x="}, 2, "[NAME=]DIR"},
           {{"--prompt", "Hi", "--max-new-tokens", "9223372036854775807"}, 3, "context of 1024"},
           {{"--input", input, "--max-new-tokens", "1010"}, 3, "q.jsonl:1: exemplar \"q1\""},
           {{"--prompt", "<|im_end|>"}, 3, "special token"},
           {{"--input", directory_ / "none.jsonl"}, 3, "none.jsonl"},
           {{"--input", input, "--adapter", directory_ / "tiny"}, 4, "tiny"}}) {
    const auto result = ask(c.more);
    EXPECT_EQ(result.exit_code, c.exit_code) << c.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(c.message));
    EXPECT_EQ(result.out, "") << c.message;
  }
}

TEST_F(GenerateCommand, ABaseWithoutATemplateIsAskedInPlainText) {
  write_tiny_model(directory_ / "plain", {.chat_template = false});
  const auto run_plain = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"generate",
                                          "--model",
                                          directory_ / "plain",
                                          "--prompt",
                                          "Pain?",
                                          "--json",
                                          "--dtype",
                                          "fp32",
                                          "--max-new-tokens",
                                          "16"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_prescript(arguments);
  };
  const auto result = run_plain({});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_line(json_lines(result.out).at(0),
              expected(HandMade().text("Pain?\nAnswer:"), kTinyEndOfText, {.max_new_tokens = 16}));
  const auto chat = run_plain({"--format", "chat"});
  EXPECT_EQ(chat.exit_code, 4);
  EXPECT_THAT(chat.err, HasSubstr("no chat template"));
}

TEST_F(GenerateCommand, SpecialTokensInAnAdaptersOwnTextsAreItsMistake) {
  Adapter shot = kind();
  shot.hard_prompt.few_shot_json = {R"({"id":"s","question":"<|im_end|>","answer":"Yes."})"};
  publish_adapter(shot, directory_ / "shot");
  Adapter instruction = kind();
  instruction.hard_prompt.instruction = "<|im_end|>";
  publish_adapter(instruction, directory_ / "instruction");
  for (const char* name : {"shot", "instruction"}) {
    const auto result = ask({"--prompt", "Hi", "--adapter", directory_ / name});
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_THAT(result.err, HasSubstr("special token"));
  }
}

TEST_F(GenerateCommand, OptionsWithoutEffectAreAWarning) {
  const auto result = ask({"--prompt", "Hi", "--max-new-tokens", "1", "--top-k", "3"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("at temperature 0"));
}

TEST_F(GenerateCommand, DamagedFilesNeverCrashIt) {
  const std::string input = directory_.write("q.jsonl", kQuestions);
  const std::string garbage = directory_.write("garbage", std::string(1, '\0') + "\xff\x7f{[");
  const auto survives = [&](const std::vector<std::string>& more, uint64_t i) {
    auto arguments = more;
    arguments.insert(arguments.end(), {"--max-new-tokens", "1", "--json"});
    const auto result = ask(arguments);
    EXPECT_EQ(result.signal, 0) << i << " " << result.err;
    EXPECT_THAT(result.exit_code, testing::AnyOf(0, 3, 4)) << i << " " << result.err;
    EXPECT_EQ(result.err.empty(), result.exit_code == 0) << result.err;
  };
  for (uint64_t i = 0; i < 15; ++i) {
    directory_.write("damaged.jsonl", damaged(kQuestions, i, 1000));
    survives({"--input", directory_ / "damaged.jsonl"}, i);
  }
  const std::vector<std::string> names = {
      "prescript.json", "adapter_config.json", "adapter_model.safetensors"};
  for (uint64_t i = 0; i < 24; ++i) {
    const std::string& name = names[i % 3];
    const std::string whole = bytes_of_file(directory_ / "kind/" + name);
    std::filesystem::copy(directory_ / "kind", directory_ / "copy");
    const std::string changed = damaged(whole, i, whole.size());
    directory_.write("copy/" + name, changed);
    const auto result =
        ask({"--prompt", "Hi", "--max-new-tokens", "1", "--adapter", directory_ / "copy"});
    EXPECT_EQ(result.signal, 0) << name << " " << i;
    EXPECT_EQ(result.exit_code, changed == whole ? 0 : 4) << name << " " << i << result.err;
    std::filesystem::remove_all(directory_ / "copy");
  }
  survives({"--input", garbage}, 0);
  survives({"--input", model()}, 1);
  survives({"--prompt", "Hi", "--adapter", garbage}, 2);
  EXPECT_EQ(run_prescript({"generate", "--model", garbage, "--prompt", "Hi"}).exit_code, 4);
}

}  // namespace
}  // namespace prescript
