#pragma once
// Exemplars from the files in which public sets, and a clinic's own tables, lie on disk.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// A kind of file that can be imported.
struct ImportFormat {
  std::string_view name;
  std::string_view description;  // what its files hold, in one line
};

/// medquad, liveqa, pubmedqa, mmlu, medqa, medmcqa, kqa, alpaca, messages, csv.
const std::vector<ImportFormat>& import_formats();

struct ImportOptions {
  bool keep_unanswered = false;                     // questions without an answer too
  std::map<std::string, std::string> columns = {};  // csv: header of the column that holds a field
  /// medmcqa: the `cop` of the first option, 0 or 1, where the files leave it open.
  std::optional<int64_t> first_option = {};
};

struct ImportedSet {
  std::string jsonl;  // one exemplar a line
  size_t num_imported = 0;
  std::map<std::string, size_t> left_out;  // how many records, by reason
  std::set<std::string> unused_fields;     // of the files, which no exemplar holds
};

/// Imports all records of the files. In format medquad a path may be a directory: all that ends in
/// .xml below it, by name. Ids are made of what the source has for one, else of the file's name
/// and the record's number, so that importing again gives the same. Every line is one that
/// parse_exemplar reads.
/// Throws InputError(kUsage) for an unknown format or a csv without the columns it needs,
/// InputError(kData) with a line for each defect, of which the first 20 are told: "file:record:
/// field: ...". Messages hold no text of a record.
ImportedSet import_exemplars(const std::string& format,
                             const std::vector<std::string>& paths,
                             const ImportOptions& options = {});

/// The format of a file, where its content leaves no doubt: JSON or XML whose records have the
/// fields of one format alone. Throws InputError(kUsage) otherwise.
std::string detect_import_format(const std::string& path);

}  // namespace prescript
