#pragma once
// evaluation.json: what an evaluation asks of whom.

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "evaluate/result.h"

namespace prescript {

nlohmann::ordered_json json_of(const EvaluationDescription& description);

std::string description_text(const EvaluationDescription& description);

/// Throws InputError(kData) for a text that is none.
EvaluationDescription parse_description(std::string_view text, const std::string& path);

/// The first part in which two descriptions differ so that answers of one are none of the other's:
/// "tasks.medqa", "systems.demo", "settings.seed"; empty where there is none.
std::string first_difference(const EvaluationDescription& one, const EvaluationDescription& other);

}  // namespace prescript
