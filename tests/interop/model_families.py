"""Tiny seeded models of every family, made by transformers, in every format that base models come in."""

import copy
import functools
import json
import pathlib
import sys
from typing import NamedTuple

import gguf
import numpy
import torch
import transformers

import peers

sys.path.insert(0, str(peers.ROOT / "scripts"))
from golden import _tokenizer_families as tokenizer_families
from golden import families as golden_families

CONTEXT = 512
F = gguf.GGMLQuantizationType


class Family(NamedTuple):
    label: str  # in docs/MODELS.md
    variant: str  # of scripts/golden/families.py
    tokenizer: str
    architecture: gguf.MODEL_ARCH
    changes: dict = {}


FAMILIES = [
    Family("Llama 2, TinyLlama", "llama", "llama2", gguf.MODEL_ARCH.LLAMA),
    Family("Llama 3", "llama3", "llama3", gguf.MODEL_ARCH.LLAMA),
    Family("Mistral, with its window", "mistral", "mistral", gguf.MODEL_ARCH.LLAMA),
    Family("Qwen2, Qwen2.5", "qwen2", "qwen2", gguf.MODEL_ARCH.QWEN2),
    Family("Qwen3", "qwen3", "qwen2", gguf.MODEL_ARCH.QWEN3),
    Family("Phi-3", "phi3", "phi3", gguf.MODEL_ARCH.PHI3),
    Family("Gemma 2", "gemma2", "gemma", gguf.MODEL_ARCH.GEMMA2),
    Family("Gemma 3", "gemma3", "gemma", gguf.MODEL_ARCH.GEMMA3),
    Family("Gemma 3 with vision (MedGemma), text side", "gemma3_vision", "gemma", gguf.MODEL_ARCH.GEMMA3),
    Family("GPT-2, BioMedLM", "gpt2", "gpt2", gguf.MODEL_ARCH.GPT2),
    Family("GPT-NeoX, Pythia", "gpt_neox", "gpt2", gguf.MODEL_ARCH.GPTNEOX),
]
PRE_TOKENIZERS = {"llama3": "llama-bpe", "qwen2": "qwen2", "gpt2": "gpt-2"}
SENTENCEPIECE = ("llama2", "mistral", "phi3", "gemma")
BOS = {name: "<bos>" if name == "gemma" else "<s>" for name in SENTENCEPIECE} | {"llama3": "<|begin_of_text|>"}
EOS = {name: "<eos>" if name == "gemma" else "</s>" for name in SENTENCEPIECE} | {
    "llama3": "<|eot_id|>", "qwen2": "<|im_end|>", "gpt2": "<|endoftext|>"}


@functools.cache
def backends(texts):
    return tokenizer_families.make(list(texts))


def new_tokenizer(name, texts) -> transformers.PreTrainedTokenizerFast:
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backends(tuple(texts))[name], bos_token=BOS.get(name), eos_token=EOS[name])


WIDE = dict(head_dim=32, hidden_size=64, intermediate_size=96)  # whole blocks of Q8_0
# What GGUF has no key for is as llama.cpp assumes it.
GEMMA = dict(query_pre_attn_scalar=32, layer_types=None)
CHANGES = {
    # Heads of hidden_size / 4, of which three quarters turn.
    "phi3": dict(head_dim=16, original_max_position_embeddings=CONTEXT) | golden_families.rope(
        "longrope", partial_rotary_factor=0.75, short_factor=[1.0, 1.2, 1.5, 2.0, 2.5, 3.0], long_factor=[4.0] * 6),
    "gemma2": GEMMA,
    "gemma3": GEMMA | dict(num_hidden_layers=7),
    "gpt_neox": dict(num_attention_heads=2),
}


def new_model(family: Family, tokenizer):
    """In float32; of a model that also sees, the whole."""
    kind, changes = golden_families.VARIANTS.get(family.variant, (transformers.LlamaConfig, golden_families.rope()))
    tokens = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id)
    sizes = dict(vocab_size=len(tokenizer), max_position_embeddings=CONTEXT) | WIDE
    changes = copy.deepcopy(changes)
    if family.variant == "gpt2":
        changes |= dict(vocab_size=len(tokenizer), n_positions=CONTEXT, n_embd=64, n_inner=96, n_head=2,
                        scale_attn_by_inverse_layer_idx=False)
    elif family.variant == "gemma3_vision":
        changes["text_config"] |= sizes | tokens | CHANGES["gemma3"]
    else:
        changes |= sizes | CHANGES.get(family.variant, {})
    model = golden_families.new_model(kind, changes | tokens)
    golden_families.fill(model)
    return model


def text_config(model):
    return getattr(model.config, "text_config", model.config)


def save(folder, model, tokenizer, shard="5GB") -> pathlib.Path:
    model.save_pretrained(folder, max_shard_size=shard)
    tokenizer.save_pretrained(folder)
    return folder


def rounded_by(model, stored_type):
    """A copy whose matrices are what `stored_type` keeps of them."""
    result = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in result.named_parameters():
            if weight.dim() < 2 or is_other_side(name):
                continue
            by_rows = weight.T if is_transposed(result, name) else weight
            values = gguf.dequantize(gguf.quantize(by_rows.contiguous().numpy(), stored_type), stored_type)
            by_rows.copy_(torch.from_numpy(values).reshape(by_rows.shape))
    return result


