#include "rating/rating_desk.h"

#include "base/counted.h"
#include "rating/html.h"
#include "rating/rater.h"
#include "rating/task_html.h"
#include "report/html.h"

namespace prescript {
namespace {

/// A place in a rater's order as addresses spell it: 1, 2, ...; 0 for anything else.
size_t number_of(const std::string& text) {
  if (text.empty() || text.size() > 9 || text.front() == '0') return 0;
  size_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return 0;
    number = number * 10 + static_cast<size_t>(c - '0');
  }
  return number;
}

}  // namespace

struct RatingDesk::Place {
  TaskPlace task;
  Choices chosen;
};

std::string RatingDesk::title() const {
  return study_.plan().kind == StudyKind::kRanking ? "Ranking answers" : "Rating answers";
}

std::string RatingDesk::invitation() const {
  const size_t tasks = study_.plan().tasks.size();
  const std::string what = study_.plan().kind == StudyKind::kRanking
                               ? counted(tasks, "question") +
                                     " with several answers each, which "
                                     "you put in order."
                               : counted(tasks, "answer") + ", one at a time.";
  return what + " You are not told who or what wrote an answer.";
}

HttpResponse RatingDesk::respond(const std::string& rater,
                                 std::span<const std::string> path,
                                 const std::string& method,
                                 const std::map<std::string, std::string>& form) {
  const bool is_post = method == "POST";
  if (path.empty() && !is_post) return overview(rater);
  if (path.size() == 1 && path[0] == "next" && !is_post) return next(rater);
  const auto order = study_.order(rater);
  const size_t number = path.size() == 1 ? number_of(path[0]) : 0;
  if (number < 1 || number > order.size()) {
    return message_page(404,
                        "No such page",
                        "There is no page at this address.",
                        "/rater/" + rater,
                        "To your page");
  }
  const size_t task = order[number - 1];
  const auto rated = study_.ratings_of(rater);
  Place place{.task = {rater, task, number, order.size(), rated.size()}, .chosen = {}};
  if (const auto rating = rated.find(task); rating != rated.end()) {
    place.chosen = rating->second.choices;
  }
  return is_post ? submit(place, form) : task_page(place);
}

HttpResponse RatingDesk::overview(const std::string& rater) {
  const size_t total = study_.plan().tasks.size();
  const size_t done = study_.ratings_of(rater).size();
  std::string text;
  std::string button;
  if (done == 0) {
    text =
        "Nothing has been rated with this code yet. If you have rated before, go back and check "
        "your code.";
    button = "Begin";
  } else if (done < total) {
    text = std::to_string(done) + " of " + std::to_string(total) + " are done.";
    button = "Continue";
  } else {
    text = "All " + std::to_string(total) + " are done. Thank you!";
  }
  std::string body =
      "<main>\n<section class=\"card\">\n<h1>" + escape_html(title()) + ", " + rater +
      "</h1>\n<p>" + escape_html(text) + "</p>\n<p><progress max=\"" + std::to_string(total) +
      "\" value=\"" + std::to_string(done) +
      "\" aria-label=\"rated\"></progress></p>\n<p class=\"quiet\">What you submit is "
      "kept at once: you may close this page at any time and go on later with the "
      "same code.</p>\n<p class=\"actions\">";
  if (!button.empty()) {
    body += "<a class=\"button\" autofocus href=\"/rater/" + rater + "/next\">" + button + "</a>";
  }
  if (done == total && total > 0) {
    body +=
        "<a href=\"/rater/" + rater + "/" + std::to_string(total) + "\">Look at the last one</a>";
  }
  body += "<a href=\"/\">Another code</a></p>\n</section>\n</main>\n";
  return page_response(200, title(), body);
}

HttpResponse RatingDesk::next(const std::string& rater) {
  const auto rated = study_.ratings_of(rater);
  const auto order = study_.order(rater);
  for (size_t i = 0; i < order.size(); ++i) {
    if (!rated.contains(order[i])) {
      return redirect("/rater/" + rater + "/" + std::to_string(i + 1));
    }
  }
  return redirect("/rater/" + rater);
}

HttpResponse RatingDesk::task_page(const Place& place) {
  return page_response(
      200,
      std::to_string(place.task.number) + " of " + std::to_string(place.task.total),
      task_html(study_, place.task, place.chosen));
}

HttpResponse RatingDesk::submit(const Place& place,
                                const std::map<std::string, std::string>& form) {
  Choices choices = form;
  const std::string here = "/rater/" + place.task.rater + "/" + std::to_string(place.task.number);
  const auto task = choices.extract("task");
  if (task.empty() || task.mapped() != std::to_string(place.task.task + 1)) {
    return message_page(409,
                        "Not kept",
                        "This form belongs to another study; reload the page.",
                        here,
                        "Load the page again");
  }
  if (!study_.problem_with(choices).empty()) {
    return message_page(
        422, "Not kept yet", "Every question needs one of its options.", here, "Back to the form");
  }
  study_.submit({place.task.rater, place.task.task, choices, utc_now()});
  return redirect("/rater/" + place.task.rater + "/next");
}

}  // namespace prescript
