// Where threads go, where they meet, and what a warp does together.

#include <array>

#include "emulator/ptx_operations.h"
#include "emulator/runtime.h"
#include "emulator/warp.h"

namespace prescript::emulator {
namespace {

Place place_of(const PtxThread& thread) {
  return {"ptx", thread.line()};
}

void branch(PtxThread& thread, const PtxInstruction& i) {
  thread.jump(i.target);
}
void end_thread(PtxThread& thread, const PtxInstruction&) {
  thread.end();
}

void wait_at_barrier(PtxThread& thread, const PtxInstruction& i) {
  if (thread.get<uint32_t>(i.operands[0]) != 0) fail("a barrier other than 0");
  wait_for_block(place_of(thread));
}
void wait_in_warp(PtxThread& thread, const PtxInstruction& i) {
  wait_for_warp(thread.get<uint32_t>(i.operands[0]), place_of(thread));
}

/// d[|p], a, b, c, mask: c holds 32 − width in bits 8 to 12.
template <Shuffle kKind, size_t kFirst>
void shuffle_lanes(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  const auto selector = thread.get<int32_t>(o[kFirst + 1]);
  const auto clamp = thread.get<uint32_t>(o[kFirst + 2]);
  const auto mask = thread.get<uint32_t>(o[kFirst + 3]);
  const int width = 32 - static_cast<int>(clamp >> 8 & 0x1F);
  const auto value = thread.get<uint32_t>(o[kFirst]);
  const auto lane = static_cast<int>(running->lane);
  const uint32_t result =
      shuffle<uint32_t, kKind>("shfl.sync", mask, value, selector, width, place_of(thread));
  thread.set<uint32_t>(o[0], result);
  if constexpr (kFirst == 2) {
    const int first = lane & ~(width - 1);
    const int source = kKind == Shuffle::kIndex  ? first + selector
                       : kKind == Shuffle::kXor  ? lane ^ selector
                       : kKind == Shuffle::kDown ? lane + selector
                                                 : lane - selector;
    const bool is_within = kKind == Shuffle::kUp ? source >= first : source < first + width;
    thread.set<uint8_t>(o[1], is_within ? 1 : 0);
  }
}

template <Shuffle kKind>
void add_shuffle(PtxOperations& operations, const std::string& name) {
  operations["shfl.sync." + name + ".b32 rrrrr"] = shuffle_lanes<kKind, 1>;
  operations["shfl.sync." + name + ".b32 prrrr"] = shuffle_lanes<kKind, 2>;
}

uint32_t vote_of(PtxThread& thread, const PtxInstruction& i) {
  return ballot(
      thread.get<uint32_t>(i.operands[2]), thread.predicate(i.operands[1]), place_of(thread));
}
void vote_ballot(PtxThread& thread, const PtxInstruction& i) {
  thread.set<uint32_t>(i.operands[0], vote_of(thread, i));
}
void vote_any(PtxThread& thread, const PtxInstruction& i) {
  thread.set<uint8_t>(i.operands[0], vote_of(thread, i) != 0 ? 1 : 0);
}
void vote_all(PtxThread& thread, const PtxInstruction& i) {
  thread.set<uint8_t>(i.operands[0],
                      vote_of(thread, i) == thread.get<uint32_t>(i.operands[2]) ? 1 : 0);
}

template <bool kTransposed>
void load_four_matrices(PtxThread& thread, const PtxInstruction& i) {
  const PtxOperand& row = i.operands[4];
  const auto address = thread.to_generic(
      static_cast<uint32_t>(thread.get<uint64_t>(row) + static_cast<uint64_t>(row.offset)));
  std::array<uint32_t, 4> registers = {};
  load_matrices(registers.data(), pointer_to(address), kTransposed, place_of(thread));
  for (size_t m = 0; m < 4; ++m) thread.set<uint32_t>(i.operands[m], registers[m]);
}

/// d, a, b, c.
void multiply_matrices(PtxThread& thread, const PtxInstruction& i) {
  const auto& o = i.operands;
  std::array<float, 4> d = {};
  std::array<uint32_t, 4> a = {};
  for (size_t k = 0; k < 4; ++k) {
    a[k] = thread.get<uint32_t>(o[4 + k]);
    d[k] = thread.get<float>(o[10 + k]);
  }
  multiply_add(
      d.data(), a.data(), thread.get<uint32_t>(o[8]), thread.get<uint32_t>(o[9]), place_of(thread));
  for (size_t k = 0; k < 4; ++k) thread.set<float>(o[k], d[k]);
}

}  // namespace

void add_warp_operations(PtxOperations& operations) {
  operations["bra l"] = branch;
  operations["bra.uni l"] = branch;
  operations["ret "] = end_thread;
  operations["exit "] = end_thread;
  operations["bar.sync r"] = wait_at_barrier;
  operations["barrier.sync r"] = wait_at_barrier;
  operations["bar.warp.sync r"] = wait_in_warp;
  add_shuffle<Shuffle::kIndex>(operations, "idx");
  add_shuffle<Shuffle::kXor>(operations, "bfly");
  add_shuffle<Shuffle::kDown>(operations, "down");
  add_shuffle<Shuffle::kUp>(operations, "up");
  operations["vote.sync.ballot.b32 rrr"] = vote_ballot;
  operations["vote.sync.any.pred rrr"] = vote_any;
  operations["vote.sync.all.pred rrr"] = vote_all;
  operations["ldmatrix.sync.aligned.m8n8.x4.shared.b16 4a"] = load_four_matrices<false>;
  operations["ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 4a"] = load_four_matrices<true>;
  operations["mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 4424"] = multiply_matrices;
}

PtxOperation find_ptx_operation(const std::string& opcode, const std::string& shape) {
  static const PtxOperations all = [] {
    PtxOperations operations;
    add_integer_operations(operations);
    add_float_operations(operations);
    add_conversions(operations);
    add_comparisons(operations);
    add_memory_operations(operations);
    add_warp_operations(operations);
    add_warpgroup_operations(operations);
    return operations;
  }();
  const auto found = all.find(opcode + " " + shape);
  if (found == all.end()) {
    throw std::runtime_error("no operation " + opcode + " of operands " + shape);
  }
  return found->second;
}

}  // namespace prescript::emulator
