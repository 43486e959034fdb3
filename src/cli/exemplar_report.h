#pragma once
// What a check of exemplars found, for people and as JSON.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exemplars/checked_file.h"
#include "exemplars/overlap.h"

namespace prescript {

/// An exemplar that is like another one.
struct LikeExemplars {
  const Exemplar* exemplar;
  const Exemplar* other;
  Likeness likeness;
  double similarity;
};

struct LongExemplar {
  const Exemplar* exemplar;
  int64_t tokens;
};

struct ExemplarReport {
  std::vector<std::pair<std::string, size_t>> files;  // with their exemplars
  const std::vector<CheckedExemplar>* checked = nullptr;
  std::vector<std::string> defects;
  std::vector<LikeExemplars> repeated_questions;
  std::vector<LikeExemplars> repeated_answers;
  std::optional<std::vector<LikeExemplars>> overlap;  // evaluation questions with exemplars
  std::optional<int64_t> context;                     // of the model
  std::vector<int64_t> tokens;
  std::vector<LongExemplar> too_long;

  /// Exemplars and pairs that are advice to look at.
  size_t num_findings() const;
};

/// Writes all of it to stdout; lists for people end after 20 items with a count of the others.
void write_report(const ExemplarReport& report, bool as_json);

}  // namespace prescript
