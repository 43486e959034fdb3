// Renderings on SmolLM2, as jinja2 and tokenizers make them.

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "io/gguf.h"
#include "io/json.h"
#include "support/temporary_directory.h"
#include "text/rendering.h"

namespace prescript {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char kSmolLm2[] = PRESCRIPT_SOURCE_DIR "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
constexpr const char kGolden[] = PRESCRIPT_SOURCE_DIR "/tests/golden/rendering/";
constexpr const char kData[] = PRESCRIPT_SOURCE_DIR "/../shared/data/";

class RenderingGolden : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kSmolLm2)) GTEST_SKIP() << kSmolLm2 << " is absent";
    tokenizer = std::make_shared<Tokenizer>(Tokenizer::from_gguf(*GgufFile::open(kSmolLm2)));
    templates = parse_json_file(std::string(kGolden) + "templates.json", ExitCode::kData);
  }

  Renderer renderer(const json& name, HardPrompt prompt) const {
    prompt.format = name.is_null() ? PromptFormat::kPlain : PromptFormat::kChat;
    std::optional<ChatTemplateText> text;
    if (!name.is_null())
      text = {templates.at(name.get<std::string>()).get<std::string>(), "golden"};
    return Renderer(tokenizer, text, "SmolLM2", std::move(prompt));
  }

  std::shared_ptr<const Tokenizer> tokenizer;
  json templates;
};

HardPrompt hard_prompt_of(const json& golden) {
  HardPrompt prompt;
  if (!golden["instruction"].is_null()) prompt.instruction = golden["instruction"];
  for (const json& shot : golden["few_shot"]) {
    prompt.few_shot.push_back(parse_exemplar(shot.dump(), "few-shot", /*need_answer=*/true));
  }
  prompt.rationale = golden["rationale"];
  return prompt;
}

json ids_and_targets(const std::vector<RenderedExemplar>& options) {
  json all = json::array();
  for (const RenderedExemplar& option : options) all.push_back({option.ids, option.targets});
  return all;
}

TEST_F(RenderingGolden, IsWhatJinjaAndTokenizersMake) {
  std::ifstream file(std::string(kGolden) + "smollm2.jsonl");
  size_t num_lines = 0;
  for (std::string line; std::getline(file, line); ++num_lines) {
    SCOPED_TRACE(line.substr(0, 400));
    const json golden = parse_json(line, "golden", ExitCode::kData);
    const Renderer rendering = renderer(golden["template"], hard_prompt_of(golden["hard_prompt"]));
    const Exemplar e = parse_exemplar(golden["exemplar"].dump(), "golden", /*need_answer=*/true);

    const RenderedExemplar training = rendering.training(e);
    EXPECT_EQ(training.text, golden["text"]);
    EXPECT_EQ(json(training.ids), golden["ids"]);
    EXPECT_EQ(json(training.targets), golden["targets"]);
    EXPECT_EQ(json(training.question_token), golden["question_token"]);

    const RenderedExemplar generation = rendering.generation(e);
    EXPECT_EQ(json(generation.ids), golden["prompt_ids"]);
    EXPECT_EQ(json(generation.question_token), golden["question_token"]);
    EXPECT_TRUE(generation.targets.empty());

    if (e.options.empty()) continue;
    EXPECT_EQ(ids_and_targets(rendering.options(e, OptionsBy::kLetter)), golden["letter"]);
    EXPECT_EQ(ids_and_targets(rendering.options(e, OptionsBy::kText)), golden["text_of_option"]);
  }
  EXPECT_GE(num_lines, 200u);
}

TEST_F(RenderingGolden, SmolLm2sTemplateIsTheOneInItsFile) {
  const auto text = GgufFile::open(kSmolLm2)->find_string("tokenizer.chat_template");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, templates["own"]);
  const Renderer rendering = renderer("own", {});
  EXPECT_EQ(rendering.template_hash(), sha256_hex(*text));
  EXPECT_THAT(rendering.end_tokens(), ElementsAre(tokenizer->id_of("<|im_end|>").value()));
  EXPECT_EQ(renderer(nullptr, {}).template_hash(), "");
}

/// How many prompts of a file are not the beginning of their training rendering, and whether every
/// rendering keeps its promises.
size_t count_merges(const Renderer& rendering, const Tokenizer& tokenizer, const char* file) {
  size_t num_merges = 0;
  for (const Exemplar& e : read_exemplars(std::string(kData) + file, /*need_answer=*/true)) {
    const RenderedExemplar training = rendering.training(e);
    const RenderedExemplar prompt = rendering.generation(e);
    const bool is_prefix = prompt.ids.size() < training.ids.size() &&
                           std::equal(prompt.ids.begin(), prompt.ids.end(), training.ids.begin());
    num_merges += is_prefix ? 0 : 1;
    EXPECT_TRUE(training.text.starts_with(prompt.text)) << e.id;
    EXPECT_EQ(training.targets.back(), static_cast<int32_t>(training.ids.size()) - 1) << e.id;
    EXPECT_TRUE(std::is_sorted(training.targets.begin(), training.targets.end())) << e.id;
    EXPECT_GE(training.targets.front(), 1) << e.id;
    EXPECT_EQ(training.question_token, prompt.question_token) << e.id;
    std::vector<int32_t> answer;
    for (size_t i = 0; i + 1 < training.targets.size(); ++i) {
      answer.push_back(training.ids[training.targets[i]]);
    }
    EXPECT_THAT(tokenizer.decode(answer, false),
                HasSubstr(answer_text(e, rendering.prompt().rationale)))
        << e.id;
  }
  return num_merges;
}

TEST_F(RenderingGolden, PromptsAreTheBeginningsOfTrainingRenderings) {
  const auto exemplar = [](const std::string& line) {
    return parse_exemplar(line, "few-shot", true);
  };
  HardPrompt few_shot{
      .instruction = "You are a careful clinician.",
      .few_shot = {
          exemplar(R"({"question": "What is it?", "answer": "the fever."})"),
          exemplar(
              R"({"question": "Which?", "options": {"A": "the arm", "B": "the jaw"}, "answer": "B"})")}};
  HardPrompt rationale{.rationale = true};
  for (const char* file : {"exemplars_longform_300.jsonl", "exemplars_mcq_300.jsonl"}) {
    if (!std::filesystem::exists(std::string(kData) + file)) GTEST_SKIP() << file << " is absent";
    for (const HardPrompt& prompt : {HardPrompt(), few_shot, rationale}) {
      EXPECT_EQ(count_merges(renderer("own", prompt), *tokenizer, file), 0u) << file;
      EXPECT_EQ(count_merges(renderer(nullptr, prompt), *tokenizer, file), 0u) << file;
    }
  }
}

}  // namespace
}  // namespace prescript
