#include "report/html.h"

#include <algorithm>

#include "text/utf8.h"

namespace prescript {
namespace {

constexpr char32_t kReplacement = 0xfffd;
constexpr size_t kLongestWord = 20;

void append_escaped(char32_t character, std::string& html) {
  switch (character) {
    case '&':
      html += "&amp;";
      return;
    case '<':
      html += "&lt;";
      return;
    case '>':
      html += "&gt;";
      return;
    case '"':
      html += "&quot;";
      return;
    case '\'':
      html += "&#39;";
      return;
    case '\n':
    case '\t':
      html += static_cast<char>(character);
      return;
    default:
      break;
  }
  const bool control = character < 0x20;
  if (control) character += 0x2400;
  if (character == 0x7f) character = 0x2421;
  if (character >= 0x80 && character < 0xa0) character = kReplacement;
  append_utf8(character, html);
}

/// Calls `visit` with every character as it will be shown.
template <typename Visit>
void for_each_character(std::string_view text, const Visit& visit) {
  while (!text.empty()) {
    const size_t valid = first_invalid_utf8(text).value_or(text.size());
    for (size_t position = 0; position < valid;) {
      if (text.substr(position, 2) == "\r\n") ++position;
      const char32_t character = next_character(text, position);
      visit(character == '\r' ? U'\n' : character);
    }
    if (valid < text.size()) visit(kReplacement);
    text.remove_prefix(std::min(text.size(), valid + 1));
  }
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string html;
  for_each_character(text, [&](char32_t character) { append_escaped(character, html); });
  return html;
}

Html inline_text(std::string_view text) {
  std::string html = "<bdi>";
  size_t unbroken = 0;
  for_each_character(text, [&](char32_t character) {
    if (unbroken == kLongestWord) {
      html += "<wbr>";
      unbroken = 0;
    }
    append_escaped(character, html);
    const bool separator = character == '_' || character == '/';
    if (separator) html += "<wbr>";
    const bool breaks = separator || character == ' ' || character == '-' || character == '\n';
    unbroken = breaks ? 0 : unbroken + 1;
  });
  return {html + "</bdi>"};
}

}  // namespace prescript
