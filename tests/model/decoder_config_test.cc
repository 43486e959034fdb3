#include "model/decoder_config.h"

#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "model/gguf_bytes.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using nlohmann::json;

/// SmolLM2-135M's, as transformers 5 writes it.
json config_json() {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"bos_token_id", 1},
          {"dtype", "bfloat16"},
          {"eos_token_id", 2},
          {"head_dim", 64},
          {"hidden_act", "silu"},
          {"hidden_size", 576},
          {"initializer_range", 0.04},
          {"intermediate_size", 1536},
          {"max_position_embeddings", 8192},
          {"mlp_bias", false},
          {"model_type", "llama"},
          {"num_attention_heads", 9},
          {"num_hidden_layers", 30},
          {"num_key_value_heads", 3},
          {"pad_token_id", nullptr},
          {"pretraining_tp", 1},
          {"rms_norm_eps", 1e-5},
          {"rope_parameters", {{"rope_theta", 100000.0}, {"rope_type", "default"}}},
          {"tie_word_embeddings", true},
          {"use_cache", true},
          {"vocab_size", 49152}};
}

/// The same as transformers 4 writes it.
json old_config_json() {
  json config = config_json();
  config.erase("rope_parameters");
  config.erase("dtype");
  config["rope_theta"] = 100000;
  config["rope_scaling"] = nullptr;
  config["torch_dtype"] = "bfloat16";
  config["rope_interleaved"] = false;
  return config;
}

DecoderConfig read_hf(const json& config) {
  const TemporaryDirectory directory;
  directory.write("config.json", config.dump());
  return decoder_config_from_hf(directory.path());
}

GgufBytes gguf(const std::string& family = "llama") {
  GgufBytes file;
  file.set("general.architecture", family);
  file.set(family + ".block_count", 30U);
  file.set(family + ".context_length", 8192U);
  file.set(family + ".embedding_length", 576U);
  file.set(family + ".feed_forward_length", 1536U);
  file.set(family + ".attention.head_count", 9U);
  file.set(family + ".attention.head_count_kv", 3U);
  file.set(family + ".attention.layer_norm_rms_epsilon", 1e-5F);
  file.set(family + ".rope.freq_base", 100000.0F);
  file.set(family + ".rope.dimension_count", 64U);
  file.set(family + ".vocab_size", 40U);
  file.set_tensor("token_embd.weight", {40, 576});
  return file;
}

DecoderConfig read_gguf(const GgufBytes& file) {
  const TemporaryDirectory directory;
  return decoder_config_from_gguf(*GgufFile::open(directory.write("a.gguf", file.bytes())));
}

void expect_smollm2(const DecoderConfig& c, int64_t vocabulary_size) {
  EXPECT_EQ(c.family, "llama");
  EXPECT_EQ(c.vocabulary_size, vocabulary_size);
  EXPECT_EQ(c.hidden_size, 576);
  EXPECT_EQ(c.feed_forward_size, 1536);
  EXPECT_EQ(c.num_layers, 30);
  EXPECT_EQ(c.num_heads, 9);
  EXPECT_EQ(c.num_kv_heads, 3);
  EXPECT_EQ(c.head_size, 64);
  EXPECT_EQ(c.max_positions, 8192);
  EXPECT_NEAR(c.norm_epsilon, 1e-5, 1e-12);
  EXPECT_EQ(c.rope.theta, 100000);
  EXPECT_TRUE(c.tied_head);
}

void hf_refuses(const std::string& message, const json& config) {
  expect_input_error(ExitCode::kModel, "config.json: ", [&] { read_hf(config); });
  expect_input_error(ExitCode::kModel, message, [&] { read_hf(config); });
}

void gguf_refuses(const std::string& message, const GgufBytes& file) {
  expect_input_error(ExitCode::kModel, "a.gguf: ", [&] { read_gguf(file); });
  expect_input_error(ExitCode::kModel, message, [&] { read_gguf(file); });
}

/// `change` is merged into the configuration of a model that loads.
void hf_refuses_with(const json& change, const std::string& message) {
  json config = config_json();
  config.merge_patch(change);
  hf_refuses(message, config);
}

