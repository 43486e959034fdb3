#include "adapter/deferral.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "io/json.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// Its key in the provenance; the value is JSON text.
constexpr const char* kKey = "deferral";

ordered_json text_or_null(const std::optional<std::string>& text) {
  return text ? ordered_json(*text) : ordered_json();
}

ordered_json json_of(const AdapterHardPrompt& hard_prompt) {
  return {{"format", hard_prompt.format},
          {"instruction", text_or_null(hard_prompt.instruction)},
          {"few_shot", hard_prompt.few_shot_json},
          {"rationale", hard_prompt.rationale},
          {"date", text_or_null(hard_prompt.date)}};
}

std::optional<std::string> optional_text(const JsonCursor& object, const char* key) {
  const auto value = object.find(key);
  return value ? std::optional(value->string()) : std::nullopt;
}

AdapterHardPrompt read_hard_prompt(const JsonCursor& value) {
  AdapterHardPrompt hard_prompt = {.format = value.at("format").string(),
                                   .instruction = optional_text(value, "instruction"),
                                   .few_shot_json = {},
                                   .rationale = value.at("rationale").boolean(),
                                   .date = optional_text(value, "date")};
  const JsonCursor few_shot = value.at("few_shot");
  for (size_t i = 0; i < few_shot.size(); ++i) {
    hard_prompt.few_shot_json.push_back(few_shot.item(i).string());
  }
  return hard_prompt;
}

double number_in(const JsonCursor& value, double min, double max) {
  const double number = value.number();
  if (number < min || number > max) value.fail("out of range");
  return number;
}

}  // namespace

std::optional<AdapterDeferral> deferral_of(const Adapter& adapter, const std::string& place) {
  const auto kept = adapter.provenance.find(kKey);
  if (kept == adapter.provenance.end()) return std::nullopt;
  constexpr int64_t kMany = 1'000'000;
  const nlohmann::json parsed = parse_json(kept->second, place + ": deferral", ExitCode::kModel);
  const JsonCursor value(parsed, place + ": deferral", ExitCode::kModel);
  return AdapterDeferral{.vote_share = number_in(value.at("vote_share"), 0, 1),
                         .num_samples = value.at("num_samples").integer(1, kMany),
                         .temperature = number_in(value.at("temperature"), 0.01, 1e6),
                         .max_new_tokens = value.at("max_new_tokens").integer(1, kMany),
                         .hard_prompt = read_hard_prompt(value.at("hard_prompt")),
                         .target_accuracy = number_in(value.at("target_accuracy"), 0, 1),
                         .accuracy = number_in(value.at("accuracy"), 0, 1),
                         .deferral_rate = number_in(value.at("deferral_rate"), 0, 1),
                         .num_questions = value.at("num_questions").integer(1),
                         .task = value.at("task").string(),
                         .questions_sha256 = value.at("questions_sha256").string()};
}

void set_deferral(Adapter& adapter, const AdapterDeferral& deferral) {
  const ordered_json json = {{"vote_share", deferral.vote_share},
                             {"num_samples", deferral.num_samples},
                             {"temperature", deferral.temperature},
                             {"max_new_tokens", deferral.max_new_tokens},
                             {"hard_prompt", json_of(deferral.hard_prompt)},
                             {"target_accuracy", deferral.target_accuracy},
                             {"accuracy", deferral.accuracy},
                             {"deferral_rate", deferral.deferral_rate},
                             {"num_questions", deferral.num_questions},
                             {"task", deferral.task},
                             {"questions_sha256", deferral.questions_sha256}};
  adapter.provenance[kKey] = json.dump();
}

void clear_deferral(Adapter& adapter) {
  adapter.provenance.erase(kKey);
}

}  // namespace prescript
