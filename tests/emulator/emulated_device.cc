#include "emulator/emulated_device.h"

#include <bit>
#include <cstring>
#include <new>
#include <vector>

#include "base/error.h"
#include "emulator/memory.h"
#include "support/late_upload.h"

namespace prescript::emulator {
namespace {

float number_at(const Tensor& x, int64_t row, int64_t col) {
  if (x.dtype == DType::kFloat32) return x.row<float>(row)[col];
  return std::bit_cast<float>(uint32_t{x.row<uint16_t>(row)[col]} << 16);
}

uint16_t nearest_bf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (value != value) return static_cast<uint16_t>(bits >> 16 | 1U);
  return static_cast<uint16_t>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

class EmulatedDevice final : public cuda::Device {
 public:
  explicit EmulatedDevice(Products products) : products_(products) {}

  cuda::Stream stream() const override { return nullptr; }

  Buffer allocate(size_t bytes) override {
    try {
      return Buffer(emulator::allocate(bytes), [](void* data) { release(data); });
    } catch (const std::bad_alloc&) {
      throw DeviceError("emulator: " + std::to_string(bytes) + " bytes");
    }
  }

  // One operation places a handful of arrays: those of the last ones stay.
  void* place(std::span<const std::byte> bytes) override {
    PRESCRIPT_CHECK(bytes.size() <= kMaxPlaced, "place");
    if (placed_.size() == kMaxArrays) placed_.erase(placed_.begin());
    placed_.push_back(allocate(bytes.size()));
    std::memcpy(placed_.back().get(), bytes.data(), bytes.size());
    return placed_.back().get();
  }

  void to_device(const void* from, void* to, size_t bytes) override {
    std::memcpy(to, from, bytes);
  }
  std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to) override {
    return std::make_unique<LateUpload>(std::move(pieces), to);
  }
  void to_host(const void* from, void* to, size_t bytes) override { std::memcpy(to, from, bytes); }

  void multiply(const cuda::Product& product) override {
    const Tensor& y = product.y;
    const int64_t depth = product.x.cols;
    for (int64_t n = 0; n < y.rows; ++n) {
      for (int64_t c = 0; c < y.cols; ++c) {
        // A card sums in many parts: over a vocabulary, nearer to this than to one float32.
        double sum = product.add ? number_at(y, n, c) : 0;
        for (int64_t i = 0; i < depth; ++i) {
          const float weight = product.is_input_gradient ? number_at(product.weight_OI, i, c)
                                                         : number_at(product.weight_OI, c, i);
          sum += number_at(product.x, n, i) * weight;
        }
        if (y.dtype == DType::kFloat32) {
          y.row<float>(n)[c] = static_cast<float>(sum);
        } else {
          y.row<uint16_t>(n)[c] = nearest_bf16(static_cast<float>(sum));
        }
      }
    }
  }

  Products products() const override { return products_; }

  std::optional<DeviceMemory> memory() const override { return std::nullopt; }

  void begin_phase(std::optional<Phase> phase) override { clock_.begin(phase); }
  PhaseSeconds take_phase_seconds() override { return clock_.take(); }

 private:
  static constexpr size_t kMaxArrays = 16;

  Products products_;
  PhaseClock clock_;
  std::vector<Buffer> placed_;
};

}  // namespace

std::unique_ptr<cuda::Device> make_emulated_device(cuda::Device::Products products) {
  return std::make_unique<EmulatedDevice>(products);
}

std::unique_ptr<Ops> make_emulated_cuda_ops(cuda::Device::Products products) {
  return cuda::make_ops(make_emulated_device(products));
}

}  // namespace prescript::emulator
