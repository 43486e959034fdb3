#include "report/page.h"

#include "report/page_style.h"

namespace prescript {
namespace {

std::string element(std::string_view name, std::string_view text) {
  return "<" + std::string(name) + ">" + escape_html(text) + "</" + std::string(name) + ">\n";
}

/// A heading or a block takes the direction of its text.
std::string directed(std::string_view open, std::string_view text, std::string_view close) {
  return "<" + std::string(open) + " dir=\"auto\">" + escape_html(text) + "</" +
         std::string(close) + ">\n";
}

}  // namespace

Page::Page(std::string_view title, std::string_view subtitle)
    : title_(title), subtitle_(subtitle) {}

void Page::section(std::string_view heading) {
  headings_.emplace_back(heading);
  body_ += directed("h2 id=\"section-" + std::to_string(headings_.size()) + "\"", heading, "h2");
}

void Page::subsection(std::string_view heading) {
  body_ += directed("h3", heading, "h3");
}

void Page::paragraph(std::string_view text) {
  body_ += element("p", text);
}

void Page::note(std::string_view text) {
  body_ += "<p class=\"note\">" + escape_html(text) + "</p>\n";
}

void Page::list(std::span<const std::string> items) {
  body_ += "<ul>\n";
  for (const std::string& item : items) body_ += element("li", item);
  body_ += "</ul>\n";
}

void Page::facts(std::span<const std::pair<std::string, std::string>> facts) {
  body_ += "<dl class=\"facts\">\n";
  for (const auto& [name, value] : facts)
    body_ += element("dt", name) + directed("dd", value, "dd");
  body_ += "</dl>\n";
}

void Page::table(const Table& table) {
  body_ += table_html(table).source;
}

void Page::charts(std::span<const LineChart> charts) {
  body_ += "<div class=\"charts\">\n";
  for (const LineChart& chart : charts) body_ += line_chart(chart).source;
  body_ += "</div>\n";
}

void Page::texts(std::string_view heading,
                 std::span<const std::pair<std::string, std::string>> texts) {
  body_ += "<div class=\"texts\">" + directed("h3", heading, "h3") + "<dl>";
  for (const auto& [name, text] : texts) body_ += element("dt", name) + directed("dd", text, "dd");
  body_ += "</dl></div>\n";
}

void Page::preformatted(std::string_view text) {
  body_ += "<pre>" + escape_html(text) + "</pre>\n";
}

std::string Page::html() const {
  std::string contents;
  for (size_t i = 0; i < headings_.size(); ++i)
    contents += "<a href=\"#section-" + std::to_string(i + 1) + "\">" +
                inline_text(headings_[i]).source + "</a>\n";
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escape_html(title_) + "</title>\n<style>" + std::string(kPageStyle) +
         "</style>\n</head>\n<body>\n<header>" + directed("h1", title_, "h1") +
         directed("p", subtitle_, "p") + "</header>\n<nav>" + contents + "</nav>\n<main>\n" +
         body_ + "</main>\n</body>\n</html>\n";
}

}  // namespace prescript
