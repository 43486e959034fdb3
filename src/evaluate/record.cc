#include "evaluate/record.h"

#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr std::array<std::pair<Computation, const char*>, 3> kComputations = {
    {{Computation::kOptions, "options"},
     {Computation::kAnswer, "answer"},
     {Computation::kSamples, "samples"}}};

Computation read_computation(const JsonCursor& value) {
  for (const auto& [computation, name] : kComputations) {
    if (value.string() == name) return computation;
  }
  value.fail("not one of options, answer, samples");
}

ordered_json json_of(const LogLikelihood& score) {
  return {{"log_likelihood", score.log_likelihood}, {"num_tokens", score.num_tokens}};
}

std::optional<LogLikelihood> read_score(const JsonCursor& option, const char* key) {
  const auto value = option.find(key);
  if (!value) return std::nullopt;
  return LogLikelihood{value->at("log_likelihood").number(), value->at("num_tokens").integer(1)};
}

std::string line(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

Record read_record(const JsonCursor& root) {
  Record record;
  record.key = {.task = root.at("task").string(),
                .prompt = root.at("prompt").string(),
                .computation = read_computation(root.at("computation")),
                .system = root.at("system").string(),
                .id = root.at("id").string()};
  if (record.key.computation == Computation::kOptions) {
    const JsonCursor options = root.at("options");
    for (const std::string& letter : options.keys()) {
      const JsonCursor option = options.at(letter);
      record.options.push_back({letter, read_score(option, "letter"), read_score(option, "text")});
    }
    return record;
  }
  const JsonCursor texts = root.at("texts");
  if (texts.size() == 0) texts.fail("empty; a generation has at least one text");
  for (size_t i = 0; i < texts.size(); ++i) {
    const JsonCursor text = texts.item(i);
    record.texts.push_back({text.at("text").string(),
                            text.at("num_tokens").integer(1),
                            text.at("stop").string() == "length"});
    const auto answer = text.find("answer");
    record.answers.push_back(answer ? std::optional(answer->string()) : std::nullopt);
  }
  return record;
}

}  // namespace

const char* name_of(Computation computation) {
  return std::ranges::find(kComputations, computation, [](const auto& pair) { return pair.first; })
      ->second;
}

std::string line_of(const Record& record) {
  const RecordKey& key = record.key;
  ordered_json json = {{"task", key.task},
                       {"id", key.id},
                       {"system", key.system},
                       {"prompt", key.prompt},
                       {"computation", name_of(key.computation)}};
  for (const OptionScore& option : record.options) {
    ordered_json& scores = json["options"][option.letter];
    if (option.by_letter) scores["letter"] = json_of(*option.by_letter);
    if (option.by_text) scores["text"] = json_of(*option.by_text);
  }
  for (size_t i = 0; i < record.texts.size(); ++i) {
    const GeneratedText& text = record.texts[i];
    const auto& answer = record.answers.at(i);
    json["texts"].push_back({{"text", text.text},
                             {"num_tokens", text.num_tokens},
                             {"stop", text.cut_off ? "length" : "end_of_turn"},
                             {"answer", answer ? ordered_json(*answer) : ordered_json()}});
  }
  return line(json);
}

std::string line_of(const WorkRecord& record) {
  return line({{"task", record.task},
               {"prompt", record.prompt},
               {"computation", name_of(record.computation)},
               {"rows_computed", record.rows_computed},
               {"rows_unshared", record.rows_unshared}});
}

Records parse_records(std::string_view bytes, const std::string& path) {
  Records result;
  std::set<RecordKey> keys;
  for (size_t number = 1; result.whole_bytes < bytes.size(); ++number) {
    const std::string_view rest = bytes.substr(result.whole_bytes);
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    const std::string place = path + ":" + std::to_string(number);
    const nlohmann::json parsed = parse_json_line(rest.substr(0, end), place, ExitCode::kData);
    const JsonCursor root(parsed, place, ExitCode::kData);
    if (root.find("rows_computed")) {
      result.work.push_back({.task = root.at("task").string(),
                             .prompt = root.at("prompt").string(),
                             .computation = read_computation(root.at("computation")),
                             .rows_computed = root.at("rows_computed").integer(0),
                             .rows_unshared = root.at("rows_unshared").integer(0)});
    } else {
      result.records.push_back(read_record(root));
      if (!keys.insert(result.records.back().key).second) {
        root.fail("this system has answered this question on a line above; keep one");
      }
    }
    result.whole_bytes += end + 1;
  }
  return result;
}

}  // namespace prescript
