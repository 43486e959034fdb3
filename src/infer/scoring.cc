#include "infer/scoring.h"

namespace prescript {
namespace {

/// One past the last question, from `begin` on, that still fits into a forest.
size_t end_of_forest(std::span<const std::vector<Sequence>> questions,
                     size_t begin,
                     int64_t max_rows) {
  int64_t rows = 0;
  size_t end = begin;
  while (end < questions.size()) {
    rows += num_unshared_rows(questions[end]);
    if (end > begin && rows > max_rows) break;
    ++end;
  }
  return end;
}

}  // namespace

Scores score_questions(Decoder& decoder,
                       const AdapterSet& adapters,
                       std::span<const std::vector<Sequence>> questions,
                       const ScoringOptions& options,
                       const std::function<void(size_t, const Scores&)>& on_progress) {
  Scores scores;
  for (const auto& sequences : questions) scores.of_questions.emplace_back(sequences.size());
  for (size_t begin = 0; begin < questions.size();) {
    const size_t end = end_of_forest(questions, begin, options.max_forest_rows);
    std::vector<Sequence> sequences;
    std::vector<LogLikelihood*> score_of;  // each sequence's
    for (size_t q = begin; q < end; ++q) {
      for (size_t s = 0; s < questions[q].size(); ++s) {
        sequences.push_back(questions[q][s]);
        score_of.push_back(&scores.of_questions[q][s]);
      }
    }
    const Forest forest = build_forest(sequences, adapters.roots(), {});
    const ForestResult result = score_forest(decoder,
                                             forest,
                                             {.max_rows = options.max_pass_rows},
                                             adapters.prompts_PD(),
                                             adapters.root_key_values());
    for (size_t t = 0; t < forest.targets.size(); ++t) {
      LogLikelihood& score = *score_of[forest.targets[t].sequence];
      score.log_likelihood += result.log_probs[t];
      ++score.num_tokens;
    }
    scores.rows_computed += result.rows_computed;
    begin = end;
    if (on_progress) on_progress(end, scores);
  }
  return scores;
}

}  // namespace prescript
