#include "ops/gpu_uploads.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <future>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

#include "ops/cuda_check.h"

namespace prescript {
namespace {

constexpr size_t kSegmentBytes = size_t{4} << 20;
constexpr size_t kSegmentsOfThread = 2;  // one is filled while the card takes the other
constexpr size_t kMaxThreads = 8;

size_t num_threads() {
  return std::clamp<size_t>(std::thread::hardware_concurrency() / 2, 1, kMaxThreads);
}

/// Reads pages of a mapped file in one call to the system, where it knows how, instead of one by
/// one as they are touched.
void populate(std::span<const std::byte> bytes) {
#ifdef MADV_POPULATE_READ
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = address / page * page;
  ::madvise(reinterpret_cast<void*>(begin), address + bytes.size() - begin, MADV_POPULATE_READ);
#else
  (void)bytes;
#endif
}

}  // namespace

/// Pinned segments of each thread, and the stream that empties them.
class GpuUploads::Pinned {
 public:
  struct Segment {
    std::byte* data;
    cudaEvent_t emptied;
  };

  Pinned() {
    const size_t count = num_threads() * kSegmentsOfThread;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    for (cudaEvent_t* event : {&begin_, &end_}) {
      CUDA_CHECK(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
    }
    CUDA_CHECK(cudaHostAlloc(&memory_, count * kSegmentBytes, cudaHostAllocDefault));
    for (size_t i = 0; i < count; ++i) {
      Segment segment{static_cast<std::byte*>(memory_) + i * kSegmentBytes, nullptr};
      CUDA_CHECK(cudaEventCreateWithFlags(&segment.emptied, cudaEventDisableTiming));
      segments_.push_back(segment);
    }
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() {
    cudaStreamSynchronize(stream_);
    for (const Segment& segment : segments_) cudaEventDestroy(segment.emptied);
    cudaFreeHost(memory_);
    for (const cudaEvent_t event : {begin_, end_}) cudaEventDestroy(event);
    cudaStreamDestroy(stream_);
  }

  cudaStream_t stream() const { return stream_; }
  const Segment& segment(size_t thread, size_t turn) const {
    return segments_[thread * kSegmentsOfThread + turn % kSegmentsOfThread];
  }

  /// What is copied from now on is copied behind the work on `other`.
  void wait_for(cudaStream_t other) const {
    CUDA_CHECK(cudaEventRecord(begin_, other));
    CUDA_CHECK(cudaStreamWaitEvent(stream_, begin_, 0));
  }
  /// And the other way round.
  void let_wait(cudaStream_t other) const {
    CUDA_CHECK(cudaEventRecord(end_, stream_));
    CUDA_CHECK(cudaStreamWaitEvent(other, end_, 0));
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
  void* memory_ = nullptr;
  std::vector<Segment> segments_;
};

class GpuUploads::Copy final : public Upload {
 public:
  Copy(const Pinned& pinned, cudaStream_t stream, BytePieces pieces, void* to)
      : pinned_(pinned), stream_(stream), pieces_(std::move(pieces)), to_(to) {
    for (const auto& piece : pieces_) {
      begins_.push_back(bytes_);
      bytes_ += piece.size();
    }
    pinned_.wait_for(stream_);
    const size_t segments = (bytes_ + kSegmentBytes - 1) / kSegmentBytes;
    for (size_t thread = 0; thread < std::min(num_threads(), segments); ++thread) {
      threads_.push_back(std::async(std::launch::async, [this, thread] { copy(thread); }));
    }
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;
  ~Copy() override {
    for (std::future<void>& thread : threads_) {
      if (thread.valid()) thread.wait();
    }
    // What its target is used for next, or given back for, comes behind it all the same.
    if (!is_finished_) cudaStreamSynchronize(pinned_.stream());
  }

  void finish() override {
    for (std::future<void>& thread : threads_) thread.get();
    pinned_.let_wait(stream_);
    is_finished_ = true;
  }

 private:
  void copy(size_t thread) {
    CUDA_CHECK(cudaSetDevice(0));
    for (size_t turn = 0;; ++turn) {
      const size_t begin = next_.fetch_add(kSegmentBytes);
      if (begin >= bytes_) return;
      const size_t count = std::min(kSegmentBytes, bytes_ - begin);
      const Pinned::Segment& segment = pinned_.segment(thread, turn);
      CUDA_CHECK(cudaEventSynchronize(segment.emptied));  // at once where it was never recorded
      gather(begin, count, segment.data);
      CUDA_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(to_) + begin,
                                 segment.data,
                                 count,
                                 cudaMemcpyHostToDevice,
                                 pinned_.stream()));
      CUDA_CHECK(cudaEventRecord(segment.emptied, pinned_.stream()));
    }
  }

  /// Bytes [begin, begin + count) of all pieces.
  void gather(size_t begin, size_t count, std::byte* to) const {
    auto piece = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), begin) -
                                     begins_.begin() - 1);
    for (size_t skip = begin - begins_[piece]; count > 0; skip = 0, ++piece) {
      const auto from = pieces_[piece].subspan(skip, std::min(count, pieces_[piece].size() - skip));
      populate(from);
      std::memcpy(to, from.data(), from.size());
      to += from.size();
      count -= from.size();
    }
  }

  const Pinned& pinned_;
  cudaStream_t stream_;
  BytePieces pieces_;
  std::vector<size_t> begins_;
  size_t bytes_ = 0;
  void* to_;
  std::atomic<size_t> next_ = 0;
  bool is_finished_ = false;
  std::vector<std::future<void>> threads_;  // last: they use all of the above
};

GpuUploads::GpuUploads(cudaStream_t stream) : stream_(stream) {}
GpuUploads::~GpuUploads() = default;

std::unique_ptr<Upload> GpuUploads::start(BytePieces pieces, void* to) {
  if (!pinned_) pinned_ = std::make_unique<Pinned>();
  return std::make_unique<Copy>(*pinned_, stream_, std::move(pieces), to);
}

}  // namespace prescript
