#pragma once
// Log-likelihoods of many texts under many adapters, in one forest.

#include <functional>
#include <span>
#include <vector>

#include "infer/adapter_set.h"

namespace prescript {

struct LogLikelihood {
  double log_likelihood = 0;  // natural log, summed over the sequence's targets
  int64_t num_tokens = 0;     // its targets
};

struct ScoringOptions {
  int64_t max_pass_rows = 2048;       // rows that go through the decoder together
  int64_t max_forest_rows = 1 << 20;  // rows, unshared, that are cut into passes together
};

struct Scores {
  /// One per sequence, in the order given.
  std::vector<std::vector<LogLikelihood>> of_questions;
  /// Rows that went through the decoder; those of the adapters' roots were computed before.
  int64_t rows_computed = 0;
};

/// Scores each sequence of each question (an answer, or one per option). All of them form one
/// forest, or several where they are many; the sequences of a question are never divided. Soft
/// prompt i of a sequence is adapter i. `on_progress` is told how many questions are done, and
/// their scores.
Scores score_questions(Decoder& decoder,
                       const AdapterSet& adapters,
                       std::span<const std::vector<Sequence>> questions,
                       const ScoringOptions& options,
                       const std::function<void(size_t, const Scores&)>& on_progress = {});

}  // namespace prescript
