#include "infer/base_model_files.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/file_error.h"
#include "base/hash.h"
#include "io/base_hash.h"
#include "io/json.h"
#include "io/tensor_source.h"
#include "model/frozen_weights.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxTemplateBytes = 1 << 20;

/// An id, or a list of ids.
std::vector<int32_t> read_ids(const JsonCursor& value, int64_t vocabulary_size) {
  const auto read = [&](const JsonCursor& id) {
    return static_cast<int32_t>(id.integer(0, vocabulary_size - 1));
  };
  if (!value.is_array()) return {read(value)};
  std::vector<int32_t> ids;
  for (size_t i = 0; i < value.size(); ++i) ids.push_back(read(value.item(i)));
  return ids;
}

/// eos_token_id of generation_config.json, else of config.json, else the tokenizer's.
std::vector<int32_t> hf_end_tokens(const fs::path& dir, const BaseModelFiles& files) {
  for (const char* name : {"generation_config.json", "config.json"}) {
    const std::string path = dir / name;
    if (!fs::exists(path)) continue;
    const auto json = parse_json_file(path, ExitCode::kModel);
    const auto ids = JsonCursor(json, path, ExitCode::kModel).find("eos_token_id");
    if (ids && !(ids->is_array() && ids->size() == 0)) {
      return read_ids(*ids, files.config.vocabulary_size);
    }
  }
  if (const auto eos = files.tokenizer->eos_token()) return {*eos};
  return {};
}

/// The template of tokenizer_config.json: a text, or a list of named ones, of which "default".
std::optional<ChatTemplateText> template_of_tokenizer_config(const std::string& path) {
  const auto json = parse_json_file(path, ExitCode::kModel);
  const auto value = JsonCursor(json, path, ExitCode::kModel).find("chat_template");
  if (!value) return std::nullopt;
  const std::string place = path + ": chat_template";
  if (!value->is_array()) return ChatTemplateText{value->string(), place};
  for (size_t i = 0; i < value->size(); ++i) {
    if (value->item(i).at("name").string() == "default") {
      return ChatTemplateText{value->item(i).at("template").string(), place};
    }
  }
  return std::nullopt;
}

BaseModelFiles open_hf_directory(const fs::path& dir) {
  BaseModelFiles files;
  files.path = dir;
  files.config = decoder_config_from_hf(dir);
  if (!fs::exists(dir / "tokenizer.json")) {
    throw InputError(ExitCode::kModel,
                     dir.string() +
                         ": tokenizer.json is missing; convert the tokenizer with transformers' "
                         "AutoTokenizer.from_pretrained(...).save_pretrained(...)");
  }
  files.tokenizer =
      std::make_shared<const Tokenizer>(Tokenizer::from_json_file(dir / "tokenizer.json"));
  const fs::path jinja = dir / "chat_template.jinja";
  if (fs::exists(jinja)) {
    files.chat_template = {read_file(jinja, kMaxTemplateBytes, ExitCode::kModel), jinja};
  } else if (fs::exists(dir / "tokenizer_config.json")) {
    files.chat_template = template_of_tokenizer_config(dir / "tokenizer_config.json");
  }
  files.tensors = open_safetensors_directory(dir);
  files.end_tokens = hf_end_tokens(dir, files);
  return files;
}

BaseModelFiles open_gguf_file(const std::string& path) {
  const auto file = GgufFile::open(path);
  BaseModelFiles files;
  files.path = path;
  files.config = decoder_config_from_gguf(*file);
  files.tokenizer = std::make_shared<const Tokenizer>(Tokenizer::from_gguf(*file));
  if (auto text = file->find_string("tokenizer.chat_template")) {
    files.chat_template = {*std::move(text), path + ": tokenizer.chat_template"};
  }
  files.tensors = open_gguf_tensors(file);
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const auto id = file->find_integer(key, 0, files.config.vocabulary_size - 1);
    if (!id) continue;
    const auto token = static_cast<int32_t>(*id);
    auto& ends = files.end_tokens;
    if (std::find(ends.begin(), ends.end(), token) == ends.end()) ends.push_back(token);
  }
  return files;
}

std::string describe_architecture(const DecoderConfig& c) {
  std::ostringstream text;
  text << c.family << " V=" << c.vocabulary_size << " D=" << c.hidden_size
       << " F=" << c.feed_forward_size << " layers=" << c.num_layers << " H=" << c.num_heads
       << " K=" << c.num_kv_heads << " E=" << c.head_size << " rope_theta=" << c.rope.theta
       << " epsilon=" << c.norm_epsilon << (c.tied_head ? " tied" : "");
  if (c.rotary_size != c.head_size) text << " rotary=" << c.rotary_size;
  if (c.rope.scaling != "default") text << " rope_scaling=" << c.rope.scaling;
  if (!c.slides.empty()) text << " window=" << c.window;
  return text.str();
}

}  // namespace

BaseModelFiles open_base_model(const std::string& path) {
  std::error_code ignored;
  if (!is_there(path, ExitCode::kModel) || !fs::exists(path, ignored)) {
    throw InputError(ExitCode::kModel,
                     path + ": no such model; give a GGUF file or a Hugging Face directory");
  }
  BaseModelFiles files =
      fs::is_directory(path, ignored) ? open_hf_directory(path) : open_gguf_file(path);
  const auto vocabulary_size = static_cast<int64_t>(files.tokenizer->vocabulary_size());
  if (vocabulary_size > files.config.vocabulary_size) {
    throw InputError(ExitCode::kModel,
                     path + ": the tokenizer has " + std::to_string(vocabulary_size) +
                         " tokens, the model only " + std::to_string(files.config.vocabulary_size) +
                         " embedding rows; they do not belong together");
  }
  if (files.end_tokens.empty()) {
    throw InputError(ExitCode::kModel,
                     path + ": no end-of-text token; set eos_token_id in generation_config.json");
  }
  check_weights(*files.tensors, files.config);
  return files;
}

AdapterIdentity BaseModelFiles::identity() const {
  return {.base_model = path,
          .base_hash = base_hash(tensors->files()),
          .tokenizer_hash = tokenizer->identity_hash(),
          .template_hash = chat_template ? sha256_hex(std::string_view(chat_template->text)) : "",
          .architecture = describe_architecture(config),
          .num_layers = config.num_layers,
          .num_heads = config.num_heads};
}

std::vector<float> BaseModelFiles::embedding_rows(const std::vector<int32_t>& ids) const {
  const StoredWeight embedding = StoredWeights(config, kind_of(*tensors, config)).embedding();
  const int64_t D = config.hidden_size;
  std::vector<float> rows(ids.size() * D);
  for (size_t i = 0; i < ids.size(); ++i) embedding.read(*tensors, ids[i], 1, rows.data() + i * D);
  const auto scale = static_cast<float>(config.embedding_scale());
  for (float& value : rows) value *= scale;
  return rows;
}

}  // namespace prescript
