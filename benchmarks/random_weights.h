#pragma once
// The frozen weights of a decoder as random numbers made on the card: no file, no host memory.

#include <memory>

#include "card_bench.h"
#include "model/decoder_config.h"
#include "model/frozen_weights.h"

namespace prescript::bench {

/// In bfloat16. Throws DeviceError where they do not fit.
std::unique_ptr<FrozenWeights> random_weights(CardBench& bench, const DecoderConfig& config);

/// In bfloat16 in the host's memory, one layer for all of them, and streamed from there.
class StreamedRandomWeights {
 public:
  StreamedRandomWeights(CardBench& bench, const DecoderConfig& config);
  ~StreamedRandomWeights();
  FrozenWeights& weights() { return *weights_; }

 private:
  std::unique_ptr<TensorSource> source_;
  std::unique_ptr<FrozenWeights> weights_;
};

/// Products and head in blocks of 4 bits (GGUF's Q4_K), each laid out in bfloat16 ahead of the
/// product that asks for it.
std::unique_ptr<FrozenWeights> random_quantized_weights(CardBench& bench,
                                                        const DecoderConfig& config);

}  // namespace prescript::bench
