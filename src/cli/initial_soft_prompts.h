#pragma once
// How the soft prompts of a run begin.

#include <functional>
#include <string>
#include <vector>

#include "adapter/soft_prompt.h"
#include "infer/base_model_files.h"
#include "recipe/recipe.h"

namespace prescript {

/// How the soft prompt of each candidate begins. Throws InputError naming soft_prompt.init when a
/// text has no tokens, or the adapter does not fit; what passes with a doubt goes to `on_warning`.
std::vector<SoftPrompt> initial_soft_prompts(
    const Recipe& recipe,
    const BaseModelFiles& base,
    const std::function<void(const std::string&)>& on_warning);

/// The root mean square norm of rows of the base model's embedding: of a thousand ordinary tokens.
double vocabulary_norm(const BaseModelFiles& base);

}  // namespace prescript
