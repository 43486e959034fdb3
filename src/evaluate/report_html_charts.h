#pragma once
// The charts of report.html.

#include <vector>

#include "evaluate/result.h"
#include "report/line_chart.h"

namespace prescript {

/// Accuracy against deferral: one chart for each task and kind of confidence, a step curve for each
/// system.
std::vector<LineChart> deferral_charts(const Evaluation& evaluation);

/// How often answers of a confidence are right: charts and curves as above.
std::vector<LineChart> calibration_charts(const Evaluation& evaluation);

/// Training and validation loss of each adapter whose run is at hand.
std::vector<LineChart> loss_charts(const Evaluation& evaluation);

}  // namespace prescript
