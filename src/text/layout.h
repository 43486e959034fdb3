#pragma once
// The text that a model reads, and where question and answer stand in it.

#include <cstddef>
#include <string>

#include "text/chat_template.h"
#include "text/hard_prompt.h"

namespace prescript {

struct Layout {
  std::string text;
  size_t question_begin = 0;  // of Q(e)
  size_t answer_begin = 0;
  size_t answer_end = 0;
  size_t answer_cut = 0;  // bytes of white space that the template left out before the answer
};

/// Message, newline, "Answer: " (with rationale "Explanation: ") and `answer`. Throws
/// InputError(kData) for a conversation of several turns.
Layout plain_layout(const Exemplar& exemplar, const HardPrompt& prompt, const std::string& answer);

/// The template over the exemplar's conversation: the message in place of the question, `answer` as
/// the last turn. A template may put anything around a turn and leave out white space at its ends;
/// throws InputError(kModel) when it drops a turn or changes it in another way.
Layout chat_layout(const ChatTemplate& chat_template,
                   const ChatTemplateOptions& options,
                   const Exemplar& exemplar,
                   const HardPrompt& prompt,
                   const std::string& answer);

}  // namespace prescript
