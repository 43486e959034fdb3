#pragma once
// An evaluation as a page for people: report.html.

#include <string>

#include "evaluate/result.h"

namespace prescript {

/// The page: accuracies with their intervals, where strategies and adapters help or hurt, deferral
/// and calibration, what sharing saved, contamination, losses of the adapters' runs, ten questions
/// won and ten lost, how it was done, and what it does not show. One file that loads nothing. It
/// holds questions and answers: write it for its owner alone.
std::string report_html(const Evaluation& evaluation);

}  // namespace prescript
