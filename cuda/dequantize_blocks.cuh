#pragma once
// The numbers in a block of each quantised GGUF type, eight at a time.
//
// The layouts are those of ggml-quants.c, the order of operations that of io/gguf_quantization.cc,
// whose bits these are: every product of a scale and a small integer is exact in float32, so that
// it does not matter whether the compiler fuses it with the sum behind it.

#include <cstdint>
#include <cstring>

#include "cuda/portable.cuh"

namespace prescript::cuda {

/// Numbers of a thread: none of them have different scales.
inline constexpr int kOctet = 8;

/// What `bits` are in the type To.
template <typename To, typename From>
__device__ __forceinline__ To bits_as(From bits) {
  static_assert(sizeof(To) == sizeof(From));
  To x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// A block begins at a multiple of the largest power of two that its size is a multiple of, up to
// 16: of 2, for many.

__device__ __forceinline__ uint32_t load_16(const uint8_t* bytes) {
  return *reinterpret_cast<const uint16_t*>(bytes);
}
__device__ __forceinline__ uint32_t load_32(const uint8_t* bytes) {
  return load_16(bytes) | load_16(bytes + 2) << 16;
}

__device__ __forceinline__ float half_to_float(uint32_t half) {
  const uint32_t sign = (half & 0x8000U) << 16;
  const uint32_t magnitude = half & 0x7FFFU;
  // Below: a multiple of 2^-24.
  if (magnitude < 0x0400U) {
    constexpr float kUnit = 1.0F / 16777216.0F;
    return bits_as<float>(sign | bits_as<uint32_t>(static_cast<float>(magnitude) * kUnit));
  }
  // The exponent of an infinity, and of what is not a number, is the largest in either format.
  return bits_as<float>(sign | ((magnitude << 13) + ((magnitude >= 0x7C00U ? 224U : 112U) << 23)));
}

__device__ __forceinline__ float load_half(const uint8_t* bytes) {
  return half_to_float(load_16(bytes));
}

/// Eight bytes at a multiple of kAlignment.
template <int kAlignment>
__device__ __forceinline__ uint2 load_octet(const uint8_t* bytes) {
  if constexpr (kAlignment >= 8) return *reinterpret_cast<const uint2*>(bytes);
  if constexpr (kAlignment == 4) {
    const auto* const words = reinterpret_cast<const uint32_t*>(bytes);
    return {words[0], words[1]};
  }
  return {load_32(bytes), load_32(bytes + 4)};
}

/// Small integers that lie in the same bits of eight neighbouring bytes.
struct OctetOfBits {
  uint32_t words[2];
  int shift;
  uint32_t mask;

  __device__ __forceinline__ OctetOfBits(uint2 bytes, int first_bit, uint32_t bits)
      : words{bytes.x, bytes.y}, shift(first_bit), mask(bits) {}

  __device__ __forceinline__ int operator[](int i) const {
    return static_cast<int>(words[i / 4] >> (i % 4 * 8) >> shift & mask);
  }
};

/// y = scale · q(i) + offset, the sum being left out where there is none.
template <typename Integer>
__device__ __forceinline__ void scale_octet(float scale, const Integer& q, float (&y)[kOctet]) {
#pragma unroll
  for (int i = 0; i < kOctet; ++i) y[i] = scale * static_cast<float>(q(i));
}
template <typename Integer>
__device__ __forceinline__ void scale_octet(float scale,
                                            float offset,
                                            const Integer& q,
                                            float (&y)[kOctet]) {
#pragma unroll
  for (int i = 0; i < kOctet; ++i) y[i] = scale * static_cast<float>(q(i)) + offset;
}

// Each type: its numbers and bytes, and the numbers [first, first + 8) of a block.

/// The nibbles of blocks of 32: the lower halves of 16 bytes, then the upper.
template <int kAlignment>
__device__ __forceinline__ OctetOfBits nibbles(const uint8_t* bytes, int first) {
  return {load_octet<kAlignment>(bytes + first % 16), first / 16 * 4, 15};
}

struct Q4_0 {
  static constexpr int kValues = 32;
  static constexpr int kBytes = 18;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const OctetOfBits q = nibbles<2>(block + 2, first);
    scale_octet(
        load_half(block), [&](int i) { return q[i] - 8; }, y);
  }
};

struct Q4_1 {
  static constexpr int kValues = 32;
  static constexpr int kBytes = 20;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const OctetOfBits q = nibbles<4>(block + 4, first);
    scale_octet(
        load_half(block), load_half(block + 2), [&](int i) { return q[i]; }, y);
  }
};

/// Bits i of `fifth` are the fifth bits of numbers first + i.
__device__ __forceinline__ int with_fifth_bit(int low, uint32_t fifth, int i) {
  return low | static_cast<int>(fifth >> i & 1U) << 4;
}

struct Q5_0 {
  static constexpr int kValues = 32;
  static constexpr int kBytes = 22;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const OctetOfBits q = nibbles<2>(block + 6, first);
    const uint32_t fifth = load_32(block + 2) >> first;
    scale_octet(
        load_half(block), [&](int i) { return with_fifth_bit(q[i], fifth, i) - 16; }, y);
  }
};

