#include "recipe/schema.h"

#include <algorithm>

#include "recipe/value_kind.h"

namespace prescript {
namespace {

// Larger counts are slips: a step of a billion exemplars, a run of as many steps.
constexpr int64_t kMany = 1'000'000'000;

Setting needs(const char* path, const char* value, Setting setting) {
  setting.needs_path = path;
  setting.needs_value = value;
  return setting;
}

/// A setting that has no effect beside another, absent by default.
Setting unless(const char* path, Setting setting) {
  return needs(path, "null", std::move(setting));
}

}  // namespace

#define PRESCRIPT_SETTING(member, kind) PRESCRIPT_SETTING_OF(Recipe, member, kind)

const std::vector<Setting>& recipe_schema() {
  static const std::vector<Setting> schema = {
      required(PRESCRIPT_SETTING(base_model, text("a path"))),
      PRESCRIPT_SETTING(dtype, one_of({"fp32", "bf16"})),
      PRESCRIPT_SETTING(device, one_of({"cpu", "cuda", "auto"})),
      PRESCRIPT_SETTING(weights.format, one_of({"converted", "as_stored", "auto"})),
      PRESCRIPT_SETTING(weights.residence, one_of({"device", "streamed", "auto"})),
      PRESCRIPT_SETTING(soft_prompt.num_virtual_tokens, whole_number(1, 4096)),
      PRESCRIPT_SETTING(soft_prompt.position, one_of({"start", "after_bos", "before_question"})),
      PRESCRIPT_SETTING(soft_prompt.init.from,
                        one_of({"text", "vocabulary", "class_labels", "uniform", "adapter"})),
      needs(
          "soft_prompt.init.from", "text", PRESCRIPT_SETTING(soft_prompt.init.text, text("text"))),
      needs("soft_prompt.init.from",
            "class_labels",
            PRESCRIPT_SETTING(soft_prompt.init.labels, or_absent(list_of(text_not_blank())))),
      needs("soft_prompt.init.from",
            "uniform",
            PRESCRIPT_SETTING(soft_prompt.init.scale, or_auto(number(0, 1000)))),
      needs("soft_prompt.init.from",
            "adapter",
            PRESCRIPT_SETTING(soft_prompt.init.path, text("a path"))),
      required(PRESCRIPT_SETTING(data.train, text("a path"))),
      PRESCRIPT_SETTING(data.validation, or_absent(text("a path"))),
      PRESCRIPT_SETTING(data.format, one_of({"chat", "plain"})),
      PRESCRIPT_SETTING(data.instruction, or_absent(text_not_blank())),
      PRESCRIPT_SETTING(data.few_shot, whole_number(0, 1000)),
      PRESCRIPT_SETTING(data.rationale, true_or_false()),
      needs("data.format", "chat", PRESCRIPT_SETTING(data.date, or_absent(date()))),
      PRESCRIPT_SETTING(optimizer.name, one_of({"adamw", "adafactor"})),
      unless("search.learning_rate",
             PRESCRIPT_SETTING(optimizer.learning_rate, or_auto(number(0, 1000)))),
      unless("search.weight_decay", PRESCRIPT_SETTING(optimizer.weight_decay, number(0, 1000))),
      PRESCRIPT_SETTING(optimizer.clip_norm, number(0, 1e9)),
      PRESCRIPT_SETTING(optimizer.schedule, one_of({"constant", "linear", "cosine"})),
      PRESCRIPT_SETTING(optimizer.warmup_steps, whole_number(0, kMany)),
      PRESCRIPT_SETTING(training.steps, whole_number(1, kMany)),
      PRESCRIPT_SETTING(training.batch_size, whole_number(1, kMany)),
      PRESCRIPT_SETTING(training.micro_batch_tokens, or_auto(whole_number(1, kMany))),
      PRESCRIPT_SETTING(training.memory_gb, or_auto(number(0.01, 1e6))),
      PRESCRIPT_SETTING(training.threads, or_auto(whole_number(1, 1024))),
      PRESCRIPT_SETTING(training.share, true_or_false()),
      PRESCRIPT_SETTING(training.seed, any_seed()),
      PRESCRIPT_SETTING(training.evaluate_every, whole_number(1, kMany)),
      PRESCRIPT_SETTING(training.checkpoint_every, whole_number(1, kMany)),
      PRESCRIPT_SETTING(training.patience, or_absent(whole_number(1, kMany))),
      PRESCRIPT_SETTING(search.learning_rate, or_absent(list_of(number(0, 1000)))),
      PRESCRIPT_SETTING(search.weight_decay, or_absent(list_of(number(0, 1000)))),
      PRESCRIPT_SETTING(search.seed, or_absent(list_of(any_seed()))),
      PRESCRIPT_SETTING(privacy.clip_norm, or_absent(number(1e-6, 1e6))),
      PRESCRIPT_SETTING(privacy.noise, or_absent(number(0.01, 1e6))),
      PRESCRIPT_SETTING(privacy.delta, or_absent(number(1e-12, 0.5))),
      PRESCRIPT_SETTING(privacy.seed, or_absent(any_seed())),
      PRESCRIPT_SETTING(canaries.count, or_absent(whole_number(1, 1000))),
      PRESCRIPT_SETTING(canaries.repetitions, or_absent(whole_number(1, 1000))),
      required(PRESCRIPT_SETTING(output, text("a path"))),
  };
  return schema;
}

#undef PRESCRIPT_SETTING

const Setting* find_setting(std::string_view path) {
  const auto& schema = recipe_schema();
  const auto found = std::ranges::find(schema, path, &Setting::path);
  return found == schema.end() ? nullptr : &*found;
}

bool has_effect(const Setting& setting, const Recipe& recipe) {
  return setting.needs_path.empty() ||
         find_setting(setting.needs_path)->write(recipe) == setting.needs_value;
}

const std::vector<KnownKey>& recipe_keys() {
  static const std::vector<KnownKey> keys = [] {
    std::vector<KnownKey> all;
    for (const Setting& setting : recipe_schema()) {
      all.push_back({setting.path, setting.write(Recipe()) == "null"});
    }
    return all;
  }();
  return keys;
}

}  // namespace prescript
