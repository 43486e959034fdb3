#include "text/rendering.h"

#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "text/tokenizer_golden.h"

namespace prescript {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}";

std::shared_ptr<const Tokenizer> tiny(bool adds_bos = false) {
  auto description = tokenizer_golden("tiny.json");
  if (adds_bos) {
    description["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<|endoftext|>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
        {"pair", json::array()},
        {"special_tokens",
         {{"<|endoftext|>",
           {{"id", "<|endoftext|>"}, {"ids", {0}}, {"tokens", {"<|endoftext|>"}}}}}}};
  }
  const TemporaryDirectory folder;
  folder.write("tokenizer_config.json",
               R"({"bos_token": "<|endoftext|>", "eos_token": "<|im_end|>"})");
  return std::make_shared<Tokenizer>(
      Tokenizer::from_json_file(folder.write("tokenizer.json", description.dump())));
}

/// A renderer over the tiny tokenizer.
Renderer chat(const std::string& text, HardPrompt prompt = {}) {
  return Renderer(tiny(), ChatTemplateText{text, "model/a.jinja"}, "model", std::move(prompt));
}

Renderer plain(HardPrompt prompt = {}) {
  prompt.format = PromptFormat::kPlain;
  return Renderer(tiny(), std::nullopt, "model", std::move(prompt));
}

Exemplar exemplar(const std::string& fields) {
  return parse_exemplar("{" + fields + "}", "a.jsonl:1", /*need_answer=*/false);
}

const Exemplar kFree = exemplar(R"("question": "What is it?", "answer": "the fever.")");
const Exemplar kChoice =
    exemplar(R"("question": "Which?", "options": {"A": "the arm", "B": "the jaw"}, "answer": "B")");
const Exemplar kConversation = exemplar(
    R"("messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "One?"},)"
    R"({"role": "assistant", "content": "Two."}, {"role": "user", "content": "Three?"},)"
    R"({"role": "assistant", "content": "Four."}])");

/// The text of the targets, "|" between those that are not neighbours.
std::string targeted(const RenderedExemplar& rendered) {
  const auto tokenizer = tiny();
  std::string text;
  for (size_t i = 0; i < rendered.targets.size(); ++i) {
    if (i > 0 && rendered.targets[i] != rendered.targets[i - 1] + 1) text += "|";
    text += tokenizer->token_bytes(rendered.ids[rendered.targets[i]]);
  }
  return text;
}

// ---- Properties of renderings ----

TEST(Rendering, ChatTargetsTheAnswerAndItsEndOfTurn) {
  const Renderer rendering = chat(kChatMl);
  const RenderedExemplar training = rendering.training(kFree);
  EXPECT_EQ(training.text,
            "<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\nthe fever.<|im_end|>");
  EXPECT_EQ(targeted(training), "the fever.<|im_end|>");
  EXPECT_EQ(rendering.generation(kFree).text,
            "<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n");
}

TEST(Rendering, PlainTargetsTheAnswerAndEndOfText) {
  const Renderer rendering = plain();
  const RenderedExemplar training = rendering.training(kFree);
  EXPECT_EQ(training.text, "What is it?\nAnswer: the fever.");
  EXPECT_EQ(targeted(training), " the fever.<|im_end|>");
  EXPECT_EQ(training.byte_begin.back(), training.text.size());
  EXPECT_EQ(rendering.generation(kFree).text, "What is it?\nAnswer:");
  EXPECT_EQ(plain({.rationale = true}).generation(kFree).text, "What is it?\nExplanation:");
  EXPECT_EQ(plain({.rationale = true}).training(kFree).text,
            "What is it?\nExplanation: Answer: the fever.");
}

TEST(Rendering, TokensBetweenAnswerAndEndOfTurnAreNoTargets) {
  const Renderer rendering = chat(
      "{% for m in messages %}{{ '<|im_start|>' + m.role + ': ' + m.content + '\n--\n<|im_end|>' }}"
      "{% endfor %}");
  EXPECT_EQ(targeted(rendering.training(kFree)), " the fever.|<|im_end|>");
}

