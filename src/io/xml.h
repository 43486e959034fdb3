#pragma once
// XML from strangers: the only place where the project parses it.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace prescript {

struct XmlLimits {
  size_t max_bytes = 64u << 20;
  size_t max_depth = 64;
};

struct XmlElement {
  std::string name;
  std::string place;  // "file.xml:line", for messages
  std::map<std::string, std::string> attributes;
  std::string text;  // its own, less that of its children
  std::vector<XmlElement> children;

  /// The first child of that name, or null.
  const XmlElement* find(std::string_view child) const;
};

/// The root element of a document in UTF-8. Throws InputError(code) "place:line: ..." for anything
/// that is not well-formed, for a DOCTYPE (it may define entities, which can grow without bound or
/// read files), for an entity other than XML's five, and beyond the limits.
XmlElement parse_xml(std::string_view text,
                     const std::string& place,
                     ExitCode code,
                     const XmlLimits& limits = {});

}  // namespace prescript
