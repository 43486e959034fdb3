#pragma once
// report.json: everything that an evaluation found, without the text of a question or an answer.

#include <string>

#include "evaluate/result.h"

namespace prescript {

/// Numbers have the digits that read back to the same float64; an interval is [value, low, high].
std::string report_json(const Evaluation& evaluation);

}  // namespace prescript
