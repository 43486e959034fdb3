// The first CUDA card: cudart for memory and copies, cuBLASLt for products.

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

#include <cublasLt.h>
#include <cuda_runtime.h>

#include "base/error.h"
#include "ops/cuda_device.h"

namespace prescript {
namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;
constexpr size_t kAlignment = 256;  // of what is placed
constexpr size_t kProductAlignment = 16;

void check(cudaError_t status, const char* expression) {
  if (status == cudaSuccess) return;
  const std::string what = std::string(expression) + ": " + cudaGetErrorString(status);
  if (status == cudaErrorMemoryAllocation) {
    throw DeviceError(what + "; take a smaller training.micro_batch_tokens or another card");
  }
  throw DeviceError(what);
}

void check(cublasStatus_t status, const char* expression) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(std::string(expression) + ": " + cublasLtGetStatusString(status));
}

#define CUDA_CHECK(expression) check((expression), #expression)

cudaDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return CUDA_R_32F;
    case DType::kBFloat16:
      return CUDA_R_16BF;
    case DType::kFloat64:
      break;
  }
  throw ContractError("cuda backend: fp64");
}

/// Owns a cuBLASLt descriptor.
template <typename Handle, cublasStatus_t (*kDestroy)(Handle)>
class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (handle_ != nullptr) kDestroy(handle_);
  }
  Handle* out() { return &handle_; }
  operator Handle() const { return handle_; }  // NOLINT(google-explicit-constructor)

 private:
  Handle handle_ = nullptr;
};
using MatmulDescriptor = Descriptor<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Descriptor<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Descriptor<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

bool is_aligned(const Tensor& x) {
  return reinterpret_cast<uintptr_t>(x.data) % kProductAlignment == 0 &&
         static_cast<size_t>(x.stride) * size_of(x.dtype) % kProductAlignment == 0;
}

/// A tensor of cuBLASLt's column-major matrices: our rows are its columns.
void make_layout(const Tensor& x, Layout& layout) {
  CUDA_CHECK(cublasLtMatrixLayoutCreate(layout.out(),
                                        type_of(x.dtype),
                                        static_cast<uint64_t>(x.cols),
                                        static_cast<uint64_t>(x.rows),
                                        x.stride));
}

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
    uint64_t keep_all = UINT64_MAX;  // what is given back is handed out again without the driver
    CUDA_CHECK(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all));
  }
  Card(const Card&) = delete;
  Card& operator=(const Card&) = delete;
  ~Card() { cudaStreamDestroy(stream_); }

  cudaStream_t stream() const { return stream_; }

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
    check(status, ("cudaMallocAsync of " + std::to_string(bytes) + " bytes").c_str());
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
};

class GpuDevice final : public cuda::Device {
 public:
  GpuDevice() : placed_(allocate(kMaxPlaced)), workspace_(allocate(kWorkspaceBytes)) {
    CUDA_CHECK(cublasLtCreate(&products_));
  }
  GpuDevice(const GpuDevice&) = delete;
  GpuDevice& operator=(const GpuDevice&) = delete;
  ~GpuDevice() override { cublasLtDestroy(products_); }

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

