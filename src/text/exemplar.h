#pragma once
// Exemplars: questions with clinician-written answers, as they stand in JSONL files (DESIGN section
// 6).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// One choice of a multiple-choice question.
struct AnswerOption {
  std::string letter;  // "A"
  std::string text;

  bool operator==(const AnswerOption&) const = default;
};

/// One turn of a conversation.
struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string content;

  bool operator==(const ChatMessage&) const = default;
};

/// Where the work on an exemplar stands.
enum class ReviewStatus {
  kWritten,  // nobody has reviewed this version
  kAccepted,
  kRejected,
};

/// What the field `review` says: who wrote and who reviewed which version of the answer.
struct ExemplarReview {
  ReviewStatus status = ReviewStatus::kWritten;
  int64_t version = 1;
  std::string author;    // a code; "" where it is not known
  std::string reviewer;  // a code; "" where there is none yet

  bool operator==(const ExemplarReview&) const = default;
};

/// "written", "accepted", "rejected".
std::string name_of(ReviewStatus status);

/// A question, and an answer where it has one. In an exemplar given as `messages`, `question` is
/// the first user message, `answer` the last assistant message; what stands before, between and
/// behind the two is kept in `before` and `between`.
struct Exemplar {
  std::string id;     // its `id`, else "file:line"
  std::string place;  // "file:line", for messages
  std::string question;
  std::optional<std::string> context;
  std::vector<AnswerOption> options;  // by letter; empty for a free-text answer
  std::optional<std::string> answer;  // a letter where there are options
  std::optional<std::string> rationale;
  std::vector<ChatMessage> before;   // turns before the question (a system message)
  std::vector<ChatMessage> between;  // turns between question and answer
  /// The field `adapter` of lines for generate and score: absent, null (the base), or a name.
  std::optional<std::optional<std::string>> adapter;
  std::optional<ExemplarReview> review;    // nothing: the file has no reviews
  std::vector<std::string> unused_fields;  // fields of the line that nothing reads, sorted
};

/// Whether it may be trained on: its review has accepted it, or it has none.
bool is_accepted(const Exemplar& exemplar);

struct ExemplarLimits {
  size_t max_line_bytes = 4u << 20;
  size_t max_file_bytes = size_t{1} << 30;
};

/// Reads a JSONL file. BOM, CRLF and blank lines are accepted. Throws InputError(kData)
/// "file:line: field: ..." for anything that is not an exemplar, for an empty question or answer,
/// an answer that is no option's letter, and a duplicate id; with `need_answer` also for an absent
/// answer; for a file without exemplars. Messages never hold the text of an exemplar.
std::vector<Exemplar> read_exemplars(const std::string& path,
                                     bool need_answer,
                                     const ExemplarLimits& limits = {});

/// The same from the bytes of the file `path`.
std::vector<Exemplar> parse_exemplars(std::string_view bytes,
                                      const std::string& path,
                                      bool need_answer,
                                      const ExemplarLimits& limits = {});

/// One exemplar from one JSON object. `place` is "file:line", the default of `id`.
Exemplar parse_exemplar(std::string_view json, const std::string& place, bool need_answer);

/// The exemplar as one JSON object that parse_exemplar reads back; unused fields are left out.
std::string exemplar_json(const Exemplar& exemplar);

}  // namespace prescript
