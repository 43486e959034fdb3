#pragma once
// Where the readers of the formats put what they find.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exemplars/import.h"
#include "io/json.h"

namespace prescript {

inline constexpr uint64_t kMaxImportBytes = uint64_t{1} << 30;

/// A record as exemplar. Blank texts are absent.
struct ImportedExemplar {
  std::string place = {};  // "file:record", for messages
  std::string id = {};
  std::string source = {};
  std::string topic = {};
  std::string context = {};
  std::string question = {};
  std::vector<std::string> options = {};  // A, B, ...
  std::string answer = {};                // a letter where there are options
  std::string rationale = {};
  std::vector<std::string> must_have = {};
  std::vector<std::pair<std::string, std::string>> messages =
      {};  // role and text, instead of the rest
};

class ImportCollector {
 public:
  explicit ImportCollector(const ImportOptions& options) : options_(options) {}

  const ImportOptions& options() const { return options_; }

  /// Runs a reader of one record; an InputError(kData) of it is a defect, and the next is read.
  void record(const std::function<void()>& read);
  void add(ImportedExemplar exemplar);
  void leave_out(const std::string& reason) { ++set_.left_out[reason]; }
  void defect(std::string message) { defects_.push_back(std::move(message)); }
  /// Notes the fields of a record that are none of `known`.
  void note_unused(const JsonCursor& record, std::initializer_list<std::string_view> known);
  void note_unused(const std::string& field) { set_.unused_fields.insert(field); }

  /// Throws InputError(kData) where there were defects, or nothing to import.
  ImportedSet take(const std::string& place);

 private:
  const ImportOptions& options_;
  ImportedSet set_;
  std::vector<std::string> defects_;
  std::map<std::string, std::string> place_of_id_;
};

/// A text without white space around it.
std::string trimmed(std::string_view text);

/// The text of a member that may be absent or null; trimmed.
std::string text_of(const JsonCursor& record, std::string_view key);
/// That of a member that must be there.
std::string required_text(const JsonCursor& record, std::string_view key);

/// "dev" for "/data/dev.jsonl".
std::string stem_of(const std::string& path);

/// Calls `read(record, number)` for each record of a JSON array or a JSONL file; numbers are those
/// of items or lines, from 1, which `record`'s messages name as "file:number".
void for_each_json_record(const std::string& path,
                          ImportCollector& collector,
                          const std::function<void(const JsonCursor&, const std::string&)>& read);

// The readers, one for each format.
void import_medquad(const std::vector<std::string>& paths, ImportCollector& collector);
void import_liveqa(const std::vector<std::string>& paths, ImportCollector& collector);
void import_pubmedqa(const std::vector<std::string>& paths, ImportCollector& collector);
void import_mmlu(const std::vector<std::string>& paths, ImportCollector& collector);
void import_medqa(const std::vector<std::string>& paths, ImportCollector& collector);
void import_medmcqa(const std::vector<std::string>& paths, ImportCollector& collector);
void import_kqa(const std::vector<std::string>& paths, ImportCollector& collector);
void import_alpaca(const std::vector<std::string>& paths, ImportCollector& collector);
void import_messages(const std::vector<std::string>& paths, ImportCollector& collector);
void import_csv(const std::vector<std::string>& paths, ImportCollector& collector);

}  // namespace prescript
