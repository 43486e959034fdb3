// What prescript inspect says about a base model.

#include <map>

#include <nlohmann/json.hpp>

#include "cli/inspect.h"
#include "infer/base_model_files.h"
#include "io/tensor_source.h"
#include "text/rendering.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

ordered_json architecture(const DecoderConfig& config) {
  return {{"family", config.family},
          {"vocabulary_size", config.vocabulary_size},
          {"hidden_size", config.hidden_size},
          {"feed_forward_size", config.feed_forward_size},
          {"num_layers", config.num_layers},
          {"num_heads", config.num_heads},
          {"num_kv_heads", config.num_kv_heads},
          {"head_size", config.head_size},
          {"max_positions", config.max_positions},
          {"rope_theta", config.rope.theta},
          {"rope_scaling", config.rope.scaling},
          {"norm_epsilon", config.norm_epsilon},
          {"tied_head", config.tied_head}};
}

ordered_json token(const Tokenizer& tokenizer, int32_t id) {
  return std::to_string(id) + " " + tokenizer.piece(id);
}

/// Whether the template is supported, or why it is not, and what ends a turn.
void add_template_facts(const BaseModelFiles& model, ordered_json& facts) {
  if (!model.chat_template) {
    facts["chat_template"] = "none";
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

ordered_json tokenizer_facts(const BaseModelFiles& model) {
  const Tokenizer& tokenizer = *model.tokenizer;
  ordered_json facts = {{"num_tokens", tokenizer.vocabulary_size()},
                        {"adds_bos", tokenizer.adds_bos()}};
  if (const auto bos = tokenizer.bos_token()) facts["bos"] = token(tokenizer, *bos);
  facts["end_tokens"] = ordered_json::array();
  for (const int32_t id : model.end_tokens) facts["end_tokens"].push_back(token(tokenizer, id));
  add_template_facts(model, facts);
  facts["hash"] = tokenizer.identity_hash();
  return facts;
}

}  // namespace

ordered_json inspect_model(const std::string& path) {
  const BaseModelFiles model = open_base_model(path);
  int64_t num_parameters = 0;
  uint64_t bytes = 0;
  std::map<std::string, int64_t> num_of_type;
  for (const TensorInfo& tensor : model.tensors->list()) {
    num_parameters += tensor.rows() * tensor.cols();
    bytes += tensor.bytes;
    ++num_of_type[tensor.stored_type];
  }
  return {{"kind", "model"},
          {"path", path},
          {"architecture", architecture(model.config)},
          {"tokenizer", tokenizer_facts(model)},
          {"weights",
           {{"num_parameters", num_parameters},
            {"bytes", bytes},
            {"tensors", num_of_type},
            {"hash", model.identity().base_hash}}}};
}

}  // namespace prescript
