#include "base/base64.h"

#include <algorithm>
#include <limits>

#include <openssl/evp.h>

namespace prescript {

std::optional<std::string> bytes_of_base64(std::string_view text) {
  const size_t digits = std::min(text.find('='), text.size());
  const size_t padding = text.size() - digits;
  const bool is_whole = text.size() % 4 == 0 && padding <= 2 &&
                        text.size() <= std::numeric_limits<int>::max() &&
                        text.find_first_not_of('=', digits) == std::string_view::npos &&
                        text.find_first_of(" \t\r\n-") == std::string_view::npos;
  if (!is_whole) return std::nullopt;  // OpenSSL trims, ends at '-' and takes any '='
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace prescript
