// Tables: MMLU (Hendrycks et al. 2021), whose files have no header, and those that a clinic keeps
// in a spreadsheet and saves as CSV.

#include <algorithm>

#include "base/counted.h"
#include "base/durable_file.h"
#include "exemplars/import_collector.h"
#include "io/csv.h"
#include "io/quote.h"

namespace prescript {
namespace {

/// The fields of an exemplar that a column may hold, besides options A to Z.
constexpr std::string_view kFields[] = {
    "id", "question", "answer", "context", "rationale", "source", "topic"};

bool is_field(std::string_view name) {
  const bool is_option = name.size() == 1 && name[0] >= 'A' && name[0] <= 'Z';
  return is_option || std::find(std::begin(kFields), std::end(kFields), name) != std::end(kFields);
}

std::string place_of(const std::string& path, const CsvRow& row) {
  return path + ":" + std::to_string(row.front().line);
}

/// The letter that `answer` is, or that of the one option whose text it is.
std::string letter_of(const std::string& answer,
                      const std::vector<std::string>& options,
                      const std::string& place) {
  if (options.empty() || answer.empty()) return answer;
  const bool is_letter = answer.size() == 1 && answer[0] >= 'A' &&
                         static_cast<size_t>(answer[0] - 'A') < options.size();
  if (is_letter) return answer;
  const auto found = std::find(options.begin(), options.end(), answer);
  if (found == options.end() || std::find(found + 1, options.end(), answer) != options.end()) {
    throw InputError(ExitCode::kData,
                     place + ": answer: neither the letter nor the text of one of " +
                         counted(options.size(), "option"));
  }
  return std::string(1, static_cast<char>('A' + (found - options.begin())));
}

/// Which column holds which field, from the header and what was asked for.
std::map<std::string, size_t> columns_of(const CsvRow& header,
                                         const std::string& path,
                                         ImportCollector& collector) {
  const auto refuse = [&](const std::string& message) {
    throw InputError(ExitCode::kUsage, place_of(path, header) + ": " + message);
  };
  if (is_divided_by_semicolons(header)) {
    refuse("the columns are divided by semicolons; save the table with commas");
  }
  const auto& asked = collector.options().columns;
  std::map<std::string, size_t> columns;
  for (size_t i = 0; i < header.size(); ++i) {
    const std::string name = trimmed(header[i].text);
    std::string field = is_field(name) ? name : "";
    for (const auto& [of, column] : asked) {
      if (column == name) field = of;
    }
    const auto replaced = asked.find(field);
    if (field.empty() || (replaced != asked.end() && replaced->second != name)) {
      collector.note_unused(name);
    } else if (!columns.try_emplace(field, i).second) {
      refuse("two columns hold " + field + "; choose one with --column " + field + "=HEADER");
    }
  }
  for (const auto& [field, name] : asked) {
    if (!columns.contains(field)) refuse("no column is headed " + quote(name));
  }
  if (!columns.contains("question")) {
    refuse("no column is headed question; name it with --column question=HEADER");
  }
  return columns;
}

void import_row(const CsvRow& row,
                const std::map<std::string, size_t>& columns,
                const std::string& path,
                size_t number,
                ImportCollector& collector) {
  const auto text = [&](const std::string& field) {
    const auto column = columns.find(field);
    return column == columns.end() ? "" : trimmed(row[column->second].text);
  };
  ImportedExemplar exemplar{.place = place_of(path, row)};
  exemplar.id = text("id");
  if (exemplar.id.empty()) exemplar.id = stem_of(path) + "-" + std::to_string(number);
  exemplar.source = text("source");
  exemplar.topic = text("topic");
  exemplar.context = text("context");
  exemplar.question = text("question");
  bool has_gap = false;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    const std::string option = text(std::string(1, letter));
    if (!option.empty() && has_gap) {
      throw InputError(ExitCode::kData,
                       exemplar.place + ": " + letter + ": an option before it is empty");
    }
    has_gap = option.empty();
    if (!option.empty()) exemplar.options.push_back(option);
  }
  exemplar.answer = letter_of(text("answer"), exemplar.options, exemplar.place);
  exemplar.rationale = text("rationale");
  collector.add(std::move(exemplar));
}

std::vector<CsvRow> rows_of(const std::string& path) {
  return parse_csv(read_file(path, kMaxImportBytes, ExitCode::kData), path, ExitCode::kData);
}

}  // namespace

void import_mmlu(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const std::string& path : paths) {
    collector.record([&] {
      const std::string stem = stem_of(path);  // "anatomy_test"
      size_t number = 0;
      for (const CsvRow& row : rows_of(path)) {
        ++number;
        collector.record([&] {
          ImportedExemplar exemplar{.place = place_of(path, row)};
          if (row.size() < 4) {
            throw InputError(ExitCode::kData,
                             exemplar.place + ": " + counted(row.size(), "column") +
                                 "; a row is the question, two or more options, and a letter");
          }
          exemplar.id = "mmlu-" + stem + "-" + std::to_string(number);
          exemplar.source = "MMLU";
          exemplar.topic = stem.substr(0, stem.rfind('_'));
          exemplar.question = trimmed(row.front().text);
          for (size_t i = 1; i + 1 < row.size(); ++i)
            exemplar.options.push_back(trimmed(row[i].text));
          exemplar.answer = trimmed(row.back().text);
          for (size_t i = 0; i < exemplar.options.size(); ++i) {
            if (exemplar.options[i].empty()) {
              throw InputError(ExitCode::kData,
                               exemplar.place + ": column " + std::to_string(i + 2) + ": empty");
            }
          }
          collector.add(std::move(exemplar));
        });
      }
    });
  }
}

void import_csv(const std::vector<std::string>& paths, ImportCollector& collector) {
  for (const auto& [field, unused] : collector.options().columns) {
    if (!is_field(field)) {
      throw InputError(ExitCode::kUsage,
                       "--column: " + quote(field) +
                           " is not one of id, question, answer, context, rationale, source, "
                           "topic, and A to Z for options");
    }
  }
  for (const std::string& path : paths) {
    collector.record([&] {
      const std::vector<CsvRow> rows = rows_of(path);
      if (rows.empty()) throw InputError(ExitCode::kData, path + ": no rows");
      const auto columns = columns_of(rows.front(), path, collector);
      for (size_t i = 1; i < rows.size(); ++i) {
        collector.record([&] {
          if (rows[i].size() != rows.front().size()) {
            throw InputError(ExitCode::kData,
                             place_of(path, rows[i]) + ": " + counted(rows[i].size(), "column") +
                                 ", the header has " + std::to_string(rows.front().size()));
          }
          import_row(rows[i], columns, path, i, collector);
        });
      }
    });
  }
}

}  // namespace prescript
