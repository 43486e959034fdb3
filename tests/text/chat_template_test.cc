#include "text/chat_template.h"

#include <filesystem>
#include <optional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/json.h"
#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using nlohmann::json;

const std::string kFolder = PRESCRIPT_SOURCE_DIR "/tests/golden/chat_template/";

json golden(const std::string& name) {
  return parse_json_file(kFolder + name, ExitCode::kData);
}

std::vector<ChatMessage> messages_of(const json& list) {
  std::vector<ChatMessage> messages;
  for (const json& message : list) messages.push_back({message["role"], message["content"]});
  return messages;
}

/// What scripts/golden/chat_template.py gives to jinja2.
ChatTemplateOptions options(bool add_generation_prompt = false) {
  return {.add_generation_prompt = add_generation_prompt,
          .bos_token = "<s>",
          .eos_token = "</s>",
          .date = "2025-03-07"};
}

/// The rendering, or nothing where the template is refused or fails.
std::optional<std::string> rendered(const std::string& text,
                                    const std::vector<ChatMessage>& messages,
                                    bool add_generation_prompt = false) {
  try {
    return ChatTemplate(text, "t").render(messages, options(add_generation_prompt));
  } catch (const InputError& error) {
    EXPECT_EQ(error.code(), ExitCode::kModel) << error.what();
    return std::nullopt;
  }
}

std::optional<std::string> result_of(const json& result) {
  if (result.is_null()) return std::nullopt;
  return result.get<std::string>();
}

/// The texts of all public templates in the golden folder.
std::vector<std::string> public_templates() {
  const json models = golden("models.json");
  std::vector<std::string> texts;
  for (const json& entry : models["templates"]) {
    texts.push_back(entry.contains("text")
                        ? entry["text"].get<std::string>()
                        : bytes_of_file(kFolder + "templates/" + entry["name"].get<std::string>()));
  }
  return texts;
}

std::string simple(const std::string& text) {
  return ChatTemplate(text, "t").render(std::vector<ChatMessage>{{"user", "Hi"}}, options());
}

void expect_failure(const std::string& text, const std::string& part) {
  expect_input_error(ExitCode::kModel, part, [&] { simple(text); });
}

TEST(ChatTemplate, TemplatesOfPublicModelsRenderAsInJinja) {
  const json models = golden("models.json");
  const std::vector<std::string> texts = public_templates();
  ASSERT_GE(texts.size(), 40u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const json& entry = models["templates"][i];
    for (size_t j = 0; j < models["conversations"].size(); ++j) {
      const json& conversation = models["conversations"][j];
      EXPECT_EQ(rendered(texts[i],
                         messages_of(conversation["messages"]),
                         conversation["add_generation_prompt"]),
                result_of(entry["results"][j]))
          << entry["name"] << ", conversation " << j;
    }
  }
}

TEST(ChatTemplate, EachPartOfTheLanguageMeansWhatItMeansInJinja) {
  const json language = golden("language.json");
  const auto messages = messages_of(language["messages"]);
  ASSERT_GE(language["cases"].size(), 100u);
  for (const json& entry : language["cases"]) {
    EXPECT_EQ(rendered(entry["template"], messages), result_of(entry["result"]))
        << entry["template"];
  }
}

TEST(ChatTemplate, TokensThatTheTokenizerLacksAreUndefined) {
  const std::string text = "{{ bos_token is defined }}{{ eos_token is defined }}";
  EXPECT_EQ(ChatTemplate(text, "t").render({}, {}), "FalseFalse");
  EXPECT_EQ(simple(text), "TrueTrue");
  expect_failure("{{ pad_token }}", "t:1: the variable 'pad_token' is not supported");
}

TEST(ChatTemplate, TheDateIsTheOneGiven) {
  const ChatTemplate chat("{{ strftime_now('%d %b %Y') }}", "t");
  EXPECT_TRUE(chat.uses_date());
  EXPECT_FALSE(ChatTemplate("{{ 'x' }}", "t").uses_date());
  ChatTemplateOptions given = options();
  given.date = "2024-02-29";
  EXPECT_EQ(chat.render({}, given), "29 Feb 2024");
  given.date = "2023-02-29";
  EXPECT_THROW(chat.render({}, given), ContractError);
  expect_failure("{{ strftime_now('%s') }}", "strftime_now: this code is not supported");
}

TEST(ChatTemplate, ErrorsNameThePlaceAndTheWayOut) {
  expect_input_error(ExitCode::kModel, "model/chat_template.jinja:3: ", [] {
    ChatTemplate("a\n\n{% include 'x' %}", "model/chat_template.jinja");
  });
  expect_failure("{% include 'x' %}", "the tag 'include' is not supported");
  expect_failure("{% include 'x' %}", "use another chat template, or format: plain");
  expect_failure("{{ 'a'|wordcount }}", "the filter 'wordcount' is not supported");
  expect_failure("{{ 'a' is sameas 'a' }}", "the test 'sameas' is not supported");
  expect_failure("{{ 'a'.zfill(3) }}", "the method 'zfill' is not supported");
  expect_failure("{{ cycler(1) }}", "the function 'cycler' is not supported");
  expect_failure("{{ 'a'|tojson(cls=1) }}", "the argument 'cls' of the filter 'tojson'");
  expect_failure("{% for x in [] recursive %}{% endfor %}", "'recursive' is not supported");
  expect_failure("{{ ''.__class__ }}", "the attribute '__class__' is not supported");
  expect_failure("{{ 'a'.upper }}", "the method 'upper' as a value is not supported");
  expect_failure("a\n{{ x.y }}", "t:2: 'x' is undefined");
}

