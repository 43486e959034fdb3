#include "cli/exemplar_report.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "cli/facts.h"
#include "cli/inspect.h"
#include "cli/terminal.h"
#include "exemplars/words.h"
#include "io/quote.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr size_t kMaxShown = 20;

bool has_no_answer(const CheckedExemplar& one) {
  return !one.exemplar.answer;
}

bool has_identifiers(const CheckedExemplar& one) {
  return !one.identifiers.empty();
}

size_t num_with(const ExemplarReport& report, bool (*has)(const CheckedExemplar&)) {
  return static_cast<size_t>(std::count_if(report.checked->begin(), report.checked->end(), has));
}

/// How many exemplars have each value of a field.
ordered_json counts_of(const ExemplarReport& report,
                       std::optional<std::string> CheckedExemplar::*field) {
  std::map<std::string, int64_t> counts;
  for (const CheckedExemplar& one : *report.checked) {
    if (one.*field) ++counts[*(one.*field)];
  }
  return counts;
}

std::map<IdentifierKind, size_t> identifier_counts(const ExemplarReport& report) {
  std::map<IdentifierKind, size_t> counts;
  for (const CheckedExemplar& one : *report.checked) {
    for (const FieldIdentifiers& here : one.identifiers) {
      for (const auto& [kind, count] : here.kinds) counts[kind] += count;
    }
  }
  return counts;
}

ordered_json json_of(const std::map<IdentifierKind, size_t>& kinds) {
  ordered_json json = ordered_json::object();
  for (const auto& [kind, count] : kinds) json[name_of(kind)] = count;
  return json;
}

/// The words of the answer, or of the right option.
Words answer_of(const Exemplar& exemplar) {
  for (const AnswerOption& option : exemplar.options) {
    if (option.letter == exemplar.answer) return words_of(option.text);
  }
  return words_of(exemplar.answer.value_or(""));
}

/// Whether both are answered, each in other words.
bool have_other_answers(const LikeExemplars& pair) {
  return pair.exemplar->answer && pair.other->answer &&
         answer_of(*pair.exemplar) != answer_of(*pair.other);
}

ordered_json named(const Exemplar& exemplar) {
  return {{"place", exemplar.place}, {"id", exemplar.id}};
}

ordered_json json_of(const ExemplarReport& report,
                     const std::vector<LikeExemplars>& pairs,
                     const char* what,
                     const char* other) {
  ordered_json json = ordered_json::array();
  for (const LikeExemplars& pair : pairs) {
    json.push_back({{what, named(*pair.exemplar)},
                    {other, named(*pair.other)},
                    {"likeness", name_of(pair.likeness)},
                    {"similarity", pair.similarity}});
    if (&pairs != &report.repeated_answers) {
      json.back()["other_answer"] = have_other_answers(pair);
    }
  }
  return json;
}

ordered_json json_of(const ExemplarReport& report) {
  ordered_json files = ordered_json::array();
  for (const auto& [path, count] : report.files) {
    files.push_back({{"path", path}, {"exemplars", count}});
  }
  ordered_json without_answer = ordered_json::array();
  ordered_json identifiers = ordered_json::array();
  for (const CheckedExemplar& one : *report.checked) {
    if (has_no_answer(one)) without_answer.push_back(named(one.exemplar));
    for (const FieldIdentifiers& here : one.identifiers) {
      ordered_json item = named(one.exemplar);
      item["field"] = here.field;
      item["kinds"] = json_of(here.kinds);
      identifiers.push_back(std::move(item));
    }
  }
  ordered_json too_long = ordered_json::array();
  for (const LongExemplar& one : report.too_long) {
    ordered_json item = named(*one.exemplar);
    item["tokens"] = one.tokens;
    too_long.push_back(std::move(item));
  }
  ordered_json json = {{"files", files},
                       {"num_exemplars", report.checked->size()},
                       {"num_defects", report.defects.size()},
                       {"num_findings", report.num_findings()},
                       {"defects", report.defects},
                       {"without_answer", without_answer}};
  json["repeated_questions"] = json_of(report, report.repeated_questions, "exemplar", "like");
  json["repeated_answers"] = json_of(report, report.repeated_answers, "exemplar", "like");
  json["overlap"] =
      report.overlap ? json_of(report, *report.overlap, "question", "exemplar") : nullptr;
  json["context"] = report.context ? ordered_json(*report.context) : nullptr;
  json["tokens"] = summary_of(report.tokens);
  json["too_long"] = too_long;
  json["identifiers"] = identifiers;
  json["identifiers_not_detected"] = kNotDetected;
  json["sources"] = counts_of(report, &CheckedExemplar::source);
  json["topics"] = counts_of(report, &CheckedExemplar::topic);
  json["reviewers"] = counts_of(report, &CheckedExemplar::reviewer);
  json["review_status"] = counts_of(report, &CheckedExemplar::review_status);
  return json;
}

