// Arithmetic and logic of integers.

#include <bit>
#include <limits>
#include <type_traits>

#include "emulator/ptx_operations.h"

namespace prescript::emulator {
namespace {

__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

// Twice as wide.
template <typename T>
struct WideOf;
template <>
struct WideOf<int16_t> {
  using Type = int32_t;
};
template <>
struct WideOf<uint16_t> {
  using Type = uint32_t;
};
template <>
struct WideOf<int32_t> {
  using Type = int64_t;
};
template <>
struct WideOf<uint32_t> {
  using Type = uint64_t;
};
template <>
struct WideOf<int64_t> {
  using Type = Int128;
};
template <>
struct WideOf<uint64_t> {
  using Type = UInt128;
};

// Signed sums wrap, too.
template <typename T>
T sum(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
}
template <typename T>
T difference(T a, T b) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(static_cast<U>(a) - static_cast<U>(b));
}
template <typename T>
auto wide_product(T a, T b) {
  using W = typename WideOf<T>::Type;
  return static_cast<W>(static_cast<W>(a) * static_cast<W>(b));
}
template <typename T>
T low_product(T a, T b) {
  return static_cast<T>(wide_product(a, b));
}
template <typename T>
T high_product(T a, T b) {
  return static_cast<T>(wide_product(a, b) >> (8 * sizeof(T)));
}

template <typename T>
T quotient(T a, T b) {
  if (b == 0) return static_cast<T>(-1);  // PTX leaves it open
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return difference<T>(0, a);
  }
  return static_cast<T>(a / b);
}
template <typename T>
T remainder(T a, T b) {
  return difference(a, low_product(quotient(a, b), b));
}

// Shifts by the width and more shift everything out.
template <typename T>
T shifted_left(T a, uint32_t by) {
  return by >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << by);
}
template <typename T>
T shifted_right(T a, uint32_t by) {
  constexpr uint32_t kBits = 8 * sizeof(T);
  if (by >= kBits) return std::is_signed_v<T> && a < 0 ? static_cast<T>(-1) : T{0};
  return static_cast<T>(a >> by);
}
template <typename T, auto kShift>
void shift(PtxThread& thread, const PtxInstruction& i) {
  thread.set<T>(i.operands[0],
                kShift(thread.get<T>(i.operands[1]), thread.get<uint32_t>(i.operands[2])));
}

template <typename T>
void multiply_add_wide(PtxThread& thread, const PtxInstruction& i) {
  using W = typename WideOf<T>::Type;
  const auto& o = i.operands;
  thread.set<W>(
      o[0], sum<W>(wide_product(thread.get<T>(o[1]), thread.get<T>(o[2])), thread.get<W>(o[3])));
}

template <typename T>
void insert_bits(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  const auto from = thread.get<T>(o[1]);
  const auto into = thread.get<T>(o[2]);
  const uint32_t begin = thread.get<uint32_t>(o[3]) & 0xFF;
  const uint32_t count = thread.get<uint32_t>(o[4]) & 0xFF;
  const T ones = count >= 8 * sizeof(T) ? static_cast<T>(-1) : static_cast<T>((T{1} << count) - 1);
  const T mask = shifted_left(ones, begin);
  thread.set<T>(o[0], static_cast<T>((into & ~mask) | (shifted_left(from, begin) & mask)));
}

template <typename T>
void extract_bits(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  constexpr uint32_t kBits = 8 * sizeof(T);
  const uint32_t begin = thread.get<uint32_t>(o[2]) & 0xFF;
  const uint32_t count = thread.get<uint32_t>(o[3]) & 0xFF;
  const T moved = shifted_right(thread.get<T>(o[1]), begin);
  if (count >= kBits) {
    thread.set<T>(o[0], moved);
  } else if (count == 0) {
    thread.set<T>(o[0], 0);
  } else {
    thread.set<T>(o[0], shifted_right(shifted_left(moved, kBits - count), kBits - count));
  }
}

// Bytes of b:a by the nibbles of the selector; bit 3 repeats a byte's sign.
uint32_t permuted(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t result = 0;
  for (uint32_t k = 0; k < 4; ++k) {
    const uint32_t nibble = selector >> (4 * k) & 0xF;
    auto byte = static_cast<uint32_t>(bytes >> (8 * (nibble & 7)) & 0xFF);
    if ((nibble & 8) != 0) byte = (byte & 0x80) != 0 ? 0xFF : 0;
    result |= byte << (8 * k);
  }
  return result;
}

uint32_t funnel_left(uint32_t a, uint32_t b, uint32_t by) {
  return static_cast<uint32_t>((uint64_t{b} << 32 | a) << (by & 31) >> 32);
}
uint32_t funnel_right(uint32_t a, uint32_t b, uint32_t by) {
  return static_cast<uint32_t>((uint64_t{b} << 32 | a) >> (by & 31));
}

// Any function of three bits: bit (a << 2 | b << 1 | c) of the table.
void look_up_logic(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  const auto a = thread.get<uint32_t>(o[1]);
  const auto b = thread.get<uint32_t>(o[2]);
  const auto c = thread.get<uint32_t>(o[3]);
  const auto table = thread.get<uint32_t>(o[4]);
  uint32_t result = 0;
  for (uint32_t k = 0; k < 8; ++k) {
    if ((table >> k & 1) == 0) continue;
    result |= ((k & 4) != 0 ? a : ~a) & ((k & 2) != 0 ? b : ~b) & ((k & 1) != 0 ? c : ~c);
  }
  thread.set<uint32_t>(o[0], result);
}

