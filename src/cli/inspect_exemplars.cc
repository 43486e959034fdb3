// What prescript inspect says about a file of exemplars: counts and lengths, no text.

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/durable_file.h"
#include "cli/inspect.h"
#include "io/json.h"
#include "text/hard_prompt.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxValuesShown = 20;

int64_t num_characters(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
}

/// How many lines have each value of `topic` and of `source`. The file has been read as exemplars
/// before, so every line that is not blank holds an object.
struct ValueCounts {
  std::map<std::string, int64_t> topics;
  std::map<std::string, int64_t> sources;
};

ValueCounts count_values(const std::string& path) {
  const std::string text = read_file(path, ExemplarLimits().max_file_bytes);
  ValueCounts counts;
  const auto count = [](const JsonCursor& line, const char* key, auto& into) {
    const auto value = line.find(key);
    if (value && value->is_string()) ++into[value->string()];
  };
  for (size_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const auto line = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto json = parse_json_line(line, path, ExitCode::kData);
    const JsonCursor cursor(json, path, ExitCode::kData);
    count(cursor, "topic", counts.topics);
    count(cursor, "source", counts.sources);
  }
  return counts;
}

/// The most frequent values with their counts, and how many lines have another.
ordered_json most_frequent(const std::map<std::string, int64_t>& counts) {
  std::vector<std::pair<std::string, int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second > b.second;
  });
  ordered_json facts;  // null where no line has the field
  int64_t others = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (i < kMaxValuesShown) {
      facts[sorted[i].first] = sorted[i].second;
    } else {
      others += sorted[i].second;
    }
  }
  if (others > 0) {
    facts["(" + counted(sorted.size() - kMaxValuesShown, "other") + ")"] = others;
  }
  return facts;
}

}  // namespace

ordered_json summary_of(std::vector<int64_t> values) {
  if (values.empty()) return nullptr;
  std::sort(values.begin(), values.end());
  int64_t total = 0;
  for (const int64_t value : values) total += value;
  return {{"min", values.front()},
          {"median", values[(values.size() - 1) / 2]},
          {"max", values.back()},
          {"total", total}};
}

ordered_json inspect_exemplars(const std::string& path) {
  const auto exemplars = read_exemplars(path, /*need_answer=*/false);
  const auto num_with = [&](auto has) {
    return std::count_if(exemplars.begin(), exemplars.end(), has);
  };
  std::vector<int64_t> questions;
  std::vector<int64_t> answers;
  std::vector<int64_t> rationales;
  std::set<std::string> unused;
  for (const Exemplar& exemplar : exemplars) {
    questions.push_back(num_characters(question_text(exemplar)));
    if (exemplar.answer) answers.push_back(num_characters(*exemplar.answer));
    if (exemplar.rationale) rationales.push_back(num_characters(*exemplar.rationale));
    unused.insert(exemplar.unused_fields.begin(), exemplar.unused_fields.end());
  }
  const ValueCounts values = count_values(path);
  return {{"kind", "exemplars"},
          {"path", path},
          {"num_exemplars", exemplars.size()},
          {"with_answer", answers.size()},
          {"with_options", num_with([](const Exemplar& e) { return !e.options.empty(); })},
          {"with_rationale", rationales.size()},
          {"not_accepted", num_with([](const Exemplar& e) { return !is_accepted(e); })},
          {"with_context", num_with([](const Exemplar& e) { return e.context.has_value(); })},
          {"with_several_turns",
           num_with([](const Exemplar& e) { return !e.before.empty() || !e.between.empty(); })},
          {"naming_an_adapter", num_with([](const Exemplar& e) { return e.adapter.has_value(); })},
          {"unused_fields", unused},
          {"question_characters", summary_of(questions)},
          {"answer_characters", summary_of(answers)},
          {"rationale_characters", summary_of(rationales)},
          {"topics", most_frequent(values.topics)},
          {"sources", most_frequent(values.sources)}};
}

}  // namespace prescript
