#include "text/tokenizer_gguf.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temporary_directory.h"
#include "text/tokenizer.h"
#include "text/tokenizer_golden.h"
#include "text/tokenizer_json.h"

namespace prescript {
namespace {

/// A tokenizer after one change of equal length.
TokenizerDescription changed(const std::string& name, std::string_view from, std::string_view to) {
  std::string bytes = bytes_of_file(tokenizer_golden_path(name));
  const size_t at = bytes.find(from);
  if (at == std::string::npos || from.size() != to.size()) throw ContractError("no such change");
  bytes.replace(at, from.size(), to);
  const TemporaryDirectory directory;
  return tokenizer_from_gguf(*GgufFile::open(directory.write("changed.gguf", bytes)));
}

void expect_refused(std::string_view from, std::string_view to, const char* part) {
  expect_input_error(ExitCode::kModel, part, [&] { Tokenizer{changed("tiny.gguf", from, to)}; });
}

/// Of SentencePiece's BPE.
void expect_llama_refused(std::string_view from, std::string_view to, const char* part) {
  expect_input_error(
      ExitCode::kModel, part, [&] { Tokenizer{changed("families/llama2.gguf", from, to)}; });
}

TEST(TokenizerGguf, HoldsTheSameTokenizerAsTokenizerJson) {
  const auto file = GgufFile::open(tokenizer_golden_path("tiny.gguf"));
  const Tokenizer from_gguf = Tokenizer::from_gguf(*file);
  const Tokenizer from_json = Tokenizer::from_json_file(tokenizer_golden_path("tiny.json"));
  EXPECT_EQ(from_gguf.identity_hash(), from_json.identity_hash());
  for (const auto& line : tokenizer_golden_lines("tiny.jsonl")) {
    const auto text = line["text"].get<std::string>();
    EXPECT_EQ(from_gguf.encode(text, SpecialTokens::kParse),
              from_json.encode(text, SpecialTokens::kParse));
  }
  EXPECT_EQ(from_gguf.bos_token(), from_gguf.id_of("<|im_start|>"));
  EXPECT_EQ(from_gguf.eos_token(), from_gguf.id_of("<|im_end|>"));
  EXPECT_FALSE(from_gguf.adds_bos());
  EXPECT_TRUE(from_gguf.is_special(*from_gguf.eos_token()));
}

TEST(TokenizerGguf, WhatIsNotSupportedIsRefusedByName) {
  expect_refused("smollm", "smellm", "tokenizer.ggml.pre: pre-tokeniser \"smellm\" is not");
  expect_refused("tokenizer.ggml.pre", "tokenizer.ggml.xxx", "tokenizer.ggml.pre: it is absent");
  expect_refused("gpt2", "bert", "tokenizer.ggml.model: \"bert\" is not supported");
}

TEST(TokenizerGguf, AbsentPartsAreRefusedByName) {
  for (const std::string key : {"tokenizer.ggml.tokens",
                                "tokenizer.ggml.token_type",
                                "tokenizer.ggml.merges",
                                "tokenizer.ggml.model"}) {
    std::string other = key;
    other.back() = 'X';
    expect_refused(key, other, key.c_str());
  }
}

TEST(TokenizerGguf, DamagedPartsAreRefused) {
  expect_refused("<|im_start|>", "<|im_start|\xff", "token 1 is not valid UTF-8");
  expect_refused("Ġ t", "Ġ_t", "is not two pieces with one space between them");
  expect_refused("Ġ t", "Ġ  ", "is not two pieces with one space between them");
  // The id of BOS (a uint32) lies behind its key and its type.
  const std::string key = "tokenizer.ggml.bos_token_id";
  const std::string type("\4\0\0\0", 4);
  expect_refused(key + type + std::string("\1\0\0\0", 4),
                 key + type + std::string("\x08\x02\0\0", 4),
                 "tokenizer.ggml.bos_token_id");
  // The type of the first token (an array of int32, 520 long): 3 becomes 7.
  const std::string types = "tokenizer.ggml.token_type";
  const std::string array("\x09\0\0\0\5\0\0\0\x08\2\0\0\0\0\0\0", 16);
  expect_refused(types + array + "\3", types + array + "\7", "type 7 of token 0");
}

TEST(TokenizerGguf, DamagedModelsOfSentencePieceAreRefused) {
  expect_llama_refused("tokenizer.ggml.scores", "tokenizer.ggml.scoreX", "tokenizer.ggml.scores");
  expect_llama_refused("<0x41>", "<0xGG>", "has no \"<0x41>\"; all of <0x00> to <0xFF>");
  expect_llama_refused("<0x41>", "<0x42>", "are both \"<0x42>\"; every token must be unique");
  // The first score, behind the key, the type and the number of floats.
  const std::string bytes = bytes_of_file(tokenizer_golden_path("families/llama2.gguf"));
  const size_t key = bytes.find("tokenizer.ggml.scores");
  const std::string before = bytes.substr(key, 21 + 4 + 4 + 8);
  expect_llama_refused(before + bytes.substr(key + before.size(), 4),
                       before + std::string("\0\0\xc0\x7f", 4),
                       "tokenizer.ggml.scores");
}

/// Of unigrams.
void expect_t5_refused(std::string_view from, std::string_view to, const char* part) {
  expect_input_error(ExitCode::kModel, part, [&] {
    Tokenizer{changed("families/unigram-normalized.gguf", from, to)};
  });
}

TEST(TokenizerGguf, UnigramsThatAreNotAsTransformersTakesThemAreRefused) {
  using namespace std::string_literals;
  const auto flag = [](const char* name, char value) { return name + "\7\0\0\0"s + value; };
  const char* end = "tokenizer.ggml.add_eos_token";
  expect_t5_refused(flag(end, 0), flag(end, 1), "add_eos_token: true (or absent) is not supported");
  expect_t5_refused(end, "tokenizer.ggml.add_eos_tokeX", "add_eos_token: true (or absent)");
  const char* spaces = "tokenizer.ggml.remove_extra_whitespaces";
  expect_t5_refused(flag(spaces, 1), flag(spaces, 0), "whitespaces: false (or absent) is not");
  const char* prefix = "tokenizer.ggml.add_space_prefix";
  expect_t5_refused(flag(prefix, 1), flag(prefix, 0), "add_space_prefix: false is not supported");
  expect_t5_refused("tokenizer.ggml.unknown_token_id",
                    "tokenizer.ggml.unknown_token_iX",
                    "without an unknown token is not supported");
  expect_t5_refused("tokenizer.ggml.scores", "tokenizer.ggml.scoreX", "tokenizer.ggml.scores");
  // The table's size of its trie, behind the key, its type, that of its members and their number.
  const std::string bytes =
      bytes_of_file(tokenizer_golden_path("families/unigram-normalized.gguf"));
  const std::string table = "tokenizer.ggml.precompiled_charsmap";
  const std::string before = bytes.substr(bytes.find(table), table.size() + 4 + 4 + 8 + 4);
  std::string damaged = before;
  damaged.back() = '\x7f';
  expect_t5_refused(before, damaged, "tokenizer: precompiled charsmap: its ");
}

}  // namespace
}  // namespace prescript
