#include "text/exemplar.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "io/json.h"
#include "io/quote.h"
#include "text/white_space.h"

namespace prescript {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// What an exemplar given as `messages` says in them.
constexpr const char* kQuestionFields[] = {"question", "context", "options", "answer", "rationale"};

/// Where an exemplar comes from and what it is about: part of the format, read by people alone.
constexpr const char* kOtherFields[] = {"id", "messages", "adapter", "source", "topic", "review"};

const std::string& text_of(const JsonCursor& value) {
  if (is_blank(value.string())) value.fail("empty; write its text, or null for what may be absent");
  return value.string();
}

std::optional<std::string> find_text(const JsonCursor& object, std::string_view key) {
  const auto value = object.find(key);
  if (!value) return std::nullopt;
  return text_of(*value);
}

std::vector<AnswerOption> parse_options(const JsonCursor& options) {
  std::vector<AnswerOption> parsed;
  for (const std::string& letter : options.keys()) {
    if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'Z') {
      options.fail("the name of an option is not a capital letter; name them A, B, C, ...");
    }
    if (auto text = find_text(options, letter)) parsed.push_back({letter, std::move(*text)});
  }
  if (parsed.size() < 2) {
    options.fail(counted(parsed.size(), "option") + "; a choice has at least two");
  }
  return parsed;
}

std::string letters_of(const std::vector<AnswerOption>& options) {
  std::string letters;
  for (const AnswerOption& option : options) {
    letters += (letters.empty() ? "" : ", ") + option.letter;
  }
  return letters;
}

void parse_question(const JsonCursor& line, Exemplar& exemplar) {
  if (!line.find("question")) line.fail("question: missing; or give the exemplar as messages");
  exemplar.question = text_of(line.at("question"));
  exemplar.context = find_text(line, "context");
  exemplar.rationale = find_text(line, "rationale");
  if (const auto options = line.find("options")) exemplar.options = parse_options(*options);
  exemplar.answer = find_text(line, "answer");
  if (exemplar.options.empty() || !exemplar.answer) return;
  const auto is_answer = [&](const AnswerOption& o) { return o.letter == *exemplar.answer; };
  if (std::none_of(exemplar.options.begin(), exemplar.options.end(), is_answer)) {
    line.at("answer").fail("not the letter of an option; the options are " +
                           letters_of(exemplar.options));
  }
}

ChatMessage parse_message(const JsonCursor& message) {
  const JsonCursor role = message.at("role");
  for (const char* known : {"system", "user", "assistant"}) {
    if (role.string() == known) return {known, text_of(message.at("content"))};
  }
  role.fail("not one of system, user, assistant");
}

void parse_messages(const JsonCursor& messages, Exemplar& exemplar) {
  std::vector<ChatMessage> turns;
  for (size_t i = 0; i < messages.size(); ++i) turns.push_back(parse_message(messages.item(i)));
  const auto question =
      std::find_if(turns.begin(), turns.end(), [](const auto& t) { return t.role != "system"; });
  if (question == turns.end()) messages.fail("no user message, whose text is the question");
  if (question->role != "user") {
    messages.item(static_cast<size_t>(question - turns.begin()))
        .fail("the assistant speaks first; begin with the user's question");
  }
  exemplar.question = question->content;
  exemplar.before.assign(turns.begin(), question);
  exemplar.between.assign(question + 1, turns.end());
  if (turns.back().role == "assistant") {
    exemplar.answer = turns.back().content;
    exemplar.between.pop_back();
  }
}

/// Fields that hold something and that nothing reads; those of messages as "messages.NAME".
std::vector<std::string> unused_fields(const JsonCursor& line) {
  std::set<std::string> unused;
  for (const std::string& key : line.keys()) {
    if (line.find(key)) unused.insert(key);
  }
  for (const char* key : kQuestionFields) unused.erase(key);
  for (const char* key : kOtherFields) unused.erase(key);
  if (const auto messages = line.find("messages")) {
    for (size_t i = 0; i < messages->size(); ++i) {
      const JsonCursor message = messages->item(i);
      for (const std::string& key : message.keys()) {
        if (key != "role" && key != "content" && message.find(key)) {
          unused.insert("messages." + key);
        }
      }
    }
  }
  return {unused.begin(), unused.end()};
}

ReviewStatus parse_status(const JsonCursor& status) {
  for (const ReviewStatus known :
       {ReviewStatus::kWritten, ReviewStatus::kAccepted, ReviewStatus::kRejected}) {
    if (status.string() == name_of(known)) return known;
  }
  status.fail("not one of written, accepted, rejected");
}

