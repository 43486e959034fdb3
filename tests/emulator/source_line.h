#pragma once
// From an address in this program's code to the line it was compiled from.

#include <string>

namespace prescript::emulator {

/// "rms_norm.cu:41", the lines it was inlined into behind it; the bare address where binutils'
/// addr2line is missing.
std::string source_line(const void* code);

}  // namespace prescript::emulator
