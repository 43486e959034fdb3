#include "text/hard_prompt.h"

#include "base/error.h"

namespace prescript {
namespace {

std::string few_shot_text(const Exemplar& exemplar, bool rationale, ExitCode code) {
  if (!exemplar.before.empty() || !exemplar.between.empty()) {
    throw InputError(code,
                     exemplar.place +
                         ": messages: a conversation of several turns cannot be a few-shot "
                         "exemplar; use a training file without them, or few_shot 0");
  }
  return "Question: " + question_text(exemplar) + (rationale ? "\nExplanation: " : "\nAnswer: ") +
         answer_text(exemplar, rationale);
}

}  // namespace

std::string question_text(const Exemplar& exemplar) {
  std::string text = exemplar.context ? *exemplar.context + "\n\n" : "";
  text += exemplar.question;
  for (const AnswerOption& option : exemplar.options) {
    text += "\n(" + option.letter + ") " + option.text;
  }
  return text;
}

std::string answer_text(const Exemplar& exemplar, bool rationale) {
  if (!exemplar.answer) {
    throw InputError(ExitCode::kData,
                     exemplar.place + ": answer: missing; training and scoring need one");
  }
  std::string text;
  if (rationale) text = (exemplar.rationale ? *exemplar.rationale + "\n" : "") + "Answer: ";
  return text + (exemplar.options.empty() ? *exemplar.answer : "(" + *exemplar.answer + ")");
}

Message message_of(const Exemplar& exemplar, const HardPrompt& prompt) {
  std::string text = prompt.instruction.value_or("");
  const auto begin_piece = [&] { text += text.empty() ? "" : "\n\n"; };
  for (const Exemplar& shot : prompt.few_shot) {
    begin_piece();
    text += few_shot_text(shot, prompt.rationale, prompt.few_shot_code);
  }
  begin_piece();
  if (!prompt.few_shot.empty()) text += "Question: ";
  const size_t question_begin = text.size();
  return {text + question_text(exemplar), question_begin};
}

}  // namespace prescript
