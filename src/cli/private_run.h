#pragma once
// What privacy means for a run: what it may not hold beside, and what it costs.

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "cli/prepared_run.h"

namespace prescript {

/// Throws InputError for what would leak past the noise or contradicts its assumptions: an expected
/// batch of more exemplars than there are, exemplars that both train and choose the adapter. What
/// the accountant cannot see is a warning. Nothing without privacy.
void check_privacy(const PreparedRun& run);

/// The steps that a finished private run is charged for. One that patience may end is charged for
/// all: when it ended tells something, and its guarantee is that of the longest run it could be.
/// Source   Feldman & Zrnic 2021, "Individual privacy accounting via a Renyi filter".
int64_t charged_steps(const Recipe& recipe, int64_t steps_taken);

/// Epsilon of a private run after so many steps.
double epsilon_of_run(const Recipe& recipe, const TrainingData& data, int64_t steps);

/// "epsilon 3.214 at delta 1e-05 after 200 steps (noise 1.1, ...)".
std::string describe_privacy(const Recipe& recipe, const TrainingData& data, int64_t steps);

/// The same as {"epsilon", "delta", "noise", ...}.
nlohmann::ordered_json privacy_facts(const Recipe& recipe, const TrainingData& data, int64_t steps);

}  // namespace prescript
