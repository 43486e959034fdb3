#pragma once
// What the candidates of a search came to.

#include <string>

#include "recipe/recipe.h"
#include "train/run_state.h"

namespace prescript {

/// "candidate 2 (learning rate 0.01, weight decay 1.0e-05, seed 1)".
std::string describe_candidate(const Recipe& recipe, size_t candidate);

/// A table as results: a line for each candidate of the run, the best one marked.
void write_search_table(const Recipe& recipe, const RunState& state);

/// The same as JSON: {"best": NUMBER, "candidates": [{...}, ...]}; candidates count from 1.
std::string search_json(const Recipe& recipe, const RunState& state);

}  // namespace prescript
