"""The peers of the interop tier: SmolLM2 in transformers and tokenizers, built from a GGUF file alone.

transformers' own GGUF conversion ignores tokenizer.ggml.pre, so the model and the tokenizer are put together here from
the file's tensors and vocabulary (gguf's reader and dequantiser). What the model reads is the oracle's of
scripts/golden/rendering.py: jinja2, tokenizers and DESIGN section 6.
"""

import functools
import os
import pathlib
import sys
from typing import NamedTuple

os.environ["HF_HUB_OFFLINE"] = "1"  # PEFT would ask for the base model's page

import gguf
import numpy
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
VOCABULARIES = ROOT / ".venv-interop" / "llama.cpp"  # scripts/setup --interop
MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
BUILD = pathlib.Path(os.environ.get("PRESCRIPT_BUILD", ROOT / "build" / "cpu"))

sys.path.insert(0, str(ROOT / "scripts"))
from golden import rendering
from golden import tokenizer as golden_tokenizer

transformers.utils.logging.disable_progress_bar()

gguf.GGUFReader = functools.lru_cache(maxsize=2)(gguf.GGUFReader)  # which takes seconds for a vocabulary

stock_linear = torch.nn.functional.linear


def _linear_by_float32(x, weight, bias=None):
    """What a processor with bfloat16 products computes: float32 sums of exact products, rounded once."""
    if x.dtype != torch.bfloat16:
        return stock_linear(x, weight, bias)
    return stock_linear(x.float(), weight.float(), None if bias is None else bias.float()).to(torch.bfloat16)


if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
    torch.nn.functional.linear = _linear_by_float32  # LibTorch's own loop here takes minutes for a sequence


def field(name):
    return gguf.GGUFReader(MODEL).fields[name].contents()


