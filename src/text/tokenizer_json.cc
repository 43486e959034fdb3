#include "text/tokenizer_json.h"

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/quote.h"
#include "text/byte_level.h"
#include "text/pre_tokenizer_json.h"
#include "text/tokenizer.h"

namespace prescript {
namespace {

using Ids = std::unordered_map<std::string, int32_t>;

/// Refuses a member that is set to anything but what prescript does.
void require_unset(const JsonCursor& object, const char* key) {
  const auto member = object.find(key);
  if (!member) return;
  const auto& value = member->value();
  const bool unset = value == false || value == "" || (value.is_number() && value == 0) ||
                     (value.is_array() && value.empty());
  if (!unset) member->fail("not supported; this tokenizer cannot be used");
}

Ids read_vocabulary(const JsonCursor& model, TokenizerDescription& description) {
  const JsonCursor vocabulary = model.at("vocab");
  if (!vocabulary.is_object()) vocabulary.fail("expected an object of pieces and ids");
  Ids ids;
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

Ids read_model(const JsonCursor& root, TokenizerDescription& description) {
  const JsonCursor model = root.at("model");
  const auto type = model.find("type");
  if (type && type->string() != "BPE") {
    type->fail(quote(type->string()) + " is not supported; byte-level BPE is");
  }
  for (const char* key :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    require_unset(model, key);
  }
  const auto ignore_merges = model.find("ignore_merges");
  description.ignore_merges = ignore_merges && ignore_merges->boolean();
  Ids ids = read_vocabulary(model, description);
  read_merges(model, description);
  if (const auto unknown = model.find("unk_token")) {
    // Only a byte without a token could become the unknown token.
    for (int byte = 0; byte < 256; ++byte) {
      if (ids.count(byte_symbol(static_cast<uint8_t>(byte))) == 0) {
        unknown->fail("an unknown token is not supported, and byte " + std::to_string(byte) +
                      " has no token");
      }
    }
  }
  return ids;
}

void read_added_tokens(const JsonCursor& root, Ids& ids, TokenizerDescription& description) {
  const auto tokens = root.find("added_tokens");
  if (!tokens) return;
  const auto flag = [](const JsonCursor& token, const char* key) {
    const auto member = token.find(key);
    return member && member->boolean();
  };
  for (size_t i = 0; i < tokens->size(); ++i) {
    const JsonCursor token = tokens->item(i);
    const std::string& content = token.at("content").string();
    require_unset(token, "single_word");
    const int64_t stated = token.at("id").integer(0);
    // `tokenizers` ignores the stated id and numbers the tokens itself; both must agree.
    const auto [entry, is_new] =
        ids.try_emplace(content, static_cast<int32_t>(description.pieces.size()));
    if (is_new) description.pieces.push_back({content, false});
    if (stated != entry->second) {
      token.at("id").fail(quote(content) + " has id " + std::to_string(stated) + ", expected " +
                          std::to_string(entry->second));
    }
    description.added_tokens.push_back({.id = entry->second,
                                        .special = flag(token, "special"),
                                        .lstrip = flag(token, "lstrip"),
                                        .rstrip = flag(token, "rstrip"),
                                        .normalized = flag(token, "normalized")});
  }
}

int32_t id_of_name(const JsonCursor& name, const Ids& ids) {
  const auto found = ids.find(name.string());
  if (found == ids.end()) name.fail(quote(name.string()) + " is not in the vocabulary");
  return found->second;
}

/// The special token that a template puts before the text, if any.
std::optional<int32_t> leading_special_token(const JsonCursor& processor, const Ids& ids) {
  const std::string& type = processor.at("type").string();
  if (type == "ByteLevel") return std::nullopt;  // trims offsets, which are not ours
  if (type == "Sequence") {
    std::optional<int32_t> leading;
    const JsonCursor processors = processor.at("processors");
    for (size_t i = 0; i < processors.size(); ++i) {
      const auto found = leading_special_token(processors.item(i), ids);
      if (found && leading) processors.fail("several processors add a token; one may");
      if (found) leading = found;
    }
    return leading;
  }
  if (type != "TemplateProcessing") {
    processor.at("type").fail(quote(type) +
                              " is not supported; ByteLevel, Sequence and TemplateProcessing are");
  }
  const JsonCursor parts = processor.at("single");
  const bool has_leading = parts.size() == 2 && parts.item(0).find("SpecialToken");
  const bool ends_with_text = parts.size() > 0 && parts.item(parts.size() - 1).find("Sequence");
  if (!ends_with_text || (parts.size() != 1 && !has_leading)) {
    parts.fail("expected the text, with at most one special token before it");
  }
  if (!has_leading) return std::nullopt;
  return id_of_name(parts.item(0).at("SpecialToken").at("id"), ids);
}

/// A token's name: a string, or an object with its content.
std::optional<JsonCursor> name_of(const JsonCursor& object, const char* key) {
  const auto member = object.find(key);
  if (!member || member->is_string()) return member;
  return member->at("content");
}

/// What transformers' files beside tokenizer.json say about BOS and EOS.
void read_configuration(const std::filesystem::path& folder,
                        const Ids& ids,
                        TokenizerDescription& description) {
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    const std::filesystem::path path = folder / name;
    if (!std::filesystem::exists(path)) continue;
    const auto json = parse_json_file(path.string(), ExitCode::kModel, kTokenizerJsonLimits);
    const JsonCursor root(json, path.string(), ExitCode::kModel);
    if (const auto bos = name_of(root, "bos_token")) description.bos_token = id_of_name(*bos, ids);
    if (const auto eos = name_of(root, "eos_token")) description.eos_token = id_of_name(*eos, ids);
    if (name != std::string_view("tokenizer_config.json")) continue;
    require_unset(root, "add_eos_token");
    // transformers lets an explicit setting overrule the post-processor.
    if (const auto add = root.find("add_bos_token")) {
      description.adds_bos = add->boolean() && description.bos_token;
    }
    const auto added = root.find("added_tokens_decoder");
    for (const std::string& id : added ? added->keys() : std::vector<std::string>()) {
      const JsonCursor content = added->at(id).at("content");
      const auto found = ids.find(content.string());
      if (found == ids.end() || std::to_string(found->second) != id) {
        content.fail(quote(content.string()) + " is not token " + id + " of tokenizer.json");
      }
    }
  }
}

}  // namespace

TokenizerDescription tokenizer_from_json(const std::string& path) {
  const auto json = parse_json_file(path, ExitCode::kModel, kTokenizerJsonLimits);
  const JsonCursor root(json, path, ExitCode::kModel);
  TokenizerDescription description;
  description.place = path;
  if (const auto normalizer = root.find("normalizer")) {
    normalizer->at("type").fail("normalizer " + quote(normalizer->at("type").string()) +
                                " is not supported; this tokenizer cannot be used");
  }
  Ids ids = read_model(root, description);
  read_added_tokens(root, ids, description);
  description.pre_tokenizer = pre_tokenizer_from_json(root.at("pre_tokenizer"));
  const JsonCursor decoder = root.at("decoder").at("type");
  if (decoder.string() != "ByteLevel") {
    decoder.fail(quote(decoder.string()) + " is not supported; ByteLevel is");
  }
  if (const auto processor = root.find("post_processor")) {
    description.bos_token = leading_special_token(*processor, ids);
    description.adds_bos = description.bos_token.has_value();
  }
  const auto added_by_processor = description.bos_token;
  read_configuration(std::filesystem::path(path).parent_path(), ids, description);
  if (description.adds_bos && added_by_processor && description.bos_token != added_by_processor) {
    root.at("post_processor")
        .fail("adds token " + std::to_string(*added_by_processor) +
              ", but the BOS token is named otherwise beside " + path);
  }
  return description;
}

Tokenizer Tokenizer::from_json_file(const std::string& path) {
  return Tokenizer(tokenizer_from_json(path));
}

}  // namespace prescript
