"""Prompt-tuning adapters as PEFT writes them, for a tiny random Llama: tests/golden/adapter.

`random/` and `text/` are whole adapters; `values.txt` holds the rows of both as torch has them.
`f16.*` and `bf16.*` are the rows of `random` in these types, as a file and as torch reads them.
"""

import pathlib
import shutil
import tempfile
import warnings

import peft
import safetensors.torch
import torch
import transformers

BASE = "models/tiny \u00fc.gguf"
TEXT = "Be careful: \u201cfirst, do no harm\u201d.\n\t\x7f\U0001f600"


def tiny_llama():
    config = transformers.LlamaConfig(vocab_size=40, hidden_size=8, intermediate_size=16, num_hidden_layers=3,
                                      num_attention_heads=4, num_key_value_heads=2)
    model = transformers.LlamaForCausalLM(config)
    model.name_or_path = BASE
    return model


class CharacterTokenizer:
    """Stands for AutoTokenizer's: PEFT asks for the ids of the text only."""

    def __call__(self, text):
        return {"input_ids": [ord(c) % 40 for c in text]}


def write(directory, **options):
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5, **options)
    model = peft.get_peft_model(tiny_llama(), config)
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no base model of this name
        model.save_pretrained(scratch)
        directory.mkdir(exist_ok=True)
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            shutil.copyfile(pathlib.Path(scratch) / name, directory / name)
    return model.prompt_encoder.default.embedding.weight.detach().clone()


def make(output_dir: pathlib.Path):
    torch.manual_seed(7)
    transformers.AutoTokenizer.from_pretrained = lambda *_, **__: CharacterTokenizer()
    random = write(output_dir / "random", prompt_tuning_init="RANDOM")
    text = write(output_dir / "text", prompt_tuning_init="TEXT", prompt_tuning_init_text=TEXT,
                 tokenizer_name_or_path=BASE)
    # As text: a test that compared safetensors with safetensors would be blind to its own reader.
    (output_dir / "values.txt").write_text(
        "\n".join(f"{value:.9g}" for value in torch.cat([random, text]).flatten().tolist()) + "\n")
    for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16)):
        rounded = random.to(dtype)
        safetensors.torch.save_file({"prompt_embeddings": rounded}, output_dir / f"{name}.safetensors",
                                    metadata={"format": "pt"})
        (output_dir / f"{name}.txt").write_text(
            "\n".join(f"{value:.9g}" for value in rounded.float().flatten().tolist()) + "\n")