def is_other_side(name):
    return "vision_tower" in name or "multi_modal_projector" in name


def is_transposed(model, name):
    """GPT-2's layers hold [in, out]."""
    return model.config.model_type == "gpt2" and ".h." in name and name.endswith("weight")


def converted(model, name, weight):
    """A tensor as llama.cpp's convert_hf_to_gguf.py lays it out."""
    config = text_config(model)
    kind = config.model_type
    if is_transposed(model, name) and weight.dim() == 2:
        weight = weight.T
    if kind in ("llama", "mistral") and ("q_proj" in name or "k_proj" in name):
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        weight = weight.reshape(heads, 2, -1, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)
    if kind == "gpt_neox" and "query_key_value" in name:
        heads = config.num_attention_heads
        weight = weight.reshape(heads, 3, -1, *weight.shape[1:]).transpose(0, 1).reshape(weight.shape)
    if kind.startswith("gemma") and name.endswith("norm.weight"):
        weight = weight + 1
    return weight.contiguous()


def stored_tensors(model, architecture):
    """(name in GGUF, weight) of the text side."""
    names = gguf.get_tensor_name_map(architecture, text_config(model).num_hidden_layers)
    tied = text_config(model).tie_word_embeddings
    for name, weight in model.named_parameters():
        if is_other_side(name) or (tied and name.startswith("lm_head")):
            continue
        found = names.get_name(name.replace("model.language_model.", "model."), (".weight", ".bias"))
        assert found, name
        yield found, converted(model, name, weight.detach().float())


def add_metadata(writer, config):
    kind = config.model_type
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.n_inner if kind == "gpt2" else config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    if kind in ("gpt2", "gpt_neox"):
        writer.add_layer_norm_eps(config.layer_norm_epsilon if kind == "gpt2" else config.layer_norm_eps)
    else:
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    if kind == "gpt_neox":
        writer.add_rope_dimension_count(int(config.rope_parameters["partial_rotary_factor"] * 32))
        writer.add_parallel_residual(config.use_parallel_residual)
    if kind in ("mistral", "phi3", "gemma2", "gemma3_text"):
        writer.add_sliding_window(config.sliding_window)
    if kind == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    add_rope(writer, config)


def add_rope(writer, config):
    kind = config.model_type
    if kind in ("gpt2", "gpt_neox", "gemma2"):  # of which llama.cpp's converter writes no base
        return
    rope = config.rope_parameters
    if kind == "gemma3_text":
        writer.add_key_value("gemma3.rope.freq_base_swa", rope["sliding_attention"]["rope_theta"],
                             gguf.GGUFValueType.FLOAT32)
        rope = rope["full_attention"]
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "longrope":
        size = int(config.head_dim * rope["partial_rotary_factor"])
        writer.add_rope_dimension_count(size)
        writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        for length in ("short", "long"):
            writer.add_tensor(f"rope_factors_{length}.weight", numpy.array(rope[f"{length}_factor"], numpy.float32))


def add_llama3_factors(writer, model):
    rotary = model.model.rotary_emb
    plain = rotary.compute_default_rope_parameters(model.config)[0]
    writer.add_tensor("rope_freqs.weight", (plain / rotary.inv_freq).float().numpy())


def add_tokenizer(writer, family, tokenizer):
    backend = tokenizer.backend_tokenizer
    if family.tokenizer in SENTENCEPIECE:
        pieces, scores, types = tokenizer_families.scored(backend)
        writer.add_tokenizer_model("llama")
        writer.add_token_list(pieces)
        writer.add_token_scores(scores)
        writer.add_token_types(types)
        writer.add_add_space_prefix(family.tokenizer != "gemma")
    else:
        vocabulary = backend.get_vocab()
        special = {token.content for token in backend.get_added_tokens_decoder().values()}
        pieces = sorted(vocabulary, key=vocabulary.get)
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(PRE_TOKENIZERS[family.tokenizer])
        writer.add_token_list(pieces)
        writer.add_token_types([3 if piece in special else 1 for piece in pieces])
        writer.add_token_merges([" ".join(merge) for merge in json.loads(backend.to_str())["model"]["merges"]])
    if tokenizer.bos_token_id is not None:
        writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_add_bos_token(family.tokenizer in BOS and family.tokenizer != "phi3")  # as each adds it in transformers


def write_gguf(path, family, model, tokenizer, stored_type, **options) -> pathlib.Path:
    """Matrices in `stored_type`, vectors in F32. `options` are GGUFWriter's."""
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[family.architecture], **options)
    add_metadata(writer, text_config(model))
    if family.variant == "llama3":
        add_llama3_factors(writer, model)
    add_tokenizer(writer, family, tokenizer)
    for name, weight in stored_tensors(model, family.architecture):
        kind = stored_type if weight.dim() > 1 else F.F32
        values = gguf.quantize(numpy.ascontiguousarray(weight.numpy()), kind)
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
