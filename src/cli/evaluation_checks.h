#pragma once
// What speaks against an evaluation as its recipe describes it, before anything is computed.

#include "cli/evaluation_run.h"

namespace prescript {

/// Throws InputError(kUsage) for a file to read that lies in the output directory, where it would
/// be replaced, and for an adapter that is to get a threshold and cannot be written. Warns of
/// questions that stand in a task twice, and of those that a test shares with the task of the
/// threshold.
void check_evaluation(const EvaluationRun& run);

}  // namespace prescript