TEST(Rendering, ATokenThatHoldsOneCharacterOfTheAnswerIsATarget) {
  // " the" is one token: its space is the template's.
  const Renderer rendering =
      chat("{% for m in messages %}{{ m.role + ': ' + m.content + '<|im_end|>' }}{% endfor %}");
  const RenderedExemplar training =
      rendering.training(exemplar(R"("question": "Q", "answer": "the patient")"));
  EXPECT_EQ(targeted(training), " the patient<|im_end|>");
}

TEST(Rendering, QuestionTokenHoldsTheQuestionsFirstByte) {
  const auto tokenizer = tiny();
  const HardPrompt prompt{.instruction = "Take care.", .few_shot = {kChoice}};
  for (const Renderer& rendering : {chat(kChatMl, prompt), plain(prompt)}) {
    const RenderedExemplar training = rendering.training(kFree);
    const size_t at = training.text.rfind("What is it?");
    const auto token = static_cast<size_t>(training.question_token);
    EXPECT_LE(training.byte_begin[token], at);
    EXPECT_GT(training.byte_begin[token + 1], at);
    EXPECT_THAT(tokenizer->token_bytes(training.ids[token]), HasSubstr("W"));
  }
}

TEST(Rendering, EveryTokenStandsWhereItsBytesAre) {
  const auto tokenizer = tiny();
  const RenderedExemplar training = chat(kChatMl).training(kConversation);
  ASSERT_EQ(training.byte_begin.size(), training.ids.size());
  for (size_t i = 0; i < training.ids.size(); ++i) {
    const std::string& bytes = tokenizer->token_bytes(training.ids[i]);
    EXPECT_EQ(training.text.substr(training.byte_begin[i], bytes.size()), bytes);
  }
}

TEST(Rendering, OptionsAreScoredByTheirLettersOrTheirTexts) {
  for (const bool rationale : {false, true}) {
    for (const Renderer& rendering :
         {chat(kChatMl, {.rationale = rationale}), plain({.rationale = rationale})}) {
      // " the" is one token, " (" is two.
      const bool has_space = rationale || rendering.template_hash().empty();
      const std::string space = has_space ? " " : "";
      const auto letters = rendering.options(kChoice, OptionsBy::kLetter);
      ASSERT_EQ(letters.size(), 2u);
      EXPECT_EQ(targeted(letters[0]), "(A)");
      EXPECT_EQ(targeted(letters[1]), "(B)");
      const auto texts = rendering.options(kChoice, OptionsBy::kText);
      EXPECT_EQ(targeted(texts[0]), space + "the arm");
      EXPECT_EQ(targeted(texts[1]), space + "the jaw");
      for (const auto* options : {&letters, &texts}) {
        for (const RenderedExemplar& option : *options) {
          EXPECT_EQ(option.targets.back(), static_cast<int32_t>(option.ids.size()) - 1);
        }
      }
      EXPECT_EQ(letters[1].text.ends_with("Answer: (B)"), has_space);
    }
  }
}

TEST(Rendering, AnOptionIsTrainedAsItIsScored) {
  for (const Renderer& rendering : {chat(kChatMl), plain()}) {
    const RenderedExemplar training = rendering.training(kChoice);
    const RenderedExemplar scored = rendering.options(kChoice, OptionsBy::kLetter)[1];
    ASSERT_EQ(scored.ids.size() + 1, training.ids.size());
    EXPECT_TRUE(std::equal(scored.ids.begin(), scored.ids.end(), training.ids.begin()));
  }
}

TEST(Rendering, GenerationNeedsNoAnswerAndDoesNotSeeOne) {
  const Exemplar open = exemplar(R"("question": "What is it?")");
  for (const Renderer& rendering : {chat(kChatMl), plain()}) {
    EXPECT_EQ(rendering.generation(open).ids, rendering.generation(kFree).ids);
    expect_input_error(
        ExitCode::kData, "a.jsonl:1: answer: missing", [&] { rendering.training(open); });
  }
}

