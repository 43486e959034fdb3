#pragma once
// Copies of much memory of the host, mapped files included, to the card while it computes.

#include <memory>

#include <cuda_runtime.h>

#include "ops/ops.h"

namespace prescript {

/// Threads copy pieces into pinned memory, from where the card takes them on a stream of its own.
class GpuUploads {
 public:
  /// Uploads begin, and are waited for, in the order of `stream`.
  explicit GpuUploads(cudaStream_t stream);
  ~GpuUploads();

  /// Ops::start_upload. It must finish before this ends, and before the next is started.
  std::unique_ptr<Upload> start(BytePieces pieces, void* to);

 private:
  class Pinned;
  class Copy;

  cudaStream_t stream_;
  std::unique_ptr<Pinned> pinned_;  // once there is something to copy
};

}  // namespace prescript
