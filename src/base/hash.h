#pragma once
// SHA-256, the identity of every file the project compares.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace prescript {

/// SHA-256 of bytes that arrive in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }

  /// 64 lower-case hexadecimal digits. Ends the hash: neither function may be called again.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

/// Reads the file once, in pieces. Throws InputError(code) when it is absent or not readable.
std::string sha256_file(const std::string& path, ExitCode code = ExitCode::kModel);

}  // namespace prescript
