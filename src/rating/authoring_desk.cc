#include "rating/authoring_desk.h"

#include <algorithm>

#include "rating/exemplar_html.h"
#include "rating/html.h"
#include "text/white_space.h"

namespace prescript {
namespace {

/// A field of a form with line ends as files have them: browsers send CRLF.
std::string field(const std::map<std::string, std::string>& form, const std::string& name) {
  const auto found = form.find(name);
  if (found == form.end()) return "";
  std::string text = found->second;
  for (size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

/// "1", "2", ...; -1 for anything else.
int64_t number_of(const std::string& text) {
  const bool is_number = !text.empty() && text.size() <= 9 &&
                         text.find_first_not_of("0123456789") == std::string::npos &&
                         (text == "0" || text.front() != '0');
  return is_number ? std::stoll(text) : -1;
}

HttpResponse refusal(unsigned status,
                     const std::string& text,
                     const std::string& rater,
                     int64_t number) {
  return message_page(status,
                      "Not kept",
                      text,
                      "/rater/" + rater + "/" + std::to_string(number),
                      "Back to the exemplar");
}

HttpResponse response_to(AuthoringOutcome outcome, const std::string& rater, int64_t number) {
  switch (outcome) {
    case AuthoringOutcome::kKept:
      return redirect("/rater/" + rater);
    case AuthoringOutcome::kChangedMeanwhile:
      return refusal(409,
                     "Somebody else has changed or reviewed this exemplar meanwhile. Copy what you "
                     "wrote, load the page again and look at the new version.",
                     rater,
                     number);
    case AuthoringOutcome::kOwnAnswer:
      break;
  }
  return refusal(409, "Nobody reviews an answer of their own.", rater, number);
}

}  // namespace

HttpResponse AuthoringDesk::respond(const std::string& rater,
                                    std::span<const std::string> path,
                                    const std::string& method,
                                    const std::map<std::string, std::string>& form) {
  if (path.empty() && method == "GET") return list(rater);
  const auto exemplar =
      path.size() == 1 ? store_.exemplar(number_of(path[0])) : std::optional<AuthoredExemplar>();
  if (!exemplar) {
    return message_page(404,
                        "No such page",
                        "There is no page at this address.",
                        "/rater/" + rater,
                        "To your page");
  }
  if (method == "GET") {
    return page_response(200, "Exemplar", exemplar_html(rater, *exemplar, store_.name()));
  }
  const std::string action = field(form, "action");
  if (action == "write") return write(rater, *exemplar, form);
  if (action == "review") return review(rater, *exemplar, form);
  return refusal(422, "The form is not one of this page.", rater, exemplar->number);
}

HttpResponse AuthoringDesk::list(const std::string& rater) {
  return page_response(200, title(), exemplar_list_html(rater, store_.exemplars()));
}

HttpResponse AuthoringDesk::write(const std::string& rater,
                                  const AuthoredExemplar& exemplar,
                                  const std::map<std::string, std::string>& form) {
  const std::string answer = field(form, "answer");
  if (is_blank(answer)) return refusal(422, "An answer needs text.", rater, exemplar.number);
  const bool is_option = answer.size() == 1 && exemplar.letters.find(answer) != std::string::npos;
  if (!exemplar.letters.empty() && !is_option) {
    return refusal(422, "The answer is the letter of an option.", rater, exemplar.number);
  }
  const std::string rationale = field(form, "rationale");
  // The page has no field for the rationale of an answer in free text; it stays as it is.
  std::optional<std::string> kept_rationale;
  if (exemplar.letters.empty()) {
    if (!exemplar.versions.empty()) kept_rationale = exemplar.versions.back().rationale;
  } else if (!is_blank(rationale)) {
    kept_rationale = rationale;
  }
  return response_to(
      store_.write(
          exemplar.number, number_of(field(form, "version")), rater, answer, kept_rationale),
      rater,
      exemplar.number);
}

HttpResponse AuthoringDesk::review(const std::string& rater,
                                   const AuthoredExemplar& exemplar,
                                   const std::map<std::string, std::string>& form) {
  const std::string decision = field(form, "decision");
  const std::string reason = field(form, "reason");
  if (decision != "accept" && decision != "reject") {
    return refusal(422, "A review accepts or rejects.", rater, exemplar.number);
  }
  if (decision == "reject" && is_blank(reason)) {
    return refusal(422, "A rejection needs its reason, for the author.", rater, exemplar.number);
  }
  return response_to(store_.review(exemplar.number,
                                   number_of(field(form, "version")),
                                   rater,
                                   decision == "accept",
                                   is_blank(reason) ? "" : reason),
                     rater,
                     exemplar.number);
}

}  // namespace prescript
