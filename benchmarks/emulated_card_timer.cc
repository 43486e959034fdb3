// The same where the kernels are emulated: for a run that only shows that every case runs.

#include <chrono>
#include <cstring>

#include "card_timer.h"
#include "emulator/emulated_device.h"

namespace prescript::bench {

struct CardTimer::Events {
  std::chrono::steady_clock::time_point begin;
};

CardTimer::CardTimer(cuda::Stream /*stream*/) : events_(std::make_unique<Events>()) {}

CardTimer::~CardTimer() = default;

void CardTimer::start() {
  events_->begin = std::chrono::steady_clock::now();
}

double CardTimer::stop() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - events_->begin).count();
}

std::unique_ptr<cuda::Device> open_card() {
  return emulator::make_emulated_device();
}

std::string describe_card() {
  return "emulated on the CPU";
}

size_t bytes_taken() {
  return 0;
}

void copy_on_card(const void* from, void* to, size_t bytes, cuda::Stream /*stream*/) {
  std::memcpy(to, from, bytes);
}

}  // namespace prescript::bench
