#include "text/tokenizer_gguf.h"

#include <cctype>
#include <utility>

#include "base/error.h"
#include "io/quote.h"
#include "text/pre_tokenizer_gguf.h"
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
  kByte = 6,
};

[[noreturn]] void fail(const GgufFile& file, const std::string& key, const std::string& message) {
  throw InputError(ExitCode::kModel, file.path() + ": " + key + ": " + message);
}

constexpr const char* kCharacterTable = "tokenizer.ggml.precompiled_charsmap";
constexpr const char* kRemovesSpaces = "tokenizer.ggml.remove_extra_whitespaces";

std::string character_table(const GgufFile& file) {
  std::string table;
  if (!file.has(kCharacterTable)) return table;
  for (const int64_t byte : file.integers(kCharacterTable)) table += static_cast<char>(byte);
  return table;
}

/// Byte-level BPE.
void describe_gpt2(const GgufFile& file, TokenizerDescription& description) {
  const auto name = file.find_string("tokenizer.ggml.pre");
  auto named = name ? pre_tokenizer_of_gguf(*name) : std::nullopt;
  if (!named) {
    fail(file,
         "tokenizer.ggml.pre",
         (name ? "pre-tokeniser " + quote(*name) + " is not supported" : "it is absent") +
             "; known are " + gguf_pre_tokenizer_names());
  }
  description.normalizer = std::move(named->normalizer);
  description.pre_tokenizer = std::move(named->steps);
  description.ignore_merges = named->ignore_merges;
  description.adds_bos = named->adds_bos;
  description.decoder.byte_level = true;
}

/// What SentencePiece's tokenizers have in common: no words, "▁" for a space, bytes for what has no
/// token.
void describe_sentencepiece(const GgufFile& file,
                            bool adds_space,
                            TokenizerDescription& description) {
  const std::string space = "▁";
  if (adds_space) {
    description.normalizer.push_back({.kind = TextStep::Kind::kPrepend, .content = space});
    description.decoder.strip_spaces = 1;
  }
  description.normalizer.push_back({.kind = TextStep::Kind::kReplace,
                                    .matches = TextStep::Pattern::kLiteral,
                                    .pattern = " ",
                                    .content = space});
  description.byte_fallback = true;
  description.decoder.replacements = {{space, " "}};
  description.decoder.byte_fallback = true;
  description.adds_bos = true;
  if (!character_table(file).empty()) {
    fail(file, kCharacterTable, "a normaliser of characters is not supported beside BPE");
  }
  if (file.find_boolean(kRemovesSpaces).value_or(false)) {
    fail(file, kRemovesSpaces, "true is not supported beside BPE");
  }
}

/// SentencePiece's unigrams, as transformers takes those of XLM-R: words between white space, each
/// with "▁" before it.
void describe_unigram(const GgufFile& file, bool adds_space, TokenizerDescription& description) {
  if (!adds_space) {
    fail(file, "tokenizer.ggml.add_space_prefix", "false is not supported of unigrams");
  }
  if (!file.find_boolean(kRemovesSpaces).value_or(false)) {
    fail(file, kRemovesSpaces, "false (or absent) is not supported of unigrams");
  }
  const std::string space = "▁";
  if (std::string table = character_table(file); !table.empty()) {
    description.normalizer = {{.kind = TextStep::Kind::kCharacterMap, .content = std::move(table)}};
  }
  description.pre_tokenizer = {
      {.pattern = R"(\s)", .behavior = SplitBehavior::kRemoved},
      {.kind = TextStep::Kind::kPrependMissing, .content = space},
      {.matches = TextStep::Pattern::kLiteral,
       .pattern = space,
       .behavior = SplitBehavior::kMergedWithNext},
  };
  description.model = TokenizerModel::kUnigram;
  description.decoder.replacements = {{space, " "}};
  description.decoder.dropped_first = space;
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
      case kByte:
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
                 " is not supported; 1 to 6 are");
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

