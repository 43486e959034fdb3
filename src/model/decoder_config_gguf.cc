// The metadata of a GGUF file.

#include <algorithm>
#include <array>
#include <cstring>

#include "io/quote.h"
#include "model/decoder_config.h"
#include "model/decoder_config_check.h"
#include "model/family.h"

namespace prescript {
namespace {

/// Keys, behind the family's name, that this program reads, or that say nothing about the numbers.
constexpr std::array kKnownKeys = std::to_array<std::string_view>({
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.layer_norm_rms_epsilon",
    "attention.key_length",
    "attention.value_length",
    "attention.sliding_window",
    "rope.freq_base",
    "rope.dimension_count",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.attn_factor",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "vocab_size",
    "tensor_data_layout",  // who wrote the tensors; each has its own names and shapes
    "attention.causal",
    "expert_count",
    "expert_used_count",
    "attention.layer_norm_epsilon",
});

// Keys of some families.
constexpr std::array kScoreKeys =
    std::to_array<std::string_view>({"attn_logit_softcapping", "final_logit_softcapping"});
constexpr std::array kLocalKeys =
    std::to_array<std::string_view>({"attention.key_length_swa",
                                     "attention.value_length_swa",
                                     "attention.sliding_window_pattern",
                                     "rope.freq_base_swa"});
constexpr const char* kParallelResidual = "use_parallel_residual";

constexpr const char* kAttentionFactor = "rope.scaling.attn_factor";

/// The metadata of the file's family.
class Metadata {
 public:
  explicit Metadata(const GgufFile& file)
      : file_(file), name_(file.string("general.architecture")) {
    family_ = find_gguf_family(name_);
    if (family_ == nullptr) {
      refuse("general.architecture: the family " + quote(name_) + " is not implemented");
    }
  }

  const GgufFile& file() const { return file_; }
  const std::string& name() const { return name_; }
  const Family& family() const { return *family_; }
  std::string key(const char* name) const { return name_ + "." + name; }

  int64_t integer(const char* name, int64_t max) const { return file_.integer(key(name), 1, max); }
  std::optional<int64_t> find_integer(const char* name, int64_t min, int64_t max) const {
    return file_.find_integer(key(name), min, max);
  }
  bool boolean(const char* name) const { return file_.boolean(key(name)); }
  std::optional<bool> find_boolean(const char* name) const { return file_.find_boolean(key(name)); }
  double number(const char* name) const { return file_.number(key(name)); }
  std::optional<double> find_number(const char* name) const { return file_.find_number(key(name)); }
  std::optional<std::string> find_string(const char* name) const {
    return file_.find_string(key(name));
  }
  double positive(const char* name) const {
    if (!(number(name) > 0)) fail(name, "is not positive");
    return number(name);
  }

  [[noreturn]] void refuse(const std::string& what) const { refuse_model(file_.path(), what); }
  [[noreturn]] void fail(const char* name, const std::string& what) const {
    throw InputError(ExitCode::kModel, file_.path() + ": " + key(name) + " " + what);
  }

