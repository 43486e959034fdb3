#pragma once
// The report of a study: a page with figures, and the same numbers as CSV.

#include <map>
#include <string>

#include "rating/study.h"
#include "statistics/bootstrap.h"

namespace prescript {

/// The files of the report by name: report.html; ratings.csv with the source of every rating; and
/// shares.csv, comparisons.csv and agreement.csv or, for a ranking, places.csv, pairs.csv and
/// agreement.csv. They hold ids of questions and codes of raters, and no text of an answer. Throws
/// InputError(kUsage) when nothing has been rated.
std::map<std::string, std::string> rating_report(const StudyPlan& plan,
                                                 const std::vector<Axis>& axes,
                                                 const std::vector<Rating>& ratings,
                                                 const BootstrapOptions& options);

}  // namespace prescript
