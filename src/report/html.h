#pragma once
// Text from anywhere, made safe to stand in a page.

#include <string>
#include <string_view>

namespace prescript {

/// HTML or SVG source that may stand in a page as it is: the functions of this folder make it, and
/// every text in it went through `escape_html`.
struct Html {
  std::string source;
};

/// `text` as it can stand between tags and within quoted attributes: the five characters with a
/// meaning in HTML become references, bytes that are not UTF-8 and C1 controls U+FFFD, C0 controls
/// their pictures (NUL: U+2400); line ends become \n, \n and tabs stay. What bidirectional controls
/// do is confined by the elements that the text stands in, which isolate.
std::string escape_html(std::string_view text);

/// A name within a line or a cell: escaped, in an element that isolates its direction from what is
/// around it, and with places to break a line behind _ and / and in words of more than 20
/// characters.
Html inline_text(std::string_view text);

}  // namespace prescript
