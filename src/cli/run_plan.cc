#include "cli/run_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "base/hash.h"
#include "cli/initial_soft_prompts.h"
#include "cli/terminal.h"
#include "cli/version.h"

namespace prescript {
namespace {

constexpr double kBytesOfGb = 1e9;

/// Settings that a run may change when it goes on: they change no number, or what they name is
/// compared by content.
constexpr std::array<std::string_view, 14> kFreeSettings = {"base_model",
                                                            "data.train",
                                                            "data.validation",
                                                            "soft_prompt.init.path",
                                                            "device",
                                                            "output",
                                                            "training.threads",
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

/// Settings that came later: a run without them has nothing of them in its files, and goes on with
/// those of before.
bool is_absent_addition(const std::string& key, const std::string& value) {
  return value == "null" && (key.starts_with("search.") || key.starts_with("privacy.") ||
                             key.starts_with("canaries.") || key == "soft_prompt.init.labels");
}

struct NamedFormat {
  WeightFormat format;
  WeightsRecipe recipe;
};

const std::array<NamedFormat, 3> kFormats = {
    {{WeightFormat::kConverted, {.format = "converted", .residence = "device"}},
     {WeightFormat::kAsStored, {.format = "as_stored", .residence = "device"}},
     {WeightFormat::kStreamed, {.format = "converted", .residence = "streamed"}}}};

/// Those that a recipe leaves open, at least one; each takes more time than the one before. As
/// stored in a card's memory, weights are copied to it once; in a file they are laid out for every
/// product, streamed ones for many.
std::vector<WeightFormat> formats_of(const WeightsRecipe& weights, bool holds_blocks = true) {
  const auto allows = [](const std::string& asked, const std::string& one) {
    return asked == "auto" || asked == one;
  };
  std::vector<WeightFormat> formats;
  for (const auto& [format, recipe] : kFormats) {
    if (allows(weights.format, recipe.format) && allows(weights.residence, recipe.residence)) {
      formats.push_back(format);
    }
  }
  PRESCRIPT_CHECK(!formats.empty(), weights.format + " and " + weights.residence);
  if (!holds_blocks && formats.size() == kFormats.size()) std::swap(formats[1], formats[2]);
  return formats;
}

ScheduleKind schedule_kind(const std::string& name) {
  if (name == "linear") return ScheduleKind::kLinear;
  if (name == "cosine") return ScheduleKind::kCosine;
  return ScheduleKind::kConstant;
}

}  // namespace

Recipe resolve(Recipe recipe, const Recipe* recorded) {
  if (recipe.device == "auto" && recorded != nullptr && is_device_here(recorded->device)) {
    recipe.device = recorded->device;
  }
  recipe.device = settle_device(recipe.device);
  TrainingRecipe& training = recipe.training;
  if (recorded != nullptr) {
    if (!recipe.optimizer.learning_rate) {
      recipe.optimizer.learning_rate = recorded->optimizer.learning_rate;
    }
    // Another format rounds otherwise on a card; elsewhere what fits now counts.
    if (recipe.device != "cpu" && recipe.weights == WeightsRecipe()) {
      recipe.weights = recorded->weights;
    }
    // What was free of another memory, or of a card's at another time, says nothing.
    if (!training.memory_gb && recipe.device == "cpu" && recorded->device == "cpu") {
      training.memory_gb = recorded->training.memory_gb;
    }
    if (!training.micro_batch_tokens) {
      training.micro_batch_tokens = recorded->training.micro_batch_tokens;
    }
  }
  if (!training.threads) training.threads = default_num_threads();
  return recipe;
}

void resolve(PreparedRun& run, const Recipe* recorded) {
  run.recipe = resolve(std::move(run.recipe), recorded);
  OptimizerRecipe& optimizer = run.recipe.optimizer;
  if (optimizer.learning_rate || run.recipe.search.learning_rate) return;
  double largest = vocabulary_norm(run.files);
  for (const SoftPrompt& prompt : run.initial) {
    const auto rows = static_cast<double>(prompt.num_virtual_tokens);
    largest = std::max(largest, norm_of(prompt.values_PD) / std::sqrt(rows));
  }
  const auto D = static_cast<double>(run.files.config.hidden_size);
  optimizer.learning_rate = fitting_learning_rate(largest / std::sqrt(D));
}

DType compute_dtype(const Recipe& recipe) {
  return recipe.dtype == "fp32" ? DType::kFloat32 : DType::kBFloat16;
}

WeightFormat weight_format(const Recipe& recipe) {
  return formats_of(recipe.weights).front();
}

WeightsRecipe weights_recipe(WeightFormat format) {
  return std::ranges::find(kFormats, format, &NamedFormat::format)->recipe;
}

OptimizerKind optimizer_kind(const Recipe& recipe) {
  return recipe.optimizer.name == "adafactor" ? OptimizerKind::kAdafactor : OptimizerKind::kAdamW;
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

TuneOptions tune_options(const Recipe& recipe, uint64_t noise_key) {
  const OptimizerRecipe& optimizer = recipe.optimizer;
  const TrainingRecipe& training = recipe.training;
  std::vector<CandidateOptions> candidates;
  for (const Recipe& candidate : candidates_of(recipe)) {
    candidates.push_back({.learning_rate = candidate.optimizer.learning_rate.value(),
                          .weight_decay = candidate.optimizer.weight_decay,
                          .seed = candidate.training.seed});
  }
  std::optional<PrivacyOptions> privacy;
  if (recipe.privacy.noise) {
    privacy = PrivacyOptions{.clip_norm = *recipe.privacy.clip_norm,
                             .noise_multiplier = *recipe.privacy.noise,
                             .delta = *recipe.privacy.delta,
                             .key = noise_key};
  }
  return {.candidates = std::move(candidates),
          .optimizer = optimizer_kind(recipe),
          .schedule = {.kind = schedule_kind(optimizer.schedule),
                       .warmup_steps = optimizer.warmup_steps,
                       .steps = training.steps},
          .clip_norm = optimizer.clip_norm,
          .batch_size = training.batch_size,
          .evaluate_every = training.evaluate_every,
          .checkpoint_every = training.checkpoint_every,
          .patience = training.patience,
          .privacy = privacy};
}

StepOptions step_options(const Recipe& recipe, const RunPlan& plan, const TrainingData& data) {
  return {.plan = plan,
          .share = recipe.training.share,
          .position = position_of(recipe.soft_prompt.position, "soft_prompt"),
          .head_start = data.head_start};
}

ComputeOptions compute_options(const Recipe& recipe) {
  return {.dtype = compute_dtype(recipe),
          .device = recipe.device,
          .num_threads = static_cast<int>(recipe.training.threads.value_or(0)),
          .weights = weight_format(recipe)};
}

namespace {

/// Soft prompts that go through the decoder together.
int64_t num_side_by_side(const Recipe& recipe) {
  return recipe.privacy.noise ? kExemplarsSideBySide : std::ssize(candidates_of(recipe));
}

MostRows most_rows(const Recipe& recipe, const TrainingData& data) {
  const int64_t prompts = num_side_by_side(recipe);
  const int64_t virtual_tokens = recipe.soft_prompt.num_virtual_tokens;
  const int64_t exemplars_of_each = recipe.privacy.noise ? 1 : recipe.training.batch_size;
  return {.trained = most_rows_of_step(
              data, exemplars_of_each, prompts, virtual_tokens, recipe.training.share),
          .scored = std::max(most_rows_of_validation(data, prompts, virtual_tokens),
                             recipe.training.share ? std::ssize(data.head_start) : int64_t{0}),
          .undivided = rows_of_longest(data, virtual_tokens)};
}

}  // namespace

int64_t num_virtual_tokens(const Recipe& recipe) {
  return num_side_by_side(recipe) * recipe.soft_prompt.num_virtual_tokens;
}

std::unique_ptr<Ops> make_ops(const Recipe& recipe) {
  return make_ops(recipe.device, static_cast<int>(recipe.training.threads.value_or(0)));
}

RunMemory run_memory(const Recipe& recipe,
                     const BackendTraits& ops,
                     const BaseModelFiles& files,
                     const TrainingData& data) {
  return {.ops = ops,
          .config = files.config,
          .dtype = compute_dtype(recipe),
          .format = weight_format(recipe),
          .process = process_memory(*files.tensors, recipe.training.threads.value_or(1)),
          .held = {.head_start = recipe.training.share ? std::ssize(data.head_start) : 0,
                   .virtual_tokens = num_virtual_tokens(recipe),
                   .most = most_rows(recipe, data),
                   .optimizer = optimizer_kind(recipe)},
          .tensors = files.tensors.get(),
          .is_limit_set = recipe.training.memory_gb.has_value()};
}

namespace {

/// In the first format that fits.
RunPlan plan_weights(RunMemory& run,
                     std::span<const WeightFormat> formats,
                     uint64_t bytes,
                     std::optional<int64_t> max_rows) {
  for (const WeightFormat format : formats.first(formats.size() - 1)) {
    run.format = format;
    try {
      return plan_memory(run, bytes, max_rows);
    } catch (const DeviceError&) {  // the next takes less
    }
  }
  run.format = formats.back();
  return plan_memory(run, bytes, max_rows);
}

}  // namespace

RunPlan settle_memory(Recipe& recipe, RunMemory& run) {
  TrainingRecipe& training = recipe.training;
  const auto card = run.ops.device_memory();
  const uint64_t available = card ? default_memory_bytes(*card) : default_memory_bytes();
  uint64_t bytes = available;
  if (training.memory_gb) {
    bytes = static_cast<uint64_t>(*training.memory_gb * kBytesOfGb);
    if (card) bytes = std::min(bytes, available);
  }
  const RunPlan plan = plan_weights(
      run, formats_of(recipe.weights, run.ops.holds_blocks()), bytes, training.micro_batch_tokens);
  if (const auto excess = describe_excess(run, plan)) write_warning(*excess);
  recipe.weights = weights_recipe(run.format);
  if (!training.memory_gb) training.memory_gb = static_cast<double>(bytes) / kBytesOfGb;
  training.micro_batch_tokens = plan.max_rows;
  return plan;
}

RunIdentity identity_of(const PreparedRun& run, const AdapterIdentity& base) {
  const Recipe& recipe = run.recipe;
  const TrainingData& data = run.data;
  RunIdentity identity;
  for (const auto& [key, value] : recipe_settings(recipe)) {
    if (!is_free(key) && !is_absent_addition(key, value)) identity[key] = value;
  }
  if (recipe.search != SearchRecipe() && recipe.training.patience) {
    // A candidate that has stopped cannot catch up with the others.
    identity["training.patience"] = std::to_string(*recipe.training.patience);
  }
  if (recipe.optimizer.schedule != "constant") {
    identity["training.steps"] = std::to_string(recipe.training.steps);
  }
  identity["base_model (content)"] = base.base_hash;
  identity["base_model (tokenizer)"] = base.tokenizer_hash;
  identity["base_model (chat template)"] = data.template_hash;
  identity["data.train (content)"] = data.train_hash;
  identity["data.validation (content)"] = data.validation_hash;
  std::vector<float> values;
  for (const SoftPrompt& prompt : run.initial) {
    values.insert(values.end(), prompt.values_PD.begin(), prompt.values_PD.end());
  }
  if (run.noise_key) identity[kNoiseKey] = std::to_string(*run.noise_key);
  identity["soft_prompt.init (content)"] = sha256_hex(std::as_bytes(std::span(values)));
  return identity;
}

void check_same_run(const RunIdentity& checkpoint, const RunIdentity& run) {
  // A setting before what follows from it, so that the message names what was changed: contents,
  // and of a search the settings of one candidate.
  const auto order = [](const std::string& key) {
    return key.starts_with("search.") ? 0 : key.ends_with(')') ? 2 : 1;
  };
  const auto by_cause = [&](const std::string& a, const std::string& b) {
    return std::pair(order(a), a) < std::pair(order(b), b);
  };
  std::set<std::string, decltype(by_cause)> keys(by_cause);
  for (const auto& [key, value] : checkpoint) {
    if (key != "training.threads") keys.insert(key);  // of runs from before it was free
  }
  for (const auto& [key, value] : run) keys.insert(key);
  const auto value_of = [](const RunIdentity& identity, const std::string& key) {
    const auto found = identity.find(key);
    return found == identity.end() || found->second.empty() ? "absent" : found->second;
  };
  for (const std::string& key : keys) {
    const std::string before = value_of(checkpoint, key);
    const std::string now = value_of(run, key);
    if (before == now) continue;
    // Where the rate falls over the steps, their number decides every rate.
    const char* why = key == "training.steps" ? " and its rate falls to 0 over these" : "";
    throw InputError(ExitCode::kUsage,
                     key + ": it is " + now + ", but the run in this directory has " + before + why +
                         "; set it back to resume, or start again with --overwrite");
  }
}

Adapter adapter_of_run(const Recipe& recipe,
                       size_t candidate,
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
                        {"num_exemplars", std::to_string(data.train.size())}};
  // No noise covers a hash: who knows all exemplars but one could try for the last.
  if (!recipe.privacy.noise) adapter.provenance["train_sha256"] = data.train_hash;
  if (!data.validation_hash.empty()) {
    adapter.provenance["validation_sha256"] = data.validation_hash;
  }
  adapter.provenance["training.steps"] = std::to_string(recipe.training.steps);
  const auto add_settings = [&](const Recipe& settings, const auto& is_wanted) {
    for (const auto& [key, value] : recipe_settings(settings)) {
      if (is_wanted(key) && !is_absent_addition(key, value)) adapter.provenance[key] = value;
    }
  };
  add_settings(candidates_of(recipe).at(candidate), [](const std::string& key) {
    // The hard prompt and the text of the first soft prompt have places of their own.
    return !is_free(key) && !key.starts_with("data.") && key != "soft_prompt.init.text" &&
           key != "privacy.seed";
  });
  // Who has the seed of the noise has no noise; that there was one, everybody may know.
  if (recipe.privacy.seed) adapter.provenance["privacy.seed"] = kSecretKept;
  add_settings(recipe, [](const std::string& key) { return key.starts_with("search."); });
  if (recipe.search.seed && recipe.data.few_shot > 0) {
    adapter.provenance["data.few_shot (seed)"] = std::to_string(recipe.training.seed);
  }
  return adapter;
}

}  // namespace prescript
