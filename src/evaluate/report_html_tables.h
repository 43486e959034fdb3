#pragma once
// The tables of report.html.

#include <string>
#include <vector>

#include "evaluate/result.h"
#include "report/table.h"

namespace prescript {

/// "zero_shot" as people write it.
std::string strategy_name(const std::string& strategy);
std::string scoring_name(const std::string& scoring);

/// One row for each condition of multiple choice: accuracy on an axis, with what could not be read.
Table accuracy_table(const Evaluation& evaluation);

/// One row for each condition of long form; no rows where there is none.
Table long_form_table(const Evaluation& evaluation);

/// Comparisons of systems under one strategy, or of strategies under one system, in one metric.
Table comparison_table(const Evaluation& evaluation, bool of_systems, const std::string& metric);

/// How good the confidences of each condition are that has some.
Table confidence_table(const Evaluation& evaluation);

/// From which confidence on a wanted accuracy is reached; where it is not, the most accurate.
Table threshold_table(const Evaluation& evaluation);

Table shared_work_table(const Evaluation& evaluation);
Table contamination_table(const Evaluation& evaluation);
Table system_table(const Evaluation& evaluation);
Table task_table(const Evaluation& evaluation);
Table prompt_table(const Evaluation& evaluation);

}  // namespace prescript
