#include "adapter/prescript_json.h"

#include <cmath>

#include <gtest/gtest.h>

#include "adapter/small_adapter.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

const std::map<std::string, std::string> kFiles = {{"adapter_config.json", std::string(64, 'c')},
                                                   {"adapter_model.safetensors", "d"}};

// Written down by hand, but for the digest: the order of keys is part of the format.
const std::string kText = R"({
  "format_version": 1,
  "digest": "DIGEST",
  "position": "before_question",
  "dtype": "fp32",
  "num_virtual_tokens": 2,
  "hidden_size": 3,
  "init_text": "You are a clinician.",
  "identity": {
    "base_model": "models/tiny )"
                          "\u00fc"
                          R"(.gguf",
    "base_hash": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "tokenizer_hash": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "template_hash": "",
    "architecture": "llama D=3",
    "num_layers": 3,
    "num_attention_heads": 4
  },
  "hard_prompt": {
    "format": "plain",
    "instruction": "Answer )"
                          "\u201c"
                          "carefully"
                          "\u201d"
                          R"(.\n",
    "few_shot": [
      {
        "answer": "Rest.",
        "id": "e1",
        "question": "\"digest\": \"0\" ?"
      }
    ],
    "rationale": true,
    "date": "2026-01-31"
  },
  "provenance": {
    "seed": "1",
    "steps": "60"
  },
  "metrics": {
    "validation_loss": 0.1,
    "validation_loss_at_start": 2.5e-300
  },
  "files": {
    "adapter_config.json": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "adapter_model.safetensors": "d"
  }
}
)";

std::string with_digest(std::string text, const std::string& digest) {
  return text.replace(text.find("DIGEST"), 6, digest);
}

PrescriptJson parse(const std::string& text) {
  return parse_prescript_json(text, "prescript.json");
}

std::string forge(const std::function<void(nlohmann::json&)>& change) {
  return forged_json(prescript_json(small_adapter(), kFiles), change);
}

TEST(PrescriptJson, IsWrittenAsTheFormatSays) {
  const std::string digest = sha256_hex(with_digest(kText, std::string(64, '0')));
  EXPECT_EQ(prescript_json(small_adapter(PromptPosition::kBeforeQuestion), kFiles),
            with_digest(kText, digest));
}

TEST(PrescriptJson, ReadsBackWhatWasWritten) {
  for (const auto position :
       {PromptPosition::kStart, PromptPosition::kAfterBos, PromptPosition::kBeforeQuestion}) {
    const std::string text = prescript_json(small_adapter(position), kFiles);
    const PrescriptJson read = parse(text);
    EXPECT_TRUE(read.adapter.has_prescript_json);
    EXPECT_EQ(read.adapter.position, position);
    EXPECT_EQ(read.adapter.identity.num_heads, 4);
    EXPECT_EQ(read.adapter.hard_prompt.instruction, small_adapter().hard_prompt.instruction);
    EXPECT_EQ(read.adapter.hard_prompt.few_shot_json, small_adapter().hard_prompt.few_shot_json);
    EXPECT_EQ(read.adapter.metrics, small_adapter().metrics);
    EXPECT_EQ(read.files, kFiles);
    EXPECT_EQ(prescript_json(read.adapter, read.files), text);
  }
}

TEST(PrescriptJson, WhatIsAbsentStaysAbsent) {
  Adapter adapter;
  adapter.prompt = {1, 1, {0}};
  const std::string text = prescript_json(adapter, {});
  const PrescriptJson read = parse(text);
  EXPECT_EQ(read.adapter.hard_prompt.instruction, std::nullopt);
  EXPECT_EQ(read.adapter.hard_prompt.date, std::nullopt);
  EXPECT_TRUE(read.adapter.metrics.empty());
  EXPECT_TRUE(read.adapter.provenance.empty());
  EXPECT_EQ(prescript_json(read.adapter, {}), text);
}

TEST(PrescriptJson, NumbersReadBackToTheSameBits) {
  Adapter adapter = small_adapter();
  adapter.metrics = {{"a", std::nextafter(2.0, 3.0)}, {"b", 5e-324}, {"c", 1e23}, {"d", 3.0}};
  EXPECT_EQ(parse(prescript_json(adapter, {})).adapter.metrics, adapter.metrics);
}

TEST(PrescriptJson, MetricsThatAreNotFiniteAreRefused) {
  Adapter adapter = small_adapter();
  adapter.metrics["validation_loss"] = std::nan("");
  expect_input_error(ExitCode::kNotFinite, "validation_loss", [&] { prescript_json(adapter, {}); });
}

TEST(PrescriptJson, AChangedTextIsRefused) {
  const std::string text = prescript_json(small_adapter(), kFiles);
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    return copy.replace(copy.find(from), from.size(), to);
  };
  for (const std::string& changed : {replaced("\"seed\": \"1\"", "\"seed\": \"2\""),
                                     replaced("carefully", "carelessly"),
                                     replaced("true", "false"),
                                     replaced("  \"digest\": ", "  \"digest\":  "),
                                     text + "\n"}) {
    expect_input_error(ExitCode::kModel, "the file was changed", [&] { parse(changed); });
  }
}

TEST(PrescriptJson, ANewerVersionIsRefusedAsSuch) {
  expect_input_error(ExitCode::kModel, "format_version: 2: a newer version", [] {
    parse(R"({"format_version": 2, "anything": []})");
  });
}

TEST(PrescriptJson, ForgedTextsAreRefusedByPlace) {
  using Change = std::function<void(nlohmann::json&)>;
  const std::pair<Change, const char*> cases[] = {
      {[](auto& j) { j["position"] = "end"; }, "position \"end\" is not one of"},
      {[](auto& j) { j["position"] = 1; }, "position: expected a string"},
      {[](auto& j) { j["dtype"] = "fp8"; }, "dtype: found \"fp8\"; allowed: fp32, bf16"},
      {[](auto& j) { j["num_virtual_tokens"] = 0; }, "num_virtual_tokens: 0 is not in"},
      {[](auto& j) { j["hidden_size"] = -1; }, "hidden_size: -1 is not in"},
      {[](auto& j) { j["identity"].erase("base_hash"); }, "identity.base_hash: missing"},
      {[](auto& j) { j["hard_prompt"]["format"] = "xml"; }, "hard_prompt.format: found"},
      {[](auto& j) { j["hard_prompt"]["few_shot"] = {1}; }, "few_shot[0]: expected an object"},
      {[](auto& j) { j["provenance"]["seed"] = 1; }, "provenance.seed: expected a string"},
      {[](auto& j) { j["metrics"]["x"] = nullptr; }, "metrics.x: expected a number"},
      {[](auto& j) { j["files"] = nullptr; }, "files: expected an object"}};
  EXPECT_NO_THROW(parse(forge([](auto&) {})));
  for (const auto& entry : cases)
    expect_input_error(ExitCode::kModel, entry.second, [&] { parse(forge(entry.first)); });
}

TEST(PrescriptJson, WhatIsNoPrescriptJsonIsRefused) {
  for (const std::string& text : std::vector<std::string>{"",
                                                          "[]",
                                                          "{}",
                                                          "null",
                                                          R"({"format_version": 0})",
                                                          R"({"format_version": 1})",
                                                          R"({"format_version": 1, "digest": "0)",
                                                          R"({"format_version": 1, "digest": ""})",
                                                          "{\"a\":" + std::string(100'000, '[')}) {
    expect_input_error(ExitCode::kModel, "prescript.json", [&] { parse(text); });
  }
}

}  // namespace
}  // namespace prescript