template <typename Value>
void gguf_refuses_with(const std::string& key, Value value, const std::string& message) {
  GgufBytes file = gguf();
  file.set(key, value);
  gguf_refuses(message, file);
}

/// Of 30 layers, the first `count` of `type`.
std::vector<std::string> layer_types(const std::string& type, int count) {
  std::vector<std::string> types(30, "full_attention");
  std::fill_n(types.begin(), count, type);
  return types;
}

TEST(DecoderConfig, OfHuggingFaceIsReadInBothSpellings) {
  expect_smollm2(read_hf(config_json()), 49152);
  expect_smollm2(read_hf(old_config_json()), 49152);
}

TEST(DecoderConfig, OfHuggingFaceHasTheDefaultsThatTransformersHas) {
  json config = config_json();
  for (const char* key : {"head_dim", "num_key_value_heads", "tie_word_embeddings"}) {
    config.erase(key);
  }
  const DecoderConfig c = read_hf(config);
  EXPECT_EQ(c.head_size, 64);
  EXPECT_EQ(c.num_kv_heads, 9);
  EXPECT_FALSE(c.tied_head);
}

TEST(DecoderConfig, OfHuggingFaceMayHaveHeadsOfAnotherSize) {
  json config = config_json();
  config["head_dim"] = 32;
  config["hidden_size"] = 577;
  EXPECT_EQ(read_hf(config).query_size(), 9 * 32);
  EXPECT_EQ(read_hf(config).kv_size(), 3 * 32);
}

TEST(DecoderConfig, OfHuggingFaceIsRefusedByTheNameOfWhatItNeeds) {
  hf_refuses_with({{"model_type", "falcon"}}, "the family \"falcon\" is not implemented");
  hf_refuses_with({{"rope_parameters", {{"rope_type", "proportional"}}}},
                  "rope_parameters.rope_type: rope scaling \"proportional\" is not implemented");
  hf_refuses_with({{"rope_parameters", {{"factor", 2.0}}}},
                  "rope_parameters.factor is not implemented");
  hf_refuses_with({{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}},
                  "rope_parameters: is beside rope_scaling");
  hf_refuses_with({{"sliding_window", 4096}}, "sliding_window of a \"llama\" is not implemented");
  const std::vector<std::string> one_slides = layer_types("sliding_attention", 1);
  hf_refuses_with({{"layer_types", one_slides}},
                  "layer_types: \"sliding_attention\" is not implemented");
  hf_refuses_with({{"model_type", "mistral"}, {"layer_types", layer_types("chunked_attention", 1)}},
                  "layer_types: \"chunked_attention\" is not implemented");
  hf_refuses_with({{"layer_types", {"full_attention"}}}, "names 1 layers of 30");
  hf_refuses_with({{"model_type", "phi3"}, {"layer_types", layer_types("sliding_attention", 1)}},
                  "layer_types of a \"phi3\" is not implemented");
  json without_window = config_json();
  without_window.update({{"model_type", "mistral"}, {"layer_types", one_slides}});
  without_window["sliding_window"] = nullptr;
  hf_refuses("sliding_window: missing", without_window);
  hf_refuses_with({{"num_local_experts", 8}}, "num_local_experts is not implemented");
  for (const char* key :
       {"query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping"}) {
    hf_refuses_with({{key, 50.0}}, std::string(key) + " of a \"llama\" is not implemented");
  }
  hf_refuses_with({{"scale_attn_by_inverse_layer_idx", true}},
                  "scale_attn_by_inverse_layer_idx of a \"llama\" is not implemented");
  hf_refuses_with({{"hidden_act", "relu"}}, "activation \"relu\" is not implemented");
  hf_refuses_with({{"use_bidirectional_attention", true}},
                  "use_bidirectional_attention is not implemented");
  hf_refuses_with({{"quantization_config", {{"bits", 4}}}},
                  "quantization_config is not implemented");
}

TEST(DecoderConfig, OfHuggingFaceAllowsFeaturesThatAreSwitchedOff) {
  json config = old_config_json();
  config["sliding_window"] = nullptr;
  config["rope_scaling"] = {{"rope_type", "default"}};
  config["layer_types"] = layer_types("full_attention", 0);
  config["partial_rotary_factor"] = 1.0;
  expect_smollm2(read_hf(config), 49152);
}

