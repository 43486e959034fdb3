#include "text/text_steps_json.h"

#include <map>

#include "base/base64.h"
#include "io/quote.h"

namespace prescript {
namespace {

using Kind = TextStep::Kind;
using Pattern = TextStep::Pattern;

SplitBehavior behavior_of(const JsonCursor& name) {
  static const std::map<std::string, SplitBehavior> behaviors = {
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  };
  const auto found = behaviors.find(name.string());
  if (found == behaviors.end()) {
    name.fail(quote(name.string()) +
              " is not supported; Isolated, Removed, MergedWithPrevious, MergedWithNext and "
              "Contiguous are");
  }
  return found->second;
}

TextStep with_pattern(Kind kind, const JsonCursor& json) {
  const JsonCursor pattern = json.at("pattern");
  const auto literal = pattern.find("String");
  return {.kind = kind,
          .matches = literal ? Pattern::kLiteral : Pattern::kRegex,
          .pattern = (literal ? *literal : pattern.at("Regex")).string()};
}

void append_split(const JsonCursor& json, std::vector<TextStep>& steps) {
  TextStep step = with_pattern(Kind::kSplit, json);
  step.behavior = behavior_of(json.at("behavior"));
  step.invert = json.at("invert").boolean();
  steps.push_back(std::move(step));
}

void append_digits(const JsonCursor& json, std::vector<TextStep>& steps) {
  const bool individual = json.at("individual_digits").boolean();
  steps.push_back({.matches = Pattern::kNumeric,
                   .behavior = individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous});
}

void append_punctuation(const JsonCursor& json, std::vector<TextStep>& steps) {
  const auto behavior = json.find("behavior");
  steps.push_back({.matches = Pattern::kPunctuation,
                   .behavior = behavior ? behavior_of(*behavior) : SplitBehavior::kIsolated});
}

void append_byte_level(const JsonCursor& json, std::vector<TextStep>& steps) {
  if (json.at("add_prefix_space").boolean()) {
    steps.push_back({.kind = Kind::kPrependMissing, .content = " "});
  }
  const auto use_regex = json.find("use_regex");  // absent in old files: true
  if (!use_regex || use_regex->boolean()) steps.push_back({.pattern = kGpt2Pattern});
  steps.push_back({.kind = Kind::kBytes});
}

void append_metaspace(const JsonCursor& json, std::vector<TextStep>& steps) {
  const std::string replacement = json.at("replacement").string();
  steps.push_back({.kind = Kind::kReplace,
                   .matches = Pattern::kLiteral,
                   .pattern = " ",
                   .content = replacement});
  const PrependScheme scheme = prepend_scheme_of(json);
  if (scheme != PrependScheme::kNever) {
    const bool always = scheme == PrependScheme::kAlways;
    steps.push_back(
        {.kind = always ? Kind::kPrependMissing : Kind::kPrependFirst, .content = replacement});
  }
  const auto split = json.find("split");
  if (!split || split->boolean()) {
    steps.push_back({.matches = Pattern::kLiteral,
                     .pattern = replacement,
                     .behavior = SplitBehavior::kMergedWithNext});
  }
}

void append_whitespace_split(const JsonCursor&, std::vector<TextStep>& steps) {
  steps.push_back({.pattern = R"(\s)", .behavior = SplitBehavior::kRemoved});
}

void append_pre_tokenizer(const JsonCursor& json, std::vector<TextStep>& steps) {
  static const std::map<std::string, void (*)(const JsonCursor&, std::vector<TextStep>&)> kinds = {
      {"ByteLevel", append_byte_level},
      {"Digits", append_digits},
      {"Metaspace", append_metaspace},
      {"Punctuation", append_punctuation},
      {"Split", append_split},
      {"WhitespaceSplit", append_whitespace_split},
  };
  const JsonCursor type = json.at("type");
  if (type.string() == "Sequence") {
    const JsonCursor members = json.at("pretokenizers");
    for (size_t i = 0; i < members.size(); ++i) append_pre_tokenizer(members.item(i), steps);
    return;
  }
  const auto found = kinds.find(type.string());
  if (found == kinds.end()) {
    type.fail("pre-tokeniser " + quote(type.string()) +
              " is not supported; ByteLevel, Digits, Metaspace, Punctuation, Split, "
              "WhitespaceSplit and Sequence are");
  }
  found->second(json, steps);
}

/// White space at the beginning, at the end of the text.
void append_strip(const JsonCursor& json, std::vector<TextStep>& steps) {
  if (json.at("strip_left").boolean()) {
    steps.push_back({.kind = Kind::kReplace, .pattern = R"((?<!.|\n)\s+)"});
  }
  if (json.at("strip_right").boolean()) {
    steps.push_back({.kind = Kind::kReplace, .pattern = R"((?<!\s)\s++(?!.|\n))"});
  }
}

void append_character_map(const JsonCursor& json, std::vector<TextStep>& steps) {
  const JsonCursor table = json.at("precompiled_charsmap");
  auto bytes = bytes_of_base64(table.string());
  if (!bytes) table.fail("expected base64");
  steps.push_back({.kind = Kind::kCharacterMap, .content = std::move(*bytes)});
}

void append_normalizer(const JsonCursor& json, std::vector<TextStep>& steps) {
  const JsonCursor type = json.at("type");
  if (type.string() == "Sequence") {
    const JsonCursor members = json.at("normalizers");
    for (size_t i = 0; i < members.size(); ++i) append_normalizer(members.item(i), steps);
  } else if (type.string() == "Prepend") {
    steps.push_back({.kind = Kind::kPrepend, .content = json.at("prepend").string()});
  } else if (type.string() == "Replace") {
    steps.push_back(with_pattern(Kind::kReplace, json));
    steps.back().content = json.at("content").string();
  } else if (type.string() == "NFC") {
    steps.push_back({.kind = Kind::kNfc});
  } else if (type.string() == "NFKC") {
    steps.push_back({.kind = Kind::kNfkc});
  } else if (type.string() == "Precompiled") {
    append_character_map(json, steps);
  } else if (type.string() == "Strip") {
    append_strip(json, steps);
  } else {
    type.fail(
        "normalizer " + quote(type.string()) +
        " is not supported; NFC, NFKC, Precompiled, Prepend, Replace, Strip and Sequence are");
  }
}

}  // namespace

PrependScheme prepend_scheme_of(const JsonCursor& metaspace) {
  const auto scheme = metaspace.find("prepend_scheme");
  if (!scheme) {
    const auto add = metaspace.find("add_prefix_space");
    return !add || add->boolean() ? PrependScheme::kAlways : PrependScheme::kNever;
  }
  if (scheme->string() == "always") return PrependScheme::kAlways;
  if (scheme->string() == "first") return PrependScheme::kFirst;
  if (scheme->string() == "never") return PrependScheme::kNever;
  scheme->fail(quote(scheme->string()) + " is not supported; always, first and never are");
}

std::vector<TextStep> normalizer_from_json(const JsonCursor& json) {
  std::vector<TextStep> steps;
  append_normalizer(json, steps);
  return steps;
}

std::vector<TextStep> pre_tokenizer_from_json(const JsonCursor& json) {
  std::vector<TextStep> steps;
  append_pre_tokenizer(json, steps);
  return steps;
}

}  // namespace prescript
