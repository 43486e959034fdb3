#include "cli/audit_page.h"

#include "cli/audit_report.h"
#include "cli/version.h"
#include "report/page.h"
#include "report/strip_table.h"

namespace prescript {
namespace {

constexpr const char* kAbsent = "none";

std::string count(size_t number) {
  return count_text(static_cast<int64_t>(number));
}

void add_identity(Page& page, const AuditResult& result) {
  const Membership& membership = result.membership;
  std::vector<std::pair<std::string, std::string>> facts = {
      {"Adapter", result.adapter},
      {"Members",
       count(membership.num_members) + " exemplars of " + result.members + " (" +
           describe_members(result) + ")"},
      {"Non-members",
       count(membership.num_non_members) + " exemplars of " + result.non_members +
           (result.non_members_chose_step ? std::string("; ") + kChoseStep : "")},
      {"Privacy", describe_privacy(result)},
      {"Few-shot exemplars in the adapter",
       result.num_few_shot == 0
           ? kAbsent
           : count(result.num_few_shot) + ", whose text anybody who has the adapter can read"},
      {"Seed", std::to_string(result.seed)},
      {"Program", std::string("prescript ") + kVersion}};
  page.facts(facts);
}

ChartSeries series_of(const std::string& name, const MembershipAttack& attack) {
  ChartSeries series{.name = name, .points = {}};
  for (const RocPoint& point : attack.curve) {
    series.points.push_back({point.false_positive_rate, point.true_positive_rate});
  }
  return series;
}

void add_membership(Page& page, const Membership& membership) {
  page.section("Can members be told from non-members?");
  page.paragraph(
      "An attacker who holds an exemplar asks whether the adapter was trained on it, and calls it "
      "a member when its loss is low. By loss: under the adapter. Calibrated: less the base "
      "model's loss, which knows how hard a text is.");
  const std::string found = "members found " + at_false_positives(membership.num_non_members);
  const double found_by_chance = true_positive_rate_by_chance(membership.num_non_members);
  const auto row =
      [](const char* attack, const std::string& figure, const Estimate& value, double chance) {
        return IntervalRow{.labels = {attack, figure}, .estimate = value, .reference = chance};
      };
  page.table(interval_table(
      {.caption = "Figures with 95 % bootstrap intervals; the mark is chance",
       .label_columns = {"attack", "figure"},
       .value_column = "value",
       .style = NumberStyle::kPercent,
       .rows = {
           row("by loss", "AUC", membership.by_loss.auc, 0.5),
           row("by loss", found, membership.by_loss.true_positive_rate, found_by_chance),
           row("calibrated", "AUC", membership.calibrated.auc, 0.5),
           row("calibrated", found, membership.calibrated.true_positive_rate, found_by_chance)}}));
  const std::vector<LineChart> charts = {
      {.title = "Members found against false positives",
       .description = "The diagonal is chance; a curve above it tells members apart.",
       .x = {.label = "false positives", .style = NumberStyle::kPercent, .low = 0, .high = 1},
       .y = {.label = "members found", .style = NumberStyle::kPercent, .low = 0, .high = 1},
       .series = {series_of("by loss", membership.by_loss),
                  series_of("calibrated", membership.calibrated)},
       .diagonal = true,
       .reference_name = "chance"}};
  page.charts(charts);
  const auto loss = [](double value) { return Cell{number_text(value, NumberStyle::kPlain)}; };
  page.table(
      {.caption = "Mean loss of an exemplar (nats a target)",
       .columns = {{"exemplars"},
                   {"adapter", ColumnKind::kNumber},
                   {"base model", ColumnKind::kNumber}},
       .rows = {{{"members"}, loss(membership.member_loss), loss(membership.member_base_loss)},
                {{"non-members"},
                 loss(membership.non_member_loss),
                 loss(membership.non_member_base_loss)}}});
}

std::vector<Cell> run_cells(const FoundRun& run) {
  if (run.num_words == 0) return {{kAbsent}, {""}, {""}, {""}};
  return {{count(run.num_words)},
          {count(run.num_characters)},
          {count(run.num_tokens)},
          {run.exemplar, run.question == run.exemplar ? "" : "asked " + run.question}};
}

void add_recitations(Page& page, const AuditResult& result, bool show) {
  if (result.recitations.empty()) return;
  page.section("What do its answers recite?");
  page.paragraph(
      "Questions of exemplars were asked, each once greedily and " + count(result.samples) +
      " times at temperature " + decimal(result.temperature) + ", for at most " +
      count(result.max_new_tokens) +
      " tokens. Counted are equal words in a row that an answer shares with an exemplar's "
      "answer. What the base model or the answers to non-members' questions share too is "
      "the language's, not the exemplars'.");
  Table table{.caption = "The longest runs of words",
              .columns = {{"asked"},
                          {"compared with"},
                          {"mean words", ColumnKind::kNumber},
                          {"words", ColumnKind::kNumber},
                          {"characters", ColumnKind::kNumber},
                          {"tokens", ColumnKind::kNumber},
                          {"exemplar"}}};
  std::vector<std::pair<std::string, std::string>> texts;
  for (const Recitation& recitation : result.recitations) {
    const std::string who = recitation.who + " (" + count(recitation.num_questions) + ")";
    std::vector<Cell> own = {
        {who}, {"own answer"}, estimate_cell(recitation.mean_words, NumberStyle::kPlain)};
    for (Cell& cell : run_cells(recitation.longest_own)) own.push_back(std::move(cell));
    std::vector<Cell> any = {{who}, {"any member's answer"}, {""}};
    for (Cell& cell : run_cells(recitation.longest_any)) any.push_back(std::move(cell));
    table.rows.push_back(std::move(own));
    table.rows.push_back(std::move(any));
    if (recitation.longest_own.num_words > 0) {
      texts.emplace_back(recitation.who, recitation.longest_own.words);
    }
  }
  page.table(table);
  if (show) page.texts("The longest runs of own answers", texts);
}

void add_canaries(Page& page, const std::vector<FoundCanary>& canaries) {
  page.section("Are planted secrets known?");
  if (canaries.empty()) {
    page.paragraph("No canary was planted: canaries.count in a recipe plants them.");
    return;
  }
  const size_t num_ranked = canaries[0].with_adapter.num_ranked;
  page.paragraph("Each canary's secret is ranked by its likelihood among " + count(num_ranked) +
                 " that it could have been. Exposure is log2(" + count(num_ranked) +
                 " / rank); by chance it is " +
                 number_text(expected_exposure_by_chance(num_ranked), NumberStyle::kPlain) +
                 " bits on average.");
  Table table{.caption = "Canaries",
              .columns = {{"canary"},
                          {"rank", ColumnKind::kNumber},
                          {"exposure (bits)", ColumnKind::kNumber},
                          {"rank in the base model", ColumnKind::kNumber},
                          {"exposure in the base model", ColumnKind::kNumber}}};
  for (const FoundCanary& canary : canaries) {
    table.rows.push_back({{canary.name},
                          {count(canary.with_adapter.rank)},
                          {number_text(canary.with_adapter.bits, NumberStyle::kPlain)},
                          {count(canary.base.rank)},
                          {number_text(canary.base.bits, NumberStyle::kPlain)}});
  }
  page.table(table);
}

}  // namespace

std::string audit_page(const AuditResult& result, bool show) {
  Page page("What the adapter may leak", result.adapter);
  add_identity(page, result);
  add_membership(page, result.membership);
  add_recitations(page, result, show);
  add_canaries(page, result.canaries);
  page.section("What this audit does not show");
  page.list(what_an_audit_does_not_show());
  return page.html();
}

}  // namespace prescript
