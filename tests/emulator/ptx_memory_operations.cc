// Loads, stores, addresses and asynchronous copies.

#include <cstring>
#include <type_traits>

#include "emulator/ptx_operations.h"
#include "emulator/runtime.h"
#include "emulator/warpgroup.h"

namespace prescript::emulator {
namespace {

/// A signed number fills its register with its sign.
template <typename T, PtxSpace kSpace, size_t kCount>
void load(PtxThread& thread, const PtxInstruction& i) {
  const unsigned char* from = thread.address(i.operands[kCount], kSpace, kCount * sizeof(T), false);
  for (size_t k = 0; k < kCount; ++k) {
    T value;
    std::memcpy(&value, from + k * sizeof(T), sizeof(T));
    if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
      thread.set<int64_t>(i.operands[k], value);
    } else {
      thread.set<T>(i.operands[k], value);
    }
  }
}

template <typename T, PtxSpace kSpace, size_t kCount>
void store(PtxThread& thread, const PtxInstruction& i) {
  unsigned char* to = thread.address(i.operands[0], kSpace, kCount * sizeof(T), true);
  note_written(to, kCount * sizeof(T));
  for (size_t k = 0; k < kCount; ++k) {
    const T value = thread.get<T>(i.operands[1 + k]);
    std::memcpy(to + k * sizeof(T), &value, sizeof(T));
  }
}

template <typename T, PtxSpace kSpace>
void add_type(PtxOperations& operations, const std::string& space, const std::string& type) {
  operations["ld" + space + "." + type + " ra"] = load<T, kSpace, 1>;
  operations["ld" + space + ".v2." + type + " 2a"] = load<T, kSpace, 2>;
  operations["ld" + space + ".v4." + type + " 4a"] = load<T, kSpace, 4>;
  operations["st" + space + "." + type + " ar"] = store<T, kSpace, 1>;
  operations["st" + space + ".v2." + type + " a2"] = store<T, kSpace, 2>;
  operations["st" + space + ".v4." + type + " a4"] = store<T, kSpace, 4>;
}

template <PtxSpace kSpace>
void add_space(PtxOperations& operations, const std::string& space) {
  add_type<int8_t, kSpace>(operations, space, "s8");
  add_type<int16_t, kSpace>(operations, space, "s16");
  add_type<int32_t, kSpace>(operations, space, "s32");
  add_type<int64_t, kSpace>(operations, space, "s64");
  for (const char* letter : {"u", "b"}) {
    add_type<uint8_t, kSpace>(operations, space, std::string(letter) + "8");
    add_type<uint16_t, kSpace>(operations, space, std::string(letter) + "16");
    add_type<uint32_t, kSpace>(operations, space, std::string(letter) + "32");
    add_type<uint64_t, kSpace>(operations, space, std::string(letter) + "64");
  }
  add_type<float, kSpace>(operations, space, "f32");
  add_type<double, kSpace>(operations, space, "f64");
}

void keep_address(PtxThread& thread, const PtxInstruction& i) {
  thread.set<uint64_t>(i.operands[0], thread.get<uint64_t>(i.operands[1]));
}
void shared_to_generic(PtxThread& thread, const PtxInstruction& i) {
  thread.set<uint64_t>(i.operands[0], thread.to_generic(thread.get<uint64_t>(i.operands[1])));
}
void generic_to_shared(PtxThread& thread, const PtxInstruction& i) {
  thread.set<uint64_t>(i.operands[0], thread.to_shared(thread.get<uint64_t>(i.operands[1])));
}

/// [to], [from], 16, bytes to read.
void copy_asynchronously(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  const auto size = thread.get<uint32_t>(o[2]);
  const auto bytes = thread.get<uint32_t>(o[3]);
  if (size != 16 || (bytes != 0 && bytes != 16)) fail("cp.async of other than 16 bytes or none");
  // The observer hears of it from copy_async.
  const auto to = thread.to_generic(
      static_cast<uint32_t>(thread.get<uint64_t>(o[0]) + static_cast<uint64_t>(o[0].offset)));
  const auto from = thread.get<uint64_t>(o[1]) + static_cast<uint64_t>(o[1].offset);
  copy_async(pointer_to(to), pointer_to(from), bytes != 0, {"ptx", thread.line()});
}
void commit_copies(PtxThread&, const PtxInstruction&) {
  copy_async_commit();
}
void wait_for_copies(PtxThread& thread, const PtxInstruction& i) {
  copy_async_wait(thread.get<int32_t>(i.operands[0]));
}

}  // namespace

void add_memory_operations(PtxOperations& operations) {
  add_space<PtxSpace::kGeneric>(operations, "");
  add_space<PtxSpace::kGlobal>(operations, ".global");
  add_space<PtxSpace::kGlobal>(operations, ".global.nc");
  add_space<PtxSpace::kShared>(operations, ".shared");
  add_space<PtxSpace::kGeneric>(operations, ".param");
  add_space<PtxSpace::kGeneric>(operations, ".local");
  add_space<PtxSpace::kGeneric>(operations, ".const");
  for (const char* space : {"global", "local", "param", "const"}) {
    operations["cvta." + std::string(space) + ".u64 rr"] = keep_address;
    operations["cvta.to." + std::string(space) + ".u64 rr"] = keep_address;
  }
  operations["cvta.shared.u64 rr"] = shared_to_generic;
  operations["cvta.to.shared.u64 rr"] = generic_to_shared;
  operations["cp.async.cg.shared.global aarr"] = copy_asynchronously;
  operations["cp.async.commit_group "] = commit_copies;
  operations["cp.async.wait_group r"] = wait_for_copies;
}

}  // namespace prescript::emulator