def _half_split(weight: numpy.ndarray, num_heads: int) -> numpy.ndarray:
    """Undoes the row order that llama.cpp's converter gives query and key projections."""
    rows, cols = weight.shape
    return weight.reshape(num_heads, rows // num_heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def state_dict(path=MODEL) -> dict:
    names = {
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    weights = {}
    for tensor in gguf.GGUFReader(path).tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        if tensor.name == "token_embd.weight":
            name = "model.embed_tokens.weight"
            weights["lm_head.weight"] = torch.from_numpy(values)
        elif tensor.name == "output_norm.weight":
            name = "model.norm.weight"
        else:
            _, layer, kind, _ = tensor.name.split(".")
            name = f"model.layers.{layer}.{names[kind]}.weight"
            if kind in ("attn_q", "attn_k"):
                heads = field("llama.attention.head_count" + ("_kv" if kind == "attn_k" else ""))
                values = _half_split(values, heads)
        weights[name] = torch.from_numpy(numpy.ascontiguousarray(values))
    return weights


def config() -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=len(field("tokenizer.ggml.tokens")),
        hidden_size=field("llama.embedding_length"),
        intermediate_size=field("llama.feed_forward_length"),
        num_hidden_layers=field("llama.block_count"),
        num_attention_heads=field("llama.attention.head_count"),
        num_key_value_heads=field("llama.attention.head_count_kv"),
        max_position_embeddings=field("llama.context_length"),
        rms_norm_eps=float(field("llama.attention.layer_norm_rms_epsilon")),
        rope_parameters={"rope_type": "default", "rope_theta": float(field("llama.rope.freq_base"))},
        tie_word_embeddings=True,
        bos_token_id=field("tokenizer.ggml.bos_token_id"),
        eos_token_id=field("tokenizer.ggml.eos_token_id"),
    )


def new_model(weights, dtype=torch.float32) -> transformers.LlamaForCausalLM:
    """SmolLM2 with frozen weights. Rotary frequencies stay float32 in every dtype, which `.to(dtype)` would round too."""
    result, report = transformers.LlamaForCausalLM.from_pretrained(
        None, config=config(), state_dict=weights, dtype=dtype, output_loading_info=True)
    assert not any(report.values()), report
    result.name_or_path = str(MODEL)
    return result.eval().requires_grad_(False)


@functools.cache
def model(dtype=torch.float32) -> transformers.LlamaForCausalLM:
    """Shared: callers that change it take a copy."""
    return new_model(state_dict() if dtype == torch.float32 else model().state_dict(), dtype)


tokenizer = functools.cache(golden_tokenizer.smollm2)
oracle = functools.cache(rendering.Oracle)


class Sequence(NamedTuple):
    """ids with the soft prompt before ids[at]; ids[begin:end] are targets (as in a line of probe.cc's input)."""

    at: int
    begin: int
    end: int
    ids: list


def hard_prompt(instruction=None, few_shot=(), rationale=False):
    return {"instruction": instruction, "few_shot": few_shot, "rationale": rationale}


def training_sequence(exemplar, prompt=hard_prompt(), format="chat", before_question=False) -> Sequence:
    rendered = oracle().render(exemplar, prompt, "own" if format == "chat" else None)
    targets = rendered["targets"]
    assert targets == list(range(targets[0], len(rendered["ids"])))
    return Sequence(rendered["question_token"] if before_question else 0, targets[0], len(rendered["ids"]), rendered["ids"])


def option_sequences(exemplar, by_text, prompt=hard_prompt(), format="chat") -> dict:
    """letter -> Sequence."""
    scored = oracle().options(exemplar, prompt, "own" if format == "chat" else None, by_text)
    return {letter: Sequence(0, targets[0], targets[-1] + 1, ids)
            for letter, (ids, targets) in zip(exemplar["options"], scored, strict=True)}


def no_soft_prompt() -> torch.Tensor:
    return torch.empty(0, field("llama.embedding_length"))


def vocabulary_rows(count, seed=7) -> torch.Tensor:
    """A soft prompt [P, D] of rows of the vocabulary."""
    generator = torch.Generator().manual_seed(seed)
    embedding = model().get_input_embeddings().weight
    return embedding[torch.randint(100, embedding.shape[0], (count,), generator=generator)].clone()


def rows_of_text(text, count) -> torch.Tensor:
    """A soft prompt [P, D] of a text's rows, repeated or cut."""
    ids = tokenizer().encode(text).ids
    return model().get_input_embeddings().weight[(ids * count)[:count]].clone()


def log_likelihood(lm, prompt, sequence) -> torch.Tensor:
    """Of the targets of one sequence by itself: no padding, nothing shared. prompt: [P, D]."""
    ids = torch.tensor(sequence.ids)
    rows = lm.get_input_embeddings()(ids)
    inputs = torch.cat([rows[: sequence.at], prompt.to(rows.dtype), rows[sequence.at :]])[None]
    predicting = torch.arange(sequence.begin, sequence.end) + len(prompt) - 1
    predicted = lm(inputs_embeds=inputs, use_cache=False, logits_to_keep=predicting).logits[0]
    if predicted.dtype == torch.bfloat16:
        predicted = predicted.float()
    return -torch.nn.functional.cross_entropy(predicted, ids[sequence.begin : sequence.end], reduction="sum")


def num_targets(sequences) -> int:
    return sum(sequence.end - sequence.begin for sequence in sequences)


@torch.no_grad()
def loss(lm, prompt, sequences) -> float:
    """Mean over all targets."""
    return -sum(log_likelihood(lm, prompt, s).item() for s in sequences) / num_targets(sequences)


def loss_and_gradient(lm, prompt, sequences):
    """Mean over all targets, and its gradient [P, D] by autograd, one graph at a time."""
    prompt = prompt.detach().requires_grad_(True)
    total = 0.0
    for sequence in sequences:
        part = -log_likelihood(lm, prompt, sequence) / num_targets(sequences)
        part.backward()
        total += part.item()
    return total, prompt.grad


@torch.no_grad()
def greedy(lm, prompt, ids, max_new_tokens):
    """Ids of a greedy decoding behind [prompt, ids]; the end-of-turn token is the last, if it came."""
    rows = lm.get_input_embeddings()
    inputs, cache, generated = torch.cat([prompt.to(rows.weight.dtype), rows(torch.tensor(ids))])[None], None, []
    while len(generated) < max_new_tokens:
        output = lm(inputs_embeds=inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
        generated.append(output.logits[0, -1].argmax().item())
        if generated[-1] == field("tokenizer.ggml.eos_token_id"):
            break
        cache, inputs = output.past_key_values, rows(torch.tensor([[generated[-1]]]))
    return generated
