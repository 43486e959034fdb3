// The first CUDA card: memory and copies by cudart.

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <cuda_runtime.h>

#include "base/error.h"
#include "ops/cuda_check.h"
#include "ops/cuda_device.h"
#include "ops/gpu_phases.h"
#include "ops/gpu_products.h"
#include "ops/gpu_uploads.h"

namespace prescript {
namespace {

constexpr size_t kAlignment = 256;  // of what is placed

/// Pinned memory through which copies pass, in segments that are reused in turn: the host waits for
/// the card only where a segment is still being read.
class PinnedRing {
 public:
  PinnedRing() {
    CUDA_CHECK(cudaHostAlloc(&memory_, kSegments * kSegmentBytes, cudaHostAllocDefault));
    for (cudaEvent_t& event : events_) {
      CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    }
  }
  PinnedRing(const PinnedRing&) = delete;
  PinnedRing& operator=(const PinnedRing&) = delete;
  ~PinnedRing() {
    for (const cudaEvent_t event : events_) cudaEventDestroy(event);
    cudaFreeHost(memory_);
  }

  /// Copies to the card in stream order; returns when `from` may be reused.
  void copy(const void* from, void* to, size_t bytes, cudaStream_t stream) {
    const auto* source = static_cast<const std::byte*>(from);
    auto* target = static_cast<std::byte*>(to);
    while (bytes > 0) {
      if (used_ == kSegmentBytes) next_segment(stream);
      const size_t count = std::min(bytes, kSegmentBytes - used_);
      std::byte* const room = static_cast<std::byte*>(memory_) + segment_ * kSegmentBytes + used_;
      std::memcpy(room, source, count);
      CUDA_CHECK(cudaMemcpyAsync(target, room, count, cudaMemcpyHostToDevice, stream));
      used_ += count;
      source += count;
      target += count;
      bytes -= count;
    }
  }

 private:
  static constexpr size_t kSegments = 8;
  static constexpr size_t kSegmentBytes = size_t{8} << 20;

  void next_segment(cudaStream_t stream) {
    CUDA_CHECK(cudaEventRecord(events_[segment_], stream));
    segment_ = (segment_ + 1) % kSegments;
    used_ = 0;
    CUDA_CHECK(cudaEventSynchronize(events_[segment_]));  // at once where it was never recorded
  }

  void* memory_ = nullptr;
  std::array<cudaEvent_t, kSegments> events_{};
  size_t segment_ = 0;
  size_t used_ = 0;
};

/// Stream and memory pool. Buffers share it: they may outlive the device.
class Card {
 public:
  Card() {
    CUDA_CHECK(cudaSetDevice(0));
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    CUDA_CHECK(cudaDeviceGetDefaultMemPool(&pool_, 0));
    int major = 0;
    CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    if (major == 9) products_ = cuda::Device::Products::kOfWarpgroups;
    uint64_t keep_all = UINT64_MAX;  // what is given back is handed out again without the driver
    CUDA_CHECK(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all));
  }
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  ~Card() { cudaStreamDestroy(stream_); }

  cudaStream_t stream() const { return stream_; }
  cuda::Device::Products products() const { return products_; }

  void* allocate(size_t bytes) {
    void* data = nullptr;
    bytes = std::max<size_t>(bytes, 1);
    cudaError_t status = cudaMallocAsync(&data, bytes, stream_);
    if (status == cudaErrorMemoryAllocation) {  // the pool may hold pieces that are too small
      cudaGetLastError();
      CUDA_CHECK(cudaStreamSynchronize(stream_));
      CUDA_CHECK(cudaMemPoolTrimTo(pool_, 0));
      status = cudaMallocAsync(&data, bytes, stream_);
    }
    if (status == cudaErrorMemoryAllocation) cudaGetLastError();
    cuda::check(status, ("cudaMallocAsync of " + std::to_string(bytes) + " bytes").c_str());
    return data;
  }

