#include "card_timer.h"

#include <cuda_runtime_api.h>

#include "base/error.h"

namespace prescript::bench {
namespace {

void check(cudaError_t error, const char* what) {
  if (error != cudaSuccess) {
    throw DeviceError(std::string(what) + ": " + cudaGetErrorString(error));
  }
}

}  // namespace

struct CardTimer::Events {
  cudaStream_t stream = nullptr;
  cudaEvent_t begin = nullptr;
  cudaEvent_t end = nullptr;
};

CardTimer::CardTimer(cuda::Stream stream) : events_(std::make_unique<Events>()) {
  events_->stream = stream;
  check(cudaEventCreate(&events_->begin), "cudaEventCreate");
  check(cudaEventCreate(&events_->end), "cudaEventCreate");
}

CardTimer::~CardTimer() {
  cudaEventDestroy(events_->begin);
  cudaEventDestroy(events_->end);
}

void CardTimer::start() {
  check(cudaEventRecord(events_->begin, events_->stream), "cudaEventRecord");
}

double CardTimer::stop() {
  check(cudaEventRecord(events_->end, events_->stream), "cudaEventRecord");
  check(cudaEventSynchronize(events_->end), "cudaEventSynchronize");
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, events_->begin, events_->end), "cudaEventElapsedTime");
  return 1e-3 * milliseconds;
}

std::unique_ptr<cuda::Device> open_card() {
  return cuda::open_device();
}

std::string describe_card() {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  return std::string(properties.name) + ", compute capability " + std::to_string(properties.major) +
         "." + std::to_string(properties.minor) + ", " +
         std::to_string(properties.multiProcessorCount) + " multiprocessors";
}

size_t bytes_taken() {
  size_t free = 0;
  size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return total - free;
}

void copy_on_card(const void* from, void* to, size_t bytes, cuda::Stream stream) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "cudaMemcpyAsync");
}

}  // namespace prescript::bench
