// Arithmetic of floating-point numbers. Where the device approximates, the host's nearest number is
// taken.

#include <bit>
#include <cfenv>
#include <cmath>

#include "emulator/ptx_operations.h"

namespace prescript::emulator {
namespace {

// .ftz: subnormal numbers are zeros.
float flushed(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0F, x) : x;
}

template <auto kFunction>
void approximate(PtxThread& thread, const PtxInstruction& i) {
  thread.set<float>(i.operands[0], kFunction(thread.get<float>(i.operands[1])));
}
template <auto kFunction>
void approximate_flushed(PtxThread& thread, const PtxInstruction& i) {
  thread.set<float>(i.operands[0], flushed(kFunction(flushed(thread.get<float>(i.operands[1])))));
}

float exp2_of(float x) {
  return std::exp2(x);
}
float log2_of(float x) {
  return std::log2(x);
}
float sqrt_of(float x) {
  return std::sqrt(x);
}
float rsqrt_of(float x) {
  return 1 / std::sqrt(x);
}
float reciprocal(float x) {
  return 1 / x;
}
float sin_of(float x) {
  return std::sin(x);
}
float cos_of(float x) {
  return std::cos(x);
}
float tanh_of(float x) {
  return std::tanh(x);
}

float quotient(float a, float b) {
  return a / b;
}

// Of one of NaN and a number, the number.
float minimum(float a, float b) {
  return std::fmin(a, b);
}
float maximum(float a, float b) {
  return std::fmax(a, b);
}

/// a · b + c, rounded towards minus infinity.
__attribute__((noinline)) float fma_down(float a, float b, float c) {
  const int before = std::fegetround();
  std::fesetround(FE_DOWNWARD);
  volatile float x = a;  // so that the compiler computes it here
  volatile float result = std::fma(x, b, c);
  std::fesetround(before);
  return result;
}

float with_sign_of(float sign, float magnitude) {
  return std::copysign(magnitude, sign);
}

template <typename T>
void add_arithmetic(PtxOperations& operations, const std::string& type) {
  for (const char* rounding : {"", "rn."}) {
    operations["add." + (rounding + type) + " rrr"] = apply_2<T, T, [](T a, T b) { return a + b; }>;
    operations["sub." + (rounding + type) + " rrr"] = apply_2<T, T, [](T a, T b) { return a - b; }>;
    operations["mul." + (rounding + type) + " rrr"] = apply_2<T, T, [](T a, T b) { return a * b; }>;
  }
  operations["fma.rn." + type + " rrrr"] =
      apply_3<T, T, T, [](T a, T b, T c) { return std::fma(a, b, c); }>;
  operations["div.rn." + type + " rrr"] = apply_2<T, T, [](T a, T b) { return a / b; }>;
  operations["neg." + type + " rr"] = apply_1<T, T, [](T a) { return -a; }>;
  operations["abs." + type + " rr"] = apply_1<T, T, [](T a) { return std::fabs(a); }>;
}

}  // namespace

void add_float_operations(PtxOperations& operations) {
  add_arithmetic<float>(operations, "f32");
  add_arithmetic<double>(operations, "f64");
  operations["fma.rm.f32 rrrr"] = apply_3<float, float, float, fma_down>;
  operations["min.f32 rrr"] = apply_2<float, float, minimum>;
  operations["max.f32 rrr"] = apply_2<float, float, maximum>;
  operations["copysign.f32 rrr"] = apply_2<float, float, with_sign_of>;
  operations["div.approx.f32 rrr"] = apply_2<float, float, quotient>;
  operations["div.full.f32 rrr"] = apply_2<float, float, quotient>;
  operations["rcp.rn.f32 rr"] = approximate<reciprocal>;
  operations["rcp.approx.f32 rr"] = approximate<reciprocal>;
  operations["rcp.approx.ftz.f32 rr"] = approximate_flushed<reciprocal>;
  operations["sqrt.rn.f32 rr"] = approximate<sqrt_of>;
  operations["sqrt.approx.f32 rr"] = approximate<sqrt_of>;
  operations["sqrt.approx.ftz.f32 rr"] = approximate_flushed<sqrt_of>;
  operations["rsqrt.approx.f32 rr"] = approximate<rsqrt_of>;
  operations["rsqrt.approx.ftz.f32 rr"] = approximate_flushed<rsqrt_of>;
  operations["ex2.approx.f32 rr"] = approximate<exp2_of>;
  operations["ex2.approx.ftz.f32 rr"] = approximate_flushed<exp2_of>;
  operations["lg2.approx.f32 rr"] = approximate<log2_of>;
  operations["lg2.approx.ftz.f32 rr"] = approximate_flushed<log2_of>;
  operations["tanh.approx.f32 rr"] = approximate<tanh_of>;
  operations["sin.approx.f32 rr"] = approximate<sin_of>;
  operations["cos.approx.f32 rr"] = approximate<cos_of>;
}

}  // namespace prescript::emulator
