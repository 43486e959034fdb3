#include "emulator/source_line.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <sstream>

#include <dlfcn.h>

namespace prescript::emulator {

std::string source_line(const void* code) {
  Dl_info info{};
  std::ostringstream offset;
  offset << code;
  if (dladdr(code, &info) == 0) return offset.str();
  // The address is where the call returns to: one byte back is inside of it.
  const auto behind = reinterpret_cast<uintptr_t>(code) - 1;
  std::ostringstream command;
  command << "addr2line -s -i -e '" << info.dli_fname << "' 0x" << std::hex
          << behind - reinterpret_cast<uintptr_t>(info.dli_fbase) << " 2>/dev/null";
  FILE* lines = popen(command.str().c_str(), "r");
  if (lines == nullptr) return offset.str();
  std::string text;
  std::array<char, 256> line = {};
  while (fgets(line.data(), line.size(), lines) != nullptr) {
    std::string one = line.data();
    while (!one.empty() && one.back() == '\n') one.pop_back();
    text += (text.empty() ? "" : " < ") + one;
  }
  pclose(lines);
  return text.empty() ? offset.str() : text;
}

}  // namespace prescript::emulator
