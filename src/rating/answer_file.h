#pragma once
// Files of answers that a study may draw from.

#include <optional>
#include <string>
#include <vector>

#include "rating/study_plan.h"

namespace prescript {

/// One line of a file of answers.
struct AnswerLine {
  std::string id;
  std::string place;                // "file:line"
  std::optional<std::string> text;  // the answer; may be empty
  std::string adapter;              // that wrote it; "base" for null, "" where the line has none
  std::string question;             // with context and options; "" where the line has none
};

/// Reads JSONL in which every line has `id` and perhaps an answer, in `text` (as `generate --json`
/// and `evaluate` write it) or in `answer`, and perhaps `question`, `context`, `options` and
/// `adapter`. With options, `answer` is a letter, and the answer shown is that option. Throws
/// InputError(kData) "file:line: ..."; messages hold no text of the file.
std::vector<AnswerLine> read_answer_lines(const std::string& path);

/// Questions by id from lines that have one, in order. Throws InputError(kData) for an id that
/// comes with two questions.
std::vector<StudyQuestion> questions_of(const std::vector<std::vector<AnswerLine>>& files);

/// The answers that a file holds of the source `name`: all of them, or those of the adapter of that
/// name ("base": of the base model) where lines name several. Throws InputError(kData) when none of
/// several is of that name, for a line without an answer, and for two answers to one question.
SourceAnswers answers_of(const std::vector<AnswerLine>& lines,
                         const std::string& name,
                         const std::string& path);

}  // namespace prescript
