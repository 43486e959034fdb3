#include "io/xml.h"

#include <algorithm>

#include <pugixml.hpp>

#include "io/quote.h"
#include "io/text_place.h"

namespace prescript {
namespace {

bool is_reference(std::string_view name) {
  for (const char* known : {"amp", "lt", "gt", "quot", "apos"}) {
    if (name == known) return true;
  }
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const bool is_hexadecimal = name.starts_with('x');
  if (is_hexadecimal) name.remove_prefix(1);
  const char* digits = is_hexadecimal ? "0123456789abcdefABCDEF" : "0123456789";
  return !name.empty() && name.size() <= 6 && name.find_first_not_of(digits) == name.npos;
}

/// pugixml leaves an entity that it does not know as text, `&nbsp;` and all.
void require_known_entities(const TextPlace& place) {
  const std::string_view text = place.text();
  const auto skip = [&](size_t& at, std::string_view begin, std::string_view end) {
    if (!text.substr(at).starts_with(begin)) return false;
    at = std::min(text.find(end, at), text.size());
    return true;
  };
  for (size_t at = text.find_first_of("&<"); at < text.size();
       at = text.find_first_of("&<", at + 1)) {
    if (skip(at, "<![CDATA[", "]]>") || skip(at, "<!--", "-->") || text[at] == '<') continue;
    const size_t end = text.find(';', at);
    const auto name = text.substr(at + 1, end == text.npos ? 0 : end - at - 1);
    if (!is_reference(name)) {
      place.fail(at,
                 "an entity that XML does not know; write the character itself, and & as &amp;");
    }
  }
}

class Converter {
 public:
  Converter(const TextPlace& place, const XmlLimits& limits) : place_(place), limits_(limits) {}

  XmlElement element(const pugi::xml_node& node, size_t depth) const {
    const auto offset = static_cast<size_t>(std::max<ptrdiff_t>(node.offset_debug(), 0));
    if (depth > limits_.max_depth) {
      place_.fail(offset, "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    XmlElement made;
    made.name = node.name();
    made.place = place_.place() + ":" + std::to_string(place_.position(offset).line);
    for (const pugi::xml_attribute& attribute : node.attributes()) {
      if (!made.attributes.try_emplace(attribute.name(), attribute.value()).second) {
        place_.fail(offset, "the attribute " + quote(attribute.name()) + " comes twice");
      }
    }
    for (const pugi::xml_node& child : node.children()) {
      if (child.type() == pugi::node_element) made.children.push_back(element(child, depth + 1));
      if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata)
        made.text += child.value();
    }
    return made;
  }

 private:
  const TextPlace& place_;
  const XmlLimits& limits_;
};

}  // namespace

const XmlElement* XmlElement::find(std::string_view child) const {
  const auto found = std::find_if(
      children.begin(), children.end(), [&](const XmlElement& one) { return one.name == child; });
  return found == children.end() ? nullptr : &*found;
}

XmlElement parse_xml(std::string_view text,
                     const std::string& place,
                     ExitCode code,
                     const XmlLimits& limits) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (text.size() > limits.max_bytes) {
    throw InputError(code,
                     place + ": " + std::to_string(text.size()) + " bytes of XML; at most " +
                         std::to_string(limits.max_bytes) + " are read");
  }
  const TextPlace text_place(text, place, code);
  text_place.require_utf8_text();
  require_known_entities(text_place);
  pugi::xml_document document;
  const auto parsed = document.load_buffer(
      text.data(), text.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8);
  if (!parsed) {
    const auto offset = static_cast<size_t>(std::max<ptrdiff_t>(parsed.offset, 0));
    text_place.fail(std::min(offset, text.size()), parsed.description());
  }
  pugi::xml_node root;
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() == pugi::node_doctype) {
      throw InputError(code, place + ": it has a DOCTYPE, which may define entities; remove it");
    }
    if (node.type() != pugi::node_element) continue;
    if (root) text_place.fail(static_cast<size_t>(node.offset_debug()), "a second root element");
    root = node;
  }
  return Converter(text_place, limits).element(root, 1);
}

}  // namespace prescript
