#pragma once
// Which option a generated text says is the answer, by a strict rule (docs/EVALUATION.md).

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "text/exemplar.h"

namespace prescript {

/// The letter of the option that `text` states, or nothing. The first of these that is there
/// decides:
///  1. The last stated answer: "Answer: " or "answer is " (any case, at the beginning of a word)
///     and behind it one of
///       "(X)"                    not joined to another option ("(A) or (B)" states nothing);
///       an option's whole text   and then the end of the sentence or line;
///       "X" or "X)", "X."        and then the end of the line, or that option's whole text.
///     Behind "Answer: " and anything else only what follows is read, by rule 2.
///  2. The last "(X)" in the text that is not
///       an entry of a list: that begins a line beside one that begins with another option,
///       denied: behind "not" or "n't",
///       joined to another option: "(B) and (C)".
///  3. The whole text: "X", "X)" or "X.", an option's text, with or without full stop, or the one
///     before the other in a single line.
///  4. Where all options are yes, no or maybe: the first word, where punctuation ends it.
/// Only what stands before the next line that begins with "Question:" is read: behind it, a model
/// answers what it asks itself. X is the letter of an option. A bare letter never counts inside a
/// sentence, nor at all where options are yes, no and maybe, whose letters nobody asks for:
/// "vitamin D", "grade A" and "hepatitis B" state nothing. Texts are compared without regard to
/// case and to white space around them.
std::optional<std::string> parse_answer(std::string_view text,
                                        std::span<const AnswerOption> options);

}  // namespace prescript
