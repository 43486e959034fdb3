#pragma once
// Random numbers whose bits depend on nothing but what they are for.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace prescript {

/// A stream of random numbers named by (seed, purpose, index), e.g. (1, "epoch order", 3). Streams
/// of different names are independent, and a stream can be made anew at any time, so that nothing
/// random needs to be stored for a resume. The same name gives the same bits on every platform: no
/// distribution of the standard library and no function of libm is used. Source   Philox4x32-10:
/// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The key is a
///          hash of seed and purpose, the counter holds the index and the block number.
class RandomStream {
 public:
  RandomStream(uint64_t seed, std::string_view purpose, uint64_t index = 0);

  uint64_t next_u64();

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform();

  /// Standard normal (Marsaglia's polar method).
  double normal();

  /// Uniform in [0, n), without bias. Throws ContractError when n is 0.
  uint64_t below(uint64_t n);

 private:
  void refill();

  uint64_t key_;
  uint64_t index_;
  uint64_t block_ = 0;
  std::array<uint64_t, 2> words_{};
  size_t words_left_ = 0;
};

/// The block function of Philox4x32-10.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// The numbers 0 .. n-1 in random order (Fisher-Yates).
std::vector<size_t> shuffled_indices(size_t n, RandomStream stream);

}  // namespace prescript
