// Weights as stored in a backend's memory: the numbers that the file's reader gives.

#include "model/device_blocks.h"

#include <cstring>

#include <gtest/gtest.h>

#include "io/gguf_quantization.h"
#include "support/backends.h"
#include "support/forwarding_ops.h"
#include "support/late_upload.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

/// The cpu backend as one that holds blocks: it decodes them by the file's reader.
class BlockOps final : public ForwardingOps {
 public:
  BlockOps() : ForwardingOps(make_cpu_ops(1)) {}

  bool holds_blocks() const override { return true; }
  std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to) override {
    return std::make_unique<LateUpload>(std::move(pieces), to);
  }
  void decode_blocks(
      uint32_t type, const void* blocks, Weight weight, int64_t begin, int64_t count) override {
    decoded_.resize(static_cast<size_t>(weight.rows * weight.cols));
    const GgmlTypeLayout& layout = layout_of(static_cast<GgmlType>(type));
    const auto size = static_cast<size_t>(count * weight.cols);
    dequantize(
        static_cast<GgmlType>(type),
        {static_cast<const std::byte*>(blocks), size / layout.block_values * layout.block_bytes},
        std::span(decoded_).subspan(static_cast<size_t>(begin * weight.cols), size));
  }
  const std::vector<float>& decoded() const { return decoded_; }

 private:
  std::vector<float> decoded_;
};

TEST(DeviceBlocks, GiveTheRowsThatTheSourceGives) {
  for (const bool interleaved : {false, true}) {
    DecoderConfig c = tiny_config();
    const MemoryTensors tensors = random_llama(c);
    StoredWeight weight = StoredWeights(c, FileKind{.is_gguf = false, .prefix = "model."})
                              .projection(0, Projection::kQueryKeyValue);
    if (interleaved) {
      for (StoredRows& rows : weight.tensors) rows.interleaved_head_size = c.head_size;
    }
    ASSERT_TRUE(DeviceBlocks::can_hold(tensors, weight));
    const size_t bytes = DeviceBlocks::bytes(tensors, std::span(&weight, 1));
    EXPECT_EQ(bytes, static_cast<size_t>(weight.rows() * weight.cols) * sizeof(float));
    BlockOps ops;
    DeviceBlocks blocks(ops, tensors, bytes);
    blocks.start({weight});
    const Weight none{nullptr, DType::kFloat32, 1, weight.cols};
    EXPECT_THROW(blocks.decode(weight, 0, none), ContractError);
    EXPECT_THROW(blocks.start({weight}), ContractError);
    blocks.finish();
    for (const auto& [begin, count] : {std::pair<int64_t, int64_t>{0, weight.rows()}, {30, 20}}) {
      std::vector<float> expected(static_cast<size_t>(count * weight.cols));
      weight.read(tensors, begin, count, expected.data());
      blocks.decode(weight, begin, {nullptr, DType::kFloat32, count, weight.cols});
      EXPECT_EQ(ops.decoded(), expected);
    }
  }
}

TEST(DeviceBlocks, HaveRoomForWhatWasAskedFor) {
  const DecoderConfig c = tiny_config();
  const MemoryTensors tensors = random_llama(c);
  const StoredWeight weight = StoredWeights(c, FileKind{.is_gguf = false, .prefix = "model."})
                                  .projection(0, Projection::kDown);
  BlockOps ops;
  DeviceBlocks blocks(ops, tensors, DeviceBlocks::bytes(tensors, std::span(&weight, 1)));
  EXPECT_THROW(blocks.start({weight, weight}), ContractError);
}

TEST(DeviceBlocks, CannotHoldWhatLiesInColumns) {
  const DecoderConfig c = tiny_config();
  const MemoryTensors tensors = random_llama(c);
  StoredWeight weight = StoredWeights(c, FileKind{.is_gguf = false, .prefix = "model."})
                            .projection(0, Projection::kDown);
  weight.tensors[0].is_transposed = true;
  EXPECT_FALSE(DeviceBlocks::can_hold(tensors, weight));
}

}  // namespace
}  // namespace prescript
