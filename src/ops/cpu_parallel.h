#pragma once
// Loops over unequal items.

#include <atomic>
#include <cstdint>

#include <ATen/Parallel.h>

namespace prescript::cpu {

/// Calls `body(i)` for i in [0, count), each thread taking the next item when it is done with one:
/// for items of unequal length, and threads that are interrupted.
template <typename Body>
void for_each_item(int64_t count, const Body& body) {
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t /*begin*/, int64_t /*end*/) {
    for (int64_t i = next++; i < count; i = next++) body(i);
  });
}

}  // namespace prescript::cpu
