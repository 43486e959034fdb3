#include "text/white_space.h"

#include <optional>

#include "text/jinja_text.h"

namespace prescript {

bool is_blank(std::string_view text) {
  return jinja::strip(text, std::nullopt, jinja::Side::kBoth).empty();
}

}  // namespace prescript
