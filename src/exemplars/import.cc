#include "exemplars/import.h"

#include <algorithm>
#include <filesystem>
#include <functional>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "exemplars/import_collector.h"
#include "exemplars/jsonl.h"
#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

struct Reader {
  ImportFormat format;
  void (*read)(const std::vector<std::string>&, ImportCollector&);
  std::vector<std::string> marks;  // fields of a record by which it is known; none: it is not
};

const std::vector<Reader>& readers() {
  static const std::vector<Reader> all = {
      {{"medquad", "MedQuAD: XML documents with QAPairs, or directories of them"},
       import_medquad,
       {}},
      {{"liveqa", "LiveQA of TREC 2017: XML, the test set and the training sets"},
       import_liveqa,
       {}},
      {{"pubmedqa", "PubMedQA: JSON, ori_pqal.json; options yes, no, maybe"}, import_pubmedqa, {}},
      {{"mmlu", "MMLU: CSV without a header: question, options, letter"}, import_mmlu, {}},
      {{"medqa", "MedQA: JSONL, four or five options"}, import_medqa, {"options", "answer_idx"}},
      {{"medmcqa", "MedMCQA: JSONL or JSON, opa to opd and cop"}, import_medmcqa, {"opa", "opd"}},
      {{"kqa", "K-QA: JSONL with Free_form_answer and Must_have"},
       import_kqa,
       {"Question", "Must_have"}},
      {{"alpaca", "JSONL or JSON with instruction, input, output"},
       import_alpaca,
       {"instruction", "output"}},
      {{"messages", "JSONL or JSON with messages: role, content"}, import_messages, {"messages"}},
      {{"csv", "CSV with a header, such as a table of your own; see --column"}, import_csv, {}}};
  return all;
}

const Reader& reader_of(const std::string& format) {
  std::string known;
  for (const Reader& reader : readers()) {
    if (reader.format.name == format) return reader;
    known += std::string(known.empty() ? "" : ", ") + std::string(reader.format.name);
  }
  throw InputError(ExitCode::kUsage, "format: " + quote(format) + " is not one of auto, " + known);
}

/// The first record of JSON or JSONL, or nothing.
nlohmann::json first_record(const std::string& bytes, const std::string& path) {
  nlohmann::json record;
  if (bytes.find_first_not_of(" \t\r\n") == bytes.find('[')) {
    const auto array =
        parse_json(bytes, path, ExitCode::kUsage, {.max_bytes = kMaxImportBytes, .max_depth = 64});
    return array.empty() ? record : array.front();
  }
  try {
    for_each_jsonl_line(bytes, path, [&](std::string_view line, size_t number) {
      if (record.is_null())
        record = parse_json_line(line, path + ":" + std::to_string(number), ExitCode::kUsage);
    });
  } catch (const InputError&) {
    return parse_json(
        bytes, path, ExitCode::kUsage, {.max_bytes = kMaxImportBytes, .max_depth = 64});
  }
  return record;
}

}  // namespace

const std::vector<ImportFormat>& import_formats() {
  static const std::vector<ImportFormat> all = [] {
    std::vector<ImportFormat> formats;
    for (const Reader& reader : readers()) formats.push_back(reader.format);
    return formats;
  }();
  return all;
}

ImportedSet import_exemplars(const std::string& format,
                             const std::vector<std::string>& paths,
                             const ImportOptions& options) {
  const Reader& reader = reader_of(format);
  if (!options.columns.empty() && format != "csv") {
    throw InputError(ExitCode::kUsage, "--column: only format csv has columns to choose");
  }
  if (options.first_option && format != "medmcqa") {
    throw InputError(ExitCode::kUsage, "--first-option: only format medmcqa leaves it open");
  }
  ImportCollector collector(options);
  reader.read(paths, collector);
  return collector.take(paths.front());
}

std::string detect_import_format(const std::string& path) {
  const auto unknown = [&](const std::string& found) -> std::string {
    throw InputError(ExitCode::kUsage,
                     path + ": " + found + "; name the format (prescript exemplars import --help)");
  };
  if (std::filesystem::is_directory(path)) return unknown("the format of a directory is not known");
  const std::string bytes = read_file(path, kMaxImportBytes, ExitCode::kData);
  const std::string head = bytes.substr(0, 4096);
  if (head.find("<Document") != head.npos && bytes.find("<QAPairs") != bytes.npos) return "medquad";
  if (head.find("<NLM-QUESTION") != head.npos) return "liveqa";
  nlohmann::json record;
  try {
    record = first_record(bytes, path);
  } catch (const InputError&) {
    return unknown("the format is not known from its content");
  }
  if (!record.is_object() || record.empty()) return unknown("no record to know the format by");
  if (record.front().is_object() && record.front().contains("CONTEXTS")) return "pubmedqa";
  std::vector<std::string> found;
  for (const Reader& reader : readers()) {
    const auto has = [&](const std::string& mark) { return record.contains(mark); };
    if (!reader.marks.empty() && std::all_of(reader.marks.begin(), reader.marks.end(), has))
      found.emplace_back(reader.format.name);
  }
  if (found.size() != 1) return unknown("its records are not those of one format alone");
  return found.front();
}

}  // namespace prescript
