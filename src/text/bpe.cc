#include "text/bpe.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace prescript {
namespace {

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

Bpe::Bpe(BpeVocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  merges_.reserve(vocabulary_.merges.size());
  for (const BpeMerge& merge : vocabulary_.merges) {
    merges_.insert_or_assign(key_of(merge.left, merge.right),
                             RankedMerge{merge.rank, merge.result});
  }
  vocabulary_.merges = {};
}

const Bpe::RankedMerge* Bpe::find_merge(int32_t left, int32_t right) const {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view word,
                 Workspace& workspace,
                 std::vector<WordToken>& tokens) const {
  if (!vocabulary_.words.empty()) {
    workspace.word_.assign(word);
    const auto found = vocabulary_.words.find(workspace.word_);
    if (found != vocabulary_.words.end()) {
      tokens.push_back({found->second, 0});
      return;
    }
  }
  spell(word, workspace);
  const auto& nodes = workspace.nodes_;
  if (nodes.empty()) return;
  merge_all(workspace);
  for (int32_t index = 0; index >= 0; index = nodes[index].next) {
    tokens.push_back({nodes[index].id, nodes[index].begin});
  }
}

void Bpe::spell(std::string_view word, Workspace& workspace) const {
  auto& nodes = workspace.nodes_;
  nodes.clear();
  const auto add = [&](int32_t id, size_t begin) {
    const auto index = static_cast<int32_t>(nodes.size());
    if (index > 0) nodes.back().next = index;
    nodes.push_back({id, index - 1, -1, begin});
  };
  bool after_unknown = false;
  for (size_t end = 0; end < word.size();) {
    const size_t begin = end;
    const auto found = vocabulary_.characters.find(next_character(word, end));
    const bool is_unknown = found == vocabulary_.characters.end() && !vocabulary_.bytes;
    if (found != vocabulary_.characters.end()) {
      add(found->second, begin);
    } else if (vocabulary_.bytes) {
      for (size_t i = begin; i < end; ++i) {
        add((*vocabulary_.bytes)[static_cast<unsigned char>(word[i])], i);
      }
    } else if (vocabulary_.unknown != kNoToken && !(after_unknown && vocabulary_.fuse_unknown)) {
      add(vocabulary_.unknown, begin);
    }
    after_unknown = is_unknown;
  }
}

void Bpe::merge_all(Workspace& workspace) const {
  auto& nodes = workspace.nodes_;
  auto& queue = workspace.queue_;
  const auto comes_later = [](const Workspace::Candidate& a, const Workspace::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.node > b.node;
  };
  const auto candidate_at = [&](int32_t left) {
    if (left < 0 || nodes[left].next < 0) return false;
    const RankedMerge* merge = find_merge(nodes[left].id, nodes[nodes[left].next].id);
    if (merge != nullptr) queue.push_back({merge->rank, left, merge->result});
    return merge != nullptr;
  };

  queue.clear();
  for (size_t i = 0; i + 1 < nodes.size(); ++i) candidate_at(static_cast<int32_t>(i));
  std::make_heap(queue.begin(), queue.end(), comes_later);

  constexpr int32_t kMergedAway = -2;  // an id that no pair has
  while (!queue.empty()) {
    const Workspace::Candidate top = queue.front();
    std::pop_heap(queue.begin(), queue.end(), comes_later);
    queue.pop_back();

    // A candidate is stale when one of its two nodes has been merged since.
    Workspace::Node& left = nodes[top.node];
    if (left.id == kMergedAway || left.next < 0) continue;
    Workspace::Node& right = nodes[left.next];
    const RankedMerge* merge = find_merge(left.id, right.id);
    if (merge == nullptr || merge->result != top.result) continue;

    left.id = top.result;
    left.next = right.next;
    right.id = kMergedAway;
    if (left.next >= 0) nodes[left.next].previous = top.node;
    if (candidate_at(left.previous)) std::push_heap(queue.begin(), queue.end(), comes_later);
    if (candidate_at(top.node)) std::push_heap(queue.begin(), queue.end(), comes_later);
  }
}

}  // namespace prescript
