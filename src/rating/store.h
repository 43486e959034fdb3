#pragma once
// A directory with one database: how studies and stores of exemplars come into being.

#include <functional>
#include <string>

#include "rating/database.h"

namespace prescript {

/// The file in the directory, and the application id in the file; part of the on-disk format.
inline constexpr const char* kStudyFile = "study.sqlite";
inline constexpr int32_t kStudyApplication = 0x70727374;  // "prst"
inline constexpr const char* kAuthoringFile = "authoring.sqlite";
inline constexpr int32_t kAuthoringApplication = 0x70726175;  // "prau"

/// Makes `dir` (0700) with a database that `fill` has filled, whole or not at all. Throws
/// InputError(kUsage) when something is there already.
void create_store(const std::string& dir,
                  const std::string& file,
                  int32_t application,
                  const char* schema,
                  const std::function<void(Database&)>& fill);

/// Throws InputError(kUsage) when something is at `dir`.
void check_unoccupied(const std::string& dir);

/// Hexadecimal digits of `num_bytes` bytes from the kernel's generator: nobody can guess them.
std::string random_hex(size_t num_bytes);

}  // namespace prescript
