"""Golden logits, losses and gradients of tiny models of every family, made by transformers in float64: tests/golden/families.

One HF directory per variant, as save_pretrained writes it, and beside it `expected.safetensors`: ids [N], logits [N, V] of
the ids alone; prompt [P, D], and of the ids behind it the mean loss [1] of the last targets and its gradient [P, D]. Weights
are so large that logits have a standard deviation of at least 1: tiny weights hide errors. Sequences go past the context that
a rope is scaled from, and past a window.
"""

import copy
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, Gemma2Config, Gemma3Config, Gemma3ForConditionalGeneration,
                          Gemma3TextConfig, GPT2Config, GPTNeoXConfig, LlamaConfig, MistralConfig, Phi3Config,
                          Qwen2Config, Qwen3Config)

BASE = dict(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=3, num_attention_heads=4,
            num_key_value_heads=2, head_dim=8, max_position_embeddings=128, rms_norm_eps=1e-5, tie_word_embeddings=False,
            pad_token_id=None, bos_token_id=1, eos_token_id=2)


def rope(kind="default", **parameters):
    return dict(rope_parameters={"rope_type": kind, "rope_theta": 10000.0, **parameters})


GEMMA = dict(sliding_window=9, query_pre_attn_scalar=12, tie_word_embeddings=True)
GEMMA3 = GEMMA | dict(
    layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    rope_parameters={"sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
                     "full_attention": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}})
NEOX = rope(partial_rotary_factor=0.5) | dict(layer_norm_eps=1e-5, num_key_value_heads=None)

VARIANTS = {
    "llama_biases": (LlamaConfig, rope() | dict(attention_bias=True, mlp_bias=True)),
    "llama3": (LlamaConfig, rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                 original_max_position_embeddings=24)),
    "linear": (LlamaConfig, rope("linear", factor=4.0)),
    "yarn": (LlamaConfig, rope("yarn", factor=4.0, original_max_position_embeddings=24)),
    "mistral": (MistralConfig, rope() | dict(sliding_window=13)),
    "qwen2": (Qwen2Config, rope() | dict(tie_word_embeddings=True)),
    "qwen2_window": (Qwen2Config, rope() | dict(use_sliding_window=True, sliding_window=11, max_window_layers=1)),
    "qwen3": (Qwen3Config, rope()),
    "phi3": (Phi3Config, rope("longrope", short_factor=[1.0, 1.5, 2.5], long_factor=[2.0, 4.0, 8.0],
                              partial_rotary_factor=0.75) |
             dict(original_max_position_embeddings=64, sliding_window=17)),
    "gemma2": (Gemma2Config, rope() | GEMMA | dict(attn_logit_softcapping=3.0, final_logit_softcapping=5.0)),
    "gemma3": (Gemma3TextConfig, GEMMA3),
    # As MedGemma: a model that also sees, of which the text side is read.
    "gemma3_vision": (Gemma3Config, dict(text_config=BASE | GEMMA3, vision_config=dict(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4),
        mm_tokens_per_image=4)),
    "gpt2": (GPT2Config, dict(n_embd=32, n_inner=40, n_layer=3, n_head=4, n_positions=128, tie_word_embeddings=True,
                              scale_attn_by_inverse_layer_idx=True)),
    "gpt_neox": (GPTNeoXConfig, NEOX),
    "gpt_neox_sequential": (GPTNeoXConfig, NEOX | dict(use_parallel_residual=False)),
}
CONFIGURED_OTHERWISE = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                        "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps")  # in GPT-2
NUM_ROWS, NUM_VIRTUAL, NUM_TARGETS = 48, 5, 12


def fill(model):
    """Seeded weights; a product keeps the size of its input, or a little more. Rounded to bfloat16: files hold them so."""
    generator = torch.Generator().manual_seed(20)
    of_norm = 0 if model.config.model_type.startswith("gemma") else 1  # Gemma stores the difference from 1
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
            if weight.dim() >= 2:
                is_conv = model.config.model_type == "gpt2" and ".h." in name  # [in, out]
                noise = 1.5 * noise / weight.shape[0 if is_conv else 1] ** 0.5
            elif name.endswith("bias"):
                noise = 0.5 * noise
            else:
                noise = of_norm + 0.2 * noise
            weight.copy_(noise.bfloat16())


def new_model(config_class, changes):
    if config_class is Gemma3Config:
        config = Gemma3Config(**changes)
        config._attn_implementation = "eager"
        return Gemma3ForConditionalGeneration(config).float().eval()
    common = {k: v for k, v in BASE.items() if k not in CONFIGURED_OTHERWISE} if config_class is GPT2Config else BASE
    return AutoModelForCausalLM.from_config(config_class(**{**common, **changes}), attn_implementation="eager").float().eval()


def make(directory: pathlib.Path):
    for name, (config_class, changes) in VARIANTS.items():
        model = new_model(config_class, changes)
        fill(model)
        copy.deepcopy(model).bfloat16().save_pretrained(directory / name)  # rope tables of `model` stay float32
        model = model.double()
        generator = torch.Generator().manual_seed(21)
        ids = torch.randint(0, BASE["vocab_size"], (NUM_ROWS,), generator=generator)
        prompt = torch.randn((NUM_VIRTUAL, BASE["hidden_size"]), generator=generator).double().requires_grad_()
        with torch.no_grad():
            logits = model(ids[None]).logits[0]
        assert logits.std() >= 1, (name, logits.std())
        inputs = torch.cat([prompt, model.get_input_embeddings()(ids)])
        behind = model(inputs_embeds=inputs[None]).logits[0, -NUM_TARGETS - 1:-1]
        loss = torch.nn.functional.cross_entropy(behind, ids[-NUM_TARGETS:])
        loss.backward()
        path = directory / name / "config.json"
        text = {k: v for k, v in json.loads(path.read_text()).items() if k != "transformers_version"}
        path.write_text(json.dumps(text, indent=2) + "\n")
        (directory / name / "generation_config.json").unlink()
        save_file({"ids": ids, "logits": logits.float().contiguous(), "prompt": prompt.detach().float(),
                   "loss": loss.detach().float()[None], "gradient": prompt.grad.float()}, directory / name / "expected.safetensors")
