#include "base/seal.h"

#include <optional>

#include "base/error.h"
#include "base/hash.h"

namespace prescript {
namespace {

/// Where the digest's digits begin.
std::optional<size_t> place_of_digest(std::string_view bytes) {
  constexpr std::string_view kKey = "\"digest\"";
  const size_t key = bytes.find(kKey);
  if (key == std::string_view::npos) return std::nullopt;
  const size_t value = bytes.find_first_not_of(": \n", key + kKey.size());
  if (value == std::string_view::npos || bytes[value] != '"') return std::nullopt;
  const size_t begin = value + 1;
  const size_t end = begin + kNoDigest.size();
  if (end >= bytes.size() || bytes[end] != '"') return std::nullopt;
  return begin;
}

}  // namespace

std::string sealed(std::string bytes) {
  const auto place = place_of_digest(bytes);
  PRESCRIPT_CHECK(place && bytes.compare(*place, kNoDigest.size(), kNoDigest) == 0,
                  "no digest to fill in");
  const std::string digest = sha256_hex(std::string_view(bytes));
  return bytes.replace(*place, digest.size(), digest);
}

bool seal_is_intact(std::string_view bytes) {
  const auto place = place_of_digest(bytes);
  if (!place) return false;
  const std::string_view digest = bytes.substr(*place, kNoDigest.size());
  std::string unsealed(bytes);
  unsealed.replace(*place, kNoDigest.size(), kNoDigest);
  return sha256_hex(std::string_view(unsealed)) == digest;
}

}  // namespace prescript