void read_scores(const GgufFile& file, TokenizerDescription& description) {
  const std::vector<double> scores = file.numbers("tokenizer.ggml.scores");
  if (scores.size() != description.pieces.size()) {
    fail(file,
         "tokenizer.ggml.scores",
         std::to_string(scores.size()) + " scores for " +
             std::to_string(description.pieces.size()) + " tokens");
  }
  for (size_t id = 0; id < scores.size(); ++id) description.pieces[id].score = scores[id];
}

/// GGUF keeps no flags of added tokens. Those of Phi-3 take the white space behind them, but for
/// three. A fine-tune has the architecture; one stored as a llama is known by its name, as
/// llama.cpp knows all of them.
void add_flags_of_phi3(const GgufFile& file, TokenizerDescription& description) {
  std::string name = file.find_string("general.architecture").value_or("") + " " +
                     file.find_string("general.name").value_or("");
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (name.find("phi-3") == std::string::npos && name.find("phi3") == std::string::npos) return;
  for (AddedToken& token : description.added_tokens) {
    const std::string& text = description.pieces[static_cast<size_t>(token.id)].text;
    token.rstrip = text != "<unk>" && text != "<s>" && text != "<|endoftext|>";
  }
}

/// SentencePiece finds its user-defined symbols in the text whose spaces are "▁". Files have either
/// spelling of them.
void find_spaces_in_normalized_text(TokenizerDescription& description) {
  const std::string space = "▁";
  for (AddedToken& token : description.added_tokens) {
    if (token.special) continue;
    std::string& text = description.pieces[static_cast<size_t>(token.id)].text;
    for (size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at)) {
      text.replace(at, 1, space);
    }
    token.normalized = text.find(space) != std::string::npos;
  }
}

std::optional<int32_t> token_id(const GgufFile& file, const char* key, size_t num_tokens) {
  const auto id = file.find_integer(key, 0, static_cast<int64_t>(num_tokens) - 1);
  if (!id) return std::nullopt;
  return static_cast<int32_t>(*id);
}

}  // namespace

TokenizerDescription tokenizer_from_gguf(const GgufFile& file) {
  TokenizerDescription description;
  description.place = file.path();
  const std::string model = file.string("tokenizer.ggml.model");
  const bool is_unigram = model == "t5";
  const bool adds_space =
      file.find_boolean("tokenizer.ggml.add_space_prefix").value_or(model == "llama" || is_unigram);
  if (model == "gpt2") {
    describe_gpt2(file, description);
    if (adds_space) {
      fail(file, "tokenizer.ggml.add_space_prefix", "true is not supported");
    }
  } else if (model == "llama" || model == "gemma4") {
    describe_sentencepiece(file, adds_space, description);
  } else if (is_unigram) {
    describe_unigram(file, adds_space, description);
  } else {
    fail(file,
         "tokenizer.ggml.model",
         quote(model) +
             " is not supported; gpt2 (byte-level BPE), llama (SentencePiece's BPE), gemma4 and t5 "
             "(SentencePiece's unigrams) are");
  }

  read_tokens(file, description);
  if (model == "llama") {
    description.model = TokenizerModel::kScoredBpe;
    read_scores(file, description);
    add_flags_of_phi3(file, description);
    if (!adds_space) find_spaces_in_normalized_text(description);
  } else if (is_unigram) {
    read_scores(file, description);
  } else {
    read_merges(file, description);
  }
  const size_t num_tokens = description.pieces.size();
  description.bos_token = token_id(file, "tokenizer.ggml.bos_token_id", num_tokens);
  description.eos_token = token_id(file, "tokenizer.ggml.eos_token_id", num_tokens);
  if (is_unigram) {
    description.unknown_token = token_id(file, "tokenizer.ggml.unknown_token_id", num_tokens);
  }
  description.adds_bos =
      file.find_boolean("tokenizer.ggml.add_bos_token").value_or(description.adds_bos);
  // llama.cpp takes it for true of unigrams where it is absent.
  if (file.find_boolean("tokenizer.ggml.add_eos_token").value_or(is_unigram)) {
    fail(file,
         "tokenizer.ggml.add_eos_token",
         std::string("true ") + (is_unigram ? "(or absent) " : "") + "is not supported");
  }
  return description;
}

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  return Tokenizer(tokenizer_from_gguf(file));
}

}  // namespace prescript
