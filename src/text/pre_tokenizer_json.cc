#include "text/pre_tokenizer_json.h"

#include <map>

#include "io/quote.h"

namespace prescript {
namespace {

SplitBehavior behavior_of(const JsonCursor& name) {
  static const std::map<std::string, SplitBehavior> kBehaviors = {
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  };
  const auto found = kBehaviors.find(name.string());
  if (found == kBehaviors.end()) {
    name.fail(quote(name.string()) +
              " is not supported; Isolated, Removed, MergedWithPrevious, MergedWithNext and "
              "Contiguous are");
  }
  return found->second;
}

SplitStep split_step(const JsonCursor& json) {
  SplitStep step;
  const JsonCursor pattern = json.at("pattern");
  const auto literal = pattern.find("String");
  step.kind = literal ? SplitStep::Kind::kLiteral : SplitStep::Kind::kRegex;
  step.pattern = (literal ? *literal : pattern.at("Regex")).string();
  step.behavior = behavior_of(json.at("behavior"));
  step.invert = json.at("invert").boolean();
  return step;
}

void append(const JsonCursor& json, bool& ended, PreTokenizerDescription& description) {
  const JsonCursor type = json.at("type");
  if (ended) json.fail("a step behind ByteLevel is not supported");
  if (type.string() == "Sequence") {
    const JsonCursor steps = json.at("pretokenizers");
    for (size_t i = 0; i < steps.size(); ++i) append(steps.item(i), ended, description);
  } else if (type.string() == "Split") {
    description.splits.push_back(split_step(json));
  } else if (type.string() == "Digits") {
    const bool individual = json.at("individual_digits").boolean();
    description.splits.push_back(
        {.kind = SplitStep::Kind::kNumeric,
         .pattern = "",
         .behavior = individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous});
  } else if (type.string() == "ByteLevel") {
    const auto use_regex = json.find("use_regex");  // absent in old files: true
    description.add_prefix_space = json.at("add_prefix_space").boolean();
    description.split_gpt2_pattern = !use_regex || use_regex->boolean();
    ended = true;
  } else {
    type.fail("pre-tokeniser " + quote(type.string()) +
              " is not supported; ByteLevel, Digits, Split and Sequence are");
  }
}

}  // namespace

PreTokenizerDescription pre_tokenizer_from_json(const JsonCursor& json) {
  PreTokenizerDescription description;
  bool ended = false;
  append(json, ended, description);
  if (!ended) json.fail("no ByteLevel step; only byte-level tokenizers are supported");
  return description;
}

}  // namespace prescript
