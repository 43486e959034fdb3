#include "text/pre_tokenizer_gguf.h"

#include <map>

namespace prescript {
namespace {

using Steps = std::vector<TextStep>;

constexpr const char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char kQwen35Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char kTekkenPattern[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char kGpt4oPattern[] =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

TextStep isolated(const char* pattern) {
  return {.pattern = pattern};
}

const TextStep kBytes = {.kind = TextStep::Kind::kBytes};
const Steps kNfc = {{.kind = TextStep::Kind::kNfc}};
const Steps kGpt2 = {isolated(kGpt2Pattern), kBytes};
const TextStep kDigit = {.matches = TextStep::Pattern::kNumeric};
const Steps kDigitsThenGpt2 = {kDigit, isolated(kGpt2Pattern), kBytes};

/// Falcon's steps behind ByteLevel see its symbols, among them digits that stand for other bytes.
const Steps kFalcon = {
    {.matches = TextStep::Pattern::kPunctuation, .behavior = SplitBehavior::kContiguous},
    isolated(kGpt2Pattern),
    kBytes,
    {.matches = TextStep::Pattern::kNumeric, .behavior = SplitBehavior::kContiguous},
    isolated("[0-9][0-9][0-9]")};
const Steps kDeepseekCoder = {isolated(R"([\r\n])"),
                              isolated(R"(\s?\p{L}+)"),
                              isolated(R"(\s?\p{P}+)"),
                              isolated("[一-龥ࠀ-一가-퟿]+"),
                              kDigit,
                              kBytes};
/// llama.cpp's own, for models that its converter did not know.
const Steps kDefault = {isolated(R"([\p{P}\$\+<=>\^~\|]+)"),
                        isolated(kGpt2Pattern),
                        isolated(R"(\p{N}+)"),
                        isolated("[0-9][0-9][0-9]"),
                        kBytes};

const std::map<std::string, NamedPreTokenizer, std::less<>>& named() {
  static const std::map<std::string, NamedPreTokenizer, std::less<>> instance = [] {
    const NamedPreTokenizer llama3{{}, {isolated(kLlama3Pattern), kBytes}, true, true};
    const Steps qwen2{isolated(kQwen2Pattern), kBytes};
    return std::map<std::string, NamedPreTokenizer, std::less<>>{
        {"command-r", {kNfc, kDigitsThenGpt2}},
        {"deepseek-coder", {{}, kDeepseekCoder}},
        {"deepseek-r1-qwen", {{}, qwen2}},
        {"default", {{}, kDefault}},
        {"falcon", {{}, kFalcon}},
        {"gpt-2", {{}, kGpt2}},
        {"gpt-4o", {{}, {isolated(kGpt4oPattern), kBytes}}},
        {"llama-bpe", llama3},
        {"llama-v3", llama3},
        {"llama3", llama3},
        {"llama4", {{}, {isolated(kGpt4oPattern), kBytes}}},
        {"mpt", {kNfc, kGpt2}},
        {"olmo", {kNfc, kGpt2}},
        {"phi-2", {{}, kGpt2}},
        {"qwen2", {kNfc, qwen2}},
        {"qwen35", {{}, {isolated(kQwen35Pattern), kBytes}}},
        {"refact", {{}, kDigitsThenGpt2}},
        {"smollm", {{}, kDigitsThenGpt2}},
        {"starcoder", {{}, kDigitsThenGpt2}},
        {"tekken", {{}, {isolated(kTekkenPattern), kBytes}, true, true}},
    };
  }();
  return instance;
}

}  // namespace

std::optional<NamedPreTokenizer> pre_tokenizer_of_gguf(std::string_view name) {
  const auto found = named().find(name);
  if (found == named().end()) return std::nullopt;
  return found->second;
}

std::string gguf_pre_tokenizer_names() {
  std::string names;
  for (const auto& [name, pre_tokenizer] : named()) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace prescript
