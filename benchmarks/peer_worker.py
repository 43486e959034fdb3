"""Training steps of a peer, one for each line on stdin; each is answered by "seconds, peak KiB since the second step began,
loss, micro-batch". Every peer learns the same soft prompt [P, D] with AdamW on the same sequences (cases.py). "ready" comes
first.

    peer_worker.py PEER CASE fp32|bf16 MAX_MICRO_BATCH

The micro-batch is the largest of B, B/2, ... that fits into what the process may take, told by the memory of one and two
sequences; where it does not fit after all, it is halved.

P1   transformers and PEFT's prompt tuning as documented: right padding, labels -100 outside of the targets
P1c  the same under torch.compile
P2   transformers with what all sequences share run once at batch 1, its DynamicCache expanded to the batch, the head on target
     rows only
P3   transformers with the package prefix-grouper in its attention, the head on target rows only
"""

import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "interop"))

import peers  # noqa: E402  (SmolLM2 from its GGUF)
import torch  # noqa: E402

import cases  # noqa: E402
from peer_memory import forget_peak, peak_kib  # noqa: E402

transformers = peers.transformers
torch.nn.functional.linear = peers.stock_linear  # a peer's time is that of LibTorch's own products

PADDING = 2
FIRST_TOKEN = 1000


def first_prompt(case, model):
    """Rows of the vocabulary, as in step_worker.cc."""
    return model.get_input_embeddings().weight[FIRST_TOKEN:FIRST_TOKEN + case.num_virtual].detach().float().clone()


def padded(rows, length, fill):
    result = torch.full((len(rows), length), fill)
    for i, row in enumerate(rows):
        result[i, :len(row)] = torch.tensor(row)
    return result


def stock(case, dtype):
    """P1: the batch as PEFT's documentation has it."""
    import peft
    model = peers.new_model(peers.state_dict(), dtype)
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=case.num_virtual)
    first = first_prompt(case, model)
    model = peft.get_peft_model(model, config)
    model.prompt_encoder["default"].embedding.weight.data.copy_(first)

    def loss(sequences, num_targets):
        longest = max(len(ids) for _, ids in sequences)
        ids = padded([ids for _, ids in sequences], longest, PADDING)
        mask = padded([[1] * len(ids) for _, ids in sequences], longest, 0)
        labels = padded([[-100] * begin + ids[begin:] for begin, ids in sequences], longest, -100)
        share = sum(len(ids) - begin for begin, ids in sequences) / num_targets
        return model(input_ids=ids, attention_mask=mask, labels=labels).loss * share

    return model, loss


def compiled(case, dtype):
    model, loss = stock(case, dtype)
    model.base_model.forward = torch.compile(model.base_model.forward, dynamic=False)
    return model, loss


class SoftPrompt(torch.nn.Module):
    def __init__(self, case, dtype):
        super().__init__()
        self.base = peers.new_model(peers.state_dict(), dtype)
        self.weight = torch.nn.Parameter(first_prompt(case, self.base))

    def prefix(self, ids):
        """What all sequences share, [1, P + S, D]."""
        embedding = self.base.get_input_embeddings()
        return torch.cat([self.weight.to(embedding.weight.dtype), embedding(torch.tensor(ids, dtype=torch.long))])[None]

    def target_loss(self, hidden, sequences, prefix_last, shared, num_targets):
        """Of hidden [B, L, D], the rows of question and answer; prefix_last [D] stands before them."""
        rows, ids = [], []
        for i, (begin, tokens) in enumerate(sequences):
            for position in range(begin - shared, len(tokens) - shared):
                rows.append(hidden[i, position - 1] if position > 0 else prefix_last)
                ids.append(tokens[shared + position])
        logits = self.base.lm_head(torch.stack(rows)).float()
        return torch.nn.functional.cross_entropy(logits, torch.tensor(ids), reduction="sum") / num_targets


def expanded_cache(case, dtype):
    """P2."""
    model = SoftPrompt(case, dtype)
    decoder = model.base.model

    def loss(sequences, num_targets):
        shared = sequences[0][1][:case.shared]
        prefix = decoder(inputs_embeds=model.prefix(shared), use_cache=True)
        cache = transformers.DynamicCache()
        for index, layer in enumerate(prefix.past_key_values.layers):
            cache.update(layer.keys.expand(len(sequences), -1, -1, -1), layer.values.expand(len(sequences), -1, -1, -1), index)
        longest = max(len(ids) for _, ids in sequences) - case.shared
        ids = padded([ids[case.shared:] for _, ids in sequences], longest, PADDING)
        mask = padded([[1] * (case.num_virtual + len(ids)) for _, ids in sequences], case.num_virtual + case.shared + longest, 0)
        hidden = decoder(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True).last_hidden_state
        return model.target_loss(hidden, sequences, prefix.last_hidden_state[0, -1], case.shared, num_targets)

    return model, loss


