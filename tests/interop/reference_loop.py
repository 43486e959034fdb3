"""Prompt tuning of SmolLM2 by autograd through transformers, every exemplar by itself: the loop that a run of ours must match in
quality.

    scripts/dev reference-loop TRAIN.jsonl VALIDATION.jsonl [--steps 60] [--batch 16] [--every 20] [--dtype bf16]

Prints the validation loss without a soft prompt, at the start, and every so many steps. Settings: 20 virtual tokens from a text,
AdamW at 0.003 with weight decay 1e-5, no clipping.
"""

import argparse
import pathlib
import random

import torch

import peers
import program

NUM_VIRTUAL_TOKENS = 20


def tune(lm, train, validation, steps, batch, every):
    """Yields (step, validation loss): at step 0, every so many steps and after the last."""
    prompt = peers.rows_of_text(program.TEXT, NUM_VIRTUAL_TOKENS)
    optimizer = torch.optim.AdamW([prompt], lr=0.003, weight_decay=1e-5)
    yield 0, peers.loss(lm, prompt, validation)
    order, queue = random.Random(1), []
    for step in range(1, steps + 1):
        while len(queue) < batch:
            queue += order.sample(train, len(train))
        taken, queue = queue[:batch], queue[batch:]
        _, prompt.grad = peers.loss_and_gradient(lm, prompt, taken)
        optimizer.step()
        if step % every == 0 or step == steps:
            yield step, peers.loss(lm, prompt, validation)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=pathlib.Path)
    parser.add_argument("validation", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--every", type=int, default=20)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    options = parser.parse_args()
    train, validation = ([peers.training_sequence(e) for e in program.json_lines(path.read_text())]
                         for path in (options.train, options.validation))
    lm = peers.model({"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype])
    print(f"without a soft prompt {peers.loss(lm, peers.no_soft_prompt(), validation):.4f}", flush=True)
    for step, loss in tune(lm, train, validation, options.steps, options.batch, options.every):
        print(f"after {step:3} steps       {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()