/// The most frequent values in one line.
void write_counts(const std::string& name, const ordered_json& counts) {
  if (counts.empty()) return;
  std::vector<std::pair<std::string, int64_t>> sorted;
  for (const auto& [value, count] : counts.items()) sorted.emplace_back(value, count);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second > b.second;
  });
  std::string line = name + ": ";
  for (size_t i = 0; i < std::min(sorted.size(), kMaxShown); ++i) {
    line += (i == 0 ? "" : ", ") + sorted[i].first + " " + std::to_string(sorted[i].second);
  }
  if (sorted.size() > kMaxShown) line += ", " + counted(sorted.size() - kMaxShown, "other");
  write_result("  " + printable(line));
}

/// A list under its heading.
void write_list(const std::string& heading, const std::vector<std::string>& items) {
  write_result(heading + (items.empty() ? ": none" : ": " + std::to_string(items.size())));
  for (size_t i = 0; i < std::min(items.size(), kMaxShown); ++i) {
    write_result("  " + printable(items[i]));
  }
  if (items.size() > kMaxShown) {
    write_result("  and " + counted(items.size() - kMaxShown, "other") + "; --json lists all");
  }
}

std::string words_for(const Exemplar& exemplar) {
  if (exemplar.id == exemplar.place) return exemplar.place;
  return exemplar.place + " " + quote(exemplar.id);
}

std::vector<std::string> sentences_of(const ExemplarReport& report,
                                      const std::vector<LikeExemplars>& pairs) {
  const bool is_of_questions = &pairs != &report.repeated_answers;
  std::vector<std::string> sentences;
  for (const LikeExemplars& pair : pairs) {
    std::string likeness = "is the same as ";
    if (pair.likeness == Likeness::kContained) likeness = "is contained in, or contains, ";
    if (pair.likeness == Likeness::kSimilar) {
      char similarity[32];
      std::snprintf(similarity, sizeof similarity, "is similar (%.2f) to ", pair.similarity);
      likeness = similarity;
    }
    sentences.push_back(
        words_for(*pair.exemplar) + " " + likeness + words_for(*pair.other) +
        (is_of_questions && have_other_answers(pair) ? ", with another answer" : ""));
  }
  return sentences;
}

std::string words_for(const std::map<IdentifierKind, size_t>& kinds) {
  std::string words;
  for (const auto& [kind, count] : kinds) {
    words += std::string(words.empty() ? "" : ", ") + name_of(kind) + " " + std::to_string(count);
  }
  return words;
}

void write_lengths(const ExemplarReport& report) {
  if (!report.context) {
    write_result(
        "Longer than the context: not checked; name a model with --model, or a training recipe "
        "with --recipe");
    return;
  }
  std::vector<std::string> too_long;
  for (const LongExemplar& one : report.too_long) {
    too_long.push_back(words_for(*one.exemplar) + " takes " + std::to_string(one.tokens) +
                       " tokens with its prompt");
  }
  const std::string context = std::to_string(*report.context);
  write_list("Longer than the context of " + context + " tokens", too_long);
  if (report.tokens.empty()) return;
  const ordered_json tokens = summary_of(report.tokens);
  write_result("  tokens: " + tokens.at("min").dump() + " to " + tokens.at("max").dump() +
               ", median " + tokens.at("median").dump());
}

void write_identifiers(const ExemplarReport& report) {
  std::vector<std::string> items;
  for (const CheckedExemplar& one : *report.checked) {
    for (const FieldIdentifiers& here : one.identifiers) {
      items.push_back(words_for(one.exemplar) + ": " + here.field + ": " + words_for(here.kinds));
    }
  }
  write_list("Texts that may identify somebody", items);
  if (!items.empty()) write_result("  all in all: " + words_for(identifier_counts(report)));
  write_result(std::string("  Patterns do not find ") + kNotDetected + ".");
}

}  // namespace

size_t ExemplarReport::num_findings() const {
  return num_with(*this, has_no_answer) + repeated_questions.size() + repeated_answers.size() +
         (overlap ? overlap->size() : 0) + too_long.size() + num_with(*this, has_identifiers);
}

void write_report(const ExemplarReport& report, bool as_json) {
  if (as_json) {
    write_result(json_line(json_of(report)));
    return;
  }
  write_result(counted(report.checked->size(), "exemplar") + " read in " +
               counted(report.files.size(), "file"));
  for (const auto& [path, count] : report.files) {
    write_result("  " + printable(path) + ": " + std::to_string(count));
  }
  write_counts("sources", counts_of(report, &CheckedExemplar::source));
  write_counts("topics", counts_of(report, &CheckedExemplar::topic));
  write_counts("review", counts_of(report, &CheckedExemplar::review_status));
  write_counts("reviewers", counts_of(report, &CheckedExemplar::reviewer));
  write_list("Defects", report.defects);
  std::vector<std::string> without_answer;
  for (const CheckedExemplar& one : *report.checked) {
    if (has_no_answer(one)) without_answer.push_back(words_for(one.exemplar));
  }
  write_list("Without an answer", without_answer);
  write_list("Repeated questions", sentences_of(report, report.repeated_questions));
  write_list("Repeated answers", sentences_of(report, report.repeated_answers));
  if (report.overlap) {
    write_list("Questions of the evaluation among the exemplars",
               sentences_of(report, *report.overlap));
  } else {
    write_result(
        "Questions of an evaluation among the exemplars: not checked; name its files with "
        "--against");
  }
  write_lengths(report);
  write_identifiers(report);
}

}  // namespace prescript
