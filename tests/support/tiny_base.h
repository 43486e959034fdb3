#pragma once
// The tiny model opened, on the backend a test asks for, with soft prompts to put on it.

#include <memory>
#include <string>
#include <vector>

#include "adapter/adapter.h"
#include "base/random.h"
#include "io/tensor_source.h"
#include "model/decoder.h"
#include "support/temporary_directory.h"
#include "support/tiny_model.h"

namespace prescript {

/// A decoder over the tiny model's weights.
class TinyBase {
 public:
  explicit TinyBase(std::unique_ptr<Ops> ops, DType dtype, const TinyModelOptions& options = {})
      : ops_(std::move(ops)) {
    const TemporaryDirectory directory;
    write_tiny_model(directory / "tiny", options);
    const DecoderConfig config = decoder_config_from_hf(directory / "tiny");
    weights_ = load_weights(*ops_, *open_safetensors_directory(directory / "tiny"), config, dtype);
    decoder_ = std::make_unique<Decoder>(*ops_, config, *weights_, config.max_positions);
  }

  Decoder& decoder() { return *decoder_; }

 private:
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<FrozenWeights> weights_;
  std::unique_ptr<Decoder> decoder_;
};

/// An adapter with seeded rows of the embedding's scale.
inline Adapter tiny_adapter(int64_t num_virtual_tokens,
                            uint64_t seed,
                            PromptPosition position = PromptPosition::kStart,
                            int64_t hidden_size = 32) {
  Adapter adapter;
  adapter.position = position;
  adapter.dtype = "fp32";
  adapter.prompt.num_virtual_tokens = num_virtual_tokens;
  adapter.prompt.hidden_size = hidden_size;
  RandomStream stream(seed, "tiny adapter");
  for (int64_t i = 0; i < num_virtual_tokens * hidden_size; ++i) {
    adapter.prompt.values_PD.push_back(static_cast<float>(0.4 * stream.normal()));
  }
  return adapter;
}

/// The rows of the bytes of `text`, behind the virtual tokens of an adapter (none when `prompt` <
/// 0).
inline std::vector<Row> tiny_rows(const std::string& text,
                                  int32_t prompt = -1,
                                  int32_t num_virtual_tokens = 0) {
  std::vector<Row> rows;
  for (int32_t i = 0; prompt >= 0 && i < num_virtual_tokens; ++i) {
    rows.push_back(Row::virtual_token(prompt, i));
  }
  for (const unsigned char byte : text) rows.push_back(Row::token(byte));
  return rows;
}

}  // namespace prescript