TEST(ChatTemplate, AnExceptionsMessageIsShownWithoutTheConversationsText) {
  const ChatTemplate chat("{{ raise_exception('Bad turn: ' + messages[0].content ~ '!') }}", "t");
  try {
    chat.render(std::vector<ChatMessage>{{"user", "secret"}}, options());
    FAIL() << "no error";
  } catch (const InputError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("Bad turn: ...!"), std::string::npos) << what;
    EXPECT_EQ(what.find("secret"), std::string::npos) << what;
  }
}

TEST(ChatTemplate, WorkWithoutEndIsCutOff) {
  expect_failure("{% for i in range(10**9) %}{% endfor %}", "range of more than 100000");
  expect_failure("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
                 "more than 1000000 steps");
  expect_failure("{{ 'a' * 10**12 }}", "a text of more than");
  expect_failure("{{ [1] * 10**12 }}", "more than 1000000 steps");
  expect_failure("{{ 2 ** 10**9 }}", "does not fit into 64 bits");
  expect_failure(
      "{% set ns = namespace(x='a') %}{% for i in range(99) %}"
      "{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "a text of more than");
  expect_failure(
      "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}"
      "{% set ns.x = ns.x + ns.x %}{% endfor %}",
      "more than 1000000 steps");
  expect_failure("{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}", "a text of more than");
  expect_failure("{{ ('a' * 10**6).replace('a', 'b' * 10**6) }}", "a text of more than");
  expect_failure("{{ ('a' * 10**6).strip('b' * 10**6 ~ 'a') }}", "more than 1000000 steps");
  expect_failure("{% set x = 'a' * 10**6 %}{% for i in range(10000) %}{{ x[i] }}{% endfor %}",
                 "more than 1000000 steps");
  expect_failure("{{ 'a'|indent(10**15) }}{{ [1]|tojson(indent=10**15) }}", "a text of more than");
}

TEST(ChatTemplate, DeepNestingIsCutOff) {
  const auto repeated = [](const std::string& part, size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += part;
    return text;
  };
  const std::pair<const char*, const char*> brackets[] = {
      {"(", ")"}, {"[", "]"}, {"{1:", "}"}, {"x(", ")"}, {"x[", "]"}, {"not ", ""}, {"-", ""}};
  for (const auto& [open, close] : brackets) {
    expect_failure("{{ " + repeated(open, 100'000) + "1" + repeated(close, 100'000) + " }}",
                   "nested deeper than 64 levels");
  }
  for (const char* link : {" + 1", ".a", "|trim", "[0]", " or 1", " ** 1", " if 1", " if 1 else 1"})
    expect_failure("{{ 1" + repeated(link, 100'000) + " }}", "nested deeper than 64 levels");
  expect_failure(repeated("{% if 1 %}", 100'000), "nested deeper than 64 levels");
  expect_failure("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nests its work too deeply");
  expect_failure(
      "{% set ns = namespace(x=[]) %}{% for i in range(1000) %}"
      "{% set ns.x = [ns.x] %}{% endfor %}",
      "lists are nested deeper than 64 levels");
  EXPECT_EQ(simple("{{ " + repeated("(", 60) + "1" + repeated(")", 60) + " }}"), "1");
}

TEST(ChatTemplate, NamespacesThatHoldThemselvesEndWithTheRendering) {
  EXPECT_EQ(simple("{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x|length }}"), "1");
  expect_failure("{% set ns = namespace() %}{% set ns.x = ns %}{{ ns.x }}", "cannot be printed");
}

TEST(ChatTemplate, LongConversationsHaveRoom) {
  const std::string text(3 << 20, 'x');
  const std::string chatml = public_templates()[0];
  EXPECT_EQ(
      rendered(chatml, {{"user", text}, {"assistant", text}}),
      "<|im_start|>user\n" + text + "<|im_end|>\n<|im_start|>assistant\n" + text + "<|im_end|>\n");
}

TEST(ChatTemplate, DamagedTemplatesRenderOrAreRefused) {
  const std::vector<ChatMessage> messages = {{"system", "Be brief."}, {"user", "Hi"}};
  size_t num_rendered = 0;
  for (const std::string& text : public_templates()) {
    for (uint64_t i = 0; i < 40; ++i)
      num_rendered += rendered(damaged(text, i, text.size()), messages).has_value() ? 1 : 0;
  }
  EXPECT_GT(num_rendered, 0u);
}

TEST(ChatTemplate, OneTemplateRendersAgainAndAgain) {
  const ChatTemplate chat("{% set ns = namespace(n=0) %}{% set ns.n = ns.n + 1 %}{{ ns.n }}", "t");
  EXPECT_EQ(chat.render({}, options()), "1");
  EXPECT_EQ(chat.render({}, options()), "1");
}

}  // namespace
}  // namespace prescript
