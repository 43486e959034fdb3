#include "text/model_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "io/quote.h"
#include "text/byte_level.h"

namespace prescript {
namespace {

bool flag(const JsonCursor& object, const char* key) {
  const auto member = object.find(key);
  return member && member->boolean();
}

VocabularyIds read_vocabulary(const JsonCursor& model, TokenizerDescription& description) {
  const JsonCursor vocabulary = model.at("vocab");
  if (!vocabulary.is_object()) vocabulary.fail("expected an object of pieces and ids");
  VocabularyIds ids;
  const size_t count = vocabulary.value().size();
  description.pieces.resize(count);
  std::vector<bool> taken(count);
  for (const auto& [piece, id] : vocabulary.value().items()) {
    if (!id.is_number_integer() || id < 0 || id >= count || taken[id.get<size_t>()]) {
      vocabulary.fail("piece " + quote(piece) + " has id " + id.dump() + "; the ids of " +
                      std::to_string(count) + " pieces must be 0 to " + std::to_string(count - 1) +
                      ", each once");
    }
    taken[id.get<size_t>()] = true;
    description.pieces[id.get<size_t>()].text = piece;
    ids.emplace(piece, id.get<int32_t>());
  }
  return ids;
}

void read_merges(const JsonCursor& model, TokenizerDescription& description) {
  const JsonCursor merges = model.at("merges");
  description.merges.reserve(merges.size());
  for (size_t i = 0; i < merges.size(); ++i) {
    const JsonCursor merge = merges.item(i);
    if (merge.is_array()) {
      if (merge.size() != 2) merge.fail("expected two pieces");
      description.merges.emplace_back(merge.item(0).string(), merge.item(1).string());
      continue;
    }
    const std::string& both = merge.string();
    const size_t space = both.find(' ');
    if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos) {
      merge.fail("expected two pieces with one space between them");
    }
    description.merges.emplace_back(both.substr(0, space), both.substr(space + 1));
  }
}

VocabularyIds read_bpe(const JsonCursor& model, TokenizerDescription& description) {
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
    require_unset(model, key);
  }
  description.ignore_merges = flag(model, "ignore_merges");
  VocabularyIds ids = read_vocabulary(model, description);
  read_merges(model, description);

  bool has_every_byte = is_byte_level(description);
  for (int byte = 0; byte < 256 && has_every_byte; ++byte) {
    has_every_byte = ids.count(byte_symbol(static_cast<uint8_t>(byte))) != 0;
  }
  if (has_every_byte) return ids;  // then no character is without a token
  description.byte_fallback = flag(model, "byte_fallback");
  if (const auto unknown = model.find("unk_token")) {
    const auto found = ids.find(unknown->string());
    if (found == ids.end()) unknown->fail(quote(unknown->string()) + " is not in the vocabulary");
    description.unknown_token = found->second;
    description.fuse_unknown = flag(model, "fuse_unk");
  }
  return ids;
}

VocabularyIds read_unigram(const JsonCursor& model, TokenizerDescription& description) {
  description.model = TokenizerModel::kUnigram;
  description.byte_fallback = flag(model, "byte_fallback");
  const JsonCursor vocabulary = model.at("vocab");
  VocabularyIds ids;
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const JsonCursor entry = vocabulary.item(id);
    if (entry.size() != 2) entry.fail("expected a piece and its score");
    const std::string& piece = entry.item(0).string();
    description.pieces.push_back({.text = piece, .score = entry.item(1).number()});
    if (!ids.emplace(piece, static_cast<int32_t>(id)).second) {
      entry.fail("piece " + quote(piece) + " is there twice; every piece must be unique");
    }
  }
  if (const auto unknown = model.find("unk_id")) {
    description.unknown_token =
        static_cast<int32_t>(unknown->integer(0, static_cast<int64_t>(vocabulary.size()) - 1));
  }
  return ids;
}

}  // namespace

bool is_byte_level(const TokenizerDescription& description) {
  return std::any_of(description.pre_tokenizer.begin(),
                     description.pre_tokenizer.end(),
                     [](const TextStep& step) { return step.kind == TextStep::Kind::kBytes; });
}

void require_unset(const JsonCursor& object, const char* key) {
  const auto member = object.find(key);
  if (!member) return;
  const auto& value = member->value();
  const bool unset = value == false || (value.is_number() && value == 0) ||
                     (value.is_array() && value.empty()) ||
                     (value.is_string() && value.get_ref<const std::string&>().empty());
  if (!unset) member->fail("not supported; this tokenizer cannot be used");
}

VocabularyIds model_from_json(const JsonCursor& model, TokenizerDescription& description) {
  const auto type = model.find("type");  // absent in old files: BPE
  if (!type || type->string() == "BPE") return read_bpe(model, description);
  if (type->string() == "Unigram") return read_unigram(model, description);
  type->fail(quote(type->string()) + " is not supported; BPE and Unigram are");
}

}  // namespace prescript
