#include "exemplars/overlap.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "base/error.h"
#include "exemplars/contained_words.h"
#include "exemplars/groups.h"
#include "exemplars/similar_sets.h"

namespace prescript {
namespace {

constexpr SetSimilarity kSimilar = {.jaccard = 0.4, .shared = 8};

/// Texts as they are compared, one item each.
struct Texts {
  std::vector<Words> questions;              // empty: not looked for in others
  std::vector<std::vector<Words>> all;       // all that is compared, in a fixed order
  std::vector<std::vector<uint64_t>> grams;  // ascending

  size_t size() const { return all.size(); }

  void add(Words question, std::vector<Words> texts) {
    std::vector<uint64_t> of_all;
    for (const Words& text : texts) append_grams(text, of_all);
    std::sort(of_all.begin(), of_all.end());
    of_all.erase(std::unique(of_all.begin(), of_all.end()), of_all.end());
    questions.push_back(std::move(question));
    all.push_back(std::move(texts));
    grams.push_back(std::move(of_all));
  }
};

Texts asked_by(std::span<const Exemplar> exemplars) {
  Texts asked;
  for (const Exemplar& exemplar : exemplars) {
    const Words question = words_of(exemplar.question);
    std::vector<Words> texts = {question, words_of(exemplar.context.value_or(""))};
    for (const ChatMessage& turn : exemplar.between) texts.push_back(words_of(turn.content));
    const auto options_begin = static_cast<ptrdiff_t>(texts.size());
    for (const AnswerOption& option : exemplar.options) texts.push_back(words_of(option.text));
    std::sort(texts.begin() + options_begin, texts.end());
    asked.add(question, std::move(texts));
  }
  return asked;
}

/// The first of the items that have the same texts, for each item.
std::vector<size_t> firsts_of(const Texts& texts) {
  std::map<std::vector<Words>, size_t> seen;
  std::vector<size_t> firsts;
  for (size_t i = 0; i < texts.size(); ++i) {
    firsts.push_back(seen.try_emplace(texts.all[i], i).first->second);
  }
  return firsts;
}

std::vector<LikePair> repeats_in(const Texts& texts) {
  Groups groups(texts.size());
  std::vector<LikePair> pairs;
  const auto add = [&](size_t a, size_t b, Likeness likeness) {
    if (groups.are_one(a, b)) return;
    groups.join(a, b);
    pairs.push_back({std::max(a, b), std::min(a, b), likeness, 1});
  };
  const std::vector<size_t> firsts = firsts_of(texts);
  for (size_t i = 0; i < texts.size(); ++i) add(i, firsts[i], Likeness::kSame);
  for_each_contained(texts.questions, texts.all, [&](size_t needle, size_t haystack) {
    add(needle, haystack, Likeness::kContained);
  });
  SimilarSets similar(texts.grams, kSimilar, groups);
  for (size_t i = 0; i < texts.size(); ++i) {
    similar.join(i, [&](size_t other, double similarity) {
      pairs.push_back({i, other, Likeness::kSimilar, similarity});
    });
    similar.add(i);
  }
  std::sort(pairs.begin(), pairs.end(), [](const LikePair& a, const LikePair& b) {
    return std::pair(a.item, a.other) < std::pair(b.item, b.other);
  });
  return pairs;
}

/// The strongest likeness of each question, as far as it is known.
class Strongest {
 public:
  explicit Strongest(size_t num_questions) : found_(num_questions) {}

  void add(const LikePair& pair) {
    auto& strongest = found_[pair.item];
    const auto strength = [](const LikePair& p) {
      return std::tuple(p.likeness, -p.similarity, p.other);
    };
    if (!strongest || strength(pair) < strength(*strongest)) strongest = pair;
  }

  std::vector<LikePair> all() const {
    std::vector<LikePair> pairs;
    for (const auto& pair : found_) {
      if (pair) pairs.push_back(*pair);
    }
    return pairs;
  }

 private:
  std::vector<std::optional<LikePair>> found_;
};

}  // namespace

const char* name_of(Likeness likeness) {
  switch (likeness) {
    case Likeness::kSame:
      return "same";
    case Likeness::kContained:
      return "contained";
    case Likeness::kSimilar:
      return "similar";
  }
  throw ContractError("unknown likeness");
}

std::vector<LikePair> find_overlap(std::span<const Exemplar> questions,
                                   std::span<const Exemplar> exemplars) {
  const Texts asked = asked_by(questions);
  const Texts known = asked_by(exemplars);
  Strongest strongest(asked.size());

  std::map<std::vector<Words>, size_t> by_texts;
  for (size_t e = 0; e < known.size(); ++e) by_texts.try_emplace(known.all[e], e);
  std::map<Words, std::vector<size_t>> by_question;  // indices of `asked`
  for (size_t q = 0; q < asked.size(); ++q) {
    const auto same = by_texts.find(asked.all[q]);
    if (same != by_texts.end()) strongest.add({q, same->second, Likeness::kSame, 1});
    by_question[asked.questions[q]].push_back(q);
  }

  for_each_contained(known.questions, asked.all, [&](size_t exemplar, size_t question) {
    strongest.add({question, exemplar, Likeness::kContained, 1});
  });
  for_each_contained(asked.questions, known.all, [&](size_t question, size_t exemplar) {
    for (const size_t q : by_question.at(asked.questions[question]))
      strongest.add({q, exemplar, Likeness::kContained, 1});
  });

  std::vector<std::vector<uint64_t>> grams = known.grams;
  grams.insert(grams.end(), asked.grams.begin(), asked.grams.end());
  Groups groups(grams.size());
  for (size_t e = 1; e < known.size(); ++e) groups.join(0, e);  // one similar exemplar is enough
  SimilarSets similar(grams, kSimilar, groups);
  for (size_t e = 0; e < known.size(); ++e) similar.add(e);
  for (size_t q = 0; q < asked.size(); ++q) {
    similar.join(known.size() + q, [&](size_t exemplar, double similarity) {
      strongest.add({q, exemplar, Likeness::kSimilar, similarity});
    });
  }
  return strongest.all();
}

std::vector<LikePair> find_repeats(std::span<const Exemplar> exemplars) {
  return repeats_in(asked_by(exemplars));
}

std::vector<LikePair> find_repeated_answers(std::span<const Exemplar> exemplars) {
  Texts answers;
  for (const Exemplar& exemplar : exemplars) {
    const bool is_text = exemplar.options.empty() && exemplar.answer;
    Words words = is_text ? words_of(*exemplar.answer) : Words();
    if (words.size() < kFewestContainedWords) words.clear();
    answers.add({}, {std::move(words)});
  }
  std::vector<LikePair> pairs = repeats_in(answers);
  std::erase_if(pairs, [&](const LikePair& pair) { return answers.grams[pair.item].empty(); });
  return pairs;
}

}  // namespace prescript
