#include "ops/gpu_phases.h"

#include <utility>

#include <nvtx3/nvToolsExt.h>

#include "ops/cuda_check.h"

namespace prescript {

GpuPhases::~GpuPhases() {
  for (const Mark& mark : marks_) cudaEventDestroy(mark.event);
}

void GpuPhases::begin(std::optional<Phase> phase) {
  if (num_marks_ > 0 && marks_[num_marks_ - 1].phase) nvtxRangePop();
  if (phase) nvtxRangePushA(name_of(*phase));
  if (num_marks_ == kMostMarks) settle();
  if (num_marks_ == marks_.size()) {
    marks_.emplace_back();
    CUDA_CHECK(cudaEventCreate(&marks_.back().event));
  }
  Mark& mark = marks_[num_marks_++];
  mark.phase = phase;
  CUDA_CHECK(cudaEventRecord(mark.event, stream_));
}

void GpuPhases::settle() {
  CUDA_CHECK(cudaEventSynchronize(marks_[num_marks_ - 1].event));
  for (size_t i = 0; i + 1 < num_marks_; ++i) {
    if (!marks_[i].phase) continue;
    float milliseconds = 0;
    CUDA_CHECK(cudaEventElapsedTime(&milliseconds, marks_[i].event, marks_[i + 1].event));
    seconds_[static_cast<size_t>(*marks_[i].phase)] += static_cast<double>(milliseconds) / 1000;
  }
  std::swap(marks_.front(), marks_[num_marks_ - 1]);
  num_marks_ = 1;
}

PhaseSeconds GpuPhases::take() {
  begin({});
  settle();
  num_marks_ = 0;
  return std::exchange(seconds_, {});
}

}  // namespace prescript
