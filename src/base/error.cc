#include "base/error.h"

#include <cstring>

namespace prescript {

void throw_contract_error(const char* expression,
                          const char* file,
                          int line,
                          const std::string& message) {
  const char* name = std::strrchr(file, '/');
  throw ContractError(message + " [" + expression + " at " + (name != nullptr ? name + 1 : file) +
                      ":" + std::to_string(line) + "]");
}

}  // namespace prescript
