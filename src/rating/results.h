#pragma once
// What raters found about answers judged on axes: shares, agreement, comparisons.

#include <optional>
#include <vector>

#include "rating/study.h"
#include "statistics/bootstrap.h"

namespace prescript {

/// What was chosen on one axis about the answers of one source. Options are counted rating by
/// rating; intervals resample questions, since ratings of one question are no independent sample.
struct AxisShares {
  size_t axis;
  size_t source;
  size_t num_ratings;
  std::vector<Estimate> shares;  // of each option; empty without ratings
};

/// How much raters agree on one axis.
struct AxisAgreement {
  size_t axis;
  size_t num_tasks;               // rated by two people or more
  std::optional<Estimate> alpha;  // Krippendorff's
};

/// How the favourable option's share differs between two sources on the questions rated for both.
struct AxisComparison {
  size_t axis;
  size_t first;
  size_t second;
  size_t num_questions;
  std::optional<Estimate> difference;  // share of first - share of second
};

struct RatingResults {
  std::vector<AxisShares> shares;           // axis by axis, source by source
  std::vector<AxisAgreement> agreement;     // axis by axis
  std::vector<AxisComparison> comparisons;  // axis by axis, pair by pair
};

/// For a study of kind clinician or lay. `ratings` are the latest of each rater and task.
RatingResults rating_results(const StudyPlan& plan,
                             const std::vector<Axis>& axes,
                             const std::vector<Rating>& ratings,
                             const BootstrapOptions& options);

/// The place of an option among those of its axis. Throws ContractError for another one.
size_t option_index(const Axis& axis, const std::string& option);

/// The number of each task's question: equal for tasks of one question, from 0 in order of tasks.
std::vector<size_t> question_of_tasks(const StudyPlan& plan);

}  // namespace prescript
