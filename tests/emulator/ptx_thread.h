#pragma once
// A thread that runs the instructions of a PTX entry: its registers and its view of memory.

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "emulator/ptx_module.h"

namespace prescript::emulator {

/// An address as PTX computes with it.
inline unsigned char* pointer_to(uint64_t address) {
  return reinterpret_cast<unsigned char*>(address);  // NOLINT(performance-no-int-to-ptr)
}

enum class PtxSpace { kGeneric, kGlobal, kShared };

class PtxThread {
 public:
  /// `parameters` as the entry lays them out; `shared` is all of the block's shared memory.
  PtxThread(const PtxModule& module,
            const PtxEntry& entry,
            const unsigned char* parameters,
            unsigned char* shared,
            size_t shared_bytes);

  void run();

  /// That all threads have run.
  static inline uint64_t num_instructions = 0;

  // --- registers: a value fills a slot from its lowest bit on, zeros above ---

  template <typename T>
  T get(const PtxOperand& operand) const {
    T value;
    std::memcpy(&value, &slots_[operand.slot], sizeof value);
    return value;
  }
  template <typename T>
  void set(const PtxOperand& operand, T value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    slots_[operand.slot] = bits;
  }

  /// Where the register is kept.
  void* place(const PtxOperand& operand) { return &slots_[operand.slot]; }

  bool predicate(const PtxOperand& operand) const { return (slots_[operand.slot] & 1) != 0; }

  // --- memory ---

  /// Where the operand's address lies. Checks alignment and bounds, and tells the observer.
  unsigned char* address(const PtxOperand& operand, PtxSpace space, size_t bytes, bool is_write);

  uint64_t to_generic(uint64_t shared_offset) const;
  uint64_t to_shared(uint64_t generic_address) const;

  // --- order ---

  void jump(int32_t instruction) { next_ = instruction; }
  void end() { next_ = -1; }
  int line() const { return line_; }

 private:
  uint64_t value_of(const PtxConstant& constant, const unsigned char* parameters) const;

  const PtxModule& module_;
  const PtxEntry& entry_;
  unsigned char* shared_;
  size_t shared_bytes_;
  std::vector<uint64_t> slots_;
  std::vector<unsigned char> local_;
  int32_t next_ = 0;
  int line_ = 0;
};

}  // namespace prescript::emulator
