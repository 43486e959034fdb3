#pragma once
// Lines of records.jsonl: all that a system said about a question, enough to judge it again without
// the model.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "infer/scoring.h"

namespace prescript {

/// What is computed for a question: the log-likelihoods of its options, its answer, or samples of
/// its answer. One computation may serve several strategies.
enum class Computation { kOptions, kAnswer, kSamples };

const char* name_of(Computation computation);

/// Which computation of which question under which system. `prompt` names the strategy whose hard
/// prompt it stands behind; that of all samples is chain_of_thought.
struct RecordKey {
  std::string task;
  std::string prompt;
  Computation computation = Computation::kOptions;
  std::string system;
  std::string id;

  auto operator<=>(const RecordKey&) const = default;
};

struct OptionScore {
  std::string letter;
  std::optional<LogLikelihood> by_letter = {};  // of "(X)"
  std::optional<LogLikelihood> by_text = {};
};

struct GeneratedText {
  std::string text;
  int64_t num_tokens = 0;  // the end token included
  bool cut_off = false;    // ended at the limit of tokens
};

struct Record {
  RecordKey key;
  std::vector<OptionScore> options = {};  // of kOptions
  std::vector<GeneratedText> texts = {};  // one, or the samples in the order drawn
  /// What the parser found in each text; for people: judging parses the texts again.
  std::vector<std::optional<std::string>> answers = {};
};

/// Rows of computations, over all systems.
struct WorkRecord {
  std::string task;
  std::string prompt;
  Computation computation = Computation::kOptions;
  int64_t rows_computed = 0;
  int64_t rows_unshared = 0;
};

/// One line each, newline included.
std::string line_of(const Record& record);
std::string line_of(const WorkRecord& record);

struct Records {
  std::vector<Record> records;
  std::vector<WorkRecord> work;
  /// The bytes that whole lines take: what is behind them was cut off by a crash.
  uint64_t whole_bytes = 0;
};

/// Reads the bytes of records.jsonl. Throws InputError(kData) "path:line: ..." for a line that is
/// no record.
Records parse_records(std::string_view bytes, const std::string& path);

}  // namespace prescript