TEST(DecoderConfig, AMissingRopeBaseIsThatOfTransformersAndLlamaCpp) {
  // As in Llama 2's own config.json.
  json config = old_config_json();
  config.erase("rope_theta");
  EXPECT_EQ(read_hf(config).rope.theta, 10000);
  config["rope_parameters"] = {{"rope_type", "default"}};
  EXPECT_EQ(read_hf(config).rope.theta, 10000);
  GgufBytes file = gguf();
  file.erase("llama.rope.freq_base");
  EXPECT_EQ(read_gguf(file).rope.theta, 10000);
}

TEST(DecoderConfig, TwoRopeBasesMustAgree) {
  json config = config_json();
  config["rope_theta"] = 100000;
  EXPECT_EQ(read_hf(config).rope.theta, 100000);
  config["rope_theta"] = 10000;
  hf_refuses("differs from the rope_theta of rope_parameters", config);
}

TEST(DecoderConfig, ScalingThatIsSaidTwiceMustAgree) {
  const auto with = [](const json& change) {
    json config = config_json();
    config["rope_parameters"].merge_patch(change);
    return config;
  };
  const json linear = {{"rope_type", "linear"}, {"type", "linear"}, {"factor", 4.0}};
  EXPECT_EQ(read_hf(with(linear)).rope, linear_rope(100000, 64, 4));
  json contrary = linear;
  contrary["type"] = "dynamic";
  hf_refuses("rope_parameters.type: differs from rope_type", with(contrary));

  json yarn =
      with({{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 64}});
  yarn["original_max_position_embeddings"] = 64;
  EXPECT_EQ(read_hf(yarn).rope.scaling, "yarn");
  yarn["original_max_position_embeddings"] = 128;
  hf_refuses("original_max_position_embeddings: differs from that of rope_parameters", yarn);
}

TEST(DecoderConfig, OnlyFamiliesWhosePartsOfHeadsTurnReadTheShare) {
  for (const char* family : {"llama", "mistral", "qwen2", "qwen3", "gemma2"}) {
    hf_refuses_with(
        {{"model_type", family}, {"partial_rotary_factor", 0.5}, {"sliding_window", 100}},
        "partial_rotary_factor of a \"" + std::string(family) + "\"");
  }
  json config = config_json();
  config["partial_rotary_factor"] = 0.5;
  config["model_type"] = "phi3";
  EXPECT_EQ(read_hf(config).rotary_size, 32);
  // What its class has where the file leaves it out.
  config["model_type"] = "gpt_neox";
  config["layer_norm_eps"] = 1e-5;
  config.erase("partial_rotary_factor");
  EXPECT_EQ(read_hf(config).rotary_size, 16);
}

TEST(DecoderConfig, ActivationsAreReadFromTheKeyOfTheirFamily) {
  json config = config_json();
  config["model_type"] = "gpt_neox";
  config["layer_norm_eps"] = 1e-5;
  config["hidden_act"] = "gelu_fast";  // GPT-NeoX-20B's
  EXPECT_EQ(read_hf(config).features.activation, Activation::kGeluTanh);
  // transformers reads hidden_activation of a Gemma, whatever hidden_act says.
  config["model_type"] = "gemma2";
  config["hidden_act"] = "gelu";
  EXPECT_EQ(read_hf(config).features.activation, Activation::kGeluTanh);
  config["hidden_activation"] = "gelu";
  EXPECT_EQ(read_hf(config).features.activation, Activation::kGelu);
}

TEST(DecoderConfig, ImpossibleNumbersAreRefused) {
  hf_refuses_with({{"num_key_value_heads", 2}}, "9 query heads are not a multiple of 2");
  hf_refuses_with({{"head_dim", 63}}, "rotary size 63 is odd");
  hf_refuses_with({{"head_dim", nullptr}, {"hidden_size", 577}},
                  "hidden_size: is not a multiple of num_attention_heads");
  hf_refuses_with({{"rms_norm_eps", 0}}, "epsilon of the norms");
  hf_refuses_with({{"rope_parameters", {{"rope_theta", 0}}}}, "rope base is not in");
  for (const char* key : {"vocab_size",
                          "hidden_size",
                          "intermediate_size",
                          "num_hidden_layers",
                          "num_attention_heads",
                          "num_key_value_heads",
                          "head_dim",
                          "max_position_embeddings"}) {
    hf_refuses_with({{key, 0}}, key);
    hf_refuses_with({{key, int64_t{1} << 40}}, key);
    hf_refuses_with({{key, "576"}}, key);
  }
  for (const char* key : {"vocab_size", "hidden_size", "rms_norm_eps", "model_type"}) {
    hf_refuses_with({{key, nullptr}}, key);
  }
}

