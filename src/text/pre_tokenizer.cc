#include "text/pre_tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "text/regex_syntax.h"
#include "text/unicode_categories.h"

namespace prescript {
namespace {

constexpr const char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct Piece {
  TextRange range;
  bool is_match;
};

/// The matches and what lies between them.
std::vector<Piece> pieces_of(size_t size, const std::vector<TextRange>& matches, bool invert) {
  std::vector<Piece> pieces;
  size_t end = 0;
  const auto add = [&](size_t until, bool is_match) {
    if (end < until) pieces.push_back({{end, until}, is_match != invert});
    end = until;
  };
  for (const TextRange& match : matches) {
    add(match.begin, false);
    add(match.end, true);
  }
  add(size, false);
  return pieces;
}

/// Joins a match to the piece before it in `pieces`, unless that is a match too.
std::vector<TextRange> merge_with_previous(const std::vector<Piece>& pieces) {
  std::vector<TextRange> joined;
  bool previous_is_match = false;
  for (const Piece& piece : pieces) {
    if (piece.is_match && !previous_is_match && !joined.empty()) {
      joined.back() = {std::min(joined.back().begin, piece.range.begin),
                       std::max(joined.back().end, piece.range.end)};
    } else {
      joined.push_back(piece.range);
    }
    previous_is_match = piece.is_match;
  }
  return joined;
}

std::vector<TextRange> apply(SplitBehavior behavior, std::vector<Piece> pieces) {
  std::vector<TextRange> words;
  switch (behavior) {
    case SplitBehavior::kIsolated:
      for (const Piece& piece : pieces) words.push_back(piece.range);
      break;
    case SplitBehavior::kRemoved:
      for (const Piece& piece : pieces) {
        if (!piece.is_match) words.push_back(piece.range);
      }
      break;
    case SplitBehavior::kContiguous:
      for (size_t i = 0; i < pieces.size(); ++i) {
        if (i > 0 && pieces[i].is_match == pieces[i - 1].is_match) {
          words.back().end = pieces[i].range.end;
        } else {
          words.push_back(pieces[i].range);
        }
      }
      break;
    case SplitBehavior::kMergedWithPrevious:
      words = merge_with_previous(pieces);
      break;
    case SplitBehavior::kMergedWithNext:
      std::reverse(pieces.begin(), pieces.end());
      words = merge_with_previous(pieces);
      std::reverse(words.begin(), words.end());
      break;
  }
  return words;
}

SplitStep individual_digits() {
  return {.kind = SplitStep::Kind::kNumeric, .pattern = ""};
}

SplitStep isolated(const char* pattern) {
  return {.pattern = pattern};
}

}  // namespace

PreTokenizer::PreTokenizer(const PreTokenizerDescription& description, const std::string& place)
    : add_prefix_space_(description.add_prefix_space) {
  for (const SplitStep& step : description.splits) steps_.push_back(compile(step, place));
  if (description.split_gpt2_pattern) gpt2_ = compile(isolated(kGpt2Pattern), place);
}

PreTokenizer::Step PreTokenizer::compile(const SplitStep& step, const std::string& place) {
  const auto regex = [&]() -> Regex {
    switch (step.kind) {
      case SplitStep::Kind::kRegex:
        return Regex(pcre2_pattern(step.pattern, place), place);
      case SplitStep::Kind::kLiteral:
        return Regex::literal(step.pattern, place);
      case SplitStep::Kind::kNumeric:
        return Regex("[" + numeric_set() + "]", place);
    }
    PRESCRIPT_CHECK(false, "a split step of an unknown kind");
  };
  return {regex(), step.behavior, step.invert};
}

std::vector<Word> PreTokenizer::split(std::string_view text, Regex::Workspace& workspace) const {
  std::vector<Word> words;
  if (!text.empty()) words.push_back({0, text.size()});
  std::vector<TextRange> matches;
  const auto cut = [&](std::string_view word, const Step& step) {
    matches.clear();
    step.regex.find_all(word, workspace, matches);
    return apply(step.behavior, pieces_of(word.size(), matches, step.invert));
  };

  for (const Step& step : steps_) {
    std::vector<Word> shorter;
    for (const Word& word : words) {
      for (const TextRange& range : cut(text.substr(word.begin, word.end - word.begin), step)) {
        shorter.push_back({word.begin + range.begin, word.begin + range.end});
      }
    }
    words = std::move(shorter);
  }
  if (add_prefix_space_) {
    for (Word& word : words) word.added_space = text[word.begin] != ' ';
  }
  if (!gpt2_) return words;

  std::vector<Word> shorter;
  std::string with_space;
  for (const Word& word : words) {
    std::string_view bytes = text.substr(word.begin, word.end - word.begin);
    if (word.added_space) {
      with_space.assign(" ").append(bytes);
      bytes = with_space;
    }
    const size_t added = word.added_space ? 1 : 0;
    for (const TextRange& range : cut(bytes, *gpt2_)) {
      const bool first = range.begin == 0;
      shorter.push_back({word.begin + range.begin - (first ? 0 : added),
                         word.begin + range.end - added,
                         first && word.added_space});
    }
  }
  return shorter;
}

std::optional<NamedPreTokenizer> pre_tokenizer_of_gguf(std::string_view name) {
  if (name == "gpt-2") return NamedPreTokenizer{{.splits = {}, .split_gpt2_pattern = true}};
  if (name == "smollm" || name == "starcoder") {
    return NamedPreTokenizer{{.splits = {individual_digits()}, .split_gpt2_pattern = true}};
  }
  if (name == "llama-bpe" || name == "llama3" || name == "llama-v3") {
    const auto split = isolated(
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)");
    return NamedPreTokenizer{{.splits = {split}}, true, true};
  }
  if (name == "qwen2" || name == "deepseek-r1-qwen") {
    const auto split = isolated(
        R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)");
    return NamedPreTokenizer{{.splits = {split}}};
  }
  if (name == "default") {  // llama.cpp's own, for models its converter did not know
    return NamedPreTokenizer{{.splits = {isolated(R"([\p{P}\$\+<=>\^~\|]+)"),
                                         isolated(kGpt2Pattern),
                                         isolated(R"(\p{N}+)"),
                                         isolated("[0-9][0-9][0-9]")}}};
  }
  return std::nullopt;
}

std::string gguf_pre_tokenizer_names() {
  return "smollm, starcoder, gpt-2, llama-bpe, llama3, llama-v3, qwen2, deepseek-r1-qwen, default";
}

}  // namespace prescript