std::optional<ExemplarReview> parse_review(const JsonCursor& line) {
  const auto review = line.find("review");
  if (!review) return std::nullopt;
  ExemplarReview parsed{.status = parse_status(review->at("status")),
                        .version = 1,
                        .author = find_text(*review, "author").value_or(""),
                        .reviewer = find_text(*review, "reviewer").value_or("")};
  if (const auto version = review->find("version")) {
    parsed.version = version->integer(1, INT32_MAX);
  }
  return parsed;
}

std::optional<std::optional<std::string>> parse_adapter(const JsonCursor& line) {
  if (!line.value().contains("adapter")) return std::nullopt;
  return find_text(line, "adapter");
}

}  // namespace

std::string name_of(ReviewStatus status) {
  switch (status) {
    case ReviewStatus::kWritten:
      return "written";
    case ReviewStatus::kAccepted:
      return "accepted";
    case ReviewStatus::kRejected:
      return "rejected";
  }
  throw ContractError("no such status");
}

bool is_accepted(const Exemplar& exemplar) {
  return !exemplar.review || exemplar.review->status == ReviewStatus::kAccepted;
}

Exemplar parse_exemplar(std::string_view json, const std::string& place, bool need_answer) {
  const nlohmann::json parsed = parse_json_line(json, place, ExitCode::kData);
  const JsonCursor line(parsed, place, ExitCode::kData);
  Exemplar exemplar;
  exemplar.place = place;
  exemplar.id = find_text(line, "id").value_or(place);
  const auto messages = line.find("messages");
  if (messages) {
    for (const char* key : kQuestionFields) {
      if (line.find(key)) line.at(key).fail("stands beside messages, which say it; keep one");
    }
    parse_messages(*messages, exemplar);
  } else {
    parse_question(line, exemplar);
  }
  if (need_answer && !exemplar.answer) {
    if (messages) messages->fail("the last one is not the assistant's, whose text is the answer");
    line.fail("answer: missing; training and scoring need one");
  }
  exemplar.adapter = parse_adapter(line);
  exemplar.review = parse_review(line);
  exemplar.unused_fields = unused_fields(line);
  return exemplar;
}

std::vector<Exemplar> read_exemplars(const std::string& path,
                                     bool need_answer,
                                     const ExemplarLimits& limits) {
  return parse_exemplars(
      read_file(path, limits.max_file_bytes, ExitCode::kData), path, need_answer, limits);
}

std::vector<Exemplar> parse_exemplars(std::string_view bytes,
                                      const std::string& path,
                                      bool need_answer,
                                      const ExemplarLimits& limits) {
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) {
    throw InputError(ExitCode::kData, path + ": the text is UTF-16; save it as UTF-8");
  }
  std::string_view rest = bytes;
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  std::vector<Exemplar> exemplars;
  std::unordered_map<std::string, std::string> place_of_id;
  for (size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string place = path + ":" + std::to_string(number);
    if (line.size() > limits.max_line_bytes) {
      throw InputError(ExitCode::kData,
                       place + ": a line of " + std::to_string(line.size()) + " bytes; at most " +
                           std::to_string(limits.max_line_bytes) + " are read");
    }
    exemplars.push_back(parse_exemplar(line, place, need_answer));
    const std::string& id = exemplars.back().id;
    const auto [other, is_new] = place_of_id.try_emplace(id, place);
    if (!is_new) {
      throw InputError(
          ExitCode::kData,
          place + ": id: " + quote(id) + " is the id of " + other->second + " too; make it unique");
    }
  }
  if (exemplars.empty()) {
    throw InputError(ExitCode::kData, path + ": no exemplars; expected JSON objects, one a line");
  }
  return exemplars;
}

std::string exemplar_json(const Exemplar& exemplar) {
  nlohmann::ordered_json json;
  json["id"] = exemplar.id;
  if (exemplar.before.empty() && exemplar.between.empty()) {
    if (exemplar.context) json["context"] = *exemplar.context;
    json["question"] = exemplar.question;
    for (const AnswerOption& option : exemplar.options)
      json["options"][option.letter] = option.text;
    if (exemplar.answer) json["answer"] = *exemplar.answer;
    if (exemplar.rationale) json["rationale"] = *exemplar.rationale;
  } else {
    const auto add = [&](const std::string& role, const std::string& content) {
      json["messages"].push_back({{"role", role}, {"content", content}});
    };
    for (const ChatMessage& turn : exemplar.before) add(turn.role, turn.content);
    add("user", exemplar.question);
    for (const ChatMessage& turn : exemplar.between) add(turn.role, turn.content);
    if (exemplar.answer) add("assistant", *exemplar.answer);
  }
  if (exemplar.adapter) {
    json["adapter"] = *exemplar.adapter ? nlohmann::ordered_json(**exemplar.adapter) : nullptr;
  }
  return json.dump();
}

}  // namespace prescript
