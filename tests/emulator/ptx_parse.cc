#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "emulator/ptx_module.h"
#include "emulator/ptx_tokens.h"

namespace prescript::emulator {
namespace {

using Kind = PtxConstant::Kind;

constexpr size_t kSharedAlignment = 1024;  // of dynamic shared memory

size_t round_up(size_t x, size_t step) {
  return (x + step - 1) / step * step;
}

/// A symbol that is memory: where it lies is known when a thread begins.
struct Symbol {
  Kind kind = Kind::kValue;
  uint64_t value = 0;
};

class Parser {
 public:
  Parser(const std::string& text, const std::string& path) : in_(tokens_of_ptx(text), path) {
    module_.path = path;
  }

  PtxModule parse() {
    while (!in_.peek().empty()) parse_top();
    return std::move(module_);
  }

 private:
  void parse_top() {
    const std::string word = in_.next();
    if (word == ".version" || word == ".target" || word == ".address_size") {
      in_.next();
    } else if (word == ".visible" || word == ".weak") {
      return;
    } else if (word == ".extern") {
      in_.expect(".shared");
      parse_array(".extern", module_symbols_);
    } else if (word == ".shared" || word == ".global" || word == ".const") {
      parse_array(word, module_symbols_);
    } else if (word == ".entry") {
      parse_entry();
    } else {
      in_.refuse("\"" + word + "\" is not known");
    }
  }

  /// Behind its state space: [.align n] .type name[n] [= {...}];
  void parse_array(const std::string& space, std::map<std::string, Symbol>& symbols) {
    size_t alignment = 1;
    if (in_.accept(".align")) alignment = static_cast<size_t>(in_.number());
    const size_t element_bytes = bytes_of_type(in_.next());
    alignment = std::max(alignment, element_bytes);
    const std::string name = in_.next();
    size_t bytes = element_bytes;
    if (in_.accept("[")) {
      if (in_.peek() != "]") bytes *= static_cast<size_t>(in_.number());
      in_.expect("]");
    }
    if (space == ".extern") {
      symbols[name] = {Kind::kDynamicShared, 0};
    } else if (space == ".shared") {
      const size_t begin = round_up(module_.static_shared_bytes, alignment);
      symbols[name] = {Kind::kValue, begin};
      module_.static_shared_bytes = begin + bytes;
    } else if (space == ".local") {
      const size_t begin = round_up(entry_->local_bytes, alignment);
      symbols[name] = {Kind::kLocalAddress, begin};
      entry_->local_bytes = begin + bytes;
    } else {
      auto array = std::make_unique<std::vector<unsigned char>>(bytes);
      if (in_.accept("=")) parse_values(*array, element_bytes);
      symbols[name] = {Kind::kValue, reinterpret_cast<uint64_t>(array->data())};
      module_.arrays.push_back(std::move(array));
    }
    in_.expect(";");
  }

  void parse_values(std::vector<unsigned char>& bytes, size_t element_bytes) {
    const bool is_list = in_.accept("{");
    size_t begin = 0;
    do {
      const uint64_t value = immediate();
      if (begin + element_bytes > bytes.size()) in_.refuse("more values than elements");
      std::memcpy(bytes.data() + begin, &value, element_bytes);
      begin += element_bytes;
    } while (is_list && in_.accept(","));
    if (is_list) in_.expect("}");
  }

  size_t bytes_of_type(const std::string& type) const {
    if (type == ".pred") return 1;
    const size_t digits = type.find_first_of("0123456789");
    if (type.size() < 3 || type[0] != '.' || digits == std::string::npos) {
      in_.refuse("\"" + type + "\" is not a type");
    }
    return std::stoul(type.substr(digits)) / 8;
  }

  void parse_entry() {
    entry_ = &module_.entries[in_.next()];
    scopes_.clear();
    scopes_.emplace_back();
    constants_.clear();
    labels_.clear();
    entry_symbols_ = module_symbols_;
    in_.expect("(");
    while (!in_.accept(")")) {
      parse_parameter();
      in_.accept(",");
    }
    while (in_.peek() != "{") in_.next();  // .maxntid and the like
    in_.expect("{");
    while (!scopes_.empty()) parse_statement();
    for (const auto& [instruction, label] : branches_) {
      const auto found = labels_.find(label);
      if (found == labels_.end()) in_.refuse("no label " + label);
      entry_->instructions[instruction].target = found->second;
    }
    branches_.clear();
  }

  void parse_parameter() {
    in_.expect(".param");
    size_t alignment = 1;
    if (in_.accept(".align")) alignment = static_cast<size_t>(in_.number());
    const size_t element_bytes = bytes_of_type(in_.next());
    if (in_.accept(".ptr")) {
      if (in_.peek() == ".global") in_.next();
      if (in_.accept(".align")) in_.number();
    }
    const std::string name = in_.next();
    size_t bytes = element_bytes;
    if (in_.accept("[")) {
      bytes *= static_cast<size_t>(in_.number());
      in_.expect("]");
    }
    const size_t begin = round_up(entry_->parameter_bytes, std::max(alignment, element_bytes));
    entry_->parameters.push_back({begin, bytes});
    entry_->parameter_bytes = begin + bytes;
    entry_symbols_[name] = {Kind::kParameterAddress, begin};
  }

