#include "rating/answer_file.h"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;
constexpr const char* kBase = "base";

std::string text_or_nothing(const JsonCursor& line, const char* key) {
  const auto value = line.find(key);
  return value ? value->string() : "";
}

/// Q(e) as the model reads it: context, question, options.
std::string question_of(const JsonCursor& line) {
  std::string question = text_or_nothing(line, "question");
  if (question.empty()) return "";
  const std::string context = text_or_nothing(line, "context");
  if (!context.empty()) question = context + "\n\n" + question;
  const auto options = line.find("options");
  if (options && options->is_object()) {
    for (const std::string& letter : options->keys()) {
      const auto text = options->find(letter);
      if (text && text->is_string()) question += "\n(" + letter + ") " + text->string();
    }
  }
  return question;
}

std::optional<std::string> answer_of(const JsonCursor& line) {
  if (const auto text = line.find("text")) return text->string();
  if (!line.find("answer")) return std::nullopt;
  const std::string answer = line.at("answer").string();
  const auto options = line.find("options");
  if (!options || !options->is_object()) return answer;
  const auto text = options->find(answer);
  return text && text->is_string() ? "(" + answer + ") " + text->string() : answer;
}

AnswerLine parse_line(std::string_view json, const std::string& place) {
  const nlohmann::json parsed = parse_json_line(json, place, ExitCode::kData);
  const JsonCursor line(parsed, place, ExitCode::kData);
  AnswerLine result{.id = line.at("id").string(),
                    .place = place,
                    .text = answer_of(line),
                    .adapter = text_or_nothing(line, "adapter"),
                    .question = question_of(line)};
  if (line.value().contains("adapter") && !line.find("adapter")) result.adapter = kBase;
  return result;
}

}  // namespace

std::vector<AnswerLine> read_answer_lines(const std::string& path) {
  const std::string bytes = read_file(path, kMaxFileBytes);
  std::string_view rest = bytes;
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (rest.starts_with(kByteOrderMark)) rest.remove_prefix(kByteOrderMark.size());
  std::vector<AnswerLine> lines;
  for (size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    lines.push_back(parse_line(line, path + ":" + std::to_string(number)));
  }
  if (lines.empty()) {
    throw InputError(ExitCode::kData, path + ": no answers; expected JSON objects, one a line");
  }
  return lines;
}

std::vector<StudyQuestion> questions_of(const std::vector<std::vector<AnswerLine>>& files) {
  std::vector<StudyQuestion> questions;
  std::map<std::string, std::pair<std::string, std::string>> known;  // id: text, place
  for (const auto& lines : files) {
    for (const AnswerLine& line : lines) {
      if (line.question.empty()) continue;
      const auto [other, is_new] = known.try_emplace(line.id, line.question, line.place);
      if (is_new) {
        questions.push_back({line.id, line.question});
      } else if (other->second.first != line.question) {
        throw InputError(ExitCode::kData,
                         line.place + ": id: " + quote(line.id) + " is another question at " +
                             other->second.second + "; give each question its own id");
      }
    }
  }
  return questions;
}

SourceAnswers answers_of(const std::vector<AnswerLine>& lines,
                         const std::string& name,
                         const std::string& path) {
  std::set<std::string> adapters;
  for (const AnswerLine& line : lines) adapters.insert(line.adapter);
  const bool takes_all = adapters.size() == 1;
  if (!takes_all && !adapters.contains(name)) {
    std::string list;
    for (const std::string& adapter : adapters) list += (list.empty() ? "" : ", ") + quote(adapter);
    throw InputError(ExitCode::kData,
                     path + ": answers of several adapters (" + list + "), none of them " +
                         quote(name) + "; give the source the name of one of them");
  }
  SourceAnswers answers{.source = {.name = name, .adapter_dir = {}, .adapter_hash = {}},
                        .texts = {}};
  std::map<std::string, std::string> place_of_id;
  for (const AnswerLine& line : lines) {
    if (!takes_all && line.adapter != name) continue;
    const auto [other, is_new] = place_of_id.try_emplace(line.id, line.place);
    if (!is_new) {
      throw InputError(ExitCode::kData,
                       line.place + ": id: " + quote(line.id) +
                           " has an answer of this source at " + other->second +
                           " already; keep one");
    }
    if (!line.text) {
      throw InputError(ExitCode::kData,
                       line.place +
                           ": neither text nor answer; a line holds the answer in one of "
                           "them");
    }
    answers.texts.emplace_back(line.id, *line.text);
  }
  return answers;
}

}  // namespace prescript
