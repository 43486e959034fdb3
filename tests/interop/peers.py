"""The peers of the interop tier: SmolLM2 in transformers and tokenizers, built from the GGUF file alone.

transformers' own GGUF conversion ignores tokenizer.ggml.pre, so the model and the tokenizer are put together here from
the file's tensors and vocabulary (gguf's reader and dequantiser).
"""

import functools
import os
import pathlib

import gguf
import numpy
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
BUILD = pathlib.Path(os.environ.get("PRESCRIPT_BUILD", ROOT / "build" / "cpu"))
PROGRAM = BUILD / "bin" / "prescript"
PROBE = BUILD / "bin" / "prescript_probe"


@functools.cache
def reader() -> gguf.GGUFReader:
    return gguf.GGUFReader(str(MODEL))


def field(name):
    return reader().fields[name].contents()


def _half_split(weight: numpy.ndarray, num_heads: int) -> numpy.ndarray:
    """Undoes the row order that llama.cpp's converter gives query and key projections."""
    rows, cols = weight.shape
    return weight.reshape(num_heads, rows // num_heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def state_dict() -> dict:
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
    for tensor in reader().tensors:
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


@functools.cache
def model(dtype=torch.float32) -> transformers.LlamaForCausalLM:
    """SmolLM2 with frozen weights."""
    result = transformers.LlamaForCausalLM(config())
    missing, unexpected = result.load_state_dict(state_dict(), strict=False)
    assert not missing and not unexpected, (missing, unexpected)
    result = result.to(dtype).eval()
    return result.requires_grad_(False)


@functools.cache
def tokenizer():
    """The `tokenizers` library with the pre-tokeniser that tokenizer.ggml.pre names (smollm)."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    assert field("tokenizer.ggml.pre") == "smollm"
    pieces = field("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    result = tokenizers.Tokenizer(models.BPE(vocab={p: i for i, p in enumerate(pieces)}, merges=merges))
    result.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    result.decoder = decoders.ByteLevel()
    types = field("tokenizer.ggml.token_type")
    result.add_special_tokens(
        [tokenizers.AddedToken(p, special=True, normalized=False) for p, t in zip(pieces, types) if t == 3]
    )
    return result


def soft_prompt_loss(lm, prompt, sequences):
    """Mean over all targets, every sequence by itself: no padding, nothing shared.

    prompt: [P, D] tensor; sequences: (at, begin, end, ids), as in probe.cc.
    """
    embed = lm.get_input_embeddings()
    total, count = 0.0, 0
    for at, begin, end, ids in sequences:
        ids = torch.tensor(ids)
        rows = embed(ids)
        inputs = torch.cat([rows[:at], prompt.to(rows.dtype), rows[at:]])[None]
        logits = lm(inputs_embeds=inputs, use_cache=False).logits[0]
        predicted = logits[prompt.shape[0] + begin - 1 : prompt.shape[0] + end - 1]
        if predicted.dtype == torch.bfloat16:
            predicted = predicted.float()
        total = total + torch.nn.functional.cross_entropy(predicted, ids[begin:end], reduction="sum")
        count += end - begin
    return total / count
