#include "rating/task_html.h"

#include "rating/html.h"
#include "report/html.h"

namespace prescript {
namespace {

std::string text_block(const std::string& label, const std::string& text, const char* kind) {
  const std::string shown =
      text.empty() ? "<p class=\"quiet\">(This answer is empty.)</p>\n"
                   : "<p class=\"text " + std::string(kind) + "\">" + escape_html(text) + "</p>\n";
  return "<h2 class=\"label\">" + escape_html(label) + "</h2>\n" + shown;
}

std::string fieldset(const Axis& axis, const std::string& number, const std::string& chosen) {
  std::string html = "<fieldset>\n<legend><span class=\"number\">" + number + "</span>" +
                     escape_html(axis.question) + "</legend>\n<div class=\"options\">\n";
  for (size_t i = 0; i < axis.options.size(); ++i) {
    const AxisOption& option = axis.options[i];
    const std::string label =
        option.label == std::to_string(i + 1) ? "" : "<kbd>" + std::to_string(i + 1) + "</kbd>";
    html += "<label><input type=\"radio\" name=\"" + axis.key + "\" value=\"" + option.key +
            "\" required" + (option.key == chosen ? " checked" : "") + "><span class=\"option\">" +
            label + escape_html(option.label) + "</span></label>\n";
  }
  return html + "</div>\n</fieldset>\n";
}

std::string chosen_on(const Choices& chosen, const Axis& axis) {
  const auto choice = chosen.find(axis.key);
  return choice == chosen.end() ? "" : choice->second;
}

std::string form_begin(const Study& study, const TaskPlace& place) {
  const std::string number = std::to_string(place.number);
  return "<form method=\"post\" action=\"/rater/" + place.rater + "/" + number +
         "\" data-draft=\"" + study.name() + "/" + place.rater + "/" + number +
         "\">\n<input type=\"hidden\" name=\"task\" value=\"" + std::to_string(place.task + 1) +
         "\">\n";
}

std::string form_end(const TaskPlace& place, bool is_correction, size_t num_options) {
  std::string html = "<p class=\"problem\" role=\"alert\"></p>\n<p class=\"actions\">";
  html +=
      std::string("<button type=\"submit\">") + (is_correction ? "Save" : "Submit") + "</button>";
  if (place.number > 1) {
    html += "<a data-back href=\"/rater/" + place.rater + "/" + std::to_string(place.number - 1) +
            "\">Back to the previous one</a>";
  }
  if (is_correction) html += "<a href=\"/rater/" + place.rater + "/next\">On without a change</a>";
  return html + "</p>\n<p class=\"keys quiet\"><kbd>1</kbd> to <kbd>" +
         std::to_string(num_options) +
         "</kbd> choose, <kbd>Tab</kbd> moves on, <kbd>Enter</kbd> submits" +
         (place.number > 1 ? ", <kbd>b</kbd> goes back" : "") + "</p>\n</form>\n";
}

std::string bar(const TaskPlace& place) {
  return "<header class=\"bar\"><span>" + std::to_string(place.number) + " of " +
         std::to_string(place.total) + "</span><progress max=\"" + std::to_string(place.total) +
         "\" value=\"" + std::to_string(place.done) + "\" aria-label=\"rated\">" +
         std::to_string(place.done) + " rated</progress><span class=\"rater\">" + place.rater +
         "</span></header>\n";
}

}  // namespace

std::string task_html(const Study& study, const TaskPlace& place, const Choices& chosen) {
  const StudyTask& task = study.plan().tasks[place.task];
  const std::vector<Axis>& axes = study.axes();
  size_t num_options = 0;
  for (const Axis& axis : axes) num_options = std::max(num_options, axis.options.size());
  const std::string end = form_end(place, !chosen.empty(), num_options);
  const std::string question = text_block("Question", task.question, "question");
  if (study.plan().kind == StudyKind::kRanking) {
    std::string html =
        bar(place) + "<main>\n<section class=\"card\">\n" + question + "</section>\n" +
        form_begin(study, place) +
        "<p class=\"quiet\">Give each answer its place; 1 is the best. Answers that are "
        "equally good may share a place.</p>\n";
    for (size_t i = 0; i < axes.size(); ++i) {
      html += "<section class=\"card\">\n" + text_block(axes[i].title, task.answers[i].text, "") +
              "<br>\n" + fieldset(axes[i], "", chosen_on(chosen, axes[i])) + "</section>\n";
    }
    return html + end + "</main>\n";
  }
  std::string html = bar(place) + "<main class=\"wide beside\">\n<section class=\"card case\">\n" +
                     question + "<br>\n" + text_block("Answer", task.answers.front().text, "") +
                     "</section>\n" + form_begin(study, place);
  for (size_t i = 0; i < axes.size(); ++i) {
    html += fieldset(axes[i], std::to_string(i + 1), chosen_on(chosen, axes[i]));
  }
  return html + end + "</main>\n";
}

std::string paper_html(const Study& study, const std::string& rater) {
  std::string body = "<main class=\"paper\">\n<h1>Rating form</h1>\n<p>Rater " + rater + ", " +
                     std::to_string(study.plan().tasks.size()) +
                     " tasks. Tick one box on every line. For the CSV file: the task's number, and "
                     "the words in parentheses as columns and values.</p>\n";
  for (const size_t index : study.order(rater)) {
    const StudyTask& task = study.plan().tasks[index];
    body += "<article>\n<h2>Task " + std::to_string(index + 1) + "</h2>\n" +
            text_block("Question", task.question, "question");
    for (size_t i = 0; i < task.answers.size(); ++i) {
      const std::string letter =
          task.answers.size() > 1 ? " " + std::string(1, static_cast<char>('A' + i)) : "";
      body += text_block("Answer" + letter, task.answers[i].text, "");
    }
    body += "<ol>\n";
    for (const Axis& axis : study.axes()) {
      body += "<li>" + escape_html(axis.question) + " (" + axis.key + ")<div class=\"options\">";
      for (const AxisOption& option : axis.options) {
        body += "<span>&#9744; " + escape_html(option.label) +
                (option.label == option.key ? "" : " (" + option.key + ")") + "</span> ";
      }
      body += "</div></li>\n";
    }
    body += "</ol>\n</article>\n";
  }
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<title>Rating form of " +
         rater + "</title>\n<style>\n" + kDeskStyle + "</style>\n</head>\n<body>\n" + body +
         "</main>\n</body>\n</html>\n";
}

}  // namespace prescript
