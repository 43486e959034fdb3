#pragma once
// Selective prediction with intervals: the curve, its area, calibration and the threshold.

#include <span>
#include <vector>

#include "evaluate/result.h"
#include "statistics/bootstrap.h"
#include "statistics/judged_answer.h"

namespace prescript {

/// Of one answer for each question. The curve has at most 41 points: of more confidences than that,
/// as many that are spread evenly over the questions. The threshold is the one that defers least
/// among those that reach `target_accuracy`; where none does, the most accurate one is shown as not
/// reached.
Selective selective_of(std::span<const JudgedAnswer> answers,
                       double target_accuracy,
                       const BootstrapOptions& bootstrap);

}  // namespace prescript
