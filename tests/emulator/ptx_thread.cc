#include "emulator/ptx_thread.h"

#include <string>

#include "emulator/memory.h"
#include "emulator/runtime.h"

namespace prescript::emulator {
namespace {

// What a register holds that nobody wrote.
constexpr uint64_t kUnwritten = 0xDEADBEEFDEADBEEF;

uint64_t value_of_special(PtxSpecial special) {
  switch (special) {
    case PtxSpecial::kThreadX:
      return running->index.x;
    case PtxSpecial::kThreadY:
      return running->index.y;
    case PtxSpecial::kThreadZ:
      return running->index.z;
    case PtxSpecial::kBlockX:
      return running->block.x;
    case PtxSpecial::kBlockY:
      return running->block.y;
    case PtxSpecial::kBlockZ:
      return running->block.z;
    case PtxSpecial::kBlockSizeX:
      return running_block.x;
    case PtxSpecial::kBlockSizeY:
      return running_block.y;
    case PtxSpecial::kBlockSizeZ:
      return running_block.z;
    case PtxSpecial::kGridSizeX:
      return running_grid.x;
    case PtxSpecial::kGridSizeY:
      return running_grid.y;
    case PtxSpecial::kGridSizeZ:
      return running_grid.z;
    case PtxSpecial::kLane:
      return running->lane;
  }
  return 0;
}

}  // namespace

std::optional<PtxSpecial> find_ptx_special(const std::string& name) {
  static const std::map<std::string, PtxSpecial> all = {{"%tid.x", PtxSpecial::kThreadX},
                                                        {"%tid.y", PtxSpecial::kThreadY},
                                                        {"%tid.z", PtxSpecial::kThreadZ},
                                                        {"%ctaid.x", PtxSpecial::kBlockX},
                                                        {"%ctaid.y", PtxSpecial::kBlockY},
                                                        {"%ctaid.z", PtxSpecial::kBlockZ},
                                                        {"%ntid.x", PtxSpecial::kBlockSizeX},
                                                        {"%ntid.y", PtxSpecial::kBlockSizeY},
                                                        {"%ntid.z", PtxSpecial::kBlockSizeZ},
                                                        {"%nctaid.x", PtxSpecial::kGridSizeX},
                                                        {"%nctaid.y", PtxSpecial::kGridSizeY},
                                                        {"%nctaid.z", PtxSpecial::kGridSizeZ},
                                                        {"%laneid", PtxSpecial::kLane}};
  const auto found = all.find(name);
  if (found == all.end()) return std::nullopt;
  return found->second;
}

PtxThread::PtxThread(const PtxModule& module,
                     const PtxEntry& entry,
                     const unsigned char* parameters,
                     unsigned char* shared,
                     size_t shared_bytes)
    : module_(module),
      entry_(entry),
      shared_(shared),
      shared_bytes_(shared_bytes),
      slots_(entry.num_slots, kUnwritten),
      local_(entry.local_bytes + 16) {
  for (const PtxConstant& constant : entry.constants) {
    slots_[constant.slot] = value_of(constant, parameters);
  }
}

uint64_t PtxThread::value_of(const PtxConstant& constant, const unsigned char* parameters) const {
  switch (constant.kind) {
    case PtxConstant::Kind::kValue:
      return constant.value;
    case PtxConstant::Kind::kParameterAddress:
      return reinterpret_cast<uint64_t>(parameters) + constant.value;
    case PtxConstant::Kind::kLocalAddress: {
      const auto begin = reinterpret_cast<uint64_t>(local_.data());
      return (begin + 15) / 16 * 16 + constant.value;
    }
    case PtxConstant::Kind::kDynamicShared:
      return module_.static_shared_bytes;
    case PtxConstant::Kind::kSpecial:
      return value_of_special(static_cast<PtxSpecial>(constant.value));
  }
  return 0;
}

void PtxThread::run() {
  while (next_ >= 0) {
    const PtxInstruction& instruction = entry_.instructions[next_++];
    line_ = instruction.line;
    ++num_instructions;
    if (instruction.guard >= 0 &&
        ((slots_[instruction.guard] & 1) != 0) == instruction.guard_is_negated) {
      continue;
    }
    instruction.operation(*this, instruction);
  }
}

unsigned char* PtxThread::address(const PtxOperand& operand,
                                  PtxSpace space,
                                  size_t bytes,
                                  bool is_write) {
  const auto refuse = [&](const char* why) {
    fail(module_.path + ":" + std::to_string(line_) + ": " + why);
  };
  uint64_t a = slots_[operand.slot] + static_cast<uint64_t>(operand.offset);
  if (space == PtxSpace::kShared) {
    a = static_cast<uint32_t>(a);
    if (a + bytes > shared_bytes_) refuse("outside of shared memory");
    a = to_generic(a);
  }
  unsigned char* const memory = pointer_to(a);
  if (a % bytes != 0) refuse("misaligned");
  if (space == PtxSpace::kGlobal || is_device_address(memory)) {
    const Allocation* allocation = find_allocation(memory);
    const bool is_within =
        allocation != nullptr && memory + bytes <= allocation->begin + allocation->bytes;
    // The module's own arrays are the host's memory, and in no buffer.
    if (is_device_address(memory) && !is_within) refuse("outside of buffers");
    if (Observer* observer = current_observer()) {
      observer->on_access(memory, bytes, is_write, pointer_to(static_cast<uint64_t>(line_)));
    }
  }
  return memory;
}

uint64_t PtxThread::to_generic(uint64_t shared_offset) const {
  return reinterpret_cast<uint64_t>(shared_) + shared_offset;
}

uint64_t PtxThread::to_shared(uint64_t generic_address) const {
  return generic_address - reinterpret_cast<uint64_t>(shared_);
}

}  // namespace prescript::emulator