TEST(DecoderConfig, OfGgufIsRead) {
  expect_smollm2(read_gguf(gguf()), 40);
  GgufBytes untied = gguf();
  untied.set_tensor("output.weight", {40, 576});
  EXPECT_FALSE(read_gguf(untied).tied_head);
  GgufBytes full_heads = gguf();
  full_heads.erase("llama.attention.head_count_kv");
  EXPECT_EQ(read_gguf(full_heads).num_kv_heads, 9);
  GgufBytes small_heads = gguf();
  for (const char* key :
       {"attention.key_length", "attention.value_length", "rope.dimension_count"}) {
    small_heads.set(std::string("llama.") + key, 32U);
  }
  EXPECT_EQ(read_gguf(small_heads).head_size, 32);
}

TEST(DecoderConfig, OfGgufIsRefusedByTheNameOfWhatItNeeds) {
  gguf_refuses_with(
      "general.architecture", std::string("falcon"), "the family \"falcon\" is not implemented");
  gguf_refuses_with("llama.rope.scaling.type", std::string("ntk"), "rope scaling \"ntk\"");
  gguf_refuses_with("llama.expert_count", 8U, "a mixture of experts");
  gguf_refuses_with("llama.rope.dimension_count", 32U, "rotary positions on a part of the head");
  gguf_refuses_with("llama.attention.value_length", 32U, "heads of several sizes");
  for (const char* key : {"attention.clamp_kqv",
                          "attn_logit_softcapping",
                          "rope.freq_base_swa",
                          "use_parallel_residual"}) {
    const std::string full = std::string("llama.") + key;
    gguf_refuses_with(full, 50.0F, full);
  }
  GgufBytes qwen = gguf("qwen2");
  qwen.set("qwen2.attention.sliding_window", 4096U);
  gguf_refuses("qwen2.attention.sliding_window: sliding-window attention", qwen);
  gguf_refuses_with("llama.attention.head_count_kv", 2U, "9 query heads are not a multiple of 2");
  gguf_refuses_with("llama.embedding_length", 577U, "is not a multiple of the number of heads");
  gguf_refuses_with("llama.block_count", 0U, "llama.block_count");
  gguf_refuses_with(
      "llama.rope.scaling.type", std::string("linear"), "llama.rope.scaling.factor: missing");
  gguf_refuses_with("llama.rope.scaling.attn_factor", 1.2F, "rope.scaling.attn_factor");
  GgufBytes misshapen = gguf();
  misshapen.set_tensor("rope_freqs.weight", {31});
  gguf_refuses("tensor rope_freqs.weight is not 32 numbers", misshapen);
}

TEST(DecoderConfig, OfGgufTakesAFactorWithoutATypeForLinear) {
  GgufBytes file = gguf();
  file.set("llama.rope.scaling.factor", 4.0F);
  EXPECT_EQ(read_gguf(file).rope, linear_rope(100000, 64, 4));
}

TEST(DecoderConfig, OfGgufAllowsFeaturesThatAreSwitchedOff) {
  GgufBytes file = gguf();
  file.set("llama.rope.scaling.type", std::string("none"));
  file.set("llama.attention.sliding_window", 0U);
  file.set("llama.expert_count", 0U);
  file.set("llama.tensor_data_layout", std::string("Meta AI original pth"));
  file.set("llama.attention.causal", true);
  expect_smollm2(read_gguf(file), 40);
  file.set("llama.attention.causal", false);
  gguf_refuses("llama.attention.causal: false is not implemented", file);
}

