"""Golden logits of tiny Llamas, made by transformers in float32: tests/golden/decoder.

One HF directory per variant of the architecture, as save_pretrained writes it, with the logits of every
row of one sequence beside it (`logits.safetensors`: ids [N], logits [N, V]). Weights are so large that
logits have a standard deviation of at least 1: tiny weights hide errors.
"""

import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

BASE = dict(vocab_size=61, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=8, max_position_embeddings=128, rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0}, tie_word_embeddings=True)
VARIANTS = {
    "grouped": {},
    "untied": dict(tie_word_embeddings=False),
    "rope_base": dict(rope_parameters={"rope_type": "default", "rope_theta": 500000.0}),
    "full_heads": dict(num_key_value_heads=4),
}
NUM_ROWS = 48


def fill(model):
    """Seeded weights; a product keeps the size of its input, or a little more."""
    generator = torch.Generator().manual_seed(20)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if weight.dim() == 1:
                weight.copy_(1 + 0.2 * noise)
            else:
                weight.copy_(1.5 * noise / weight.shape[1] ** 0.5)


def make(directory: pathlib.Path):
    for name, changes in VARIANTS.items():
        model = LlamaForCausalLM(LlamaConfig(**{**BASE, **changes})).float().eval()
        fill(model)
        ids = torch.randint(0, BASE["vocab_size"], (NUM_ROWS,), generator=torch.Generator().manual_seed(21))
        with torch.no_grad():
            logits = model(ids[None]).logits[0]
        assert logits.std() >= 1, (name, logits.std())
        model.save_pretrained(directory / name)
        config = directory / name / "config.json"
        text = {k: v for k, v in json.loads(config.read_text()).items() if k != "transformers_version"}
        config.write_text(json.dumps(text, indent=2) + "\n")
        (directory / name / "generation_config.json").unlink()
        save_file({"ids": ids, "logits": logits.contiguous()}, directory / name / "logits.safetensors")