template <typename T>
void add_arithmetic(PtxOperations& operations, const std::string& type) {
  operations["add." + type + " rrr"] = apply_2<T, T, sum<T>>;
  operations["sub." + type + " rrr"] = apply_2<T, T, difference<T>>;
  operations["mul.lo." + type + " rrr"] = apply_2<T, T, low_product<T>>;
  operations["mul.hi." + type + " rrr"] = apply_2<T, T, high_product<T>>;
  operations["mad.lo." + type + " rrrr"] =
      apply_3<T, T, T, [](T a, T b, T c) { return sum(low_product(a, b), c); }>;
  operations["mad.hi." + type + " rrrr"] =
      apply_3<T, T, T, [](T a, T b, T c) { return sum(high_product(a, b), c); }>;
  operations["div." + type + " rrr"] = apply_2<T, T, quotient<T>>;
  operations["rem." + type + " rrr"] = apply_2<T, T, remainder<T>>;
  operations["min." + type + " rrr"] = apply_2<T, T, [](T a, T b) { return b < a ? b : a; }>;
  operations["max." + type + " rrr"] = apply_2<T, T, [](T a, T b) { return a < b ? b : a; }>;
  operations["shr." + type + " rrr"] = shift<T, shifted_right<T>>;
  if constexpr (std::is_signed_v<T>) {
    operations["neg." + type + " rr"] = apply_1<T, T, [](T a) { return difference<T>(0, a); }>;
    operations["abs." + type + " rr"] =
        apply_1<T, T, [](T a) { return a < 0 ? difference<T>(0, a) : a; }>;
  }
  if constexpr (sizeof(T) < 8) {
    using W = typename WideOf<T>::Type;
    operations["mul.wide." + type + " rrr"] =
        apply_2<W, T, [](T a, T b) { return wide_product(a, b); }>;
    operations["mad.wide." + type + " rrrr"] = multiply_add_wide<T>;
  }
}

template <typename T>
void add_logic(PtxOperations& operations, const std::string& bits) {
  const std::string type = "b" + bits;
  operations["and." + type + " rrr"] = apply_2<T, T, [](T a, T b) { return a & b; }>;
  operations["or." + type + " rrr"] = apply_2<T, T, [](T a, T b) { return a | b; }>;
  operations["xor." + type + " rrr"] = apply_2<T, T, [](T a, T b) { return a ^ b; }>;
  operations["not." + type + " rr"] = apply_1<T, T, [](T a) { return ~a; }>;
  operations["shl." + type + " rrr"] = shift<T, shifted_left<T>>;
  operations["shr." + type + " rrr"] = shift<T, shifted_right<T>>;
}

}  // namespace

void add_integer_operations(PtxOperations& operations) {
  add_arithmetic<int16_t>(operations, "s16");
  add_arithmetic<uint16_t>(operations, "u16");
  add_arithmetic<int32_t>(operations, "s32");
  add_arithmetic<uint32_t>(operations, "u32");
  add_arithmetic<int64_t>(operations, "s64");
  add_arithmetic<uint64_t>(operations, "u64");
  add_logic<uint16_t>(operations, "16");
  add_logic<uint32_t>(operations, "32");
  add_logic<uint64_t>(operations, "64");
  operations["and.pred rrr"] = apply_2<uint8_t, uint8_t, [](int a, int b) { return a & b & 1; }>;
  operations["or.pred rrr"] = apply_2<uint8_t, uint8_t, [](int a, int b) { return (a | b) & 1; }>;
  operations["xor.pred rrr"] = apply_2<uint8_t, uint8_t, [](int a, int b) { return (a ^ b) & 1; }>;
  operations["not.pred rr"] = apply_1<uint8_t, uint8_t, [](int a) { return ~a & 1; }>;
  operations["bfi.b32 rrrrr"] = insert_bits<uint32_t>;
  operations["bfi.b64 rrrrr"] = insert_bits<uint64_t>;
  operations["bfe.u32 rrrr"] = extract_bits<uint32_t>;
  operations["bfe.s32 rrrr"] = extract_bits<int32_t>;
  operations["bfe.u64 rrrr"] = extract_bits<uint64_t>;
  operations["prmt.b32 rrrr"] = apply_3<uint32_t, uint32_t, uint32_t, permuted>;
  operations["shf.l.wrap.b32 rrrr"] = apply_3<uint32_t, uint32_t, uint32_t, funnel_left>;
  operations["shf.r.wrap.b32 rrrr"] = apply_3<uint32_t, uint32_t, uint32_t, funnel_right>;
  operations["lop3.b32 rrrrr"] = look_up_logic;
  operations["popc.b32 rr"] =
      apply_1<uint32_t, uint32_t, [](uint32_t a) { return std::popcount(a); }>;
  operations["clz.b32 rr"] =
      apply_1<uint32_t, uint32_t, [](uint32_t a) { return std::countl_zero(a); }>;
}

}  // namespace prescript::emulator