struct Q5_1 {
  static constexpr int kValues = 32;
  static constexpr int kBytes = 24;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const OctetOfBits q = nibbles<8>(block + 8, first);
    const uint32_t fifth = load_32(block + 4) >> first;
    scale_octet(
        load_half(block),
        load_half(block + 2),
        [&](int i) { return with_fifth_bit(q[i], fifth, i); },
        y);
  }
};

struct Q8_0 {
  static constexpr int kValues = 32;
  static constexpr int kBytes = 34;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const OctetOfBits q(load_octet<2>(block + 2 + first), 0, 255);
    scale_octet(
        load_half(block), [&](int i) { return static_cast<int8_t>(q[i]); }, y);
  }
};

// Blocks of the K types hold 256 numbers.

/// The two-bit numbers of Q2_K and Q3_K, and the upper two bits in Q6_K.
template <int kAlignment>
__device__ __forceinline__ OctetOfBits two_bits(const uint8_t* q, int first) {
  return {load_octet<kAlignment>(q + first / 128 * 32 + first % 32), first % 128 / 32 * 2, 3};
}

/// The uppermost bits in Q3_K and Q5_K.
template <int kAlignment>
__device__ __forceinline__ OctetOfBits one_bit(const uint8_t* q, int first) {
  return {load_octet<kAlignment>(q + first % 32), first / 32, 1};
}

/// The four-bit numbers of Q4_K and Q5_K.
__device__ __forceinline__ OctetOfBits four_bits(const uint8_t* q, int first) {
  return {load_octet<8>(q + first / 64 * 32 + first % 32), first % 64 / 32 * 4, 15};
}

struct Q2_K {
  static constexpr int kValues = 256;
  static constexpr int kBytes = 84;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const int packed = block[first / 16];
    const float scale = load_half(block + 80) * static_cast<float>(packed & 15);
    const float minimum = load_half(block + 82) * static_cast<float>(packed >> 4);
    const OctetOfBits q = two_bits<4>(block + 16, first);
    scale_octet(
        scale, -minimum, [&](int i) { return q[i]; }, y);
  }
};

struct Q3_K {
  static constexpr int kValues = 256;
  static constexpr int kBytes = 110;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const int group = first / 16;
    const uint8_t* const scales = block + 96;
    const int low_bits = scales[group % 8] >> group / 8 * 4 & 15;
    const int high_bits = scales[8 + group % 4] >> group / 4 * 2 & 3;
    const float scale =
        load_half(block + 108) * static_cast<float>((low_bits | high_bits << 4) - 32);
    const OctetOfBits high = one_bit<2>(block, first);
    const OctetOfBits q = two_bits<2>(block + 32, first);
    scale_octet(
        scale, [&](int i) { return (q[i] | high[i] << 2) - 4; }, y);
  }
};

/// The scale and the minimum, six bits each, of the 32 numbers around `first` in Q4_K and Q5_K.
struct ScaleAndMinimum {
  float scale;
  float minimum;

  __device__ __forceinline__ ScaleAndMinimum(const uint8_t* block, int first) {
    // Factors of both, then four bytes of scales, of minima, and of the rest of the last four runs.
    const uint4 head = *reinterpret_cast<const uint4*>(block);
    const int run = first / 32;
    const uint32_t scales = head.y >> run % 4 * 8;
    const uint32_t minima = head.z >> run % 4 * 8;
    const uint32_t rest = head.w >> run % 4 * 8;
    const uint32_t scale_bits = run < 4 ? scales & 63U : (rest & 15U) | (scales >> 2 & 0x30U);
    const uint32_t minimum_bits =
        run < 4 ? minima & 63U : (rest >> 4 & 15U) | (minima >> 2 & 0x30U);
    scale = half_to_float(head.x & 0xFFFFU) * static_cast<float>(scale_bits);
    minimum = half_to_float(head.x >> 16) * static_cast<float>(minimum_bits);
  }
};

struct Q4_K {
  static constexpr int kValues = 256;
  static constexpr int kBytes = 144;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const ScaleAndMinimum of(block, first);
    const OctetOfBits q = four_bits(block + 16, first);
    scale_octet(
        of.scale, -of.minimum, [&](int i) { return q[i]; }, y);
  }
};

struct Q5_K {
  static constexpr int kValues = 256;
  static constexpr int kBytes = 176;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const ScaleAndMinimum of(block, first);
    const OctetOfBits fifth = one_bit<8>(block + 16, first);
    const OctetOfBits q = four_bits(block + 48, first);
    scale_octet(
        of.scale, -of.minimum, [&](int i) { return q[i] | fifth[i] << 4; }, y);
  }
};

struct Q6_K {
  static constexpr int kValues = 256;
  static constexpr int kBytes = 210;
  static __device__ __forceinline__ void decode(const uint8_t* block,
                                                int first,
                                                float (&y)[kOctet]) {
    const auto scale_bits = static_cast<int8_t>(block[192 + first / 16]);
    const float scale = load_half(block + 208) * static_cast<float>(scale_bits);
    const OctetOfBits low(
        load_octet<2>(block + first / 128 * 64 + first % 64), first % 128 / 64 * 4, 15);
    const OctetOfBits high = two_bits<2>(block + 128, first);
    scale_octet(
        scale, [&](int i) { return (low[i] | high[i] << 4) - 32; }, y);
  }
};

}  // namespace prescript::cuda
