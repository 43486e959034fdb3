#include "adapter/peft_config.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/json.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/adapter/";
// As scripts/golden/adapter.py has it.
const std::string kInitText = "Be careful: \u201cfirst, do no harm\u201d.\n\t\x7f\U0001f600";

/// The adapter whose configuration PEFT wrote for the golden files.
Adapter golden_adapter(const std::string& init_text) {
  Adapter adapter;
  adapter.prompt = {.num_virtual_tokens = 5, .hidden_size = 8, .values_PD = {}};
  adapter.identity.base_model = "models/tiny \u00fc.gguf";
  adapter.identity.num_layers = 3;
  adapter.identity.num_heads = 4;
  adapter.init_text = init_text;
  return adapter;
}

/// PEFT's configuration with some keys changed (null removes one).
std::string changed(const nlohmann::json& patch) {
  const std::string path = kGolden + "random/adapter_config.json";
  nlohmann::json config = parse_json_file(path, ExitCode::kModel);
  config.update(patch);
  for (const auto& [key, value] : patch.items())
    if (value == "(absent)") config.erase(key);
  return config.dump();
}

TEST(PeftConfig, WritesTheBytesThatPeftWrites) {
  EXPECT_EQ(peft_config_json(golden_adapter("")),
            bytes_of_file(kGolden + "random/adapter_config.json"));
  EXPECT_EQ(peft_config_json(golden_adapter(kInitText)),
            bytes_of_file(kGolden + "text/adapter_config.json"));
}

TEST(PeftConfig, SaysTextOnlyWithATokenizer) {
  Adapter adapter = golden_adapter("some text");
  adapter.identity.base_model.clear();
  const auto config = parse_json(peft_config_json(adapter), "config", ExitCode::kModel);
  EXPECT_EQ(config.at("prompt_tuning_init"), "RANDOM");
  EXPECT_TRUE(config.at("prompt_tuning_init_text").is_null());
  EXPECT_TRUE(config.at("base_model_name_or_path").is_null());
}

TEST(PeftConfig, WhatIsNotKnownIsNull) {
  Adapter adapter = golden_adapter("");
  adapter.identity.num_layers = 0;
  adapter.identity.num_heads = 0;
  const auto config = parse_json(peft_config_json(adapter), "config", ExitCode::kModel);
  EXPECT_TRUE(config.at("num_layers").is_null());
  EXPECT_TRUE(config.at("num_attention_heads").is_null());
}

TEST(PeftConfig, ReadsWhatPeftWrote) {
  const Adapter adapter =
      parse_peft_config(bytes_of_file(kGolden + "text/adapter_config.json"), "config");
  EXPECT_EQ(adapter.prompt.num_virtual_tokens, 5);
  EXPECT_EQ(adapter.prompt.hidden_size, 8);
  EXPECT_EQ(adapter.identity.base_model, "models/tiny \u00fc.gguf");
  EXPECT_EQ(adapter.identity.num_layers, 3);
  EXPECT_EQ(adapter.identity.num_heads, 4);
  EXPECT_EQ(adapter.init_text, kInitText);
  EXPECT_EQ(adapter.position, PromptPosition::kStart);
  EXPECT_FALSE(adapter.has_prescript_json);
}

TEST(PeftConfig, OtherVersionsMayKnowMoreOrLessKeys) {
  const auto more = parse_peft_config(changed({{"key_of_2030", {{"a", 1}}}}), "config");
  EXPECT_EQ(more.prompt.num_virtual_tokens, 5);
  const auto less = parse_peft_config(
      R"({"peft_type":"PROMPT_TUNING","task_type":"CAUSAL_LM","num_virtual_tokens":4})", "config");
  EXPECT_EQ(less.prompt.num_virtual_tokens, 4);
  EXPECT_EQ(less.prompt.hidden_size, 0);
}

TEST(PeftConfig, OtherKindsAreRefusedByName) {
  const std::pair<nlohmann::json, const char*> cases[] = {
      {{{"peft_type", "LORA"}}, "peft_type: an adapter of the kind \"LORA\""},
      {{{"peft_type", "P_TUNING"}}, "\"P_TUNING\""},
      {{{"peft_type", "(absent)"}}, "peft_type: missing"},
      {{{"peft_type", nullptr}}, "\"null\""},
      {{{"peft_type", 7}}, "peft_type: expected a string"},
      {{{"task_type", "SEQ_2_SEQ_LM"}}, "task_type: an adapter of the kind \"SEQ_2_SEQ_LM\""},
      {{{"task_type", nullptr}}, "\"null\""},
      {{{"num_transformer_submodules", 2}}, "num_transformer_submodules: 2 is not in [1, 1]"},
      {{{"num_virtual_tokens", 0}}, "num_virtual_tokens: 0 is not in"},
      {{{"num_virtual_tokens", -3}}, "num_virtual_tokens: -3 is not in"},
      {{{"num_virtual_tokens", 1.5}}, "num_virtual_tokens: expected a whole number"},
      {{{"num_virtual_tokens", "(absent)"}}, "num_virtual_tokens: missing"},
      {{{"token_dim", 0}}, "token_dim: 0 is not in"},
      {{{"base_model_name_or_path", 1}}, "base_model_name_or_path: expected a string"}};
  for (const auto& entry : cases) {
    expect_input_error(
        ExitCode::kModel, entry.second, [&] { parse_peft_config(changed(entry.first), "config"); });
  }
  EXPECT_NO_THROW(parse_peft_config(changed({{"num_transformer_submodules", nullptr}}), "config"));
}

TEST(PeftConfig, WhatIsNoObjectIsRefused) {
  expect_input_error(
      ExitCode::kModel, "config: expected an object", [] { parse_peft_config("[]", "config"); });
  expect_input_error(ExitCode::kModel, "config:1:", [] { parse_peft_config("{\"a\":", "config"); });
  const std::string deep = "{\"a\":" + std::string(100'000, '[');
  expect_input_error(ExitCode::kModel, "nested deeper", [&] { parse_peft_config(deep, "config"); });
}

}  // namespace
}  // namespace prescript