 private:
  const GgufFile& file_;
  std::string name_;
  const Family* family_ = nullptr;
};

bool is_known(std::string_view key, const Family& family) {
  const auto is_in = [&](const auto& keys) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  return is_in(kKnownKeys) || (family.scores_of_its_own && is_in(kScoreKeys)) ||
         (family.sliding == SlidingLayers::kAllButEverySixth && is_in(kLocalKeys)) ||
         (family.features.parallel_residual && key == kParallelResidual);
}

void refuse_unknown_features(const Metadata& metadata) {
  if (metadata.find_integer("expert_count", 0, kMaxSize).value_or(0) > 0) {
    metadata.refuse(metadata.key("expert_count") + ": a mixture of experts is not implemented");
  }
  if (!metadata.find_boolean("attention.causal").value_or(true)) {
    metadata.refuse(metadata.key("attention.causal") + ": false is not implemented");
  }
  const std::string prefix = metadata.name() + ".";
  for (const std::string& key : metadata.file().keys()) {
    if (!key.starts_with(prefix)) continue;
    const auto name = std::string_view(key).substr(prefix.size());
    if (!is_known(name, metadata.family())) {
      metadata.refuse("metadata key " + quote(key) + " names a feature that is not implemented");
    }
  }
}

/// The tensor of a factor for each pair, or nothing.
std::vector<float> divisors(const Metadata& metadata, const char* name, int64_t size) {
  const GgufTensor* tensor = metadata.file().find_tensor(name);
  if (tensor == nullptr) return {};
  if (tensor->type != GgmlType::kF32 || tensor->shape != std::vector<int64_t>{size / 2}) {
    metadata.refuse("tensor " + std::string(name) + " is not " + std::to_string(size / 2) +
                    " numbers of type F32");
  }
  std::vector<float> values(static_cast<size_t>(size / 2));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  for (const float value : values) {
    if (!(value > 0))
      metadata.refuse("tensor " + std::string(name) + " has a factor that is not positive");
  }
  return values;
}

struct RopeAndContext {
  Rope rope;
  int64_t max_positions = 0;  // whose frequencies do not depend on the length of the sequence
};

/// The base of all layers, or of those that see everything.
double rope_theta(const Metadata& metadata) {
  return metadata.find_number("rope.freq_base").value_or(kDefaultRopeTheta);
}

RopeAndContext read_rope(const Metadata& metadata, int64_t size) {
  const double theta = rope_theta(metadata);
  const int64_t context = metadata.integer("context_length", kMaxPositions);
  // llama.cpp takes a factor without a type for linear.
  const double factor = metadata.find_number("rope.scaling.factor").value_or(1);
  const std::string type =
      metadata.find_string("rope.scaling.type").value_or(factor == 1 ? "none" : "linear");
  const auto short_divisors = divisors(metadata, "rope_factors_short.weight", size);
  if (!short_divisors.empty()) {
    Rope rope = divided_rope(theta, size, short_divisors);
    if (metadata.find_number(kAttentionFactor)) {
      rope.attention_factor = metadata.positive(kAttentionFactor);
    }
    const int64_t original =
        metadata.integer("rope.scaling.original_context_length", kMaxPositions);
    return {rope, std::min(context, original)};
  }
  if (metadata.find_number(kAttentionFactor).value_or(1) != 1) {
    metadata.refuse(metadata.key(kAttentionFactor) +
                    ": is not implemented without rope_factors_short.weight");
  }
  const auto llama3_divisors = divisors(metadata, "rope_freqs.weight", size);
  if (!llama3_divisors.empty()) {
    if (type != "none") metadata.refuse("rope_freqs.weight beside rope scaling " + quote(type));
    Rope rope = divided_rope(theta, size, llama3_divisors);
    rope.scaling = "llama3";
    return {rope, context};
  }
  if (type == "none") return {{.theta = theta}, context};
  if (type == "linear") {
    return {linear_rope(theta, size, metadata.positive("rope.scaling.factor")), context};
  }
  if (type == "yarn") {
    YarnScaling scaling{
        .factor = metadata.positive("rope.scaling.factor"),
        .original_positions = metadata.positive("rope.scaling.original_context_length")};
    for (const auto& [key, turns] :
         {std::pair("rope.scaling.yarn_beta_fast", &scaling.fast_turns),
          std::pair("rope.scaling.yarn_beta_slow", &scaling.slow_turns)}) {
      if (metadata.find_number(key)) *turns = metadata.positive(key);
    }
    return {yarn_rope(theta, size, scaling), context};
  }
  metadata.refuse(metadata.key("rope.scaling.type") + ": rope scaling " + quote(type) +
                  " is not implemented");
}

void read_sizes(const Metadata& metadata, DecoderConfig& c) {
  c.hidden_size = metadata.integer("embedding_length", kMaxSize);
  c.feed_forward_size = metadata.integer("feed_forward_length", kMaxSize);
  c.num_layers = metadata.integer("block_count", kMaxLayers);
  c.num_heads = metadata.integer("attention.head_count", kMaxSize);
  c.num_kv_heads =
      metadata.find_integer("attention.head_count_kv", 1, kMaxSize).value_or(c.num_heads);
  const auto key_length = metadata.find_integer("attention.key_length", 1, kMaxSize);
  if (!key_length && c.hidden_size % c.num_heads != 0) {
    metadata.fail("embedding_length", "is not a multiple of the number of heads");
  }
  c.head_size = key_length.value_or(c.hidden_size / c.num_heads);
  for (const char* key :
       {"attention.value_length", "attention.key_length_swa", "attention.value_length_swa"}) {
    if (metadata.find_integer(key, 1, kMaxSize).value_or(c.head_size) != c.head_size) {
      metadata.refuse(metadata.key(key) + ": heads of several sizes");
    }
  }
  const bool is_rms = c.features.norm == NormKind::kRms;
  c.norm_epsilon =
      metadata.number(is_rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon");
}

// What llama.cpp takes for a Gemma 2 whose file leaves it out, as those written first do.
constexpr double kGemma2ScoreCap = 50;
constexpr double kGemma2LogitCap = 30;
constexpr int64_t kGemma2Window = 4096;

bool is_gemma2(const Metadata& metadata) {
  return metadata.name() == "gemma2";
}

void read_scores(const Metadata& metadata, DecoderConfig& c) {
  const bool has_caps = is_gemma2(metadata);
  c.score_cap =
      metadata.find_number("attn_logit_softcapping").value_or(has_caps ? kGemma2ScoreCap : 0);
  c.logit_cap =
      metadata.find_number("final_logit_softcapping").value_or(has_caps ? kGemma2LogitCap : 0);
  // llama.cpp knows the models of 27 billion parameters by their layers.
  const bool is_27b = (is_gemma2(metadata) && c.num_layers == 46) ||
                      (metadata.name() == "gemma3" && c.num_layers == 62);
  const int64_t scalar = c.hidden_size / c.num_heads;
  if (is_27b) c.query_scalar = static_cast<double>(scalar);
}

void read_window(const Metadata& metadata, DecoderConfig& c) {
  const char* const key = "attention.sliding_window";
  const SlidingLayers sliding = metadata.family().sliding;
  const int64_t window = metadata.find_integer(key, 0, kMaxPositions)
                             .value_or(is_gemma2(metadata) ? kGemma2Window : 0);
  // A Mistral is stored as a llama. Which layers of a Qwen slide GGUF does not say.
  const bool is_readable = metadata.name() == "llama" ||
                           (sliding != SlidingLayers::kNone && sliding != SlidingLayers::kUpper);
  if (!is_readable && window > 0 && window < c.max_positions) {
    metadata.refuse(metadata.key(key) + ": sliding-window attention is not implemented there");
  }
  if (!is_readable || window == 0) return;
  c.window = window;
  const int64_t pattern =
      metadata.find_integer("attention.sliding_window_pattern", 1, kMaxLayers).value_or(6);
  for (int64_t layer = 0; layer < c.num_layers; ++layer) {
    c.slides.push_back(sliding == SlidingLayers::kEveryOther         ? layer % 2 == 0
                       : sliding == SlidingLayers::kAllButEverySixth ? (layer + 1) % pattern != 0
                                                                     : true);
  }
}

void read_positions(const Metadata& metadata, DecoderConfig& c) {
  c.max_positions = metadata.integer("context_length", kMaxPositions);
  if (!c.features.learned_positions) {
    c.rotary_size =
        metadata.find_integer("rope.dimension_count", 1, kMaxSize).value_or(c.head_size);
    if (c.features.interleaved_in_gguf && c.rotary_size != c.head_size) {
      metadata.refuse(metadata.key("rope.dimension_count") +
                      ": rotary positions on a part of the head");
    }
    c.rope.theta = rope_theta(metadata);
  }
  // Before frequencies are computed from them.
  check_decoder_config(c, metadata.file().path());
  if (!c.features.learned_positions) {
    const auto [rope, max_positions] = read_rope(metadata, c.rotary_size);
    c.rope = rope;
    c.max_positions = max_positions;
  }
  read_window(metadata, c);
  if (metadata.family().sliding == SlidingLayers::kAllButEverySixth) {
    c.local_rope = {.theta =
                        metadata.find_number("rope.freq_base_swa").value_or(kDefaultRopeTheta)};
  }
}

}  // namespace

DecoderConfig decoder_config_from_gguf(const GgufFile& file) {
  const Metadata metadata(file);
  const GgufTensor* embedding = file.find_tensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw InputError(ExitCode::kModel,
                     file.path() +
                         ": tensor token_embd.weight is missing or no matrix; a file with a "
                         "vocabulary only cannot be run");
  }

  const Family& family = metadata.family();
  DecoderConfig c;
  c.family = family.gguf;
  c.features = family.features;
  read_sizes(metadata, c);
  c.vocabulary_size = embedding->shape[0];
  if (c.vocabulary_size < 1 || c.vocabulary_size > kMaxVocabulary) {
    throw InputError(ExitCode::kModel, file.path() + ": token_embd.weight: vocabulary size");
  }
  c.tied_head = file.find_tensor("output.weight") == nullptr;
  const auto has = [&](const char* tensor) { return file.find_tensor(tensor) != nullptr; };
  c.features.query_key_value_bias =
      c.features.query_key_value_bias || has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias");
  c.features.output_bias = has("blk.0.attn_output.bias");
  c.features.feed_forward_bias = has("blk.0.ffn_up.bias");
  if (c.features.parallel_residual) {
    c.features.parallel_residual = metadata.boolean(kParallelResidual);
  }
  read_scores(metadata, c);
  refuse_unknown_features(metadata);
  read_positions(metadata, c);
  return c;
}

}  // namespace prescript
