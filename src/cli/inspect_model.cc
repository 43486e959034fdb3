// What prescript inspect says about a base model.

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/inspect.h"
#include "cli/run_forecast.h"
#include "cli/run_plan.h"
#include "infer/base_model_files.h"
#include "io/json.h"
#include "io/tensor_source.h"
#include "text/rendering.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// The shortest decimal that is the same in float32, as files hold it: 1e-05.
double as_written(double number) {
  std::array<char, 32> text{};
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), static_cast<float>(number));
  double shortest = 0;
  std::from_chars(text.data(), end.ptr, shortest);
  return shortest;
}

ordered_json architecture(const DecoderConfig& config) {
  ordered_json facts = {{"family", config.family},
                        {"vocabulary_size", config.vocabulary_size},
                        {"hidden_size", config.hidden_size},
                        {"feed_forward_size", config.feed_forward_size},
                        {"num_layers", config.num_layers},
                        {"num_heads", config.num_heads},
                        {"num_kv_heads", config.num_kv_heads},
                        {"head_size", config.head_size},
                        {"max_positions", config.max_positions}};
  if (config.features.learned_positions) {
    facts["positions"] = "learned";
  } else {
    facts["rope_theta"] = config.rope.theta;
    facts["rope_scaling"] = config.rope.scaling;
    if (config.rope.scaling == "longrope" || config.rope.scaling == "dynamic") {
      facts["longer_sequences"] = "turn otherwise under this scaling, which is not implemented";
    }
  }
  facts["norm_epsilon"] = as_written(config.norm_epsilon);
  facts["tied_head"] = config.tied_head;
  if (!config.slides.empty()) {
    facts["window"] = config.window;
    facts["layers_in_window"] = std::count(config.slides.begin(), config.slides.end(), true);
  }
  return facts;
}

ordered_json token(const Tokenizer& tokenizer, int32_t id) {
  return std::to_string(id) + " " + tokenizer.piece(id);
}

/// Whether the template is supported, or why it is not, and what ends a turn.
void add_template_facts(const BaseModelFiles& model, ordered_json& facts) {
  if (!model.chat_template) {
    facts["chat_template"] = "none: only data.format: plain can be used";
    return;
  }
  try {
    const Renderer renderer(model.tokenizer, model.chat_template, model.path, {});
    facts["end_of_turn"] = token(*model.tokenizer, renderer.end_tokens().front());
    facts["chat_template"] = "supported";
  } catch (const InputError& error) {
    facts["chat_template"] = error.what();  // format: plain works all the same
  }
}

ordered_json known_tokenizer_facts(const Tokenizer& tokenizer) {
  return {{"model", tokenizer.kind()}, {"num_tokens", tokenizer.vocabulary_size()}};
}

ordered_json tokenizer_facts(const BaseModelFiles& model) {
  const Tokenizer& tokenizer = *model.tokenizer;
  ordered_json facts = known_tokenizer_facts(tokenizer);
  facts["adds_bos"] = tokenizer.adds_bos();
  if (const auto bos = tokenizer.bos_token()) facts["bos"] = token(tokenizer, *bos);
  facts["end_tokens"] = ordered_json::array();
  for (const int32_t id : model.end_tokens) facts["end_tokens"].push_back(token(tokenizer, id));
  add_template_facts(model, facts);
  facts["hash"] = tokenizer.identity_hash();
  return facts;
}

/// Of weights that may not be those of a supported model.
ordered_json weight_facts(const TensorSource& tensors) {
  int64_t num_parameters = 0;
  uint64_t file_bytes = 0;
  ordered_json types = ordered_json::object();
  for (const TensorInfo& tensor : tensors.list()) {
    num_parameters += tensor.rows() * tensor.cols();
    ordered_json& type = types[tensor.stored_type];
    if (type.is_null()) type = {{"tensors", 0}, {"bytes", 0}};
    type["tensors"] = type["tensors"].get<int64_t>() + 1;
    type["bytes"] = type["bytes"].get<uint64_t>() + tensor.bytes;
  }
  const std::vector<std::string> files = tensors.files();
  for (const std::string& file : files) file_bytes += fs::file_size(file);
  return {{"num_parameters", num_parameters},
          {"files", files.size()},
          {"file_bytes", file_bytes},
          {"types", types}};
}

