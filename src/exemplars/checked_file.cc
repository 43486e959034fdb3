#include "exemplars/checked_file.h"

#include <unordered_map>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "exemplars/jsonl.h"
#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

using nlohmann::json;

/// The field of the line that a message is about: what stands behind its place.
std::string field_of(std::string_view message, const std::string& place) {
  if (!message.starts_with(place + ": ")) return "";
  message.remove_prefix(place.size() + 2);
  return std::string(message.substr(0, message.find_first_of(":.[")));
}

/// All defects of a line that is an object: behind each, the field that has it is left out, or
/// filled in where it is missing, and the rest is read again. Returns the exemplar if there is
/// none.
std::optional<Exemplar> read_line(json line,
                                  const std::string& place,
                                  std::vector<std::string>& defects) {
  for (bool is_first = true;; is_first = false) {
    std::string field;
    try {
      Exemplar exemplar = parse_exemplar(line.dump(), place, /*need_answer=*/false);
      if (is_first) return exemplar;
      return std::nullopt;
    } catch (const InputError& error) {
      defects.emplace_back(error.what());
      field = field_of(error.what(), place);
    }
    if (!line.is_object()) return std::nullopt;
    const bool is_there = line.erase(field) > 0;
    if (field == "question" || field == "messages") {
      line["question"] = "?";
    } else if (!is_there) {
      return std::nullopt;
    }
    if (field == "options") line.erase("answer");  // whose letter cannot be judged any more
  }
}

class IdentifierSearch {
 public:
  std::vector<FieldIdentifiers> found;

  void search(const json& value, const std::string& field) {
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) {
        const bool is_of_nobody =
            field.empty() && (key == "id" || key == "adapter" || key == "review");
        if (!is_of_nobody) search(member, field.empty() ? key : field + "." + key);
      }
    } else if (value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i) {
        search(value[i], field + "[" + std::to_string(i) + "]");
      }
    } else if (value.is_string()) {
      FieldIdentifiers here{field, {}};
      for (const Identifier& identifier : find_identifiers(value.get_ref<const std::string&>())) {
        if (field == "source" && identifier.kind == IdentifierKind::kWebAddress) continue;
        ++here.kinds[identifier.kind];
      }
      if (!here.kinds.empty()) found.push_back(std::move(here));
    }
  }
};

std::optional<std::string> text_in(const json& line, const json::json_pointer& where) {
  if (!line.contains(where) || !line.at(where).is_string()) return std::nullopt;
  return line.at(where).get<std::string>();
}

}  // namespace

CheckedFile check_exemplar_file(const std::string& path, const ExemplarLimits& limits) {
  const std::string bytes = read_file(path, limits.max_file_bytes, ExitCode::kData);
  CheckedFile file{.path = path, .defects = {}, .exemplars = {}};
  std::unordered_map<std::string, std::string> place_of_id;
  size_t num_lines = 0;
  const auto check_line = [&](std::string_view text, size_t number) {
    const std::string place = path + ":" + std::to_string(number);
    ++num_lines;
    if (text.size() > limits.max_line_bytes) {
      file.defects.push_back(place + ": a line of " + std::to_string(text.size()) +
                             " bytes; at most " + std::to_string(limits.max_line_bytes) +
                             " are read");
      return;
    }
    json line;
    try {
      line = parse_json_line(text, place, ExitCode::kData);
    } catch (const InputError& error) {
      file.defects.emplace_back(error.what());
      return;
    }
    const auto id = line.is_object() ? text_in(line, json::json_pointer("/id")) : std::nullopt;
    if (id) {
      const auto [other, is_new] = place_of_id.try_emplace(*id, place);
      if (!is_new) {
        file.defects.push_back(place + ": id: " + quote(*id) + " is the id of " + other->second +
                               " too; make it unique");
      }
    }
    auto exemplar = read_line(line, place, file.defects);
    if (!exemplar) return;
    IdentifierSearch identifiers;
    try {
      identifiers.search(line, "");
    } catch (const InputError& error) {  // a text that takes a pattern too long
      file.defects.push_back(place + ": " + error.what());
      return;
    }
    file.exemplars.push_back({.exemplar = std::move(*exemplar),
                              .source = text_in(line, json::json_pointer("/source")),
                              .topic = text_in(line, json::json_pointer("/topic")),
                              .reviewer = text_in(line, json::json_pointer("/review/reviewer")),
                              .review_status = text_in(line, json::json_pointer("/review/status")),
                              .identifiers = std::move(identifiers.found)});
  };
  try {
    for_each_jsonl_line(bytes, path, check_line);
  } catch (const InputError& error) {
    file.defects.emplace_back(error.what());
    return file;
  }
  if (num_lines == 0) {
    file.defects.push_back(path + ": no exemplars; expected JSON objects, one a line");
  }
  return file;
}

}  // namespace prescript
