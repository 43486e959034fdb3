#include "text/layout.h"

#include <utility>

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

const std::string kTurn = "{% for m in messages %}<{{ m.role }}>";

Exemplar exemplar(const std::string& fields) {
  return parse_exemplar("{" + fields + "}", "a.jsonl:1", /*need_answer=*/false);
}

const Exemplar kFree = exemplar(R"("question": "What is it?", "answer": "A fever.")");
const Exemplar kConversation = exemplar(
    R"("messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "One?"},)"
    R"({"role": "assistant", "content": "Two."}, {"role": "user", "content": "Three?"},)"
    R"({"role": "assistant", "content": "Four."}])");

Layout chat(const std::string& text, const Exemplar& e, const HardPrompt& prompt = {}) {
  return chat_layout(ChatTemplate(text, "model"), {}, e, prompt, *e.answer);
}

std::string answer_in(const Layout& layout) {
  return layout.text.substr(layout.answer_begin, layout.answer_end - layout.answer_begin);
}

TEST(Layout, PlainIsMessageWordAndAnswer) {
  const HardPrompt prompt{.format = PromptFormat::kPlain, .instruction = "Take care."};
  const Layout layout = plain_layout(kFree, prompt, "A fever.");
  EXPECT_EQ(layout.text, "Take care.\n\nWhat is it?\nAnswer: A fever.");
  EXPECT_EQ(layout.question_begin, layout.text.find("What"));
  EXPECT_EQ(answer_in(layout), "A fever.");
  EXPECT_EQ(plain_layout(kFree, {.rationale = true}, "R").text, "What is it?\nExplanation: R");
}

TEST(Layout, ChatIsTheTemplateOverMessageAndAnswer) {
  const Layout layout =
      chat(kTurn + "{{ m.content }}</>\n{% endfor %}.", kFree, {.instruction = "Go."});
  EXPECT_EQ(layout.text, "<user>Go.\n\nWhat is it?</>\n<assistant>A fever.</>\n.");
  EXPECT_EQ(layout.question_begin, layout.text.find("What"));
  EXPECT_EQ(answer_in(layout), "A fever.");
}

TEST(Layout, TheAnswerIsFoundThoughItsTextComesTwice) {
  const Exemplar e = exemplar(R"("question": "Say user.", "answer": "user")");
  const Layout layout = chat(kTurn + "{{ m.content }}{% endfor %}user", e);
  EXPECT_EQ(layout.text, "<user>Say user.<assistant>useruser");
  EXPECT_EQ(layout.answer_begin, layout.text.size() - 8);
  EXPECT_EQ(answer_in(layout), "user");
}

TEST(Layout, AConversationKeepsItsTurnsAroundTheMessage) {
  const Layout layout =
      chat(kTurn + "{{ m.content }}\n{% endfor %}", kConversation, {.instruction = "Go."});
  EXPECT_EQ(
      layout.text,
      "<system>Be brief.\n<user>Go.\n\nOne?\n<assistant>Two.\n<user>Three?\n<assistant>Four.\n");
  EXPECT_EQ(layout.question_begin, layout.text.find("One?"));
  EXPECT_EQ(answer_in(layout), "Four.");
  const std::string merges_system =
      "{% for m in messages %}{% if m.role != 'system' %}<{{ m.role }}>"
      "{% if loop.index0 == 1 %}{{ messages[0].content }}\n{% endif %}{{ m.content }}{% endif %}"
      "{% endfor %}";
  EXPECT_EQ(chat(merges_system, kConversation).text,
            "<user>Be brief.\nOne?<assistant>Two.<user>Three?<assistant>Four.");
}

TEST(Layout, PlainHoldsNoConversation) {
  expect_input_error(ExitCode::kData, "a.jsonl:1: messages: format plain holds one question", [] {
    plain_layout(kConversation, {}, "Four.");
  });
}

TEST(Layout, ATemplateMayLeaveOutWhiteSpaceAtTheEnds) {
  const std::string trimming = kTurn + "{{ m.content | trim }}{% endfor %}";
  const Exemplar e = exemplar(R"("question": " \n What?", "answer": "\t\u00a0A fever.\n\n")");
  const Layout layout = chat(trimming, e);
  EXPECT_EQ(layout.text, "<user>What?<assistant>A fever.");
  EXPECT_EQ(layout.question_begin, layout.text.find("What"));
  EXPECT_EQ(answer_in(layout), "A fever.");
  EXPECT_EQ(layout.answer_cut, 3u);  // a tab and two bytes of a space
  // Behind an instruction the question keeps its own white space.
  const Layout instructed = chat(trimming, e, {.instruction = " Go."});
  EXPECT_EQ(instructed.text, "<user>Go.\n\n \n What?<assistant>A fever.");
  EXPECT_EQ(instructed.question_begin, instructed.text.find(" \n What"));
}

TEST(Layout, ATemplateThatHidesOrChangesATurnIsRefused) {
  const std::string end = "</>{% endfor %}";
  const std::pair<std::string, std::string> cases[] = {
      {kTurn + "{% if m.role != 'assistant' %}{{ m.content }}{% endif %}" + end, "turn 2 of 2"},
      {kTurn + "{% if m.role != 'user' %}{{ m.content }}{% endif %}" + end, "turn 1 of 2 (user)"},
      {kTurn + "{{ m.content | upper }}" + end, "turn 2 of 2 (assistant)"},
      {kTurn + "{{ m.content }}{{ m.content }}" + end, "turn 2 of 2"},
      {kTurn + "{{ m.content | length }}{{ m.content }}" + end, "turn 2 of 2"},
      {kTurn + "{{ m.content.split('fever')[-1] }}" + end, "turn 2 of 2"},
      {kTurn + "{{ m.content.split('is')[-1] }}" + end, "turn 1 of 2"},
      {kTurn + "{% if 'fever' in m.content %}!{% endif %}{{ m.content }}" + end, "turn 2 of 2"},
      {kTurn + "{{ m.content }}{% if 'fever' in m.content %}!{% endif %}" + end, "turn 2 of 2"},
      {"{% for m in messages | reverse %}{{ m.content }}</>{% endfor %}", "turn 1 of 2"},
  };
  for (const auto& [text, turn] : cases) {
    expect_input_error(ExitCode::kModel,
                       "a.jsonl:1: the chat template changes " + turn,
                       [&, text = text] { chat(text, kFree); });
  }
  const std::string last_two = kTurn + "{% if loop.revindex < 3 %}{{ m.content }}{% endif %}" + end;
  EXPECT_EQ(answer_in(chat(last_two, kFree)), "A fever.");
  expect_input_error(
      ExitCode::kModel, "changes turn 1 of 5 (system)", [&] { chat(last_two, kConversation); });
}

TEST(Layout, ATemplatesOwnObjectionNamesTheExemplar) {
  const std::string objecting = "{{ raise_exception('no such thing') }}";
  expect_input_error(ExitCode::kModel, "a.jsonl:1: model", [&] { chat(objecting, kFree); });
  expect_input_error(ExitCode::kModel, "no such thing", [&] { chat(objecting, kFree); });
}

}  // namespace
}  // namespace prescript