  void parse_statement() {
    const std::string word = in_.next();
    if (word == "{") {
      scopes_.emplace_back();
    } else if (word == "}") {
      scopes_.pop_back();
    } else if (word == ";") {
      return;
    } else if (word == ".reg") {
      parse_registers();
    } else if (word == ".local" || word == ".shared") {
      parse_array(word, entry_symbols_);
    } else if (word == ".pragma") {
      in_.next();
      in_.expect(";");
    } else if (in_.accept(":")) {
      labels_[word] = static_cast<int32_t>(entry_->instructions.size());
    } else {
      parse_instruction(word);
    }
  }

  void parse_registers() {
    bytes_of_type(in_.next());
    do {
      const std::string name = in_.next();
      if (in_.accept("<")) {
        const int64_t count = in_.number();
        in_.expect(">");
        for (int64_t i = 0; i < count; ++i) {
          scopes_.back()[name + std::to_string(i)] = entry_->num_slots++;
        }
      } else {
        scopes_.back()[name] = entry_->num_slots++;
      }
    } while (in_.accept(","));
    in_.expect(";");
  }

  void parse_instruction(std::string word) {
    PtxInstruction instruction;
    instruction.line = in_.line();
    if (word == "@") {
      instruction.guard_is_negated = in_.accept("!");
      instruction.guard = slot_of(in_.next());
      word = in_.next();
    }
    std::string shape;
    if (word == "bra" || word == "bra.uni") {
      branches_.emplace_back(entry_->instructions.size(), in_.next());
      shape = "l";
    } else {
      while (in_.peek() != ";") {
        shape += parse_operand(instruction.operands);
        if (in_.peek() != ";") in_.expect(",");
      }
    }
    in_.expect(";");
    try {
      instruction.operation = find_ptx_operation(word, shape);
    } catch (const std::runtime_error& e) {
      in_.refuse(e.what());
    }
    entry_->instructions.push_back(std::move(instruction));
  }

  std::string parse_operand(std::vector<PtxOperand>& operands) {
    if (in_.accept("[")) {
      PtxOperand address{parse_slot(), 0};
      if (in_.accept("+")) address.offset = in_.number();
      in_.expect("]");
      operands.push_back(address);
      return "a";
    }
    if (in_.accept("{")) {
      size_t count = 0;
      do {
        operands.push_back({parse_slot(), 0});
        ++count;
      } while (in_.accept(","));
      in_.expect("}");
      return count < 10 ? std::to_string(count) : "{" + std::to_string(count) + "}";
    }
    operands.push_back({parse_slot(), 0});
    if (!in_.accept("|")) return "r";
    operands.push_back({parse_slot(), 0});
    return "p";
  }

  /// A register, or a slot that holds the number, the special register or the symbol's address.
  int32_t parse_slot() {
    const std::string& word = in_.peek();
    if (word == "-" || std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
      return constant(Kind::kValue, immediate());
    }
    return slot_of(in_.next());
  }

  int32_t slot_of(const std::string& name) {
    if (name == "_") return 0;
    for (size_t scope = scopes_.size(); scope-- > 0;) {
      const auto found = scopes_[scope].find(name);
      if (found != scopes_[scope].end()) return found->second;
    }
    if (const auto special = find_ptx_special(name)) {
      return constant(Kind::kSpecial, static_cast<uint64_t>(*special));
    }
    const auto symbol = entry_symbols_.find(name);
    if (symbol == entry_symbols_.end()) in_.refuse("\"" + name + "\" is not known");
    return constant(symbol->second.kind, symbol->second.value);
  }

  int32_t constant(Kind kind, uint64_t value) {
    const auto [found, is_new] = constants_.try_emplace({kind, value}, entry_->num_slots);
    if (is_new) entry_->constants.push_back({entry_->num_slots++, kind, value});
    return found->second;
  }

  /// 7, -0x1F, and the bits of 0f3F800000 or 0d3FF0000000000000.
  uint64_t immediate() {
    const std::string& word = in_.peek();
    const bool is_float = word.size() == 10 && (word.starts_with("0f") || word.starts_with("0F"));
    const bool is_double = word.size() == 18 && (word.starts_with("0d") || word.starts_with("0D"));
    if (is_float || is_double) return std::stoull(in_.next().substr(2), nullptr, 16);
    return static_cast<uint64_t>(in_.number());
  }

  PtxReader in_;
  PtxModule module_;
  std::map<std::string, Symbol> module_symbols_;
  // Of the entry that is being read:
  PtxEntry* entry_ = nullptr;
  std::map<std::string, Symbol> entry_symbols_;
  std::vector<std::map<std::string, int32_t>> scopes_;  // of registers
  std::map<std::pair<Kind, uint64_t>, int32_t> constants_;
  std::map<std::string, int32_t> labels_;
  std::vector<std::pair<size_t, std::string>> branches_;  // instructions that wait for their label
};

}  // namespace

PtxModule parse_ptx(const std::string& text, const std::string& path) {
  PtxModule module = Parser(text, path).parse();
  module.static_shared_bytes = round_up(module.static_shared_bytes, kSharedAlignment);
  return module;
}

}  // namespace prescript::emulator
