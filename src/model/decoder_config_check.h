#pragma once
// What holds for every configuration, whatever file it comes from.

#include <string>

#include "model/decoder_config.h"

namespace prescript {

/// Throws InputError(kModel) with `place` for numbers that contradict each other.
void check_decoder_config(const DecoderConfig& config, const std::string& place);

}  // namespace prescript
