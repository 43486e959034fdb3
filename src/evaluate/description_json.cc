#include "evaluate/description_json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr JsonLimits kLimits{.max_bytes = 256u << 20, .max_depth = 64};

ordered_json text_or_null(const std::optional<std::string>& text) {
  return text ? ordered_json(*text) : ordered_json();
}

ordered_json json_of(const std::vector<LossPoint>& curve) {
  ordered_json points = ordered_json::array();
  for (const LossPoint& point : curve) points.push_back({point.step, point.loss});
  return points;
}

ordered_json json_of(const EvaluatedSystem& system) {
  return {{"name", system.name},
          {"adapter", system.adapter},
          {"hash", system.hash},
          {"num_virtual_tokens", system.num_virtual_tokens},
          {"exemplars_known", system.exemplars_known},
          {"training_loss", json_of(system.training_loss)},
          {"validation_loss", json_of(system.validation_loss)}};
}

ordered_json json_of(const EvaluatedPrompt& prompt) {
  return {{"strategy", prompt.strategy},
          {"format", prompt.format},
          {"instruction", text_or_null(prompt.instruction)},
          {"few_shot", prompt.few_shot},
          {"rationale", prompt.rationale},
          {"origin", prompt.origin},
          {"trained_otherwise", prompt.trained_otherwise}};
}

ordered_json json_of(const EvaluatedTask& task) {
  ordered_json json = {
      {"name", task.name},
      {"kind", task.kind == TaskKind::kMultipleChoice ? "multiple_choice" : "long_form"},
      {"questions", task.questions},
      {"sha256", task.sha256},
      {"num_in_file", task.num_in_file},
      {"num_questions", task.num_questions},
      {"seed", task.seed},
      {"chance", task.chance},
      {"strategies", task.strategies},
      {"scoring", task.scoring},
      {"prompts", ordered_json::array()},
      {"contamination", ordered_json::array()}};
  for (const EvaluatedPrompt& prompt : task.prompts) json["prompts"].push_back(json_of(prompt));
  for (const Contamination& contamination : task.contamination) {
    json["contamination"].push_back({{"exemplars", contamination.exemplars},
                                     {"num_exemplars", contamination.num_exemplars},
                                     {"ids", contamination.ids}});
  }
  return json;
}

ordered_json json_of(const EvaluationSettings& settings) {
  return {{"seed", settings.seed},
          {"self_consistency_samples", settings.self_consistency_samples},
          {"selective_samples", settings.selective_samples},
          {"temperature", settings.temperature},
          {"target_accuracy", settings.target_accuracy},
          {"max_answer_tokens", settings.max_answer_tokens},
          {"max_reasoning_tokens", settings.max_reasoning_tokens},
          {"max_long_form_tokens", settings.max_long_form_tokens},
          {"bootstrap_replicas", settings.bootstrap_replicas},
          {"bootstrap_seed", settings.bootstrap_seed}};
}

ordered_json json_of(const EvaluationIdentity& identity) {
  return {{"base_model", identity.base_model},
          {"base_hash", identity.base_hash},
          {"architecture", identity.architecture},
          {"dtype", identity.dtype},
          {"device", identity.device},
          {"version", identity.version},
          {"date", identity.date},
          {"recipe", identity.recipe}};
}

uint64_t seed_of(const JsonCursor& value) {
  if (!value.value().is_number_unsigned()) value.fail("not a seed");
  return value.value().get<uint64_t>();
}

std::vector<std::string> texts_of(const JsonCursor& list) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < list.size(); ++i) texts.push_back(list.item(i).string());
  return texts;
}

std::vector<LossPoint> curve_of(const JsonCursor& list) {
  std::vector<LossPoint> curve;
  for (size_t i = 0; i < list.size(); ++i) {
    curve.push_back({list.item(i).item(0).integer(0), list.item(i).item(1).number()});
  }
  return curve;
}

EvaluatedSystem read_system(const JsonCursor& value) {
  return {.name = value.at("name").string(),
          .adapter = value.at("adapter").string(),
          .hash = value.at("hash").string(),
          .num_virtual_tokens = value.at("num_virtual_tokens").integer(0),
          .exemplars_known = value.at("exemplars_known").boolean(),
          .training_loss = curve_of(value.at("training_loss")),
          .validation_loss = curve_of(value.at("validation_loss"))};
}

EvaluatedPrompt read_prompt(const JsonCursor& value) {
  const auto instruction = value.find("instruction");
  return {.strategy = value.at("strategy").string(),
          .format = value.at("format").string(),
          .instruction = instruction ? std::optional(instruction->string()) : std::nullopt,
          .few_shot = value.at("few_shot").integer(0),
          .rationale = value.at("rationale").boolean(),
          .origin = value.at("origin").string(),
          .trained_otherwise = texts_of(value.at("trained_otherwise"))};
}

