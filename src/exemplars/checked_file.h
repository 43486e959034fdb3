#pragma once
// A file of exemplars with all that is wrong in it.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exemplars/identifiers.h"
#include "text/exemplar.h"

namespace prescript {

/// What may identify a person in one field of an exemplar.
struct FieldIdentifiers {
  std::string field;                       // "answer", "messages[1].content"
  std::map<IdentifierKind, size_t> kinds;  // how often each
};

/// A line that could be read.
struct CheckedExemplar {
  Exemplar exemplar;
  std::optional<std::string> source;
  std::optional<std::string> topic;
  std::optional<std::string> reviewer;       // review.reviewer
  std::optional<std::string> review_status;  // review.status
  std::vector<FieldIdentifiers> identifiers;
};

struct CheckedFile {
  std::string path;
  /// "file:line: field: ..." as read_exemplars says it, of every field that has one, and of every
  /// id that comes twice.
  std::vector<std::string> defects;
  std::vector<CheckedExemplar> exemplars;
};

/// Reads all of a JSONL file. Identifiers are sought in every text of a line, those of fields that
/// nothing reads too, but for `id`, `adapter` and `review`, and for web addresses in `source`.
/// Throws InputError(kData) when the file is absent or too large.
CheckedFile check_exemplar_file(const std::string& path, const ExemplarLimits& limits = {});

}  // namespace prescript
