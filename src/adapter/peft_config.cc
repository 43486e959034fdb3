#include "adapter/peft_config.h"

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr const char* kPeftVersion = "0.21.2";  // whose keys these are

nlohmann::json number_or_null(int64_t number) {
  return number > 0 ? nlohmann::json(number) : nlohmann::json();
}

nlohmann::json text_or_null(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

/// Throws unless `config.key` is `expected`.
void expect(const JsonCursor& config, const char* key, const char* expected) {
  const auto value = config.find(key);
  const std::string found = value ? value->string() : "null";
  if (found != expected)
    config.at(key).fail("an adapter of the kind " + quote(found) + "; prescript uses " + expected +
                        " only");
}

}  // namespace

std::string peft_config_json(const Adapter& adapter) {
  const AdapterIdentity& identity = adapter.identity;
  // PEFT refuses TEXT without the name of a tokenizer.
  const bool from_text = !adapter.init_text.empty() && !identity.base_model.empty();
  const nlohmann::json config = {
      {"auto_mapping", nullptr},
      {"base_model_name_or_path", text_or_null(identity.base_model)},
      {"inference_mode", true},
      {"modules_to_save", nullptr},
      {"num_attention_heads", number_or_null(identity.num_heads)},
      {"num_layers", number_or_null(identity.num_layers)},
      {"num_transformer_submodules", 1},
      {"num_virtual_tokens", adapter.prompt.num_virtual_tokens},
      {"peft_type", "PROMPT_TUNING"},
      {"peft_version", kPeftVersion},
      {"prompt_tuning_init", from_text ? "TEXT" : "RANDOM"},
      {"prompt_tuning_init_text", from_text ? text_or_null(adapter.init_text) : nullptr},
      {"revision", nullptr},
      {"task_type", "CAUSAL_LM"},
      {"token_dim", adapter.prompt.hidden_size},
      {"tokenizer_kwargs", nullptr},
      {"tokenizer_name_or_path", from_text ? text_or_null(identity.base_model) : nullptr},
  };
  return config.dump(2, ' ', true, nlohmann::json::error_handler_t::replace);
}

Adapter parse_peft_config(std::string_view text, const std::string& path) {
  const nlohmann::json parsed = parse_json(text, path, ExitCode::kModel);
  const JsonCursor config(parsed, path, ExitCode::kModel);
  expect(config, "peft_type", "PROMPT_TUNING");
  expect(config, "task_type", "CAUSAL_LM");
  if (const auto submodules = config.find("num_transformer_submodules"))
    submodules->integer(1, 1);  // two are an encoder and a decoder
  const auto optional_integer = [&](const char* key) {
    const auto value = config.find(key);
    return value ? value->integer(1) : 0;
  };
  const auto optional_text = [&](const char* key) {
    const auto value = config.find(key);
    return value ? value->string() : std::string();
  };
  Adapter adapter;
  adapter.prompt.num_virtual_tokens = config.at("num_virtual_tokens").integer(1);
  adapter.prompt.hidden_size = optional_integer("token_dim");
  adapter.identity.base_model = optional_text("base_model_name_or_path");
  adapter.identity.num_layers = optional_integer("num_layers");
  adapter.identity.num_heads = optional_integer("num_attention_heads");
  adapter.init_text = optional_text("prompt_tuning_init_text");
  return adapter;
}

}  // namespace prescript