EvaluatedTask read_task(const JsonCursor& value) {
  EvaluatedTask task = {.name = value.at("name").string(),
                        .kind = value.at("kind").string() == "long_form"
                                    ? TaskKind::kLongForm
                                    : TaskKind::kMultipleChoice,
                        .questions = value.at("questions").string(),
                        .sha256 = value.at("sha256").string(),
                        .num_in_file = value.at("num_in_file").integer(0),
                        .num_questions = value.at("num_questions").integer(0),
                        .seed = seed_of(value.at("seed")),
                        .chance = value.at("chance").number(),
                        .strategies = texts_of(value.at("strategies")),
                        .scoring = texts_of(value.at("scoring"))};
  const JsonCursor prompts = value.at("prompts");
  for (size_t i = 0; i < prompts.size(); ++i) task.prompts.push_back(read_prompt(prompts.item(i)));
  const JsonCursor contamination = value.at("contamination");
  for (size_t i = 0; i < contamination.size(); ++i) {
    const JsonCursor one = contamination.item(i);
    task.contamination.push_back({one.at("exemplars").string(),
                                  one.at("num_exemplars").integer(0),
                                  texts_of(one.at("ids"))});
  }
  return task;
}

EvaluationSettings read_settings(const JsonCursor& value) {
  return {.seed = seed_of(value.at("seed")),
          .self_consistency_samples = value.at("self_consistency_samples").integer(0),
          .selective_samples = value.at("selective_samples").integer(0),
          .temperature = value.at("temperature").number(),
          .target_accuracy = value.at("target_accuracy").number(),
          .max_answer_tokens = value.at("max_answer_tokens").integer(0),
          .max_reasoning_tokens = value.at("max_reasoning_tokens").integer(0),
          .max_long_form_tokens = value.at("max_long_form_tokens").integer(0),
          .bootstrap_replicas = value.at("bootstrap_replicas").integer(1),
          .bootstrap_seed = seed_of(value.at("bootstrap_seed"))};
}

/// The first member in which two objects differ.
std::string differing_member(const ordered_json& one, const ordered_json& other) {
  for (const auto& [key, value] : one.items()) {
    if (!other.contains(key) || other.at(key) != value) return key;
  }
  return "";
}

}  // namespace

ordered_json json_of(const EvaluationDescription& description) {
  ordered_json json = {{"identity", json_of(description.identity)},
                       {"settings", json_of(description.settings)},
                       {"systems", ordered_json::array()},
                       {"tasks", ordered_json::array()}};
  for (const EvaluatedSystem& system : description.systems) {
    json["systems"].push_back(json_of(system));
  }
  for (const EvaluatedTask& task : description.tasks) json["tasks"].push_back(json_of(task));
  return json;
}

std::string description_text(const EvaluationDescription& description) {
  return json_of(description).dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

EvaluationDescription parse_description(std::string_view text, const std::string& path) {
  const nlohmann::json parsed = parse_json(text, path, ExitCode::kData, kLimits);
  const JsonCursor root(parsed, path, ExitCode::kData);
  const JsonCursor identity = root.at("identity");
  EvaluationDescription description;
  description.identity = {.base_model = identity.at("base_model").string(),
                          .base_hash = identity.at("base_hash").string(),
                          .architecture = identity.at("architecture").string(),
                          .dtype = identity.at("dtype").string(),
                          .device = identity.at("device").string(),
                          .version = identity.at("version").string(),
                          .date = identity.at("date").string(),
                          .recipe = identity.at("recipe").string()};
  description.settings = read_settings(root.at("settings"));
  const JsonCursor systems = root.at("systems");
  for (size_t i = 0; i < systems.size(); ++i) {
    description.systems.push_back(read_system(systems.item(i)));
  }
  const JsonCursor tasks = root.at("tasks");
  for (size_t i = 0; i < tasks.size(); ++i) description.tasks.push_back(read_task(tasks.item(i)));
  return description;
}

std::string first_difference(const EvaluationDescription& one, const EvaluationDescription& other) {
  for (const char* key : {"base_hash", "dtype"}) {
    if (json_of(one.identity).at(key) != json_of(other.identity).at(key)) return key;
  }
  const std::string setting = differing_member(json_of(one.settings), json_of(other.settings));
  if (!setting.empty()) return setting;
  if (one.systems.size() != other.systems.size()) return "adapters";
  for (size_t i = 0; i < one.systems.size(); ++i) {
    if (one.systems[i].name != other.systems[i].name ||
        one.systems[i].hash != other.systems[i].hash) {
      return "adapters." + one.systems[i].name;
    }
  }
  if (one.tasks.size() != other.tasks.size()) return "tasks";
  for (size_t i = 0; i < one.tasks.size(); ++i) {
    const std::string member = differing_member(json_of(one.tasks[i]), json_of(other.tasks[i]));
    if (!member.empty()) return "tasks." + one.tasks[i].name + ": " + member;
  }
  return "";
}

}  // namespace prescript
