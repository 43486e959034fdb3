"""Prompt tuning of SmolLM2 by autograd through transformers, every exemplar by itself: the loop that a run of ours must match in quality.

    .venv-interop/bin/python tests/interop/reference_loop.py EXEMPLARS.jsonl [--steps 60] [--batch 16] [--dtype bf16]

EXEMPLARS.jsonl has a field `split`: train or validation. Prints the validation loss without a soft prompt, at the start, and every 20
steps. Settings: 20 virtual tokens from a text, AdamW at 0.003 with weight decay 1e-5, no clipping.
"""

import argparse
import json
import random

import torch

import numerics
import peers

TEXT = (
    "You are a careful clinician. Answer the medical question accurately, safely and helpfully, "
    "with the consensus of medical science. "
)


def encode(exemplar):
    before = numerics.render([{"role": "user", "content": exemplar["question"]}], add_generation_prompt=True)
    begin = len(peers.tokenizer().encode(before).ids)
    ids = peers.tokenizer().encode(before + exemplar["answer"] + "<|im_end|>").ids
    return 0, begin, len(ids), ids


def validation_loss(lm, prompt, sequences):
    with torch.no_grad():
        return peers.soft_prompt_loss(lm, prompt, sequences).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exemplars")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    options = parser.parse_args()
    exemplars = [json.loads(line) for line in open(options.exemplars)]
    train = [encode(e) for e in exemplars if e["split"] == "train"]
    validation = [encode(e) for e in exemplars if e["split"] == "validation"]

    lm = peers.model({"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype])
    embedding = peers.model().get_input_embeddings().weight
    ids = peers.tokenizer().encode(TEXT).ids
    ids = (ids * numerics.NUM_VIRTUAL_TOKENS)[: numerics.NUM_VIRTUAL_TOKENS]
    prompt = embedding[ids].clone().requires_grad_(True)
    optimizer = torch.optim.AdamW([prompt], lr=0.003, weight_decay=1e-5)

    print("without a soft prompt", validation_loss(lm, prompt[:0], validation))
    print("at the start", validation_loss(lm, prompt, validation), flush=True)
    order = random.Random(1)
    queue = []
    for step in range(1, options.steps + 1):
        while len(queue) < options.batch:
            queue += order.sample(train, len(train))
        batch, queue = queue[: options.batch], queue[options.batch :]
        num_targets = sum(end - begin for _, begin, end, _ in batch)
        optimizer.zero_grad()
        for sequence in batch:  # one graph at a time
            share = (sequence[2] - sequence[1]) / num_targets
            (peers.soft_prompt_loss(lm, prompt, [sequence]) * share).backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"after {step} steps", validation_loss(lm, prompt, validation), flush=True)


if __name__ == "__main__":
    main()
