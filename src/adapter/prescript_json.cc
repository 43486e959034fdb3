#include "adapter/prescript_json.h"

#include <cmath>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/seal.h"
#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

constexpr int64_t kFormatVersion = 1;
constexpr JsonLimits kLimits{.max_bytes = 64u << 20, .max_depth = 64};

ordered_json text_or_null(const std::optional<std::string>& text) {
  return text ? ordered_json(*text) : ordered_json();
}

/// An object of its own even where it is empty.
template <typename T>
ordered_json object_of(const std::map<std::string, T>& values) {
  ordered_json object = ordered_json::object();
  for (const auto& [key, value] : values) object[key] = value;
  return object;
}

ordered_json few_shot_of(const AdapterHardPrompt& hard_prompt) {
  ordered_json exemplars = ordered_json::array();
  for (size_t i = 0; i < hard_prompt.few_shot_json.size(); ++i) {
    const std::string place = "few-shot exemplar " + std::to_string(i);
    exemplars.emplace_back(parse_json(hard_prompt.few_shot_json[i], place, ExitCode::kData));
  }
  return exemplars;
}

std::optional<std::string> optional_text(const JsonCursor& object, const char* key) {
  const auto value = object.find(key);
  return value ? std::optional(value->string()) : std::nullopt;
}

std::string one_of(const JsonCursor& value, std::initializer_list<std::string_view> allowed) {
  std::string names;
  for (const std::string_view name : allowed) {
    if (value.string() == name) return value.string();
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  value.fail("found " + quote(value.string()) + "; allowed: " + names);
}

AdapterIdentity read_identity(const JsonCursor& value) {
  return {.base_model = value.at("base_model").string(),
          .base_hash = value.at("base_hash").string(),
          .tokenizer_hash = value.at("tokenizer_hash").string(),
          .template_hash = value.at("template_hash").string(),
          .architecture = value.at("architecture").string(),
          .num_layers = value.at("num_layers").integer(0),
          .num_heads = value.at("num_attention_heads").integer(0)};
}

AdapterHardPrompt read_hard_prompt(const JsonCursor& value) {
  AdapterHardPrompt hard_prompt;
  hard_prompt.format = one_of(value.at("format"), {"chat", "plain"});
  hard_prompt.instruction = optional_text(value, "instruction");
  hard_prompt.rationale = value.at("rationale").boolean();
  hard_prompt.date = optional_text(value, "date");
  const JsonCursor few_shot = value.at("few_shot");
  for (size_t i = 0; i < few_shot.size(); ++i) {
    if (!few_shot.item(i).is_object()) few_shot.item(i).fail("expected an object");
    hard_prompt.few_shot_json.push_back(few_shot.item(i).value().dump());
  }
  return hard_prompt;
}

std::map<std::string, std::string> read_texts(const JsonCursor& value) {
  std::map<std::string, std::string> texts;
  for (const std::string& key : value.keys()) texts[key] = value.at(key).string();
  return texts;
}

}  // namespace

std::string prescript_json(const Adapter& adapter,
                           const std::map<std::string, std::string>& files) {
  for (const auto& [name, value] : adapter.metrics) {
    if (!std::isfinite(value))
      throw InputError(ExitCode::kNotFinite,
                       "metric " + name + " of the adapter is not a finite number");
  }
  const AdapterIdentity& identity = adapter.identity;
  const AdapterHardPrompt& hard_prompt = adapter.hard_prompt;
  const ordered_json root = {
      {"format_version", kFormatVersion},
      {"digest", kNoDigest},  // before everything that a user wrote
      {"position", name_of(adapter.position)},
      {"dtype", adapter.dtype},
      {"num_virtual_tokens", adapter.prompt.num_virtual_tokens},
      {"hidden_size", adapter.prompt.hidden_size},
      {"init_text", adapter.init_text},
      {"identity",
       {{"base_model", identity.base_model},
        {"base_hash", identity.base_hash},
        {"tokenizer_hash", identity.tokenizer_hash},
        {"template_hash", identity.template_hash},
        {"architecture", identity.architecture},
        {"num_layers", identity.num_layers},
        {"num_attention_heads", identity.num_heads}}},
      {"hard_prompt",
       {{"format", hard_prompt.format},
        {"instruction", text_or_null(hard_prompt.instruction)},
        {"few_shot", few_shot_of(hard_prompt)},
        {"rationale", hard_prompt.rationale},
        {"date", text_or_null(hard_prompt.date)}}},
      {"provenance", object_of(adapter.provenance)},
      {"metrics", object_of(adapter.metrics)},
      {"files", object_of(files)},
  };
  return sealed(root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

PrescriptJson parse_prescript_json(std::string_view text, const std::string& path) {
  const nlohmann::json parsed = parse_json(text, path, ExitCode::kModel, kLimits);
  const JsonCursor root(parsed, path, ExitCode::kModel);
  const JsonCursor version = root.at("format_version");
  if (version.integer(1) > kFormatVersion)
    version.fail(std::to_string(version.integer()) + ": a newer version of prescript wrote this, " +
                 "here " + std::to_string(kFormatVersion) + " is the newest; update prescript");
  if (!seal_is_intact(text))
    root.fail(
        "the file was changed: its digest does not agree with its text; get the adapter again");

  PrescriptJson result;
  Adapter& adapter = result.adapter;
  adapter.has_prescript_json = true;
  adapter.position = position_of(root.at("position").string(), path);
  adapter.dtype = one_of(root.at("dtype"), {"fp32", "bf16"});
  adapter.prompt.num_virtual_tokens = root.at("num_virtual_tokens").integer(1);
  adapter.prompt.hidden_size = root.at("hidden_size").integer(1);
  adapter.init_text = root.at("init_text").string();
  adapter.identity = read_identity(root.at("identity"));
  adapter.hard_prompt = read_hard_prompt(root.at("hard_prompt"));
  adapter.provenance = read_texts(root.at("provenance"));
  const JsonCursor metrics = root.at("metrics");
  for (const std::string& key : metrics.keys()) adapter.metrics[key] = metrics.at(key).number();
  result.files = read_texts(root.at("files"));
  return result;
}

}  // namespace prescript
