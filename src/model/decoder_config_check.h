#pragma once
// What holds for every configuration, whatever file it comes from.

#include <cstdint>
#include <string>

#include "model/decoder_config.h"

namespace prescript {

// Bounds against nonsense in a file; far above any model there is.
inline constexpr int64_t kMaxSize = 1 << 20;
inline constexpr int64_t kMaxVocabulary = 1 << 24;
inline constexpr int64_t kMaxLayers = 4096;
inline constexpr int64_t kMaxPositions = 1 << 27;

/// Throws InputError(kModel) with `place` for numbers that contradict each other.
void check_decoder_config(const DecoderConfig& config, const std::string& place);

/// Throws InputError(kModel): "place: what", and what is implemented.
[[noreturn]] void refuse_model(const std::string& place, const std::string& what);

}  // namespace prescript
