#pragma once
// The table of PTX operations that are known, filled by one file for each kind.

#include <map>
#include <string>

#include "emulator/ptx_thread.h"

namespace prescript::emulator {

/// By opcode, a space, and the shape of the operands: "add.s32 rrr".
using PtxOperations = std::map<std::string, PtxOperation>;

void add_integer_operations(PtxOperations& operations);
void add_float_operations(PtxOperations& operations);
void add_conversions(PtxOperations& operations);
void add_comparisons(PtxOperations& operations);
void add_memory_operations(PtxOperations& operations);
void add_warp_operations(PtxOperations& operations);
void add_warpgroup_operations(PtxOperations& operations);

// --- what most are made of: results of f of the other operands ---

template <typename R, typename T, auto kFunction>
void apply_1(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  thread.set<R>(o[0], static_cast<R>(kFunction(thread.get<T>(o[1]))));
}

template <typename R, typename T, auto kFunction>
void apply_2(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  thread.set<R>(o[0], static_cast<R>(kFunction(thread.get<T>(o[1]), thread.get<T>(o[2]))));
}

template <typename R, typename T, typename Last, auto kFunction>
void apply_3(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  thread.set<R>(
      o[0],
      static_cast<R>(kFunction(thread.get<T>(o[1]), thread.get<T>(o[2]), thread.get<Last>(o[3]))));
}

}  // namespace prescript::emulator
