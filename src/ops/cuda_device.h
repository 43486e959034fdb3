#pragma once
// What the cuda backend needs of a machine besides its kernels.

#include <cstddef>
#include <memory>
#include <span>

#include "cuda/kernels.h"
#include "ops/ops.h"

namespace prescript::cuda {

/// A product of row-major matrices in one of the two ways in which a frozen weight is multiplied.
/// Sums are float32; x and weight share a dtype, y may be float32.
struct Product {
  Tensor x;
  Tensor weight_OI;
  Tensor y;
  bool is_input_gradient = false;  // y_NI = x_NO · weight_OI; else y_NO = x_NI · weight_OIᵀ
  bool add = false;                // y += it
};

/// Memory, copies and products of one card, on one stream: all work but uploads is done in the
/// order in which it is asked for.
class Device {
 public:
  virtual ~Device() = default;

  virtual Stream stream() const = 0;

  /// Uninitialised memory of the card. What still uses it when it is given back is finished first.
  /// Throws DeviceError (exit 5) when there is not enough.
  virtual Buffer allocate(size_t bytes) = 0;

  /// A copy of `bytes` on the card for one operation: it stays until kMaxPlaced further bytes are
  /// placed. Throws ContractError for more than kMaxPlaced bytes.
  virtual void* place(std::span<const std::byte> bytes) = 0;
  static constexpr size_t kMaxPlaced = size_t{64} << 20;

  /// Returns when `from` may be reused.
  virtual void to_device(const void* from, void* to, size_t bytes) = 0;

  /// Ops::start_upload.
  virtual std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to) = 0;

  /// Returns when `to` is filled: the one call that waits for the card.
  virtual void to_host(const void* from, void* to, size_t bytes) = 0;

  virtual void multiply(const Product& product) = 0;

  /// Whose matrix instructions kernels may use: those of a warp, which every card has, or also
  /// those of a warpgroup, which cards of compute capability 9.0 alone have.
  enum class Products { kOfWarps, kOfWarpgroups };
  virtual Products products() const = 0;

  virtual std::optional<DeviceMemory> memory() const = 0;

  // As Ops has them.
  virtual void begin_phase(std::optional<Phase> phase) = 0;
  virtual PhaseSeconds take_phase_seconds() = 0;
};

/// The first card (ops/gpu_device.cc). Throws DeviceError where it cannot be used.
std::unique_ptr<Device> open_device();

/// A backend of the kernels of cuda/kernels.h on `device`.
std::unique_ptr<Ops> make_ops(std::unique_ptr<Device> device);

}  // namespace prescript::cuda
