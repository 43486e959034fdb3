#pragma once
// Shuffles and votes of a warp.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "emulator/runtime.h"

namespace prescript::emulator {

enum class Shuffle { kIndex, kXor, kDown, kUp };

/// The lane that `lane` reads from within its part of `width` lanes; itself where that leaves the
/// part.
inline int shuffle_source(Shuffle kind, int lane, int selector, int width) {
  const int first = lane & ~(width - 1);
  int source = lane;
  switch (kind) {
    case Shuffle::kIndex:
      return first + (selector & (width - 1));
    case Shuffle::kXor:
      source = lane ^ selector;
      // As PTX has it: a lane of an earlier part may be read, one of a later part may not.
      return source >= first + width ? lane : source;
    case Shuffle::kDown:
      source = lane + selector;
      return source >= first + width ? lane : source;
    case Shuffle::kUp:
      source = lane - selector;
      return source < first ? lane : source;
  }
  return lane;
}

template <typename T>
struct ShuffleArgument {
  T value;
  T result;
  int selector;
  int width;
};

template <typename T, Shuffle kKind>
T shuffle(const char* name, uint32_t mask, T value, int selector, int width, Place place) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  ShuffleArgument<T> argument{value, value, selector, width};
  const Together together = [](uint32_t lanes, void* const* arguments) {
    for (int lane = 0; lane < 32; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      auto& a = *static_cast<ShuffleArgument<T>*>(arguments[lane]);
      const int source = shuffle_source(kKind, lane, a.selector, a.width);
      if ((lanes >> source & 1) == 0) fail("a shuffle reads from a lane outside its mask");
      a.result = static_cast<ShuffleArgument<T>*>(arguments[source])->value;
    }
  };
  meet_in_warp(name, mask, &argument, together, place);
  return argument.result;
}

/// The lanes of `mask` whose predicate holds.
uint32_t ballot(uint32_t mask, bool predicate, Place place);

}  // namespace prescript::emulator

// The names are CUDA's.
// NOLINTBEGIN(readability-identifier-naming, bugprone-reserved-identifier)

template <typename T>
T __shfl_sync(unsigned mask,
              T value,
              int lane,
              int width = 32,
              const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  using namespace prescript::emulator;  // NOLINT(google-build-using-namespace)
  return shuffle<T, Shuffle::kIndex>("__shfl_sync", mask, value, lane, width, {file, line});
}
template <typename T>
T __shfl_xor_sync(unsigned mask,
                  T value,
                  int lane_mask,
                  int width = 32,
                  const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  using namespace prescript::emulator;  // NOLINT(google-build-using-namespace)
  return shuffle<T, Shuffle::kXor>("__shfl_xor_sync", mask, value, lane_mask, width, {file, line});
}
template <typename T>
T __shfl_down_sync(unsigned mask,
                   T value,
                   unsigned delta,
                   int width = 32,
                   const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  using namespace prescript::emulator;  // NOLINT(google-build-using-namespace)
  return shuffle<T, Shuffle::kDown>(
      "__shfl_down_sync", mask, value, static_cast<int>(delta), width, {file, line});
}
template <typename T>
T __shfl_up_sync(unsigned mask,
                 T value,
                 unsigned delta,
                 int width = 32,
                 const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
  using namespace prescript::emulator;  // NOLINT(google-build-using-namespace)
  return shuffle<T, Shuffle::kUp>(
      "__shfl_up_sync", mask, value, static_cast<int>(delta), width, {file, line});
}

inline unsigned __ballot_sync(unsigned mask,
                              int predicate,
                              const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return prescript::emulator::ballot(mask, predicate != 0, {file, line});
}
inline int __any_sync(unsigned mask,
                      int predicate,
                      const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, file, line) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask,
                      int predicate,
                      const char* file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return __ballot_sync(mask, predicate, file, line) == mask ? 1 : 0;
}

inline void __syncwarp(unsigned mask = 0xFFFFFFFF,
                       const char* file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  prescript::emulator::wait_for_warp(mask, {file, line});
}

// NOLINTEND(readability-identifier-naming, bugprone-reserved-identifier)