  void free(void* data) { cudaFreeAsync(data, stream_); }

  DeviceMemory memory() const {
    size_t free = 0;
    size_t total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &total));
    uint64_t reserved = 0;
    uint64_t used = 0;
    CUDA_CHECK(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrReservedMemCurrent, &reserved));
    CUDA_CHECK(cudaMemPoolGetAttribute(pool_, cudaMemPoolAttrUsedMemCurrent, &used));
    return {.total = total, .free = free + reserved - used};
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaMemPool_t pool_ = nullptr;
  cuda::Device::Products products_ = cuda::Device::Products::kOfWarps;
};

class GpuDevice final : public cuda::Device {
 public:
  GpuDevice()
      : placed_(allocate(kMaxPlaced)),
        uploads_(card_->stream()),
        phases_(card_->stream()),
        products_(card_->stream(), [this](size_t bytes) { return allocate(bytes); }) {}

  cuda::Stream stream() const override { return card_->stream(); }

  Buffer allocate(size_t bytes) override {
    return Buffer(card_->allocate(bytes), [card = card_](void* data) { card->free(data); });
  }

  // What is placed later overwrites it in stream order, behind the operation that reads it.
  void* place(std::span<const std::byte> bytes) override {
    const size_t padded = (bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
    PRESCRIPT_CHECK(padded <= kMaxPlaced, "place: " + std::to_string(bytes.size()) + " bytes");
    if (num_placed_ + padded > kMaxPlaced) num_placed_ = 0;
    void* const to = static_cast<std::byte*>(placed_.get()) + num_placed_;
    num_placed_ += padded;
    pinned_.copy(bytes.data(), to, bytes.size(), stream());
    return to;
  }

  void to_device(const void* from, void* to, size_t bytes) override {
    pinned_.copy(from, to, bytes, stream());
  }

  std::unique_ptr<Upload> start_upload(BytePieces pieces, void* to) override {
    return uploads_.start(std::move(pieces), to);
  }

  void to_host(const void* from, void* to, size_t bytes) override {
    CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()));
    CUDA_CHECK(cudaStreamSynchronize(stream()));
  }

  void multiply(const cuda::Product& product) override { products_.multiply(product); }

  Products products() const override { return card_->products(); }

  std::optional<DeviceMemory> memory() const override { return card_->memory(); }

  void begin_phase(std::optional<Phase> phase) override { phases_.begin(phase); }
  PhaseSeconds take_phase_seconds() override { return phases_.take(); }

 private:
  std::shared_ptr<Card> card_ = std::make_shared<Card>();
  PinnedRing pinned_;
  Buffer placed_;
  size_t num_placed_ = 0;
  GpuUploads uploads_;
  GpuPhases phases_;
  GpuProducts products_;
};

std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

}  // namespace

std::unique_ptr<cuda::Device> cuda::open_device() {
  return std::make_unique<GpuDevice>();
}

bool cuda_is_available() {
  int count = 0;
  const bool found = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  cudaGetLastError();
  return found;
}

std::unique_ptr<Ops> make_cuda_ops() {
  if (!cuda_is_available()) {
    throw InputError(ExitCode::kUsage,
                     "device: cuda: this machine has no usable CUDA card; use device: cpu or auto");
  }
  return cuda::make_ops(cuda::open_device());
}

std::string describe_cuda_backend() {
  const std::string toolkit = "CUDA " + version_text(CUDART_VERSION);
  if (!cuda_is_available()) return toolkit + ", no card";
  cudaDeviceProp card{};
  CUDA_CHECK(cudaGetDeviceProperties(&card, 0));
  int driver = 0;
  CUDA_CHECK(cudaDriverGetVersion(&driver));
  return toolkit + ", " + card.name + " (sm_" + std::to_string(card.major) +
         std::to_string(card.minor) + ", " + std::to_string(card.totalGlobalMem >> 30) +
         " GiB), driver for CUDA " + version_text(driver);
}

}  // namespace prescript
