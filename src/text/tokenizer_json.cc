#include "text/tokenizer_json.h"

#include <filesystem>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/quote.h"
#include "text/model_json.h"
#include "text/piece_decoder.h"
#include "text/text_steps_json.h"
#include "text/tokenizer.h"

namespace prescript {
namespace {

using Ids = VocabularyIds;

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
  auto member = object.find(key);
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
    description.normalizer = normalizer_from_json(*normalizer);
  }
  if (const auto pre_tokenizer = root.find("pre_tokenizer")) {
    description.pre_tokenizer = pre_tokenizer_from_json(*pre_tokenizer);
  }
  Ids ids = model_from_json(root.at("model"), description);
  read_added_tokens(root, ids, description);
  const JsonCursor decoder = root.at("decoder");
  description.decoder = piece_decoder_from_json(decoder);
  if (description.decoder.byte_level != is_byte_level(description)) {
    decoder.fail("a ByteLevel pre-tokeniser needs a ByteLevel decoder, and no other may have one");
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
