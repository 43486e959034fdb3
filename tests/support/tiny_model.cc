#include "support/tiny_model.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "io/safetensors.h"

namespace prescript {
namespace {

using nlohmann::json;

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string utf8(uint32_t code) {  // below U+0800
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

/// GPT-2's printable stand-in for a byte.
std::string piece_of_byte(int byte) {
  const auto is_printable = [](int b) {
    return (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  if (is_printable(byte)) return utf8(byte);
  int before = 0;
  for (int b = 0; b < byte; ++b) before += is_printable(b) ? 0 : 1;
  return utf8(256 + before);
}

json special_token(int32_t id, const std::string& content) {
  return {{"id", id},
          {"content", content},
          {"single_word", false},
          {"lstrip", false},
          {"rstrip", false},
          {"normalized", false},
          {"special", true}};
}

json tokenizer() {
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[piece_of_byte(byte)] = byte;
  const json added = {special_token(kTinyEndOfText, "<|endoftext|>"),
                      special_token(kTinyTurnBegins, "<|im_start|>"),
                      special_token(kTinyTurnEnds, "<|im_end|>")};
  for (const json& token : added) vocabulary[token["content"].get<std::string>()] = token["id"];
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", vocabulary},
            {"merges", json::array()}}}};
}

json config(const TinyModelOptions& options) {
  const bool slides = options.window > 0;
  return {{"architectures", {slides ? "MistralForCausalLM" : "LlamaForCausalLM"}},
          {"model_type", slides ? "mistral" : "llama"},
          {"sliding_window", slides ? json(options.window) : json(nullptr)},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"mlp_bias", false},
          {"hidden_act", "silu"},
          {"hidden_size", options.hidden_size},
          {"intermediate_size", options.feed_forward_size},
          {"num_hidden_layers", options.num_layers},
          {"num_attention_heads", options.num_heads},
          {"num_key_value_heads", options.num_kv_heads},
          {"head_dim", options.head_size},
          {"max_position_embeddings", options.max_positions},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 10000.0},
          {"rope_scaling", nullptr},
          {"tie_word_embeddings", options.tied_head},
          {"bos_token_id", nullptr},
          {"eos_token_id", kTinyEndOfText},
          {"torch_dtype", "float32"},
          {"vocab_size", kTinyVocabularySize}};
}

/// The tensors with the memory they lie in.
class Weights {
 public:
  explicit Weights(const TinyModelOptions& options) : options_(options) {
    const int64_t D = options.hidden_size;
    const int64_t F = options.feed_forward_size;
    const int64_t HE = options.num_heads * options.head_size;
    const int64_t KE = options.num_kv_heads * options.head_size;
    const double head_deviation = 2 / std::sqrt(static_cast<double>(D));
    add("model.embed_tokens.weight", {kTinyVocabularySize, D}, head_deviation);
    for (int64_t layer = 0; layer < options.num_layers; ++layer) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      add_norm(prefix + "input_layernorm.weight");
      add_projection(prefix + "self_attn.q_proj.weight", HE, D);
      add_projection(prefix + "self_attn.k_proj.weight", KE, D);
      add_projection(prefix + "self_attn.v_proj.weight", KE, D);
      add_projection(prefix + "self_attn.o_proj.weight", D, HE);
      add_norm(prefix + "post_attention_layernorm.weight");
      add_projection(prefix + "mlp.gate_proj.weight", F, D);
      add_projection(prefix + "mlp.up_proj.weight", F, D);
      add_projection(prefix + "mlp.down_proj.weight", D, F);
    }
    add_norm("model.norm.weight");
    if (!options.tied_head) add("lm_head.weight", {kTinyVocabularySize, D}, head_deviation);
  }

  std::string file_bytes() const {
    std::vector<SafetensorsTensor> tensors;
    for (size_t i = 0; i < names_.size(); ++i) {
      tensors.push_back({names_[i], "F32", shapes_[i], std::as_bytes(std::span(values_[i]))});
    }
    return safetensors_file_bytes(std::move(tensors), {{"format", "pt"}});
  }

 private:
  void add_projection(const std::string& name, int64_t out, int64_t in) {
    add(name, {out, in}, 1.5 / std::sqrt(static_cast<double>(in)));
  }
  void add_norm(const std::string& name) { add(name, {options_.hidden_size}, 0.1, 1.0); }

  void add(const std::string& name, std::vector<int64_t> shape, double deviation, double mean = 0) {
    RandomStream stream(options_.seed, name);
    int64_t count = 1;
    for (const int64_t extent : shape) count *= extent;
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      values.push_back(static_cast<float>(mean + deviation * stream.normal()));
    }
    names_.push_back(name);
    shapes_.push_back(std::move(shape));
    values_.push_back(std::move(values));
  }

  TinyModelOptions options_;
  std::vector<std::string> names_;
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<std::vector<float>> values_;
};

constexpr const char* kChatTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ "
    "'<|im_start|>assistant\\n' }}{% endif %}";

}  // namespace

void write_tiny_model(const std::string& dir, const TinyModelOptions& options) {
  const std::filesystem::path root(dir);
  std::filesystem::create_directories(root);
  write(root / "config.json", config(options).dump(2));
  write(root / "generation_config.json", json{{"eos_token_id", kTinyEndOfText}}.dump());
  write(root / "model.safetensors", Weights(options).file_bytes());
  write(root / "tokenizer.json", tokenizer().dump());
  write(
      root / "tokenizer_config.json",
      json{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"eos_token", "<|endoftext|>"}}.dump());
  if (options.chat_template) write(root / "chat_template.jinja", kChatTemplate);
}

}  // namespace prescript
