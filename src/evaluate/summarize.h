#pragma once
// From judgements to the numbers of the report.

#include "evaluate/evaluation_directory.h"
#include "evaluate/result.h"

namespace prescript {

/// Judges the records and computes every number with its interval: accuracies, deferral, scores of
/// long answers, comparisons of systems under the same strategy and of strategies under the same
/// system, and what sharing saved. The same files give the same result. Of an evaluation that is
/// not finished, over what is there.
Evaluation summarize(const EvaluationFiles& files);

}  // namespace prescript
