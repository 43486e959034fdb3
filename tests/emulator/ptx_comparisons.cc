// setp: comparisons that make predicates.

#include <cmath>
#include <type_traits>

#include "emulator/ptx_operations.h"

namespace prescript::emulator {
namespace {

template <typename T>
bool is_unordered(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(a) || std::isnan(b);
  return false;
}

template <typename T, auto kCompare>
void compare(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  const bool result = kCompare(thread.get<T>(o[1]), thread.get<T>(o[2]));
  thread.set<uint8_t>(o[0], result ? 1 : 0);
}

/// setp.lt.and: joined with another predicate.
template <typename T, auto kCompare, auto kJoin>
void compare_and_join(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  const bool result = kCompare(thread.get<T>(o[1]), thread.get<T>(o[2]));
  thread.set<uint8_t>(o[0], kJoin(result, thread.predicate(o[3])) ? 1 : 0);
}

template <typename T, auto kCompare>
void add(PtxOperations& operations, const std::string& comparison, const std::string& type) {
  operations["setp." + comparison + "." + type + " rrr"] = compare<T, kCompare>;
  operations["setp." + comparison + ".and." + type + " rrrr"] =
      compare_and_join<T, kCompare, [](bool a, bool b) { return a && b; }>;
  operations["setp." + comparison + ".or." + type + " rrrr"] =
      compare_and_join<T, kCompare, [](bool a, bool b) { return a || b; }>;
}

template <typename T>
void add_equalities(PtxOperations& operations, const std::string& type) {
  add<T, [](T a, T b) { return a == b; }>(operations, "eq", type);
  add<T, [](T a, T b) { return a != b && !is_unordered(a, b); }>(operations, "ne", type);
}

template <typename T>
void add_all(PtxOperations& operations, const std::string& type) {
  add_equalities<T>(operations, type);
  add<T, [](T a, T b) { return a < b; }>(operations, "lt", type);
  add<T, [](T a, T b) { return a <= b; }>(operations, "le", type);
  add<T, [](T a, T b) { return (a > b); }>(operations, "gt", type);
  add<T, [](T a, T b) { return a >= b; }>(operations, "ge", type);
}

/// Those that hold, too, where an operand is not a number.
template <typename T>
void add_unordered(PtxOperations& operations, const std::string& type) {
  add<T, [](T a, T b) { return !(a < b) && !(a > b); }>(operations, "equ", type);
  add<T, [](T a, T b) { return a != b; }>(operations, "neu", type);
  add<T, [](T a, T b) { return !(a >= b); }>(operations, "ltu", type);
  add<T, [](T a, T b) { return !(a > b); }>(operations, "leu", type);
  add<T, [](T a, T b) { return !(a <= b); }>(operations, "gtu", type);
  add<T, [](T a, T b) { return !(a < b); }>(operations, "geu", type);
  add<T, [](T a, T b) { return !is_unordered(a, b); }>(operations, "num", type);
  add<T, [](T a, T b) { return is_unordered(a, b); }>(operations, "nan", type);
}

}  // namespace

void add_comparisons(PtxOperations& operations) {
  add_all<int16_t>(operations, "s16");
  add_all<uint16_t>(operations, "u16");
  add_all<int32_t>(operations, "s32");
  add_all<uint32_t>(operations, "u32");
  add_all<int64_t>(operations, "s64");
  add_all<uint64_t>(operations, "u64");
  add_equalities<uint16_t>(operations, "b16");
  add_equalities<uint32_t>(operations, "b32");
  add_equalities<uint64_t>(operations, "b64");
  add_all<float>(operations, "f32");
  add_unordered<float>(operations, "f32");
  add_all<double>(operations, "f64");
  add_unordered<double>(operations, "f64");
}

}  // namespace prescript::emulator
