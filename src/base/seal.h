#pragma once
// Files that hold a hash of themselves, so that any changed bit is found.

#include <string>
#include <string_view>

namespace prescript {

/// What stands for the digest while it is computed.
inline constexpr std::string_view kNoDigest =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// Seals JSON text, or bytes that begin with some: the first member "digest", whose value must be
/// kNoDigest, gets the SHA-256 of all bytes as they are now. Throws ContractError when there is no
/// such member.
std::string sealed(std::string bytes);

/// Whether the digest is there and is that of the bytes.
bool seal_is_intact(std::string_view bytes);

}  // namespace prescript
