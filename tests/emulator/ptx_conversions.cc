// Moves, choices and conversions between types.

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "emulator/ptx_operations.h"

namespace prescript::emulator {
namespace {

template <typename T>
void move(PtxThread& thread, const PtxInstruction& i) {
  thread.set<T>(i.operands[0], thread.get<T>(i.operands[1]));
}

/// {low, high, ...} to one register.
template <typename Whole, typename Part>
void pack(PtxThread& thread, const PtxInstruction& i) {
  Whole whole = 0;
  for (size_t k = 1; k < i.operands.size(); ++k) {
    whole |= static_cast<Whole>(thread.get<Part>(i.operands[k])) << (8 * sizeof(Part) * (k - 1));
  }
  thread.set<Whole>(i.operands[0], whole);
}
template <typename Whole, typename Part>
void unpack(PtxThread& thread, const PtxInstruction& i) {
  const auto whole = thread.get<Whole>(i.operands.back());
  for (size_t k = 0; k + 1 < i.operands.size(); ++k) {
    thread.set<Part>(i.operands[k], static_cast<Part>(whole >> (8 * sizeof(Part) * k)));
  }
}

template <typename T>
void select(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  thread.set<T>(o[0], thread.get<T>(thread.predicate(o[3]) ? o[1] : o[2]));
}

uint16_t bf16_bits(float x) {
  if (std::isnan(x)) return 0x7FFF;
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

float from_f16(uint16_t bits) {
  const int exponent = bits >> 10 & 0x1F;
  const auto fraction = static_cast<float>(bits & 0x3FF);
  float magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else if (exponent == 31) {
    magnitude = fraction == 0 ? INFINITY : NAN;
  } else {
    magnitude = std::ldexp(fraction + 1024, exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

// The first operand is the upper half.
void pack_bf16(PtxThread& thread, const PtxInstruction& i) {
  const uint32_t high = bf16_bits(thread.get<float>(i.operands[1]));
  const uint32_t low = bf16_bits(thread.get<float>(i.operands[2]));
  thread.set<uint32_t>(i.operands[0], high << 16 | low);
}

// Out of range: the nearest integer; NaN: zero.
template <typename To>
To clamped(float x) {
  if (std::isnan(x)) return 0;
  constexpr auto kLow = static_cast<double>(std::numeric_limits<To>::min());
  constexpr auto kHigh = static_cast<double>(std::numeric_limits<To>::max());
  if (x <= kLow) return std::numeric_limits<To>::min();
  if (x >= kHigh) return std::numeric_limits<To>::max();
  return static_cast<To>(x);
}

float truncated(float x) {
  return std::trunc(x);
}
float nearest(float x) {
  return std::nearbyint(x);
}
float floor_of(float x) {
  return std::floor(x);
}
float ceiling(float x) {
  return std::ceil(x);
}
float saturated(float x) {
  return std::isnan(x) ? 0 : std::fmin(std::fmax(x, 0.0F), 1.0F);
}

template <typename To, auto kRound>
To rounded_to(float x) {
  return clamped<To>(kRound(x));
}

template <typename To>
void add_rounding(PtxOperations& operations, const std::string& to) {
  operations["cvt.rzi." + to + ".f32 rr"] = apply_1<To, float, rounded_to<To, truncated>>;
  operations["cvt.rni." + to + ".f32 rr"] = apply_1<To, float, rounded_to<To, nearest>>;
  operations["cvt.rmi." + to + ".f32 rr"] = apply_1<To, float, rounded_to<To, floor_of>>;
  operations["cvt.rpi." + to + ".f32 rr"] = apply_1<To, float, rounded_to<To, ceiling>>;
}

template <typename From>
void add_from_integer(PtxOperations& operations, const std::string& from) {
  const auto add = [&]<typename To>(const std::string& to, To) {
    operations["cvt." + to + "." + from + " rr"] = apply_1<To, From, [](From x) { return x; }>;
  };
  add("s8", int8_t{});
  add("u8", uint8_t{});
  add("s16", int16_t{});
  add("u16", uint16_t{});
  add("s32", int32_t{});
  add("u32", uint32_t{});
  add("s64", int64_t{});
  add("u64", uint64_t{});
  operations["cvt.rn.f32." + from + " rr"] = apply_1<float, From, [](From x) { return x; }>;
  operations["cvt.rn.f64." + from + " rr"] = apply_1<double, From, [](From x) { return x; }>;
}

template <typename T>
void add_moves(PtxOperations& operations, const std::string& type) {
  operations["mov." + type + " rr"] = move<T>;
  operations["selp." + type + " rrrr"] = select<T>;
}

}  // namespace

void add_conversions(PtxOperations& operations) {
  for (const char* letter : {"b", "u", "s"}) {
    add_moves<uint16_t>(operations, std::string(letter) + "16");
    add_moves<uint32_t>(operations, std::string(letter) + "32");
    add_moves<uint64_t>(operations, std::string(letter) + "64");
  }
  add_moves<float>(operations, "f32");
  add_moves<double>(operations, "f64");
  operations["mov.pred rr"] = apply_1<uint8_t, uint8_t, [](int x) { return x & 1; }>;
  operations["mov.b32 r2"] = pack<uint32_t, uint16_t>;
  operations["mov.b32 2r"] = unpack<uint32_t, uint16_t>;
  operations["mov.b64 r2"] = pack<uint64_t, uint32_t>;
  operations["mov.b64 2r"] = unpack<uint64_t, uint32_t>;
  operations["mov.b64 r4"] = pack<uint64_t, uint16_t>;
  operations["mov.b64 4r"] = unpack<uint64_t, uint16_t>;

  add_from_integer<int8_t>(operations, "s8");
  add_from_integer<uint8_t>(operations, "u8");
  add_from_integer<int16_t>(operations, "s16");
  add_from_integer<uint16_t>(operations, "u16");
  add_from_integer<int32_t>(operations, "s32");
  add_from_integer<uint32_t>(operations, "u32");
  add_from_integer<int64_t>(operations, "s64");
  add_from_integer<uint64_t>(operations, "u64");
  add_rounding<int32_t>(operations, "s32");
  add_rounding<uint32_t>(operations, "u32");
  add_rounding<int64_t>(operations, "s64");
  add_rounding<uint64_t>(operations, "u64");

  operations["cvt.rzi.f32.f32 rr"] = apply_1<float, float, truncated>;
  operations["cvt.rni.f32.f32 rr"] = apply_1<float, float, nearest>;
  operations["cvt.rmi.f32.f32 rr"] = apply_1<float, float, floor_of>;
  operations["cvt.rpi.f32.f32 rr"] = apply_1<float, float, ceiling>;
  operations["cvt.sat.f32.f32 rr"] = apply_1<float, float, saturated>;
  operations["cvt.f64.f32 rr"] = apply_1<double, float, [](float x) { return x; }>;
  operations["cvt.rn.f32.f64 rr"] = apply_1<float, double, [](double x) { return x; }>;
  operations["cvt.f32.bf16 rr"] = apply_1<float, uint16_t, from_bf16>;
  operations["cvt.f32.f16 rr"] = apply_1<float, uint16_t, from_f16>;
  operations["cvt.rn.bf16.f32 rr"] = apply_1<uint16_t, float, bf16_bits>;
  operations["cvt.rn.bf16x2.f32 rrr"] = pack_bf16;
}

}  // namespace prescript::emulator
