#pragma once
// Where a soft prompt stands among the tokens.

#include <string>

namespace prescript {

enum class PromptPosition { kStart, kAfterBos, kBeforeQuestion };

/// As recipes and adapters spell it, part of the on-disk format: start | after_bos |
/// before_question.
const char* name_of(PromptPosition position);

/// Throws InputError(kModel) "place: ..." for another word.
PromptPosition position_of(const std::string& name, const std::string& place);

}  // namespace prescript
