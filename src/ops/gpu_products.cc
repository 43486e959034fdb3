#include "ops/gpu_products.h"

#include <algorithm>
#include <cmath>

#include "ops/cuda_check.h"

namespace prescript {
namespace {

constexpr size_t kWorkspaceBytes = size_t{64} << 20;
constexpr size_t kAlignment = 16;

// Products that take longer than trying would cost: about a millisecond on an H100.
constexpr double kLargeFlops = 2e11;
constexpr int kMaxCandidates = 8;
constexpr int kTrials = 3;
// Large products whose rows differ by less share an algorithm.
constexpr int64_t kRowBucket = 1024;

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
  return reinterpret_cast<uintptr_t>(x.data) % kAlignment == 0 &&
         static_cast<size_t>(x.stride) * size_of(x.dtype) % kAlignment == 0;
}

/// A tensor of cuBLASLt's column-major matrices: our rows are its columns.
void make_layout(const Tensor& x, Layout& layout) {
  CUDA_CHECK(cublasLtMatrixLayoutCreate(layout.out(),
                                        type_of(x.dtype),
                                        static_cast<uint64_t>(x.cols),
                                        static_cast<uint64_t>(x.rows),
                                        x.stride));
}

/// Owns an event.
class Event {
 public:
  Event() { CUDA_CHECK(cudaEventCreate(&event_)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }
  operator cudaEvent_t() const { return event_; }  // NOLINT(google-explicit-constructor)

 private:
  cudaEvent_t event_ = nullptr;
};

double flops_of(const cuda::Product& product) {
  return 2.0 * static_cast<double>(product.x.rows) *
         static_cast<double>(product.weight_OI.num_elements());
}

}  // namespace

/// A product in cuBLASLt's column-major terms: yᵀ[O, N] = weight[O, I] · xᵀ[I, N], or
/// yᵀ[I, N] = weightᵀ[I, O] · xᵀ[O, N].
struct GpuProducts::Call {
  const void* weight_data;
  const void* x_data;
  const void* old_y;  // what is added to
  float beta;
  MatmulDescriptor operation;
  Layout weight;
  Layout x;
  Layout y;

  explicit Call(const cuda::Product& product)
      : weight_data(product.weight_OI.data),
        x_data(product.x.data),
        old_y(product.y.data),
        beta(product.add ? 1 : 0) {
    CUDA_CHECK(cublasLtMatmulDescCreate(operation.out(), CUBLAS_COMPUTE_32F, CUDA_R_32F));
    const cublasOperation_t of_weight = product.is_input_gradient ? CUBLAS_OP_N : CUBLAS_OP_T;
    CUDA_CHECK(cublasLtMatmulDescSetAttribute(
        operation, CUBLASLT_MATMUL_DESC_TRANSA, &of_weight, sizeof(of_weight)));
    make_layout(product.weight_OI, weight);
    make_layout(product.x, x);
    make_layout(product.y, y);
  }
};

GpuProducts::GpuProducts(cudaStream_t stream, Allocate allocate)
    : stream_(stream), allocate_(std::move(allocate)), workspace_(allocate_(kWorkspaceBytes)) {
  CUDA_CHECK(cublasLtCreate(&library_));
}

GpuProducts::~GpuProducts() {
  cublasLtDestroy(library_);
}

void GpuProducts::multiply(const cuda::Product& product) {
  if (product.y.num_elements() == 0) return;
  if (!is_aligned(product.x)) return with_dense(product, product.x, &cuda::Product::x, false);
  if (!is_aligned(product.weight_OI)) {
    return with_dense(product, product.weight_OI, &cuda::Product::weight_OI, false);
  }
  if (!is_aligned(product.y)) return with_dense(product, product.y, &cuda::Product::y, true);
  const Call call(product);
  CUDA_CHECK(run(call, algorithm_of(product, call), product.y.data));
}

/// The same product with one operand in rows of their own, which start at multiples of 16 bytes.
void GpuProducts::with_dense(cuda::Product product,
                             Tensor x,
                             Tensor cuda::Product::*operand,
                             bool is_output) {
  constexpr int64_t kMultiple = 8;
  Tensor aligned = x;
  aligned.stride = (x.cols + kMultiple - 1) / kMultiple * kMultiple;
  const Buffer block =
      allocate_(static_cast<size_t>(aligned.rows * aligned.stride) * size_of(x.dtype));
  aligned.data = block.get();
  if (!is_output || product.add) cuda::copy(x, aligned, stream_);
  product.*operand = aligned;
  multiply(product);
  if (is_output) cuda::copy(aligned, x, stream_);
}

cublasStatus_t GpuProducts::run(const Call& call, const cublasLtMatmulAlgo_t& algorithm, void* y) {
  const float alpha = 1;
  return cublasLtMatmul(library_,
                        call.operation,
                        &alpha,
                        call.weight_data,
                        call.weight,
                        call.x_data,
                        call.x,
                        &call.beta,
                        call.beta == 0 ? y : call.old_y,
                        call.y,
                        y,
                        call.y,
                        &algorithm,
                        workspace_.get(),
                        kWorkspaceBytes,
                        stream_);
}

GpuProducts::Shape GpuProducts::shape_of(const cuda::Product& product, bool is_large) {
  const int64_t rows = product.x.rows;
  return {is_large ? -((rows + kRowBucket - 1) / kRowBucket) : rows,
          product.weight_OI.rows,
          product.weight_OI.cols,
          product.x.stride,
          product.weight_OI.stride,
          product.y.stride,
          product.x.dtype,
          product.y.dtype,
          product.is_input_gradient,
          product.add};
}

const cublasLtMatmulAlgo_t& GpuProducts::algorithm_of(const cuda::Product& product,
                                                      const Call& call) {
  const bool is_large = flops_of(product) >= kLargeFlops;
  const Shape shape = shape_of(product, is_large);
  const auto found = algorithms_.find(shape);
  if (found != algorithms_.end()) return found->second;
  const std::vector<cublasLtMatmulAlgo_t> algorithms = candidates(product, call);
  const size_t best = is_large ? try_out(product, call, algorithms) : 0;
  return algorithms_.emplace(shape, algorithms[best]).first->second;
}

std::vector<cublasLtMatmulAlgo_t> GpuProducts::candidates(const cuda::Product& product,
                                                          const Call& call) {
  Preference preference;
  CUDA_CHECK(cublasLtMatmulPreferenceCreate(preference.out()));
  CUDA_CHECK(cublasLtMatmulPreferenceSetAttribute(preference,
                                                  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                  &kWorkspaceBytes,
                                                  sizeof(kWorkspaceBytes)));
  const uint32_t alignment = kAlignment;
  for (const auto attribute : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    CUDA_CHECK(
        cublasLtMatmulPreferenceSetAttribute(preference, attribute, &alignment, sizeof(alignment)));
  }
  cublasLtMatmulHeuristicResult_t results[kMaxCandidates] = {};
  int count = 0;
  CUDA_CHECK(cublasLtMatmulAlgoGetHeuristic(library_,
                                            call.operation,
                                            call.weight,
                                            call.x,
                                            call.y,
                                            call.y,
                                            preference,
                                            kMaxCandidates,
                                            results,
                                            &count));
  if (count == 0) {
    throw DeviceError("cuBLASLt has no product of " + product.x.describe() + " and " +
                      product.weight_OI.describe());
  }
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; i < count; ++i) algorithms.push_back(results[i].algo);
  return algorithms;
}

