#include "cli/run_plan.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "adapter/adapter_files.h"
#include "adapter/initialize.h"
#include "base/hash.h"
#include "cli/version.h"
#include "train/memory_plan.h"

namespace prescript {
namespace {

constexpr double kBytesOfGb = 1e9;

/// Settings that a run may change when it goes on: they change no number, or what they name is
/// compared by content.
constexpr std::array<std::string_view, 13> kFreeSettings = {"base_model",
                                                            "data.train",
                                                            "data.validation",
                                                            "soft_prompt.init.path",
                                                            "device",
                                                            "output",
                                                            "training.memory_gb",
                                                            "training.evaluate_every",
                                                            "training.checkpoint_every",
                                                            "training.patience",
                                                            "weights.format",
                                                            "weights.residence",
                                                            "training.steps"};

bool is_free(const std::string& key) {
  return std::find(kFreeSettings.begin(), kFreeSettings.end(), key) != kFreeSettings.end();
}

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

ScheduleKind schedule_kind(const std::string& name) {
  if (name == "linear") return ScheduleKind::kLinear;
  if (name == "cosine") return ScheduleKind::kCosine;
  return ScheduleKind::kConstant;
}

}  // namespace

Recipe resolve(Recipe recipe, const Recipe* recorded) {
  if (recipe.device == "auto") recipe.device = "cpu";
  TrainingRecipe& training = recipe.training;
  if (recorded != nullptr) {
    if (!training.threads) training.threads = recorded->training.threads;
    if (!training.memory_gb) training.memory_gb = recorded->training.memory_gb;
    if (!training.micro_batch_tokens) {
      training.micro_batch_tokens = recorded->training.micro_batch_tokens;
    }
  }
  if (!training.threads) training.threads = default_num_threads();
  return recipe;
}

DType compute_dtype(const Recipe& recipe) {
  return recipe.dtype == "fp32" ? DType::kFloat32 : DType::kBFloat16;
}

WeightFormat weight_format(const Recipe& recipe) {
  return recipe.weights.format == "as_stored" ? WeightFormat::kAsStored : WeightFormat::kConverted;
}

TrainingDataOptions training_data_options(const Recipe& recipe) {
  return {.train_path = recipe.data.train,
          .validation_path = recipe.data.validation,
          .format = recipe.data.format == "plain" ? PromptFormat::kPlain : PromptFormat::kChat,
          .instruction = recipe.data.instruction,
          .few_shot = recipe.data.few_shot,
          .rationale = recipe.data.rationale,
          .date = recipe.data.date,
          .seed = recipe.training.seed,
          .num_virtual_tokens = recipe.soft_prompt.num_virtual_tokens,
          .position = position_of(recipe.soft_prompt.position, "soft_prompt")};
}

TuneOptions tune_options(const Recipe& recipe) {
  const OptimizerRecipe& optimizer = recipe.optimizer;
  const TrainingRecipe& training = recipe.training;
  return {.schedule = {.kind = schedule_kind(optimizer.schedule),
                       .learning_rate = optimizer.learning_rate,
                       .warmup_steps = optimizer.warmup_steps,
                       .steps = training.steps},
          .adamw = {.weight_decay = optimizer.weight_decay},
          .clip_norm = optimizer.clip_norm,
          .batch_size = training.batch_size,
          .seed = training.seed,
          .evaluate_every = training.evaluate_every,
          .checkpoint_every = training.checkpoint_every,
          .patience = training.patience};
}

RunPlan settle_memory(Recipe& recipe,
                      Ops& ops,
                      const BaseModelFiles& files,
                      const TrainingData& data) {
  TrainingRecipe& training = recipe.training;
  const uint64_t bytes = training.memory_gb
                             ? static_cast<uint64_t>(*training.memory_gb * kBytesOfGb)
                             : default_memory_bytes();
  const DType dtype = compute_dtype(recipe);
  const ProcessMemory process =
      process_memory(files.config, *files.tensors, training.threads.value_or(1));
  const HeldRows held{.head_start = training.share ? std::ssize(data.head_start) : 0};
  const RunPlan plan = plan_memory(ops,
                                   files.config,
                                   dtype,
                                   weight_format(recipe),
                                   process,
                                   held,
                                   bytes,
                                   training.micro_batch_tokens);
  training.memory_gb = static_cast<double>(bytes) / kBytesOfGb;
  training.micro_batch_tokens = plan.max_rows;
  return plan;
}

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

RunIdentity identity_of(const Recipe& recipe,
                        const AdapterIdentity& base,
                        const TrainingData& data,
                        const SoftPrompt& initial) {
  RunIdentity identity;
  for (const auto& [key, value] : recipe_settings(recipe)) {
    if (!is_free(key)) identity[key] = value;
  }
  if (recipe.optimizer.schedule != "constant") {
    identity["training.steps"] = std::to_string(recipe.training.steps);
  }
  identity["base_model (content)"] = base.base_hash;
  identity["base_model (tokenizer)"] = base.tokenizer_hash;
  identity["base_model (chat template)"] = data.template_hash;
  identity["data.train (content)"] = data.train_hash;
  identity["data.validation (content)"] = data.validation_hash;
  identity["soft_prompt.init (content)"] = sha256_hex(std::as_bytes(std::span(initial.values_PD)));
  return identity;
}

void check_same_run(const RunIdentity& checkpoint, const RunIdentity& run) {
  // A setting before the contents that follow from it: the message names what was changed.
  const auto follows = [](const std::string& key) { return key.ends_with(')'); };
  const auto by_cause = [&](const std::string& a, const std::string& b) {
    return std::pair(follows(a), a) < std::pair(follows(b), b);
  };
  std::set<std::string, decltype(by_cause)> keys(by_cause);
  for (const auto& [key, value] : checkpoint) keys.insert(key);
  for (const auto& [key, value] : run) keys.insert(key);
  const auto value_of = [](const RunIdentity& identity, const std::string& key) {
    const auto found = identity.find(key);
    return found == identity.end() || found->second.empty() ? "absent" : found->second;
  };
  for (const std::string& key : keys) {
    const std::string before = value_of(checkpoint, key);
    const std::string now = value_of(run, key);
    if (before == now) continue;
    throw InputError(ExitCode::kUsage,
                     key + ": it is " + now + ", but the run in this directory has " + before +
                         "; set it back to resume, or start again with --overwrite");
  }
}

Adapter adapter_of_run(const Recipe& recipe,
                       const AdapterIdentity& base,
                       const TrainingData& data) {
  Adapter adapter;
  adapter.position = position_of(recipe.soft_prompt.position, "soft_prompt");
  adapter.dtype = recipe.dtype;
  adapter.identity = base;
  adapter.identity.template_hash = data.template_hash;
  adapter.hard_prompt = kept_form_of(data.hard_prompt);
  if (recipe.soft_prompt.init.from == "text") adapter.init_text = recipe.soft_prompt.init.text;
  adapter.has_prescript_json = true;
  adapter.provenance = {{"prescript", kVersion},
                        {"train_sha256", data.train_hash},
                        {"num_exemplars", std::to_string(data.train.size())}};
  if (!data.validation_hash.empty()) {
    adapter.provenance["validation_sha256"] = data.validation_hash;
  }
  adapter.provenance["training.steps"] = std::to_string(recipe.training.steps);
  for (const auto& [key, value] : recipe_settings(recipe)) {
    // The hard prompt and the text of the first soft prompt have places of their own.
    const bool told_elsewhere = key.starts_with("data.") || key == "soft_prompt.init.text";
    if (!is_free(key) && !told_elsewhere) adapter.provenance[key] = value;
  }
  return adapter;
}

}  // namespace prescript
