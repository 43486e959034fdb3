// Weights that are streamed to a backend that holds blocks: how often each layer is read.

#include <algorithm>
#include <cstring>
#include <map>

#include <gtest/gtest.h>

#include "io/gguf_quantization.h"
#include "model/batch.h"
#include "model/device_blocks.h"
#include "support/forwarding_ops.h"
#include "support/late_upload.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

/// Bytes that were asked for since a backend was made.
size_t num_uploaded = 0;

/// The cpu backend as one that decodes blocks. What is uploaded arrives when it has to, and what
/// was there before is spoiled at once.
class BlockOps final : public ForwardingOps {
 public:
  BlockOps() : ForwardingOps(make_cpu_ops(1)) { num_uploaded = 0; }

  bool holds_blocks() const override { return true; }

  std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to) override {
    auto upload = std::make_unique<LateUpload>(std::move(pieces), to);
    num_uploaded += upload->bytes();
    return upload;
  }

  void decode_blocks(
      uint32_t type, const void* blocks, Weight weight, int64_t begin, int64_t count) override {
    ASSERT_EQ(static_cast<GgmlType>(type), GgmlType::kF32);
    // The layout of the cpu backend is of whole weights: rows that are there already come again.
    const auto* rows = static_cast<const float*>(blocks);
    auto& all = numbers_[weight.data];
    all.resize(static_cast<size_t>(weight.rows * weight.cols));
    std::copy_n(rows, count * weight.cols, all.begin() + begin * weight.cols);
    if (begin + count < weight.rows) return;
    lay_out(
        [&](int64_t first, int64_t some, float* to) {
          std::copy_n(all.begin() + first * weight.cols, some * weight.cols, to);
        },
        weight);
  }

 private:
  std::map<void*, std::vector<float>> numbers_;
};

const Backend kBackend{
    "blocks", [] { return std::unique_ptr<Ops>(new BlockOps); }, DType::kFloat32};
const Backend kCpu{"cpu", [] { return make_cpu_ops(1); }, DType::kFloat32};

size_t bytes_of_layer(const MemoryTensors& tensors, const DecoderConfig& c) {
  size_t bytes = 0;
  const StoredWeights stored(c, {.is_gguf = false, .prefix = "model."});
  for (const Projection which : projections_of(c, 0)) {
    const StoredWeight weight = stored.projection(0, which);
    bytes += DeviceBlocks::bytes(tensors, std::span(&weight, 1));
  }
  return bytes;
}

StepOptions together(int64_t rows) {
  return {.forest = {}, .plan = {.max_rows = 30, .kept_layers = 1, .rows_together = rows}};
}

class StreamedWeights : public testing::Test {
 protected:
  StreamedWeights() : config_(tiny_config()) {
    config_.num_layers = 5;
    tensors_ = random_llama(config_);
  }

  /// Layers that were uploaded since `before`.
  double layers_since(size_t before) const {
    return static_cast<double>(num_uploaded - before) /
           static_cast<double>(bytes_of_layer(tensors_, config_));
  }

  DecoderConfig config_;
  MemoryTensors tensors_;
  const Batch batch_ = three_level_batch();
  const Batch tree_ = three_level_batch({.prompt_sizes = {3}});
};

TEST_F(StreamedWeights, GiveTheBitsOfWeightsInMemory) {
  TinyDecoder converted(kCpu, config_, tensors_);
  TinyDecoder streamed(kBackend, config_, tensors_, WeightFormat::kStreamed);
  const StepResult expected =
      converted.differentiate(batch_.sequences, batch_.prompts, together(0));
  for (const int64_t rows : {0, 65, 1000}) {
    const StepResult found =
        streamed.differentiate(batch_.sequences, batch_.prompts, together(rows));
    EXPECT_EQ(found.log_probs, expected.log_probs);
    for (size_t p = 0; p < expected.gradients.size(); ++p) {
      EXPECT_EQ(found.gradients[p].values, expected.gradients[p].values);
    }
    EXPECT_EQ(streamed.score(batch_.sequences, batch_.prompts, together(rows)).log_probs,
              expected.log_probs);
  }
}

TEST_F(StreamedWeights, ReadALayerOncePerDirectionOfAStep) {
  TinyDecoder streamed(kBackend, config_, tensors_, WeightFormat::kStreamed);
  const auto step_of = [&](const Batch& batch, int64_t rows) {
    const size_t before = num_uploaded;
    streamed.differentiate(batch.sequences, batch.prompts, together(rows));
    return layers_since(before);
  };
  const auto step = [&](int64_t rows) { return step_of(tree_, rows); };
  step(1000);  // the first begins with nothing there
  // Forward 1 to 4, for 0 is there from the step before, and back 3 to 0; at the end 1 is on its
  // way.
  EXPECT_EQ(step(1000), 8);
  EXPECT_EQ(step(1000), 8);
  EXPECT_EQ(step_of(batch_, 1000), 16) << "two trees are computed one behind the other";
  EXPECT_GT(step(0), 8) << "passes that go alone read all layers each";
}

TEST_F(StreamedWeights, OfScoringAreReadOnceForAllPassesTogether) {
  TinyDecoder streamed(kBackend, config_, tensors_, WeightFormat::kStreamed);
  const auto score = [&] {
    const size_t before = num_uploaded;
    streamed.score(tree_.sequences, tree_.prompts, together(1000));
    return layers_since(before);
  };
  score();
  EXPECT_EQ(score(), 5);
}

}  // namespace
}  // namespace prescript
