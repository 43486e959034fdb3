#include "text/bpe.h"

#include <algorithm>

namespace prescript {
namespace {

uint64_t key_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids,
         const std::vector<BpeMerge>& merges,
         std::unordered_map<std::string, int32_t> words)
    : byte_ids_(byte_ids), words_(std::move(words)) {
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const BpeMerge& merge = merges[rank];
    // Of equal pairs the last one counts, as in `tokenizers`.
    merges_.insert_or_assign(key_of(merge.left, merge.right),
                             RankedMerge{static_cast<int32_t>(rank), merge.result});
  }
}

const Bpe::RankedMerge* Bpe::find_merge(int32_t left, int32_t right) const {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void Bpe::encode(std::string_view word, Workspace& workspace, std::vector<Symbol>& tokens) const {
  if (!words_.empty()) {
    workspace.word.assign(word);
    const auto found = words_.find(workspace.word);
    if (found != words_.end()) {
      tokens.push_back({found->second, 0});
      return;
    }
  }
  auto& nodes = workspace.nodes;
  nodes.clear();
  for (size_t position = 0; position < word.size(); ++position) {
    const int32_t id = byte_ids_[static_cast<unsigned char>(word[position])];
    if (id == kNoToken) continue;
    const auto index = static_cast<int32_t>(nodes.size());
    if (index > 0) nodes.back().next = index;
    nodes.push_back({id, index - 1, -1, position});
  }
  if (nodes.empty()) return;
  merge_all(workspace);
  for (int32_t index = 0; index >= 0; index = nodes[index].next) {
    tokens.push_back({nodes[index].id, nodes[index].begin});
  }
}

void Bpe::merge_all(Workspace& workspace) const {
  auto& nodes = workspace.nodes;
  auto& queue = workspace.queue;
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
