#pragma once
// What raters found about answers put in order: which source ranks first, and how surely.

#include <optional>
#include <string>
#include <vector>

#include "rating/study.h"
#include "statistics/bootstrap.h"

namespace prescript {

/// One source of a ranking. Places are mid-ranks: answers that share places have their mean. A
/// question counts once, with the mean over its raters; intervals resample questions.
struct RankedSource {
  size_t source;
  Estimate mean_place;   // 1 is best
  Estimate first_share;  // of the first places; answers that share one divide it
  /// Mean place - that of the first source, on the same questions; nothing for the first itself.
  std::optional<Estimate> behind;
  /// The raters do not tell it from the first: the interval of `behind` holds 0.
  bool ties_with_first;
};

/// How often the answers of one source were placed before those of another.
struct PairwiseRank {
  size_t first;
  size_t second;
  size_t wins;  // ratings in which `first` stands before `second`
  size_t ties;  // share a place
  size_t losses;
  Estimate share;  // of wins, ties counting half; questions resampled
};

struct RankingResults {
  std::vector<RankedSource> sources;  // best first; empty without ratings
  std::vector<PairwiseRank> pairs;
  size_t num_questions;           // with a rating
  std::optional<Estimate> alpha;  // Krippendorff's, ordinal, of the places; nothing for one rater
};

/// For a study of kind ranking. `ratings` are the latest of each rater and task.
RankingResults ranking_results(const StudyPlan& plan,
                               const std::vector<Rating>& ratings,
                               const BootstrapOptions& options);

/// Who ranks first, and who is not told from it, in a sentence.
std::string ranking_verdict(const StudyPlan& plan, const RankingResults& results);

/// The mid-ranks of places that may be shared and left out: {1, 3, 3} -> {1, 2.5, 2.5}.
std::vector<double> mid_ranks(const std::vector<size_t>& places);

}  // namespace prescript
