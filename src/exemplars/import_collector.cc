#include "exemplars/import_collector.h"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "exemplars/jsonl.h"
#include "io/quote.h"
#include "text/exemplar.h"
#include "text/white_space.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxDefectsShown = 20;
constexpr const char* kWithoutAnswer = "without an answer";

std::string letter(size_t option) {
  return std::string(1, static_cast<char>('A' + option));
}

ordered_json json_of(const ImportedExemplar& exemplar) {
  ordered_json json;
  const auto set = [&](const char* key, const std::string& text) {
    if (!text.empty()) json[key] = text;
  };
  set("id", exemplar.id);
  set("source", exemplar.source);
  set("topic", exemplar.topic);
  for (const auto& [role, content] : exemplar.messages) {
    json["messages"].push_back({{"role", role}, {"content", content}});
  }
  set("context", exemplar.context);
  set("question", exemplar.question);
  for (size_t i = 0; i < exemplar.options.size(); ++i) {
    json["options"][letter(i)] = exemplar.options[i];
  }
  set("answer", exemplar.answer);
  set("rationale", exemplar.rationale);
  if (!exemplar.must_have.empty()) json["must_have"] = exemplar.must_have;
  return json;
}

}  // namespace

void ImportCollector::record(const std::function<void()>& read) {
  try {
    read();
  } catch (const InputError& error) {
    if (error.code() != ExitCode::kData) throw;
    defect(error.what());
  }
}

void ImportCollector::add(ImportedExemplar exemplar) {
  const std::string line = json_of(exemplar).dump();
  // What a command would refuse later is a defect of this record now.
  const Exemplar parsed = parse_exemplar(line, exemplar.place, /*need_answer=*/false);
  if (!parsed.answer && !options_.keep_unanswered) {
    leave_out(kWithoutAnswer);
    return;
  }
  const auto [other, is_new] = place_of_id_.try_emplace(exemplar.id, exemplar.place);
  if (!is_new) {
    throw InputError(ExitCode::kData,
                     exemplar.place + ": id: " + quote(exemplar.id) + " is that of " +
                         other->second + " too; import such files apart");
  }
  set_.jsonl += line + "\n";
  ++set_.num_imported;
}

void ImportCollector::note_unused(const JsonCursor& record,
                                  std::initializer_list<std::string_view> known) {
  for (const std::string& key : record.keys()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) note_unused(key);
  }
}

ImportedSet ImportCollector::take(const std::string& place) {
  if (!defects_.empty()) {
    std::string message = counted(defects_.size(), "defect") + "; nothing is imported";
    for (size_t i = 0; i < std::min(defects_.size(), kMaxDefectsShown); ++i) {
      message += "\n  " + defects_[i];
    }
    if (defects_.size() > kMaxDefectsShown) {
      message += "\n  and " + counted(defects_.size() - kMaxDefectsShown, "other");
    }
    throw InputError(ExitCode::kData, message);
  }
  if (set_.num_imported == 0) {
    std::string found = "no records";
    for (const auto& [reason, count] : set_.left_out) {
      found = counted(count, "record") + " " + reason + " and no other";
    }
    const bool are_questions = set_.left_out.contains(kWithoutAnswer);
    throw InputError(
        ExitCode::kData,
        place + ": " + found + "; nothing is imported" +
            (are_questions ? " without --keep-unanswered, which keeps questions" : ""));
  }
  return std::move(set_);
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n\f\v";
  if (is_blank(text)) return "";
  const size_t begin = text.find_first_not_of(kWhite);
  return std::string(text.substr(begin, text.find_last_not_of(kWhite) + 1 - begin));
}

std::string text_of(const JsonCursor& record, std::string_view key) {
  const auto value = record.find(key);
  return value ? trimmed(value->string()) : "";
}

std::string required_text(const JsonCursor& record, std::string_view key) {
  const JsonCursor value = record.at(key);
  std::string text = trimmed(value.string());
  if (text.empty()) value.fail("empty");
  return text;
}

std::string stem_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

void for_each_json_record(const std::string& path,
                          ImportCollector& collector,
                          const std::function<void(const JsonCursor&, const std::string&)>& read) {
  const std::string bytes = read_file(path, kMaxImportBytes, ExitCode::kData);
  const auto read_at = [&](const nlohmann::json& value, size_t number) {
    const std::string record = std::to_string(number);
    read(JsonCursor(value, path + ":" + record, ExitCode::kData), record);
  };
  const size_t begin = bytes.find_first_not_of("\xef\xbb\xbf \t\r\n");
  if (begin != std::string::npos && bytes[begin] == '[') {
    nlohmann::json array;
    collector.record([&] {
      array = parse_json(std::string_view(bytes).substr(begin),
                         path,
                         ExitCode::kData,
                         {.max_bytes = kMaxImportBytes, .max_depth = 64});
    });
    for (size_t i = 0; i < array.size(); ++i) {
      collector.record([&] { read_at(array[i], i + 1); });
    }
    return;
  }
  collector.record([&] {
    for_each_jsonl_line(bytes, path, [&](std::string_view line, size_t number) {
      collector.record([&] {
        const std::string place = path + ":" + std::to_string(number);
        read_at(parse_json_line(line, place, ExitCode::kData), number);
      });
    });
  });
}

}  // namespace prescript
