#pragma once
// Names of this program's own functions, static ones too.

#include <string>
#include <vector>

namespace prescript::emulator {

/// What the symbol table of the program calls the function at `address`, mangled. Empty where the
/// program was stripped.
std::vector<std::string> symbols_at(const void* address);

}  // namespace prescript::emulator
