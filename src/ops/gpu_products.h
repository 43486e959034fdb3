#pragma once
// Products on a card, by cuBLASLt.

#include <functional>
#include <map>
#include <tuple>
#include <vector>

#include <cublasLt.h>

#include "ops/cuda_device.h"

namespace prescript {

/// Products on one stream. Which algorithm computes a large product is found out by trying: the
/// fastest of those that give the same bits as cuBLASLt's own first choice, so that timings decide
/// nothing but the time.
class GpuProducts {
 public:
  using Allocate = std::function<Buffer(size_t)>;

  /// `allocate` gives memory in the order of the stream.
  GpuProducts(cudaStream_t stream, Allocate allocate);
  ~GpuProducts();
  GpuProducts(const GpuProducts&) = delete;
  GpuProducts& operator=(const GpuProducts&) = delete;

  void multiply(const cuda::Product& product);

 private:
  struct Call;

  /// What the choice of an algorithm follows from: the extents, of many rows only about how many,
  /// strides and dtypes.
  using Shape =
      std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, DType, DType, bool, bool>;
  static Shape shape_of(const cuda::Product& product, bool is_large);

  void with_dense(cuda::Product product, Tensor x, Tensor cuda::Product::*operand, bool is_output);
  const cublasLtMatmulAlgo_t& algorithm_of(const cuda::Product& product, const Call& call);
  std::vector<cublasLtMatmulAlgo_t> candidates(const cuda::Product& product, const Call& call);
  /// Index of the best.
  size_t try_out(const cuda::Product& product,
                 const Call& call,
                 const std::vector<cublasLtMatmulAlgo_t>& algorithms);
  float milliseconds_of(const Call& call, const cublasLtMatmulAlgo_t& algorithm, void* y);
  cublasStatus_t run(const Call& call, const cublasLtMatmulAlgo_t& algorithm, void* y);

  cudaStream_t stream_;
  Allocate allocate_;
  Buffer workspace_;
  cublasLtHandle_t library_ = nullptr;
  std::map<Shape, cublasLtMatmulAlgo_t> algorithms_;
};

}  // namespace prescript
