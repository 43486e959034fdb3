#include "emulator/host_symbols.h"

#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>

#include <elf.h>
#include <link.h>

namespace prescript::emulator {
namespace {

/// How far the program lies from where its file says; the program is the first to be named.
uintptr_t load_offset() {
  uintptr_t offset = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* result) {
        *static_cast<uintptr_t*>(result) = info->dlpi_addr;
        return 1;
      },
      &offset);
  return offset;
}

std::multimap<uintptr_t, std::string> read_symbols() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  std::multimap<uintptr_t, std::string> symbols;
  if (bytes.size() < sizeof(ElfW(Ehdr))) return symbols;
  const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(bytes.data());
  const auto* sections = reinterpret_cast<const ElfW(Shdr)*>(bytes.data() + header->e_shoff);
  for (int s = 0; s < header->e_shnum; ++s) {
    const ElfW(Shdr)& section = sections[s];
    if (section.sh_type != SHT_SYMTAB) continue;
    const auto* table = reinterpret_cast<const ElfW(Sym)*>(bytes.data() + section.sh_offset);
    const char* names = bytes.data() + sections[section.sh_link].sh_offset;
    for (size_t i = 0; i < section.sh_size / sizeof(ElfW(Sym)); ++i) {
      if (ELF64_ST_TYPE(table[i].st_info) != STT_FUNC) continue;
      symbols.emplace(table[i].st_value + load_offset(), names + table[i].st_name);
    }
  }
  return symbols;
}

}  // namespace

std::vector<std::string> symbols_at(const void* address) {
  static const std::multimap<uintptr_t, std::string> symbols = read_symbols();
  std::vector<std::string> names;
  const auto [begin, end] = symbols.equal_range(reinterpret_cast<uintptr_t>(address));
  for (auto it = begin; it != end; ++it) names.push_back(it->second);
  return names;
}

}  // namespace prescript::emulator