  void to_host(const void* from, void* to, size_t bytes) override {
    CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream()));
    CUDA_CHECK(cudaStreamSynchronize(stream()));
  }

  void multiply(const cuda::Product& product) override {
    if (product.y.num_elements() == 0) return;
    if (!is_aligned(product.x)) return with_dense(product, product.x, &cuda::Product::x, false);
    if (!is_aligned(product.weight_OI)) {
      return with_dense(product, product.weight_OI, &cuda::Product::weight_OI, false);
    }
    if (!is_aligned(product.y)) return with_dense(product, product.y, &cuda::Product::y, true);
    multiply_aligned(product);
  }

  std::optional<DeviceMemory> memory() const override { return card_->memory(); }

 private:
  /// What the choice of an algorithm follows from.
  using Shape =
      std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, DType, DType, bool, bool>;

  /// The same product with one operand in rows of their own, which start at multiples of 16 bytes.
  void with_dense(cuda::Product product, Tensor x, Tensor cuda::Product::*operand, bool is_output) {
    constexpr int64_t kMultiple = 8;
    Tensor aligned = x;
    aligned.stride = (x.cols + kMultiple - 1) / kMultiple * kMultiple;
    const Buffer block =
        allocate(static_cast<size_t>(aligned.rows * aligned.stride) * size_of(x.dtype));
    aligned.data = block.get();
    if (!is_output || product.add) cuda::copy(x, aligned, stream());
    product.*operand = aligned;
    multiply(product);
    if (is_output) cuda::copy(aligned, x, stream());
  }

  // In cuBLASLt's column-major terms: yᵀ[O, N] = weight[O, I] · xᵀ[I, N], or
  // yᵀ[I, N] = weightᵀ[I, O] · xᵀ[O, N].
  void multiply_aligned(const cuda::Product& product) {
    MatmulDescriptor operation;
    CUDA_CHECK(cublasLtMatmulDescCreate(operation.out(), CUBLAS_COMPUTE_32F, CUDA_R_32F));
    const cublasOperation_t of_weight = product.is_input_gradient ? CUBLAS_OP_N : CUBLAS_OP_T;
    CUDA_CHECK(cublasLtMatmulDescSetAttribute(
        operation, CUBLASLT_MATMUL_DESC_TRANSA, &of_weight, sizeof(of_weight)));
    Layout weight;
    Layout x;
    Layout y;
    make_layout(product.weight_OI, weight);
    make_layout(product.x, x);
    make_layout(product.y, y);
    const float alpha = 1;
    const float beta = product.add ? 1 : 0;
    const cublasLtMatmulAlgo_t& algorithm = algorithm_of(product, operation, weight, x, y);
    CUDA_CHECK(cublasLtMatmul(products_,
                              operation,
                              &alpha,
                              product.weight_OI.data,
                              weight,
                              product.x.data,
                              x,
                              &beta,
                              product.y.data,
                              y,
                              product.y.data,
                              y,
                              &algorithm,
                              workspace_.get(),
                              kWorkspaceBytes,
                              stream()));
  }

  /// Chosen once for each shape, by cuBLASLt's own order of preference.
  const cublasLtMatmulAlgo_t& algorithm_of(const cuda::Product& product,
                                           cublasLtMatmulDesc_t operation,
                                           cublasLtMatrixLayout_t weight,
                                           cublasLtMatrixLayout_t x,
                                           cublasLtMatrixLayout_t y) {
    const Shape shape{product.x.rows,
                      product.weight_OI.rows,
                      product.weight_OI.cols,
                      product.x.stride,
                      product.weight_OI.stride,
                      product.y.stride,
                      product.x.dtype,
                      product.y.dtype,
                      product.is_input_gradient,
                      product.add};
    const auto found = algorithms_.find(shape);
    if (found != algorithms_.end()) return found->second;
    Preference preference;
    CUDA_CHECK(cublasLtMatmulPreferenceCreate(preference.out()));
    CUDA_CHECK(cublasLtMatmulPreferenceSetAttribute(preference,
                                                    CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                    &kWorkspaceBytes,
                                                    sizeof(kWorkspaceBytes)));
    const uint32_t alignment = kProductAlignment;
    for (const auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                                 CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                                 CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                                 CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      CUDA_CHECK(cublasLtMatmulPreferenceSetAttribute(
          preference, attribute, &alignment, sizeof(alignment)));
    }
    cublasLtMatmulHeuristicResult_t result{};
    int count = 0;
    CUDA_CHECK(cublasLtMatmulAlgoGetHeuristic(
        products_, operation, weight, x, y, y, preference, 1, &result, &count));
    if (count == 0) {
      throw DeviceError("cuBLASLt has no product of " + product.x.describe() + " and " +
                        product.weight_OI.describe());
    }
    return algorithms_.emplace(shape, result.algo).first->second;
  }

  std::shared_ptr<Card> card_ = std::make_shared<Card>();
  PinnedRing pinned_;
  Buffer placed_;
  Buffer workspace_;
  size_t num_placed_ = 0;
  cublasLtHandle_t products_ = nullptr;
  std::map<Shape, cublasLtMatmulAlgo_t> algorithms_;
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
