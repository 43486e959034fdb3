// What prescript inspect says about a recipe: what it feeds.

#include <nlohmann/json.hpp>

#include "cli/inspect.h"
#include "cli/run_plan.h"
#include "forest/forest.h"
#include "train/batches.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// Counts of a set; tokens without the soft prompt.
ordered_json set_facts(const std::string& path, std::span<const TrainingExemplar> exemplars) {
  std::vector<int64_t> tokens;
  std::vector<int64_t> targets;
  for (const TrainingExemplar& exemplar : exemplars) {
    tokens.push_back(static_cast<int64_t>(exemplar.rendered.ids.size()));
    targets.push_back(static_cast<int64_t>(exemplar.rendered.targets.size()));
  }
  return {{"path", path},
          {"num_exemplars", exemplars.size()},
          {"tokens", summary_of(tokens)},
          {"targets", summary_of(targets)}};
}

ordered_json hard_prompt_facts(const TrainingData& data) {
  const HardPrompt& prompt = data.hard_prompt;
  ordered_json ids = ordered_json::array();
  for (const Exemplar& exemplar : prompt.few_shot) ids.push_back(exemplar.id);
  return {{"format", prompt.format == PromptFormat::kPlain ? "plain" : "chat"},
          {"instruction", prompt.instruction ? ordered_json(*prompt.instruction) : ordered_json()},
          {"few_shot", ids},
          {"rationale", prompt.rationale},
          {"tokens", data.train.front().rendered.question_token}};
}

/// Rows of the first step, of all candidates: shared, one by one, and padded as other trainers feed
/// them. Those of the head start are computed before.
ordered_json step_facts(const Recipe& recipe, const TrainingData& data) {
  const TrainingDataOptions options = training_data_options(recipe);
  std::vector<Sequence> sequences;
  int32_t prompt = 0;
  for (const Recipe& candidate : candidates_of(recipe)) {
    for (const TrainingExemplar* exemplar : exemplars_of_step(
             data.train, recipe.training.batch_size, candidate.training.seed, /*step=*/1)) {
      sequences.push_back(splice(exemplar->rendered,
                                 {.index = prompt,
                                  .num_virtual_tokens = options.num_virtual_tokens,
                                  .position = options.position}));
    }
    ++prompt;
  }
  std::vector<std::vector<Row>> given;
  if (!data.head_start.empty()) given.push_back(data.head_start);
  return {{"batch_size", recipe.training.batch_size},
          {"rows_shared", build_forest(sequences, given, {}).num_rows()},
          {"rows_unshared", num_unshared_rows(sequences)},
          {"rows_padded", num_padded_rows(sequences)}};
}

}  // namespace

ordered_json inspect_recipe(const std::string& path, const std::vector<std::string>& overrides) {
  const Recipe recipe = read_recipe(path, overrides);
  const BaseModelFiles base = open_base_model(recipe.base_model);
  const TrainingData data = load_training_data(base, training_data_options(recipe));
  ordered_json facts = {{"kind", "recipe"},
                        {"path", path},
                        {"base_model", recipe.base_model},
                        {"output", recipe.output},
                        {"steps", recipe.training.steps},
                        {"num_virtual_tokens", recipe.soft_prompt.num_virtual_tokens},
                        {"position", recipe.soft_prompt.position},
                        {"not_accepted", data.not_accepted},
                        {"without_rationale", data.without_rationale},
                        {"unused_fields", data.unused_fields},
                        {"hard_prompt", hard_prompt_facts(data)},
                        {"train", set_facts(recipe.data.train, data.train)}};
  if (recipe.data.validation) {
    facts["validation"] = set_facts(*recipe.data.validation, data.validation);
  }
  if (recipe.search != SearchRecipe()) facts["candidates"] = candidates_of(recipe).size();
  facts["head_start"] = data.head_start.size();
  facts["first_step"] = step_facts(recipe, data);
  return facts;
}

}  // namespace prescript
