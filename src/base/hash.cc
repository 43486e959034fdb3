#include "base/hash.h"

#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "base/file_error.h"

namespace prescript {

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  if (context_->evp == nullptr || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1)
    throw DeviceError("EVP_DigestInit_ex(EVP_sha256()): OpenSSL has no SHA-256");
}

Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) != 1)
    throw DeviceError("EVP_DigestUpdate failed");
}

std::string Sha256::hex() {
  std::array<unsigned char, 32> digest{};
  if (EVP_DigestFinal_ex(context_->evp, digest.data(), nullptr) != 1)
    throw DeviceError("EVP_DigestFinal_ex failed");
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_hex(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text)));
}

std::string sha256_file(const std::string& path, ExitCode code) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw_open_error(path, "cannot open", errno, code);
  Sha256 hash;
  std::vector<std::byte> buffer(size_t{1} << 20);
  ssize_t count = 0;
  do {
    count = ::read(descriptor, buffer.data(), buffer.size());
    if (count > 0) hash.update({buffer.data(), static_cast<size_t>(count)});
  } while (count > 0 || (count < 0 && errno == EINTR));
  const int error_number = errno;
  ::close(descriptor);
  if (count < 0) throw_open_error(path, "cannot read", error_number, code);
  return hash.hex();
}

}  // namespace prescript
