#include "rating/exemplar_html.h"

#include <algorithm>

#include "rating/html.h"
#include "report/html.h"
#include "text/utf8.h"

namespace prescript {
namespace {

constexpr size_t kMaxShownBytes = 120;

/// The beginning of a text, for a list.
std::string beginning(const std::string& text) {
  const size_t line_end = std::min(text.find('\n'), text.size());
  if (line_end <= kMaxShownBytes) return text.substr(0, line_end);
  return text.substr(0, complete_utf8_length(std::string_view(text).substr(0, kMaxShownBytes))) +
         "…";
}

/// What `rater` can do with an exemplar; the list has a group for each.
struct Group {
  const char* title;
  bool (*holds)(const AuthoredExemplar&, const std::string& rater);
};

bool is_own(const AuthoredExemplar& exemplar, const std::string& rater) {
  return !exemplar.versions.empty() && exemplar.versions.back().author == rater;
}

constexpr Group kGroups[] = {
    {"To be reviewed by you",
     [](const AuthoredExemplar& e, const std::string& rater) {
       return e.status() == AuthoringStatus::kWritten && !is_own(e, rater);
     }},
    {"Rejected, to be revised",
     [](const AuthoredExemplar& e, const std::string&) {
       return e.status() == AuthoringStatus::kRejected;
     }},
    {"To be written",
     [](const AuthoredExemplar& e, const std::string&) {
       return e.status() == AuthoringStatus::kOpen;
     }},
    {"Written by you, waiting for a review",
     [](const AuthoredExemplar& e, const std::string& rater) {
       return e.status() == AuthoringStatus::kWritten && is_own(e, rater);
     }},
    {"Accepted",
     [](const AuthoredExemplar& e, const std::string&) {
       return e.status() == AuthoringStatus::kAccepted;
     }},
};

std::string who(const std::string& code) {
  return code.empty() ? "the file" : escape_html(code);
}

std::string history_html(const AuthoredExemplar& exemplar) {
  std::string html;
  for (auto version = exemplar.versions.rbegin(); version != exemplar.versions.rend(); ++version) {
    html += "<p class=\"history quiet\">Version " + std::to_string(version->number) + " by " +
            who(version->author) + ", " + escape_html(version->written_at.substr(0, 10));
    if (!version->reviewer.empty()) {
      html += std::string("; ") + (version->is_accepted ? "accepted" : "rejected") + " by " +
              who(version->reviewer) + ", " + escape_html(version->reviewed_at.substr(0, 10));
      if (!version->reason.empty()) {
        html += ":<br><span class=\"text\">" + escape_html(version->reason) + "</span>";
      }
    }
    html += "</p>\n";
  }
  return html;
}

std::string form_begin(const std::string& rater,
                       const AuthoredExemplar& exemplar,
                       const char* action,
                       const std::string& draft) {
  const int64_t version = exemplar.versions.empty() ? 0 : exemplar.versions.back().number;
  return "<form method=\"post\" action=\"/rater/" + rater + "/" + std::to_string(exemplar.number) +
         "\" data-draft=\"" + draft + "/" + rater + "/" + std::to_string(exemplar.number) + "/" +
         std::to_string(version) + "/" + action +
         "\" data-focus=\"no\">\n<input type=\"hidden\" name=\"action\" value=\"" + action +
         "\">\n<input type=\"hidden\" name=\"version\" value=\"" + std::to_string(version) +
         "\">\n";
}

std::string form_end(const char* label, const char* kind) {
  return "<p class=\"problem\" role=\"alert\"></p>\n<p class=\"actions\"><button type=\"submit\"" +
         std::string(kind) + ">" + label + "</button></p>\n</form>\n";
}

std::string radio(
    const char* name, const std::string& value, const std::string& label, bool checked, int key) {
  return "<label><input type=\"radio\" name=\"" + std::string(name) + "\" value=\"" + value +
         "\" required" + (checked ? " checked" : "") + "><span class=\"option\"><kbd>" +
         std::to_string(key) + "</kbd>" + label + "</span></label>\n";
}

std::string review_form(const std::string& rater,
                        const AuthoredExemplar& exemplar,
                        const std::string& draft) {
  return form_begin(rater, exemplar, "review", draft) +
         "<fieldset>\n<legend>Would you sign this answer?</legend>\n<div class=\"options\">\n" +
         radio("decision", "accept", "Accept", false, 1) +
         radio("decision", "reject", "Reject", false, 2) +
         "</div>\n</fieldset>\n<label class=\"field\"><span>Reason (needed to reject)</span>"
         "<textarea class=\"short\" name=\"reason\" maxlength=\"20000\"></textarea></label>\n" +
         form_end("Save the review", "");
}

std::string answer_form(const std::string& rater,
                        const AuthoredExemplar& exemplar,
                        const std::string& draft) {
  const AnswerVersion* latest = exemplar.versions.empty() ? nullptr : &exemplar.versions.back();
  const std::string answer = latest != nullptr ? latest->answer : "";
  const std::string rationale = latest != nullptr ? latest->rationale.value_or("") : "";
  std::string html = form_begin(rater, exemplar, "write", draft);
  // A line break right behind the tag is not part of a textarea's text.
  if (exemplar.letters.empty()) {
    html +=
        "<label class=\"field\"><span>Answer</span><textarea name=\"answer\" required "
        "maxlength=\"100000\">\n" +
        escape_html(answer) + "</textarea></label>\n";
  } else {
    html += "<fieldset>\n<legend>The right option</legend>\n<div class=\"options\">\n";
    for (size_t i = 0; i < exemplar.letters.size(); ++i) {
      const std::string letter(1, exemplar.letters[i]);
      html += radio("answer", letter, letter, letter == answer, static_cast<int>(i) + 1);
    }
    html +=
        "</div>\n</fieldset>\n<label class=\"field\"><span>Rationale (optional)</span>"
        "<textarea name=\"rationale\" maxlength=\"100000\">\n" +
        escape_html(rationale) + "</textarea></label>\n";
  }
  const bool is_first = latest == nullptr;
  return html + form_end(is_first ? "Save the answer" : "Save as a new version",
                         is_first ? "" : " class=\"second\"");
}

}  // namespace

std::string exemplar_list_html(const std::string& rater,
                               const std::vector<AuthoredExemplar>& exemplars) {
  const auto accepted = std::count_if(exemplars.begin(), exemplars.end(), [](const auto& e) {
    return e.status() == AuthoringStatus::kAccepted;
  });
  std::string html = "<header class=\"bar\"><span>" + std::to_string(accepted) + " of " +
                     std::to_string(exemplars.size()) + " accepted</span><progress max=\"" +
                     std::to_string(exemplars.size()) + "\" value=\"" + std::to_string(accepted) +
                     "\" aria-label=\"accepted\"></progress><span class=\"rater\">" + rater +
                     "</span></header>\n<main>\n<h1>Exemplars</h1>\n";
  for (const Group& group : kGroups) {
    std::string rows;
    size_t count = 0;
    for (const AuthoredExemplar& exemplar : exemplars) {
      if (!group.holds(exemplar, rater)) continue;
      ++count;
      rows += "<tr><td><a href=\"/rater/" + rater + "/" + std::to_string(exemplar.number) + "\">" +
              escape_html(beginning(exemplar.question)) + "</a></td><td class=\"quiet\">" +
              (exemplar.versions.empty() ? "" : who(exemplar.versions.back().author)) +
              "</td></tr>\n";
    }
    if (count == 0) continue;
    html += "<section class=\"card\">\n<h2>" + std::string(group.title) + " (" +
            std::to_string(count) +
            ")</h2>\n<table>\n<thead><tr><th>Question</th><th>Author</th>"
            "</tr></thead>\n<tbody>\n" +
            rows + "</tbody>\n</table>\n</section>\n";
  }
  return html + "<p class=\"actions\"><a href=\"/\">Another code</a></p>\n</main>\n";
}

std::string exemplar_html(const std::string& rater,
                          const AuthoredExemplar& exemplar,
                          const std::string& store_name) {
  std::string html =
      "<header class=\"bar\"><a href=\"/rater/" + rater + "\">All exemplars</a><span>" +
      name_of(exemplar.status()) + "</span><span class=\"rater\">" + rater +
      "</span></header>\n<main class=\"wide beside\">\n<section class=\"card case\">\n"
      "<h2 class=\"label\">Question</h2>\n<p class=\"text question\">" +
      escape_html(exemplar.question) + "</p>\n";
  if (!exemplar.versions.empty()) {
    const AnswerVersion& latest = exemplar.versions.back();
    html += "<br>\n<h2 class=\"label\">Answer, version " + std::to_string(latest.number) +
            "</h2>\n<p class=\"text\">" + escape_html(latest.answer) + "</p>\n";
    if (latest.rationale) {
      html += "<br>\n<h2 class=\"label\">Rationale</h2>\n<p class=\"text\">" +
              escape_html(*latest.rationale) + "</p>\n";
    }
    html += "<br>\n" + history_html(exemplar);
  }
  html += "</section>\n<div>\n";
  const bool is_for_review =
      exemplar.status() != AuthoringStatus::kOpen && !is_own(exemplar, rater) &&
      (exemplar.versions.back().reviewer.empty() || exemplar.versions.back().reviewer == rater);
  if (is_for_review) {
    html += "<section class=\"card\">\n<h2>Review</h2>\n" +
            review_form(rater, exemplar, store_name) + "</section>\n";
  }
  html +=
      std::string("<section class=\"card\">\n<h2>") +
      (exemplar.versions.empty() ? "Write" : "Or edit") + "</h2>\n" +
      (is_for_review ? "<p class=\"quiet\">Who edits an answer becomes its author, and somebody "
                       "else reviews it.</p>\n"
                     : "") +
      answer_form(rater, exemplar, store_name) + "</section>\n";
  return html +
         "<p class=\"keys quiet\"><kbd>Ctrl</kbd> + <kbd>Enter</kbd> saves</p>\n</div>\n"
         "</main>\n";
}

}  // namespace prescript
