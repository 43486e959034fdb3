#pragma once
// JSON where YAML is read: the same values with their places.

#include "io/text_place.h"
#include "io/yaml.h"

namespace prescript {

/// Throws InputError for what parse_json refuses, and beyond the limits.
YamlValue yaml_of_json(const TextPlace& text, const YamlLimits& limits);

}  // namespace prescript
