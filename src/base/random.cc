// Compiled with -ffp-contract=off: a fused multiply-add would change the bits of normal().

#include "base/random.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"

namespace prescript {
namespace {

/// The finaliser of splitmix64 (Steele et al., OOPSLA 2014); a bijection.
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// FNV-1a.
uint64_t hash(std::string_view text) {
  uint64_t state = 0xCBF29CE484222325u;
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return state;
}

/// Natural logarithm of a positive number in plain arithmetic, since libm's last bit differs
/// between systems. x = m * 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) /
/// (m + 1), |s| < 0.172, so that eleven terms of the series reach float64.
double portable_log(double x) {
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double series = 0;
  for (int n = 21; n >= 1; n -= 2) series = series * s2 + 1.0 / n;
  return 2 * s * series + exponent * 0.69314718055994531;
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

RandomStream::RandomStream(uint64_t seed, std::string_view purpose, uint64_t index)
    : key_(mix(seed ^ mix(hash(purpose)))), index_(index) {}

void RandomStream::refill() {
  const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
  const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
  const auto block =
      philox4x32({low(block_), high(block_), low(index_), high(index_)}, {low(key_), high(key_)});
  words_ = {block[0] | uint64_t{block[1]} << 32, block[2] | uint64_t{block[3]} << 32};
  words_left_ = words_.size();
  ++block_;
}

uint64_t RandomStream::next_u64() {
  if (words_left_ == 0) refill();
  return words_[words_.size() - words_left_--];
}

double RandomStream::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1p-53;
}

double RandomStream::normal() {
  while (true) {
    const double x = 2 * uniform() - 1;
    const double y = 2 * uniform() - 1;
    const double s = x * x + y * y;
    // The second number of the pair is not kept: a stream has no state but its position.
    if (s > 0 && s < 1) return x * std::sqrt(-2 * portable_log(s) / s);
  }
}

uint64_t RandomStream::below(uint64_t n) {
  PRESCRIPT_CHECK(n > 0, "below(0): there is no number to choose");
  // The largest multiple of n that fits: numbers from there on would favour small results.
  const uint64_t limit = ~uint64_t{0} - ~uint64_t{0} % n;
  while (true) {
    const uint64_t x = next_u64();
    if (x < limit) return x % n;
  }
}

std::vector<size_t> shuffled_indices(size_t n, RandomStream stream) {
  std::vector<size_t> indices(n);
  std::iota(indices.begin(), indices.end(), size_t{0});
  for (size_t i = n; i > 1; --i) std::swap(indices[i - 1], indices[stream.below(i)]);
  return indices;
}

}  // namespace prescript
