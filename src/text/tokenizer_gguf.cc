#include "text/tokenizer_gguf.h"

#include <algorithm>

#include "base/error.h"
#include "io/quote.h"
#include "text/tokenizer.h"

namespace prescript {
namespace {

/// Types of tokens; part of the on-disk format (llama.cpp's llama_token_type).
enum TokenType : int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
};

[[noreturn]] void fail(const GgufFile& file, const std::string& key, const std::string& message) {
  throw InputError(ExitCode::kModel, file.path() + ": " + key + ": " + message);
}

NamedPreTokenizer named_pre_tokenizer(const GgufFile& file) {
  const std::string model = file.string("tokenizer.ggml.model");
  if (model != "gpt2") {
    fail(
        file, "tokenizer.ggml.model", quote(model) + " is not supported; gpt2 (byte-level BPE) is");
  }
  const auto name = file.find_string("tokenizer.ggml.pre");
  const auto named = name ? pre_tokenizer_of_gguf(*name) : std::nullopt;
  if (!named) {
    fail(file,
         "tokenizer.ggml.pre",
         (name ? "pre-tokeniser " + quote(*name) + " is not supported" : "it is absent") +
             "; known are " + gguf_pre_tokenizer_names());
  }
  return *named;
}

void read_tokens(const GgufFile& file, TokenizerDescription& description) {
  std::vector<std::string> texts = file.strings("tokenizer.ggml.tokens");
  const std::vector<int64_t> types = file.integers("tokenizer.ggml.token_type");
  if (types.size() != texts.size()) {
    fail(file,
         "tokenizer.ggml.token_type",
         std::to_string(types.size()) + " types for " + std::to_string(texts.size()) + " tokens");
  }
  description.pieces.reserve(texts.size());
  for (size_t id = 0; id < texts.size(); ++id) {
    description.pieces.push_back({std::move(texts[id]), types[id] == kNormal});
    switch (types[id]) {
      case kNormal:
      case kUnused:
        break;
      case kUnknown:
      case kControl:
        description.added_tokens.push_back({.id = static_cast<int32_t>(id), .special = true});
        break;
      case kUserDefined:
        description.added_tokens.push_back({.id = static_cast<int32_t>(id)});
        break;
      default:
        fail(file,
             "tokenizer.ggml.token_type",
             "type " + std::to_string(types[id]) + " of token " + std::to_string(id) +
                 " is not supported; 1 to 5 are");
    }
  }
}

void read_merges(const GgufFile& file, TokenizerDescription& description) {
  for (const std::string& merge : file.strings("tokenizer.ggml.merges")) {
    const size_t space = merge.find(' ');
    if (space == std::string::npos || merge.find(' ', space + 1) != std::string::npos) {
      fail(file,
           "tokenizer.ggml.merges",
           "merge " + std::to_string(description.merges.size()) +
               " is not two pieces with one space between them");
    }
    description.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
}

std::optional<int32_t> token_id(const GgufFile& file, const char* key, size_t num_tokens) {
  const auto id = file.find_integer(key, 0, static_cast<int64_t>(num_tokens) - 1);
  if (!id) return std::nullopt;
  return static_cast<int32_t>(*id);
}

}  // namespace

TokenizerDescription tokenizer_from_gguf(const GgufFile& file) {
  const NamedPreTokenizer named = named_pre_tokenizer(file);
  TokenizerDescription description;
  description.place = file.path();
  description.pre_tokenizer = named.description;
  description.ignore_merges = named.ignore_merges;
  read_tokens(file, description);
  read_merges(file, description);
  const size_t num_tokens = description.pieces.size();
  description.bos_token = token_id(file, "tokenizer.ggml.bos_token_id", num_tokens);
  description.eos_token = token_id(file, "tokenizer.ggml.eos_token_id", num_tokens);
  description.adds_bos = file.find_boolean("tokenizer.ggml.add_bos_token").value_or(named.adds_bos);
  for (const char* key : {"tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix"}) {
    if (file.find_boolean(key).value_or(false)) fail(file, key, "true is not supported");
  }
  return description;
}

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  return Tokenizer(tokenizer_from_gguf(file));
}

}  // namespace prescript