size_t GpuProducts::try_out(const cuda::Product& product,
                            const Call& call,
                            const std::vector<cublasLtMatmulAlgo_t>& algorithms) {
  const Tensor& y = product.y;
  Tensor found = y;
  const size_t bytes = static_cast<size_t>(y.rows * y.stride) * size_of(y.dtype);
  const Buffer first_block = allocate_(bytes);
  const Buffer block = allocate_(bytes);
  const Buffer flag = allocate_(sizeof(int32_t));
  Tensor first = y;
  first.data = first_block.get();
  found.data = block.get();
  size_t best = 0;
  float best_milliseconds = milliseconds_of(call, algorithms[0], first.data);
  for (size_t i = 1; i < algorithms.size(); ++i) {
    const float milliseconds = milliseconds_of(call, algorithms[i], found.data);
    if (milliseconds >= best_milliseconds) continue;
    CUDA_CHECK(cudaMemsetAsync(flag.get(), 0, sizeof(int32_t), stream_));
    cuda::find_difference(first, found, static_cast<int32_t*>(flag.get()), stream_);
    int32_t differs = 0;
    CUDA_CHECK(
        cudaMemcpyAsync(&differs, flag.get(), sizeof(differs), cudaMemcpyDeviceToHost, stream_));
    CUDA_CHECK(cudaStreamSynchronize(stream_));
    if (differs != 0) continue;
    best = i;
    best_milliseconds = milliseconds;
  }
  return best;
}

/// The least of some trials; infinite where the algorithm is not to be had.
float GpuProducts::milliseconds_of(const Call& call,
                                   const cublasLtMatmulAlgo_t& algorithm,
                                   void* y) {
  const Event begin;
  const Event end;
  float least = INFINITY;
  for (int trial = 0; trial <= kTrials; ++trial) {
    CUDA_CHECK(cudaEventRecord(begin, stream_));
    if (run(call, algorithm, y) != CUBLAS_STATUS_SUCCESS) return INFINITY;
    CUDA_CHECK(cudaEventRecord(end, stream_));
    CUDA_CHECK(cudaEventSynchronize(end));
    float milliseconds = 0;
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    if (trial > 0) least = std::min(least, milliseconds);  // the first loads the kernel
  }
  return least;
}

}  // namespace prescript
