#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "io/quote.h"

namespace prescript {
namespace {

// A pattern that backtracks without end stops within seconds and 256 MiB.
constexpr uint32_t kMatchLimit = 50'000'000;
constexpr uint32_t kHeapLimitKib = 256 * 1024;

std::string message_of(int error) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(error, buffer, sizeof buffer);
  return reinterpret_cast<const char*>(buffer);
}

}  // namespace

struct Regex::Code {
  std::string pattern;
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

struct Regex::Workspace::Memory {
  pcre2_match_data* match = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  ~Memory() {
    pcre2_match_data_free(match);
    pcre2_match_context_free(context);
  }
};

Regex::Workspace::Workspace() : memory_(std::make_unique<Memory>()) {
  if (memory_->match == nullptr || memory_->context == nullptr) {
    throw DeviceError("pcre2_match_data_create: out of memory");
  }
  pcre2_set_match_limit(memory_->context, kMatchLimit);
  pcre2_set_heap_limit(memory_->context, kHeapLimitKib);
}
Regex::Workspace::~Workspace() = default;

Regex::Regex(std::unique_ptr<Code> code) : code_(std::move(code)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex::Regex(const std::string& pattern, const std::string& place)
    : code_(compile(pattern, 0, place)) {}

Regex Regex::literal(const std::string& text, const std::string& place) {
  return Regex(compile(text, PCRE2_LITERAL, place));
}

std::unique_ptr<Regex::Code> Regex::compile(const std::string& pattern,
                                            uint32_t options,
                                            const std::string& place) {
  auto compiled = std::make_unique<Code>();
  compiled->pattern = pattern;
  int error = 0;
  PCRE2_SIZE offset = 0;
  compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()),
                                 pattern.size(),
                                 PCRE2_UTF | options,
                                 &error,
                                 &offset,
                                 nullptr);
  if (compiled->code == nullptr) {
    throw InputError(ExitCode::kModel,
                     place + ": pattern " + quote(pattern) + " is not valid at byte " +
                         std::to_string(offset) + ": " + message_of(error));
  }
  uint32_t matches_empty = 0;
  pcre2_pattern_info(compiled->code, PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) {
    throw InputError(ExitCode::kModel,
                     place + ": pattern " + quote(pattern) +
                         " matches the empty text; a pre-tokeniser's pattern must not");
  }
  // Where the machine has no just-in-time compiler the interpreter finds the same.
  pcre2_jit_compile(compiled->code, PCRE2_JIT_COMPLETE);
  return compiled;
}

void Regex::find_all(std::string_view text,
                     Workspace& workspace,
                     std::vector<TextRange>& matches) const {
  auto& memory = *workspace.memory_;
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  const PCRE2_SIZE* range = pcre2_get_ovector_pointer(memory.match);
  for (size_t begin = 0; begin < text.size(); begin = range[1]) {
    // Checking UTF-8 again in every search would make the cost quadratic.
    const auto search = [&](uint32_t options) {
      return pcre2_match(code_->code,
                         subject,
                         text.size(),
                         begin,
                         PCRE2_NO_UTF_CHECK | options,
                         memory.match,
                         memory.context);
    };
    int result = search(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = search(PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) return;
    if (result < 0) {
      throw InputError(ExitCode::kData,
                       "text: the pre-tokeniser's pattern " + quote(code_->pattern) +
                           " gave up at byte " + std::to_string(begin) + ": " + message_of(result) +
                           "; shorten the text");
    }
    PRESCRIPT_CHECK(range[1] > begin, "pattern " + quote(code_->pattern) + " matched nothing");
    matches.push_back({range[0], range[1]});
  }
}

}  // namespace prescript
