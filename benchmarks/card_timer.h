#pragma once
// What the measurements ask of a card beside the backend.

#include <cstddef>
#include <memory>
#include <string>

#include "ops/cuda_device.h"

namespace prescript::bench {

/// The machine that is measured.
std::unique_ptr<cuda::Device> open_card();

/// "NVIDIA H200, compute capability 9.0, 132 multiprocessors".
std::string describe_card();

/// Bytes of the card's memory that are taken, by whomever.
size_t bytes_taken();

/// The driver's own copy within the card: the bandwidth that others are compared with.
void copy_on_card(const void* from, void* to, size_t bytes, cuda::Stream stream);

/// Seconds between two points of a stream.
class CardTimer {
 public:
  explicit CardTimer(cuda::Stream stream);
  ~CardTimer();

  void start();
  /// Waits for all work since `start`.
  double stop();

 private:
  struct Events;
  std::unique_ptr<Events> events_;
};

}  // namespace prescript::bench
