#include "text/text_steps.h"

#include <algorithm>

#include "base/error.h"
#include "text/byte_level.h"
#include "text/normal_form.h"
#include "text/regex_syntax.h"
#include "text/unicode_categories.h"
#include "text/utf8.h"

namespace prescript {
namespace {

constexpr size_t kMaxBytes = (size_t{1} << 31) - 2;  // models and ICU count with 32 bits

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

std::vector<TextRange> behave(SplitBehavior behavior, std::vector<Piece> pieces) {
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

std::optional<Regex> compile(const TextStep& step, const std::string& place) {
  if (step.kind == TextStep::Kind::kCharacterMap) return Regex("\\X", place);  // one grapheme
  if (step.kind != TextStep::Kind::kSplit && step.kind != TextStep::Kind::kReplace) {
    return std::nullopt;
  }
  switch (step.matches) {
    case TextStep::Pattern::kRegex:
      return Regex(pcre2_pattern(step.pattern, place), place);
    case TextStep::Pattern::kLiteral:
      return Regex::literal(step.pattern, place);
    case TextStep::Pattern::kNumeric:
      return Regex("[" + numeric_set() + "]", place);
    case TextStep::Pattern::kPunctuation:
      return Regex(punctuation_pattern(), place);
  }
  return std::nullopt;
}

/// Makes the text anew: `change(word, into)` appends what becomes of a word.
template <typename Change>
void rewrite(AlignedText& text, const Change& change) {
  AlignedText changed;
  changed.text.reserve(text.text.size());
  changed.origin.reserve(text.text.size());
  for (const TextRange& word : text.words) {
    const size_t begin = changed.text.size();
    change(word, changed);
    changed.end_word(begin);
  }
  text = std::move(changed);
}

void spell_bytes(AlignedText& text) {
  rewrite(text, [&](TextRange word, AlignedText& into) {
    for (size_t i = word.begin; i < word.end; ++i) {
      into.put(byte_symbol(static_cast<uint8_t>(text.text[i])), text.origin[i]);
    }
  });
}

void normalize(AlignedText& text, NormalForm form) {
  rewrite(text, [&](TextRange word, AlignedText& into) {
    for (const NormalizedSpan& span : normalized_spans(text.word(word), form)) {
      const size_t begin = word.begin + span.begin;
      if (span.is_changed) {
        into.put(span.text, text.origin[begin]);
      } else {
        into.put(text, {begin, begin + span.text.size()});
      }
    }
  });
}

}  // namespace

TextSteps::TextSteps(const std::vector<TextStep>& steps, const std::string& place) {
  for (const TextStep& step : steps) {
    steps_.push_back({step, compile(step, place), std::nullopt});
    if (step.kind == TextStep::Kind::kCharacterMap) steps_.back().map.emplace(step.content, place);
  }
}

void TextSteps::apply(AlignedText& text, Regex::Workspace& workspace) const {
  for (const Step& step : steps_) {
    switch (step.description.kind) {
      case TextStep::Kind::kSplit:
        split(step, text, workspace);
        break;
      case TextStep::Kind::kReplace:
        replace(step, text, workspace);
        break;
      case TextStep::Kind::kPrepend:
      case TextStep::Kind::kPrependMissing:
      case TextStep::Kind::kPrependFirst:
        prepend(step.description, text);
        break;
      case TextStep::Kind::kBytes:
        spell_bytes(text);
        break;
      case TextStep::Kind::kNfc:
        normalize(text, NormalForm::kNfc);
        break;
      case TextStep::Kind::kNfkc:
        normalize(text, NormalForm::kNfkc);
        break;
      case TextStep::Kind::kCharacterMap:
        map_characters(step, text, workspace);
        break;
    }
    if (text.text.size() > kMaxBytes) {
      throw InputError(ExitCode::kData,
                       "text: the tokenizer makes " + std::to_string(text.text.size()) +
                           " bytes of it, more than " + std::to_string(kMaxBytes) +
                           "; shorten the text");
    }
  }
}

void TextSteps::split(const Step& step, AlignedText& text, Regex::Workspace& workspace) {
  std::vector<TextRange> shorter;
  std::vector<TextRange> matches;
  for (const TextRange& word : text.words) {
    matches.clear();
    step.regex->find_all(text.word(word), workspace, matches);
    auto pieces = pieces_of(word.end - word.begin, matches, step.description.invert);
    for (const TextRange& range : behave(step.description.behavior, std::move(pieces))) {
      shorter.push_back({word.begin + range.begin, word.begin + range.end});
    }
  }
  text.words = std::move(shorter);
}

void TextSteps::replace(const Step& step, AlignedText& text, Regex::Workspace& workspace) {
  std::vector<TextRange> matches;
  rewrite(text, [&](TextRange word, AlignedText& into) {
    matches.clear();
    step.regex->find_all(text.word(word), workspace, matches);
    size_t end = word.begin;
    for (const TextRange& match : matches) {
      into.put(text, {end, word.begin + match.begin});
      into.put(step.description.content, text.origin[word.begin + match.begin]);
      end = word.begin + match.end;
    }
    into.put(text, {end, word.end});
  });
}

void TextSteps::map_characters(const Step& step, AlignedText& text, Regex::Workspace& workspace) {
  // As `tokenizers` does it, not SentencePiece: a short grapheme that begins with a key is replaced
  // whole, else each of its characters by itself.
  constexpr size_t kLongGrapheme = 6;
  std::vector<TextRange> graphemes;
  rewrite(text, [&](TextRange word, AlignedText& into) {
    const auto put = [&](TextRange range) {
      const auto found = step.map->find(text.word(range));
      if (found) into.put(*found, text.origin[range.begin]);
      return found.has_value();
    };
    graphemes.clear();
    step.regex->find_all(text.word(word), workspace, graphemes);
    for (const TextRange& grapheme : graphemes) {
      const size_t end = word.begin + grapheme.end;
      size_t begin = word.begin + grapheme.begin;
      if (end - begin < kLongGrapheme && put({begin, end})) continue;
      while (begin < end) {
        size_t next = begin;
        next_character(text.text, next);
        if (!put({begin, next})) into.put(text, {begin, next});
        begin = next;
      }
    }
  });
}

void TextSteps::prepend(const TextStep& step, AlignedText& text) {
  rewrite(text, [&](TextRange word, AlignedText& into) {
    const bool is_there = text.word(word).starts_with(step.content);
    const bool is_first = text.origin[word.begin] == 0;
    if (step.kind == TextStep::Kind::kPrepend ||
        (!is_there && (step.kind == TextStep::Kind::kPrependMissing || is_first))) {
      into.put(step.content, text.origin[word.begin]);
    }
    into.put(text, word);
  });
}

}  // namespace prescript
