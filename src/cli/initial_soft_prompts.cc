#include "cli/initial_soft_prompts.h"

#include <map>

#include "adapter/adapter_files.h"
#include "adapter/initialize.h"
#include "io/quote.h"

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

std::vector<int32_t> ids_of(const std::string& text, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  for (const Token& token : tokenizer.encode(text, SpecialTokens::kText)) ids.push_back(token.id);
  return ids;
}

SoftPrompt from_text(const Recipe& recipe,
                     const BaseModelFiles& base,
                     const EmbeddingRows& embedding) {
  const std::vector<int32_t> ids = ids_of(recipe.soft_prompt.init.text, *base.tokenizer);
  if (ids.empty()) {
    throw InputError(ExitCode::kUsage,
                     "soft_prompt.init.text: it has no tokens; write a sentence that says what the "
                     "model is to do");
  }
  return soft_prompt_of_rows(repeat_to_length(ids, recipe.soft_prompt.num_virtual_tokens),
                             base.config.hidden_size,
                             embedding);
}

/// `ordinary` are the tokens that fill up what labels leave.
SoftPrompt from_labels(const Recipe& recipe,
                       const BaseModelFiles& base,
                       const std::vector<int32_t>& ordinary,
                       const EmbeddingRows& embedding) {
  std::vector<std::vector<int32_t>> labels;
  for (const std::string& label : *recipe.soft_prompt.init.labels) {
    labels.push_back(ids_of(label, *base.tokenizer));
    if (labels.back().empty()) {
      throw InputError(ExitCode::kUsage,
                       "soft_prompt.init.labels: " + quote(label) + " has no tokens; remove it");
    }
  }
  const int64_t num_left = recipe.soft_prompt.num_virtual_tokens - std::ssize(labels);
  return soft_prompt_of_labels(labels,
                               sample_ids(ordinary, num_left, recipe.training.seed),
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
  if (init.from == "class_labels") return from_labels(recipe, base, ids, embedding);
  const double scale = init.scale ? *init.scale : scale_of_vocabulary(ids, D, embedding);
  return uniform_soft_prompt(P, D, scale, seed);
}

}  // namespace

double vocabulary_norm(const BaseModelFiles& base) {
  constexpr int64_t kSample = 1000;  // its norm is within a few per cent of all rows'
  return norm_of_vocabulary(
      sample_ids(ordinary_tokens(*base.tokenizer), kSample, /*seed=*/1),
      [&base](const std::vector<int32_t>& ids) { return base.embedding_rows(ids); });
}

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
