"""Times one training step of SmolLM2 beside PEFT's on the same exemplars: seconds and peak memory, side by side.

    .venv-interop/bin/python tests/interop/step_time.py [--exemplars 16] [--steps 5] [--dtype bf16]

PEFT runs as its documentation has it: prompt tuning, right padding, labels −100 outside of the answers. Both sides take turns, one step each; the
first step of each is not counted.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import peft
import torch

import numerics
import peers


def peft_step(dtype, batch):
    """A function that runs one step (forward, backward, AdamW) and returns its seconds."""
    model = peers.transformers.LlamaForCausalLM(peers.config())
    model.load_state_dict(peers.state_dict(), strict=False)
    model = model.to(dtype)
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=numerics.NUM_VIRTUAL_TOKENS)
    model = peft.get_peft_model(model, config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.003, weight_decay=1e-5)
    longest = max(len(ids) for *_, ids in batch)
    ids = torch.full((len(batch), longest), peers.field("tokenizer.ggml.padding_token_id"))
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for row, (_, begin, end, tokens) in enumerate(batch):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
        labels[row, begin:end] = torch.tensor(tokens[begin:end])

    def step():
        start = time.monotonic()
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        return time.monotonic() - start

    return step


def our_step(dtype, batch):
    with tempfile.TemporaryDirectory() as folder:
        return numerics.probe(dtype, batch, folder)["seconds"].item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exemplars", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    options = parser.parse_args()
    batch = numerics.sequences(0, options.exemplars)
    tokens = [len(ids) for *_, ids in batch]
    step = peft_step({"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype], batch)
    ours, theirs = [], []
    for i in range(options.steps + 1):
        pair = our_step(options.dtype, batch), step()
        print(f"step {i}: prescript {pair[0]:.2f} s, PEFT {pair[1]:.2f} s", file=sys.stderr)
        if i > 0:
            ours.append(pair[0])
            theirs.append(pair[1])
    peak = {
        "prescript": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
        "PEFT": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    versions = f"peft {peft.__version__}, transformers {peers.transformers.__version__}, torch {torch.__version__}"
    print(
        f"SmolLM2-135M, {options.dtype}, {numerics.NUM_VIRTUAL_TOKENS} virtual tokens, {len(batch)} exemplars of "
        f"{min(tokens)} to {max(tokens)} tokens, {torch.get_num_threads()} threads; {versions}"
    )
    for name, seconds in (("prescript", ours), ("PEFT", theirs)):
        print(f"{name:<10} {statistics.median(seconds):6.2f} s a step (median of {len(seconds)}), "
              f"peak {peak[name] / 2**20:.2f} GiB")
    print(f"ratio      {statistics.median(theirs) / statistics.median(ours):6.2f}")


if __name__ == "__main__":
    main()
