#pragma once
// The text around a question: instruction, few-shot exemplars, and how they become a message
// (DESIGN section 6, byte for byte).

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "text/exemplar.h"

namespace prescript {

enum class PromptFormat { kChat, kPlain };

/// What stands before the question of every exemplar of a run.
struct HardPrompt {
  PromptFormat format = PromptFormat::kChat;
  std::optional<std::string> instruction = {};
  std::vector<Exemplar> few_shot = {};
  bool rationale = false;                // answers begin with their rationale
  std::optional<std::string> date = {};  // YYYY-MM-DD, for templates that ask for it
  // Of mistakes in these texts: they may be an adapter's.
  ExitCode instruction_code = ExitCode::kData;
  ExitCode few_shot_code = ExitCode::kData;
};

/// Q(e): context, blank line, question, one line "(A) text" per option.
std::string question_text(const Exemplar& exemplar);

/// A(e): the answer, or "(X)" for options; with `rationale` the rationale, newline, "Answer: " and
/// it. Throws InputError(kData) naming the exemplar when it has no answer.
std::string answer_text(const Exemplar& exemplar, bool rationale);

/// The message: instruction, few-shot exemplars, question, joined by blank lines.
struct Message {
  std::string text;
  size_t question_begin = 0;  // of Q(e) in `text`
};
Message message_of(const Exemplar& exemplar, const HardPrompt& prompt);

}  // namespace prescript