TEST(DecoderConfig, OfGgufReadsTheBordersOfYarn) {
  GgufBytes file = gguf();
  file.set("llama.rope.scaling.type", std::string("yarn"));
  file.set("llama.rope.scaling.factor", 4.0F);
  file.set("llama.rope.scaling.original_context_length", 2048U);
  const YarnScaling scaling{.factor = 4, .original_positions = 2048};
  EXPECT_EQ(read_gguf(file).rope, yarn_rope(100000, 64, scaling));
  file.set("llama.rope.scaling.yarn_beta_fast", 16.0F);
  file.set("llama.rope.scaling.yarn_beta_slow", 2.0F);
  const YarnScaling other{
      .factor = 4, .original_positions = 2048, .fast_turns = 16, .slow_turns = 2};
  EXPECT_EQ(read_gguf(file).rope, yarn_rope(100000, 64, other));
}

/// Layers that slide, as a string of digits.
std::string slides_of(const DecoderConfig& config) {
  std::string result;
  for (int64_t layer = 0; layer < config.num_layers; ++layer) {
    result += config.layer_slides(layer) ? '1' : '0';
  }
  return result;
}

TEST(DecoderConfig, LayersSlideAsTheirFamilySays) {
  const auto slides = [](const json& change) {
    json config = config_json();
    config.merge_patch({{"num_hidden_layers", 8}, {"sliding_window", 100}});
    config.merge_patch(change);
    return slides_of(read_hf(config));
  };
  EXPECT_EQ(slides({{"model_type", "mistral"}}), "11111111");
  json absent = config_json();
  absent["model_type"] = "mistral";
  EXPECT_EQ(read_hf(absent).window, 4096) << "that of its class";
  absent["sliding_window"] = nullptr;
  EXPECT_EQ(slides_of(read_hf(absent)).find('1'), std::string::npos) << "but null is none";
  absent.erase("sliding_window");
  absent["model_type"] = "qwen2";
  EXPECT_EQ(slides_of(read_hf(absent)).find('1'), std::string::npos);
  absent["use_sliding_window"] = true;
  EXPECT_EQ(slides_of(read_hf(absent)), std::string(28, '0') + "11");
  EXPECT_EQ(read_hf(absent).window, 4096);
  EXPECT_EQ(slides({{"model_type", "qwen2"}}), "00000000");  // unless it is switched on
  const json upper = {
      {"model_type", "qwen2"}, {"use_sliding_window", true}, {"max_window_layers", 6}};
  EXPECT_EQ(slides(upper), "00000011");
  EXPECT_EQ(slides({{"model_type", "gemma2"}}), "10101010");
  EXPECT_EQ(slides({{"model_type", "gemma3_text"}}), "11111011");
  EXPECT_EQ(slides({{"model_type", "gemma3_text"}, {"sliding_window_pattern", 2}}), "10101010");

  const auto gguf_slides = [](const char* family) {
    GgufBytes file = gguf(family);
    file.set(std::string(family) + ".block_count", 8U);
    file.set(std::string(family) + ".attention.sliding_window", 100U);
    return slides_of(read_gguf(file));
  };
  EXPECT_EQ(gguf_slides("phi3"), "11111111");
  EXPECT_EQ(gguf_slides("gemma2"), "10101010");
  EXPECT_EQ(gguf_slides("gemma3"), "11111011");
}

TEST(DecoderConfig, OfGemma2InGgufTakesWhatLlamaCppTakesWhereItsFileLeavesItOut) {
  // llama.cpp's converter writes no base of the rotary positions; those of the first weeks no cap
  // and no window.
  GgufBytes file = gguf("gemma2");
  file.erase("gemma2.rope.freq_base");
  const DecoderConfig c = read_gguf(file);
  EXPECT_EQ(c.rope, (Rope{.theta = 10000}));
  EXPECT_EQ(c.score_cap, 50);
  EXPECT_EQ(c.logit_cap, 30);
  EXPECT_EQ(c.window, 4096);
  EXPECT_EQ(slides_of(c), "101010101010101010101010101010");
  file.set("gemma2.attn_logit_softcapping", 20.0F);
  file.set("gemma2.final_logit_softcapping", 10.0F);
  EXPECT_EQ(read_gguf(file).score_cap, 20);
  EXPECT_EQ(read_gguf(file).logit_cap, 10);
}