def prefix_grouper(case, dtype):
    """P3."""
    from prefix_grouper import PrefixGrouper
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    def attention(module, query, key, value, attention_mask, prefix_grouper=None, masks=None, **options):
        options.pop("is_causal", None)

        def forward(q, k, v, is_key):  # is_key [B, keys]: not padding
            queries, keys = q.shape[2], k.shape[2]
            if keys not in masks:  # the same in every layer
                masks[keys] = is_key[:, None, None].bool() & torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
            return sdpa_attention_forward(module, q, k, v, masks[keys], is_causal=False, **options)[0]

        return prefix_grouper.forward(forward, query, key, value), None

    ALL_ATTENTION_FUNCTIONS.register("prefix_grouper", attention)
    model = SoftPrompt(case, dtype)
    model.base.set_attn_implementation("prefix_grouper")
    decoder = model.base.model
    start = case.num_virtual + case.shared

    def loss(sequences, num_targets):
        suffixes = [ids[case.shared:] for _, ids in sequences]
        grouper = PrefixGrouper([[start, *map(len, suffixes)]], device="cpu")
        ids = torch.tensor([token for suffix in suffixes for token in suffix])
        embeddings = torch.cat([model.prefix(sequences[0][1][:case.shared])[0], model.base.get_input_embeddings()(ids)])[None]
        positions = [*range(start)] + [start + i for suffix in suffixes for i in range(len(suffix))]
        hidden = decoder(inputs_embeds=embeddings, position_ids=torch.tensor(positions)[None], use_cache=False,
                         prefix_grouper=grouper, masks={}).last_hidden_state[0]
        ends = [start]
        for suffix in suffixes:
            ends.append(ends[-1] + len(suffix))
        rows = [hidden[a:b] for a, b in zip(ends, ends[1:])]
        return model.target_loss(rows_of(rows), sequences, hidden[start - 1], case.shared, num_targets)

    return model, loss


class rows_of:
    """Rows of unequal sequences under [sequence, row]."""

    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, index):
        return self.rows[index[0]][index[1]]


PEERS = {"P1": stock, "P1c": compiled, "P2": expanded_cache, "P3": prefix_grouper}


def add_gradient(loss, sequences, micro_batch, num_targets):
    """Returns the loss."""
    total = 0.0
    for begin in range(0, len(sequences), micro_batch):
        part = loss(sequences[begin:begin + micro_batch], num_targets)
        part.backward()
        total += part.item()
    return total


@torch.compiler.set_stance("force_eager")
def fitting_micro_batch(loss, sequences, largest):
    """By the memory of the longest sequence and of the two longest, which grows alike with every further one."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if limit == resource.RLIM_INFINITY:
        return largest
    longest = sorted(sequences, key=lambda sequence: -len(sequence[1]))
    peaks = []
    for count in (1, 2):
        forget_peak()
        add_gradient(loss, longest[:count], count, 1)
        peaks.append(peak_kib())
    micro_batch = largest
    while micro_batch > 2 and (peaks[0] + (micro_batch - 1) * (peaks[1] - peaks[0])) * 1024 > limit:
        micro_batch //= 2
    return micro_batch


def is_short_of_memory(error):
    return isinstance(error, MemoryError) or "memory" in str(error) or "bad_alloc" in str(error)


def main():
    peer, name, dtype, largest = sys.argv[1:]
    case = cases.CASES[name]
    model, loss = PEERS[peer](case, {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype])
    parameters = [p for p in model.parameters() if p.requires_grad]
    assert sum(p.numel() for p in parameters) == case.num_virtual * 576, "only the soft prompt learns"
    optimizer = torch.optim.AdamW(parameters, lr=0.003, weight_decay=0)
    sequences = case.sequences()
    num_targets = case.targets * len(sequences)
    micro_batch = fitting_micro_batch(loss, sequences, int(largest))
    print("ready", flush=True)
    for step, _ in enumerate(sys.stdin):
        while True:
            start = time.monotonic()
            optimizer.zero_grad()
            try:
                total = add_gradient(loss, sequences, micro_batch, num_targets)
                break
            except (RuntimeError, MemoryError) as error:
                if micro_batch == 1 or not is_short_of_memory(error):
                    raise
            micro_batch //= 2
        optimizer.step()
        print(time.monotonic() - start, peak_kib(), total, micro_batch, flush=True)
        if step == 0:
            forget_peak()  # what loading and the first step took does not count


if __name__ == "__main__":
    main()