TEST(Rendering, BosIsPutFirstOnceWhereTheTokenizerAddsIt) {
  const auto tokenizer = tiny(/*adds_bos=*/true);
  const int32_t bos = tokenizer->bos_token().value();
  const auto count = [&](const RenderedExemplar& r) {
    return std::count(r.ids.begin(), r.ids.end(), bos);
  };
  const HardPrompt plain_prompt{.format = PromptFormat::kPlain};
  const Renderer renderers[] = {
      Renderer(tokenizer, ChatTemplateText{kChatMl, ""}, "model", {}),
      Renderer(tokenizer, ChatTemplateText{"{{ bos_token }}" + kChatMl, ""}, "model", {}),
      Renderer(tokenizer, std::nullopt, "model", plain_prompt),
  };
  for (const Renderer& rendering : renderers) {
    for (const RenderedExemplar& r : {rendering.training(kFree), rendering.generation(kFree)}) {
      EXPECT_TRUE(r.has_bos);
      EXPECT_EQ(r.ids.front(), bos);
      EXPECT_EQ(count(r), 1);
      EXPECT_EQ(r.byte_begin.front(), 0u);
    }
  }
  EXPECT_EQ(targeted(renderers[0].training(kFree)), "the fever.<|im_end|>");
  EXPECT_EQ(renderers[2].training(kFree).question_token, 1);
  EXPECT_FALSE(plain().training(kFree).has_bos);
}

TEST(Rendering, TheDateOfTheHardPromptReachesTheTemplate) {
  const std::string dated = "{{ strftime_now('%Y-%m-%d') }}" + kChatMl;
  EXPECT_THAT(chat(dated, {.date = "2031-02-03"}).training(kFree).text, HasSubstr("2031-02-03<|"));
}

// ---- What is refused ----

TEST(Rendering, AChatExemplarMayNotHoldASpecialToken) {
  const std::string bad = "\"SECRET <|im_end|>\"";
  const std::pair<std::string, std::string> cases[] = {
      {"\"question\": " + bad + ", \"answer\": \"a\"", "question"},
      {"\"question\": \"q\", \"answer\": " + bad, "answer"},
      {"\"question\": \"q\", \"answer\": \"a\", \"context\": " + bad, "context"},
      {"\"question\": \"q\", \"answer\": \"a\", \"rationale\": " + bad, "rationale"},
      {R"("question": "q", "answer": "A", "options": {"A": "a", "B": )" + bad + "}", "options.B"},
      {R"("messages": [{"role": "system", "content": )" + bad +
           R"(}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}])",
       "messages"},
  };
  for (const auto& [fields, field] : cases) {
    const Exemplar e = exemplar(fields);
    try {
      chat(kChatMl).training(e);
      ADD_FAILURE() << fields;
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kData);
      EXPECT_THAT(error.what(), HasSubstr("a.jsonl:1: " + field + ": "));
      EXPECT_THAT(error.what(), HasSubstr("<|im_end|>"));
      EXPECT_THAT(error.what(), Not(HasSubstr("SECRET")));
    }
    HardPrompt few_shot{.few_shot = {e}};
    expect_input_error(ExitCode::kData, "a.jsonl:1: " + field, [&] { chat(kChatMl, few_shot); });
    few_shot.few_shot_code = ExitCode::kModel;
    expect_input_error(ExitCode::kModel, "a.jsonl:1: " + field, [&] { chat(kChatMl, few_shot); });
  }
  expect_input_error(ExitCode::kData, "instruction: holds the text of the special token", [] {
    chat(kChatMl, {.instruction = "End with <|im_end|>."});
  });
  expect_input_error(ExitCode::kModel, "instruction: holds the text of the special token", [] {
    chat(kChatMl, {.instruction = "<|im_end|>", .instruction_code = ExitCode::kModel});
  });
  const Exemplar e = exemplar(R"("question": "q", "answer": "<|im_end|>")");
  EXPECT_EQ(plain().training(e).ids.back(), tiny()->eos_token().value());
}

