#include "cli/initial_soft_prompts.h"

#include <map>

#include "adapter/adapter_files.h"
#include "adapter/initialize.h"

namespace prescript {
namespace {

/// Ids that a soft prompt may begin with: ordinary tokens.
std::vector<int32_t> ordinary_tokens(const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < static_cast<int32_t>(tokenizer.vocabulary_size()); ++id) {
    if (!tokenizer.is_special(id)) ids.push_back(id);
  }
  return ids;
}

SoftPrompt from_text(const Recipe& recipe,
                     const BaseModelFiles& base,
                     const EmbeddingRows& embedding) {
  std::vector<int32_t> ids;
  for (const Token& token :
       base.tokenizer->encode(recipe.soft_prompt.init.text, SpecialTokens::kText)) {
    ids.push_back(token.id);
  }
  if (ids.empty()) {
    throw InputError(ExitCode::kUsage,
                     "soft_prompt.init.text: it has no tokens; write a sentence that says what the "
                     "model is to do");
  }
  return soft_prompt_of_rows(repeat_to_length(ids, recipe.soft_prompt.num_virtual_tokens),
                             base.config.hidden_size,
                             embedding);
}

SoftPrompt from_adapter(const Recipe& recipe,
                        const BaseModelFiles& base,
                        const std::function<void(const std::string&)>& on_warning) {
  const std::string& path = recipe.soft_prompt.init.path;
  const Adapter adapter = read_adapter(path);
  const auto warning = check_adapter_fits(adapter, path, base, /*allow_other_base=*/false);
  if (warning) on_warning(*warning);
  if (adapter.prompt.num_virtual_tokens != recipe.soft_prompt.num_virtual_tokens) {
    throw InputError(
        ExitCode::kUsage,
        "soft_prompt.num_virtual_tokens: " + std::to_string(recipe.soft_prompt.num_virtual_tokens) +
            ", but the adapter that soft_prompt.init.path names has " +
            std::to_string(adapter.prompt.num_virtual_tokens) + "; use the same");
  }
  return adapter.prompt;
}

/// How a soft prompt begins under `recipe.training.seed`.
SoftPrompt initial_soft_prompt(const Recipe& recipe,
                               const BaseModelFiles& base,
                               const std::function<void(const std::string&)>& on_warning) {
  const InitRecipe& init = recipe.soft_prompt.init;
  const int64_t P = recipe.soft_prompt.num_virtual_tokens;
  const int64_t D = base.config.hidden_size;
  const uint64_t seed = recipe.training.seed;
  const EmbeddingRows embedding = [&base](const std::vector<int32_t>& ids) {
    return base.embedding_rows(ids);
  };
  if (init.from == "text") return from_text(recipe, base, embedding);
  if (init.from == "adapter") return from_adapter(recipe, base, on_warning);
  const std::vector<int32_t> ids = ordinary_tokens(*base.tokenizer);
  if (init.from == "vocabulary") {
    return soft_prompt_of_rows(sample_ids(ids, P, seed), D, embedding);
  }
  const double scale = init.scale ? *init.scale : scale_of_vocabulary(ids, D, embedding);
  return uniform_soft_prompt(P, D, scale, seed);
}

}  // namespace

std::vector<SoftPrompt> initial_soft_prompts(
    const Recipe& recipe,
    const BaseModelFiles& base,
    const std::function<void(const std::string&)>& on_warning) {
  std::map<uint64_t, SoftPrompt> by_seed;  // one recipe: that of one seed is warned about
  std::vector<SoftPrompt> initial;
  for (const Recipe& candidate : candidates_of(recipe)) {
    const auto [found, is_new] = by_seed.try_emplace(candidate.training.seed);
    if (is_new) {
      const auto warn = by_seed.size() == 1 ? on_warning : [](const std::string&) {};
      found->second = initial_soft_prompt(candidate, base, warn);
    }
    initial.push_back(found->second);
  }
  return initial;
}

}  // namespace prescript