TEST(DecoderConfig, OfGemmaTakesWhatItsFilesLeaveOut) {
  // The text side of MedGemma's config.json.
  const DecoderConfig c = read_hf({{"model_type", "gemma3"},
                                   {"text_config",
                                    {{"hidden_size", 2560},
                                     {"intermediate_size", 10240},
                                     {"model_type", "gemma3_text"},
                                     {"num_hidden_layers", 34},
                                     {"rope_scaling", {{"factor", 8.0}, {"rope_type", "linear"}}},
                                     {"sliding_window", 1024}}}});
  EXPECT_EQ(c.vocabulary_size, 262208);
  EXPECT_EQ(c.num_heads, 8);
  EXPECT_EQ(c.num_kv_heads, 4);
  EXPECT_EQ(c.head_size, 256);
  EXPECT_EQ(c.window, 1024);
  EXPECT_EQ(c.query_scalar, 256);
  EXPECT_EQ(c.norm_epsilon, 1e-6F);  // as a GGUF holds it
  EXPECT_TRUE(c.tied_head);
  EXPECT_EQ(c.rope, linear_rope(1e6, 256, 8));
  EXPECT_EQ(c.local_rope, (Rope{.theta = 1e4}));
  EXPECT_EQ(slides_of(c), "1111101111101111101111101111101111");
}

TEST(DecoderConfig, OfGemmaNamesFileAndKeyOfATextSideThatIsNone) {
  hf_refuses("text_config: expected an object, found an array",
             {{"model_type", "gemma3"}, {"text_config", json::array()}});
  hf_refuses("text_config: expected an object, found a number",
             {{"model_type", "gemma3"}, {"text_config", 3}});
  // Absent, all is as the family has it by default.
  EXPECT_EQ(read_hf({{"model_type", "gemma3"}, {"text_config", nullptr}}).num_layers, 26);
}

TEST(DecoderConfig, OfAGgufOfGemmasLargestModelsHasTheirQueryScalar) {
  // Gemma 2 of 27 billion parameters: 144 in its config.json, of which GGUF says nothing.
  GgufBytes file = gguf("gemma2");
  file.set("gemma2.embedding_length", 4608U);
  file.set("gemma2.block_count", 46U);
  file.set("gemma2.attention.head_count", 32U);
  file.set("gemma2.attention.head_count_kv", 16U);
  file.set("gemma2.attention.key_length", 128U);
  file.set("gemma2.attention.value_length", 128U);
  EXPECT_NEAR(read_gguf(file).attention_shape(0).scale, 1 / 12.0, 1e-15);
  file.set("gemma2.block_count", 42U);
  EXPECT_NEAR(read_gguf(file).attention_shape(0).scale, 1 / std::sqrt(128.0), 1e-15);
}

TEST(DecoderConfig, OfBioMedLMDividesScoresByTheLayersNumber) {
  const DecoderConfig c = read_hf({{"model_type", "gpt2"},
                                   {"activation_function", "gelu_new"},
                                   {"layer_norm_epsilon", 1e-5},
                                   {"n_ctx", 1024},
                                   {"n_embd", 2560},
                                   {"n_head", 20},
                                   {"n_inner", nullptr},
                                   {"n_layer", 32},
                                   {"n_positions", 1024},
                                   {"scale_attn_by_inverse_layer_idx", true},
                                   {"scale_attn_weights", true},
                                   {"vocab_size", 28896}});
  EXPECT_EQ(c.feed_forward_size, 4 * 2560);
  EXPECT_EQ(c.rotary_size, 0);
  EXPECT_TRUE(c.tied_head);
  EXPECT_NEAR(c.attention_shape(3).scale, 1 / (4 * std::sqrt(128.0)), 1e-15);
}

TEST(DecoderConfig, OfAGgufWithoutWeightsIsRefused) {
  GgufBytes vocabulary_only;
  vocabulary_only.set("general.architecture", std::string("llama"));
  gguf_refuses("token_embd.weight is missing", vocabulary_only);
}

TEST(DecoderConfig, CountsTheParametersOfItsLayers) {
  // SmolLM2: q and output 576·576, k and v 192·576, three of 1536·576, 30 layers.
  EXPECT_EQ(read_hf(config_json()).num_layer_parameters(),
            30 * 576 * (2 * 576 + 2 * 192 + 3 * 1536));
}

}  // namespace
}  // namespace prescript