TEST(Rendering, TextThatIsNotUtf8IsNamed) {
  Exemplar e = kFree;
  e.question = "a\xff";
  for (const Renderer& rendering : {chat(kChatMl), plain()}) {
    expect_input_error(
        ExitCode::kData, "a.jsonl:1: question: byte 1", [&] { rendering.generation(e); });
  }
}

TEST(Rendering, WhiteSpaceThatATemplateLeavesOutIsNoTarget) {
  const Renderer rendering =
      chat("{% for m in messages %}<|im_start|>{{ m.content | trim }}\n<|im_end|>{% endfor %}");
  const Exemplar e = exemplar(R"("question": " \n What?", "answer": "\t the fever.\n\n")");
  const RenderedExemplar training = rendering.training(e);
  EXPECT_EQ(training.text, "<|im_start|>What?\n<|im_end|><|im_start|>the fever.\n<|im_end|>");
  EXPECT_EQ(targeted(training), "the fever.|<|im_end|>");
  EXPECT_EQ(training.question_token, 1);
  const Exemplar choice =
      exemplar(R"("question": "Q", "options": {"A": " the arm ", "B": "the jaw"}, "answer": "B")");
  EXPECT_EQ(targeted(rendering.options(choice, OptionsBy::kText)[0]), "the arm");
}

TEST(Rendering, ATemplateWithoutEndOfTurnIsRefusedWithTheWayOut) {
  const Renderer rendering =
      chat("{% for m in messages %}<|im_start|>{{ m.content }}\n{% endfor %}");
  for (const auto& action : {std::function<void()>([&] { rendering.training(kFree); }),
                             std::function<void()>([&] { rendering.end_tokens(); })}) {
    expect_input_error(
        ExitCode::kModel, "model/a.jinja: the chat template puts no special", action);
    expect_input_error(ExitCode::kModel, "use format: plain", action);
  }
  EXPECT_FALSE(rendering.generation(kFree).ids.empty());
}

TEST(Rendering, AMistakeInATemplateIsNamedByItsFileOnce) {
  expect_input_error(
      ExitCode::kModel, "model/a.jinja:2: ", [] { chat("a\n{% import 'x' as y %}"); });
  const Renderer rendering = chat("{{ raise_exception('no') }}");
  expect_input_error(ExitCode::kModel, "a question and its answer: model/a.jinja:1: ", [&] {
    rendering.end_tokens();
  });
}

TEST(Rendering, FormatsNeedWhatTheyAreMadeOf) {
  expect_input_error(ExitCode::kModel,
                     "model: the model has no chat template; use format: plain",
                     [] { Renderer(tiny(), std::nullopt, "model", {}); });
  const auto no_eos =
      std::make_shared<Tokenizer>(Tokenizer::from_json_file(tokenizer_golden_path("tiny.json")));
  const Renderer rendering(no_eos, std::nullopt, "model", {.format = PromptFormat::kPlain});
  expect_input_error(ExitCode::kModel, "model: the tokenizer names no end-of-text", [&] {
    rendering.training(kFree);
  });
  // A model without a template sends to plain: plain must not simply send back.
  Exemplar several_turns = kFree;
  several_turns.before = {{"system", "Be brief."}};
  expect_input_error(ExitCode::kData, "leave it out, or use format: chat with a model that", [&] {
    rendering.training(several_turns);
  });
}

TEST(Rendering, AnswersEndWithTheEndTokens) {
  for (const Renderer& rendering : {chat(kChatMl), plain()}) {
    EXPECT_THAT(rendering.end_tokens(), ElementsAre(rendering.training(kFree).ids.back()));
  }
}

}  // namespace
}  // namespace prescript
