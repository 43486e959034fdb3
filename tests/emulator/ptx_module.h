#pragma once
// A PTX module as text says it: entries, their parameters and their instructions, ready to run.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace prescript::emulator {

class PtxThread;
struct PtxInstruction;
using PtxOperation = void (*)(PtxThread& thread, const PtxInstruction& instruction);

/// A register, or a constant that is kept in one; of an address, what is added to it.
struct PtxOperand {
  int32_t slot = 0;
  int64_t offset = 0;
};

struct PtxInstruction {
  PtxOperation operation = nullptr;
  std::vector<PtxOperand> operands;
  int32_t guard = -1;  // the slot of its predicate
  bool guard_is_negated = false;
  int32_t target = -1;  // of a branch
  int line = 0;
};

/// Registers that tell a thread where it is, in slots of their own.
enum class PtxSpecial {
  kThreadX,
  kThreadY,
  kThreadZ,
  kBlockX,
  kBlockY,
  kBlockZ,
  kBlockSizeX,
  kBlockSizeY,
  kBlockSizeZ,
  kGridSizeX,
  kGridSizeY,
  kGridSizeZ,
  kLane,
};

/// What a slot holds when a thread begins.
struct PtxConstant {
  enum class Kind { kValue, kParameterAddress, kLocalAddress, kDynamicShared, kSpecial };
  int32_t slot = 0;
  Kind kind = Kind::kValue;
  uint64_t value = 0;  // or what is added to the address, or the PtxSpecial
};

struct PtxEntry {
  struct Parameter {
    size_t offset = 0;
    size_t bytes = 0;
  };
  std::vector<Parameter> parameters;
  size_t parameter_bytes = 0;
  int32_t num_slots = 1;  // slot 0 is where `_` goes
  std::vector<PtxConstant> constants;
  size_t local_bytes = 0;
  std::vector<PtxInstruction> instructions;
};

struct PtxModule {
  std::string path;
  std::map<std::string, PtxEntry> entries;  // by mangled name
  size_t static_shared_bytes = 0;
  std::vector<std::unique_ptr<std::vector<unsigned char>>> arrays;  // .global and .const
};

/// "%tid.x".
std::optional<PtxSpecial> find_ptx_special(const std::string& name);

/// The operation of `opcode` for operands of `shape`, one letter for each: r a register or number,
/// a an address, l a label, p a pair d|p, a digit a group in braces, {32} a larger one. Throws
/// std::runtime_error where there is none.
PtxOperation find_ptx_operation(const std::string& opcode, const std::string& shape);

/// Throws std::runtime_error with the line of whatever it does not know.
PtxModule parse_ptx(const std::string& text, const std::string& path);

}  // namespace prescript::emulator
