// What warpgroups do: barriers of their own, and products.

#include "emulator/ptx_operations.h"
#include "emulator/runtime.h"
#include "emulator/warpgroup.h"

namespace prescript::emulator {
namespace {

Place place_of(const PtxThread& thread) {
  return {"ptx", thread.line()};
}

/// d, a, b, whether d is added to, factors of a and b, whether a and b are read by columns: a by
/// rows alone.
template <size_t kSums, bool kHeld>
void multiply(PtxThread& thread, const PtxInstruction& i) {
  const PtxOperand* operand = i.operands.data();
  TileProduct product;
  product.num_columns = 2 * kSums;
  for (size_t k = 0; k < kSums; ++k) product.sums.places.push_back(thread.place(*operand++));
  if (kHeld) {
    for (int k = 0; k < 4; ++k) product.held_a.places.push_back(thread.place(*operand++));
    product.keeps_a = true;
  } else {
    product.a_tile = thread.get<uint64_t>(*operand++);
  }
  product.b_tile = thread.get<uint64_t>(*operand++);
  product.adds = thread.predicate(*operand++);
  const auto a_factor = thread.get<int32_t>(*operand++);
  const auto b_factor = thread.get<int32_t>(*operand++);
  if (a_factor != 1 || b_factor != 1) fail("wgmma: a factor other than 1");
  if (!kHeld && thread.get<int32_t>(*operand++) != 0) fail("wgmma: a by columns");
  product.by_columns = thread.get<int32_t>(*operand) != 0;
  multiply_tiles(std::move(product));
}

template <size_t kColumns>
void add_multiply(PtxOperations& operations) {
  constexpr size_t kSums = kColumns / 2;
  const std::string name = "wgmma.mma_async.sync.aligned.m64n" + std::to_string(kColumns) +
                           "k16.f32.bf16.bf16 {" + std::to_string(kSums) + "}";
  operations[name + "rrrrrrr"] = multiply<kSums, false>;
  operations[name + "4rrrrr"] = multiply<kSums, true>;
}

void trap(PtxThread&, const PtxInstruction&) {
  fail("trap");
}
template <bool kWaits>
void come_to(PtxThread& thread, const PtxInstruction& i) {
  come_to_barrier(thread.get<int32_t>(i.operands[0]),
                  thread.get<int32_t>(i.operands[1]),
                  kWaits,
                  place_of(thread));
}
void set_registers(PtxThread& thread, const PtxInstruction& i) {
  change_registers(thread.get<int32_t>(i.operands[0]));
}
void begin(PtxThread&, const PtxInstruction&) {
  products_begin();
}
void commit(PtxThread&, const PtxInstruction&) {
  products_commit();
}
void wait(PtxThread& thread, const PtxInstruction& i) {
  products_wait(thread.get<int32_t>(i.operands[0]), place_of(thread));
}
void publish(PtxThread&, const PtxInstruction&) {
  publish_to_products();
}

}  // namespace

void add_warpgroup_operations(PtxOperations& operations) {
  add_multiply<64>(operations);
  add_multiply<128>(operations);
  operations["trap "] = trap;
  operations["barrier.cta.sync.aligned rr"] = come_to<true>;
  operations["barrier.cta.arrive.aligned rr"] = come_to<false>;
  operations["setmaxnreg.dec.sync.aligned.u32 r"] = set_registers;
  operations["setmaxnreg.inc.sync.aligned.u32 r"] = set_registers;
  operations["wgmma.fence.sync.aligned "] = begin;
  operations["wgmma.commit_group.sync.aligned "] = commit;
  operations["wgmma.wait_group.sync.aligned r"] = wait;
  operations["fence.proxy.async.shared::cta "] = publish;
}

}  // namespace prescript::emulator