/// What training with the default recipe takes, or with fewer virtual tokens where the model's
/// context is short. It knows no exemplars: these have nothing in
/// common, and half of each is the answer.
ordered_json training_facts(const BaseModelFiles& model) {
  constexpr int64_t kTokens = 256;
  Recipe recipe = resolve({}, nullptr);
  recipe.training.steps = 1;               // all take the same
  recipe.optimizer.learning_rate = 0.001;  // whatever it is
  const int64_t P = std::min(recipe.soft_prompt.num_virtual_tokens,
                             std::max<int64_t>(1, model.config.max_positions / 2));
  recipe.soft_prompt.num_virtual_tokens = P;
  const int64_t num_tokens =
      std::max<int64_t>(2, std::min(kTokens, model.config.max_positions - P));
  TrainingExemplar exemplar;
  exemplar.rendered.ids.resize(num_tokens);
  for (int64_t i = num_tokens / 2; i < num_tokens; ++i) {
    exemplar.rendered.targets.push_back(static_cast<int32_t>(i));
  }
  TrainingData data;
  for (int64_t i = 0; i < recipe.training.batch_size; ++i) {
    exemplar.rendered.ids[0] = static_cast<int32_t>(i);
    data.train.push_back(exemplar);
  }
  const auto ops = make_ops(recipe);
  ordered_json facts = {{"device", describe_device(*ops)},
                        {"dtype", recipe.dtype},
                        {"num_virtual_tokens", P},
                        {"batch_size", recipe.training.batch_size},
                        {"exemplar_tokens", num_tokens}};
  facts.update(memory_facts(forecast_run(recipe, *ops, model, data)));
  return facts;
}

/// Adds `key` where `read` finds something it can read.
template <typename Read>
void add_if_known(ordered_json& facts, const char* key, const Read& read) {
  try {
    if (const auto value = read()) facts[key] = *value;
  } catch (const InputError&) {  // the reason of the refusal says what is wrong
  }
}

/// What GGUF files and config.json call the sizes of a decoder.
struct SizeKey {
  const char* name;
  const char* gguf;
  const char* hf;
};

constexpr std::array<SizeKey, 7> kSizeKeys = {
    {{"vocabulary_size", "vocab_size", "vocab_size"},
     {"hidden_size", "embedding_length", "hidden_size"},
     {"feed_forward_size", "feed_forward_length", "intermediate_size"},
     {"num_layers", "block_count", "num_hidden_layers"},
     {"num_heads", "attention.head_count", "num_attention_heads"},
     {"num_kv_heads", "attention.head_count_kv", "num_key_value_heads"},
     {"max_positions", "context_length", "max_position_embeddings"}}};

using Json = std::optional<ordered_json>;

void add_known_gguf_facts(const std::string& path, ordered_json& facts) {
  const auto file = GgufFile::open(path);
  const std::string family = file->string("general.architecture");
  ordered_json& architecture = facts["architecture"] = {{"family", family}};
  for (const auto& [name, key, ignored] : kSizeKeys) {
    add_if_known(architecture, name, [&, key = key] {
      return file->find_integer(family + "." + key, 0, INT64_MAX);
    });
  }
  add_if_known(facts, "tokenizer", [&]() -> Json {
    return known_tokenizer_facts(Tokenizer::from_gguf(*file));
  });
  facts["weights"] = weight_facts(*open_gguf_tensors(file));
}

void add_known_hf_facts(const std::string& dir, ordered_json& facts) {
  const std::string place = dir + "/config.json";
  const nlohmann::json document = parse_json_file(place, ExitCode::kModel);
  const JsonCursor whole(document, place, ExitCode::kModel);
  ordered_json& architecture =
      facts["architecture"] = {{"family", whole.at("model_type").string()}};
  const JsonCursor config = whole.find("text_config").value_or(whole);  // beside images
  for (const auto& [name, ignored, key] : kSizeKeys) {
    add_if_known(architecture, name, [&, key = key]() -> Json {
      const auto value = config.find(key);
      return value ? Json(value->integer(0)) : std::nullopt;
    });
  }
  add_if_known(facts, "tokenizer", [&]() -> Json {
    return known_tokenizer_facts(Tokenizer::from_json_file(dir + "/tokenizer.json"));
  });
  add_if_known(
      facts, "weights", [&]() -> Json { return weight_facts(*open_safetensors_directory(dir)); });
}

/// Of a model that was refused for `reason`. Throws it where nothing can be read.
ordered_json inspect_unsupported_model(const std::string& path, const InputError& reason) {
  ordered_json facts = {
      {"kind", "model"}, {"path", path}, {"supported", false}, {"reason", reason.what()}};
  try {
    fs::is_directory(path) ? add_known_hf_facts(path, facts) : add_known_gguf_facts(path, facts);
  } catch (const InputError&) {
    throw reason;
  }
  return facts;
}

ordered_json inspect_supported_model(const BaseModelFiles& model) {
  ordered_json weights = weight_facts(*model.tensors);
  weights["hash"] = model.identity().base_hash;
  return {{"kind", "model"},
          {"path", model.path},
          {"supported", true},
          {"architecture", architecture(model.config)},
          {"tokenizer", tokenizer_facts(model)},
          {"weights", std::move(weights)},
          {"training", training_facts(model)}};
}

}  // namespace

ordered_json inspect_model(const std::string& path) {
  std::optional<BaseModelFiles> model;
  try {
    model = open_base_model(path);
  } catch (const InputError& reason) {
    return inspect_unsupported_model(path, reason);
  }
  return inspect_supported_model(*model);
}

}  // namespace prescript
