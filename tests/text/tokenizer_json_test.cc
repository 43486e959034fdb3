#include "text/tokenizer_json.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"
#include "text/tokenizer.h"
#include "text/tokenizer_golden.h"

namespace prescript {
namespace {

using nlohmann::json;

/// A folder with the tiny tokenizer, or what a test makes of it.
class TokenizerJson : public testing::Test {
 protected:
  json tiny = tokenizer_golden("tiny.json");

  Tokenizer load() {
    return Tokenizer::from_json_file(folder.write("tokenizer.json", tiny.dump()));
  }
  Tokenizer load_with(const char* name, const json& beside) {
    folder.write(name, beside.dump());
    return load();
  }
  void expect_refused(const std::string& part) {
    expect_input_error(ExitCode::kModel, part, [&] { load(); });
  }

  TemporaryDirectory folder;
};

TEST_F(TokenizerJson, BothSpellingsOfMergesAreRead) {
  const std::string hash = load().identity_hash();
  for (json& merge : tiny["model"]["merges"]) {
    merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
  }
  EXPECT_EQ(load().identity_hash(), hash);
}

TEST_F(TokenizerJson, BosAndEosComeFromTheFilesBeside) {
  EXPECT_EQ(load().bos_token(), std::nullopt);
  EXPECT_EQ(load().eos_token(), std::nullopt);
  load_with("special_tokens_map.json",
            {{"bos_token", {{"content", "<|endoftext|>"}, {"lstrip", false}}},
             {"eos_token", "<|endoftext|>"}});
  EXPECT_EQ(load().bos_token(), load().id_of("<|endoftext|>"));
  const Tokenizer tokenizer =
      load_with("tokenizer_config.json",
                {{"bos_token", "<|im_start|>"}, {"eos_token", {{"content", "<|im_end|>"}}}});
  EXPECT_EQ(tokenizer.bos_token(), tokenizer.id_of("<|im_start|>"));
  EXPECT_EQ(tokenizer.eos_token(), tokenizer.id_of("<|im_end|>"));
  EXPECT_FALSE(tokenizer.adds_bos());
}

json bos_template(const char* token) {
  return {{"type", "TemplateProcessing"},
          {"single",
           {{{"SpecialToken", {{"id", token}, {"type_id", 0}}}},
            {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}}};
}

TEST_F(TokenizerJson, BosIsAddedAsThePostProcessorSays) {
  tiny["post_processor"] = bos_template("<|im_start|>");
  EXPECT_TRUE(load().adds_bos());
  EXPECT_EQ(load().bos_token(), load().id_of("<|im_start|>"));

  tiny["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}, {"trim_offsets", true}}, bos_template("<|im_start|>")}}};
  EXPECT_TRUE(load().adds_bos());

  tiny["post_processor"] = {{"type", "ByteLevel"}, {"trim_offsets", true}};
  EXPECT_FALSE(load().adds_bos());
}

TEST_F(TokenizerJson, AnExplicitSettingOverrulesThePostProcessor) {
  tiny["post_processor"] = bos_template("<|im_start|>");
  json config = {{"bos_token", "<|im_start|>"}, {"add_bos_token", false}};
  EXPECT_FALSE(load_with("tokenizer_config.json", config).adds_bos());
  tiny["post_processor"] = nullptr;
  config["add_bos_token"] = true;
  EXPECT_TRUE(load_with("tokenizer_config.json", config).adds_bos());
  config["bos_token"] = nullptr;
  EXPECT_FALSE(load_with("tokenizer_config.json", config).adds_bos());
}

TEST_F(TokenizerJson, ConfigurationsThatContradictAreRefused) {
  tiny["post_processor"] = bos_template("<|im_start|>");
  folder.write("tokenizer_config.json", R"({"bos_token": "<|endoftext|>"})");
  expect_refused("the BOS token is named otherwise");
  folder.write("tokenizer_config.json", R"({"bos_token": "<s>"})");
  expect_refused("bos_token: \"<s>\" is not in the vocabulary");
  folder.write("tokenizer_config.json", R"({"add_eos_token": true})");
  expect_refused("add_eos_token: not supported");
  folder.write("tokenizer_config.json",
               R"({"added_tokens_decoder": {"520": {"content": "<new>"}}})");
  expect_refused("\"<new>\" is not token 520");
}

TEST_F(TokenizerJson, TemplatesThatAddMoreThanBosAreRefused) {
  tiny["post_processor"] = bos_template("<|im_start|>");
  json& parts = tiny["post_processor"]["single"];
  parts.push_back(parts[0]);
  expect_refused("post_processor.single: expected the text, with at most one special token");
  tiny["post_processor"] = {{"type", "BertProcessing"}};
  expect_refused("\"BertProcessing\" is not supported");
}

TEST_F(TokenizerJson, WhatIsNotSupportedIsRefusedByName) {
  const json whole = tiny;
  const auto refused = [&](const char* pointer, const json& value, const std::string& part) {
    tiny = whole;
    tiny[json::json_pointer(pointer)] = value;
    expect_refused(part);
  };
  refused("/normalizer", {{"type", "NFD"}}, "normalizer \"NFD\" is not supported");
  refused("/model/type", "WordPiece", "model.type: \"WordPiece\" is not supported");
  refused("/model/dropout", 0.1, "model.dropout: not supported");
  refused("/model/end_of_word_suffix", "</w>", "model.end_of_word_suffix: not supported");
  refused("/model/continuing_subword_prefix", "##", "continuing_subword_prefix: not supported");
  refused("/decoder/type", "WordPiece", "\"WordPiece\" is not supported");
  refused("/decoder", nullptr, "decoder");
  refused("/pre_tokenizer", nullptr, "decoder: a ByteLevel pre-tokeniser needs");
  refused("/decoder", {{"type", "Fuse"}}, "decoder: a ByteLevel pre-tokeniser needs");
  refused("/added_tokens/0/single_word", true, "added_tokens[0].single_word: not supported");
}

TEST_F(TokenizerJson, DamagedPartsAreRefused) {
  const json whole = tiny;
  const auto refused = [&](const char* pointer, const json& value, const std::string& part) {
    tiny = whole;
    tiny[json::json_pointer(pointer)] = value;
    expect_refused(part);
  };
  refused("/model/vocab/a", 520, "piece \"a\" has id 520");
  refused("/model/vocab/a", -1, "piece \"a\" has id -1");
  refused("/model/vocab/a", 0, "has id 0");  // that of <|endoftext|>
  refused("/model/vocab/a", 1.5, "piece \"a\" has id 1.5");
  refused("/model/vocab", json::array(), "model.vocab: expected an object");
  refused("/model/merges/0", "a b c", "model.merges[0]: expected two pieces with one space");
  refused("/model/merges/0", json::array({"a"}), "model.merges[0]: expected two pieces");
  refused("/model/merges/0", "a nosuchpiece", "needs \"nosuchpiece\"");
  refused("/added_tokens/0/id", 7, "\"<|endoftext|>\" has id 7, expected 0");
  refused("/added_tokens/0/content", "<new>", "\"<new>\" has id 0, expected 520");
  tiny = whole;
  tiny.erase("model");
  expect_refused("model");
}

TEST_F(TokenizerJson, AnUnknownTokenMattersOnlyWhereAByteCanBecomeIt) {
  const std::string hash = load().identity_hash();
  tiny["model"]["unk_token"] = "<|endoftext|>";
  EXPECT_EQ(load().identity_hash(), hash);
  json& vocabulary = tiny["model"]["vocab"];
  const json id = vocabulary["À"];
  vocabulary.erase("À");
  vocabulary["<unused>"] = id;
  EXPECT_NE(load().identity_hash(), hash);
  tiny["model"]["unk_token"] = "<nothing>";
  expect_refused("model.unk_token: \"<nothing>\" is not in the vocabulary");
}

TEST_F(TokenizerJson, DamagedSentencePieceModelsAreRefused) {
  const auto refused =
      [&](const char* name, const char* pointer, const json& value, const std::string& part) {
        tiny = tokenizer_golden(name);
        tiny[json::json_pointer(pointer)] = value;
        expect_refused(part);
      };
  const char* unigram = "families/unigram.json";
  refused(unigram, "/model/vocab/5", json::array({"a"}), "model.vocab[5]: expected a piece and");
  refused(unigram, "/model/vocab/5/1", "x", "model.vocab[5][1]: expected a number");
  refused(unigram, "/model/unk_id", 100000, "model.unk_id");
  refused(unigram, "/model/unk_id", nullptr, "without an unknown token is not supported");
  refused(unigram, "/model/byte_fallback", true, "the vocabulary has no \"<0x00>\"");
  tiny = tokenizer_golden(unigram);
  tiny["model"]["vocab"][5] = tiny["model"]["vocab"][6];
  expect_refused("is there twice; every piece must be unique");

  tiny = tokenizer_golden("families/llama2.json");
  json& vocabulary = tiny["model"]["vocab"];
  vocabulary["<0xGG>"] = vocabulary["<0x41>"];
  vocabulary.erase("<0x41>");
  expect_refused("the vocabulary has no \"<0x41>\"; all of <0x00> to <0xFF> must be in it");
}

}  // namespace
}  // namespace prescript
