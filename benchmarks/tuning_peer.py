"""Prompt tuning of SmolLM2 by PEFT as its documentation has it: right padding, labels -100 outside of the targets, AdamW.

    tuning_peer.py TRAIN.jsonl VALIDATION.jsonl      a job a line on stdin, its answer a line on stdout; "ready" comes first

A job is JSON: `init` (RANDOM, SAMPLE_VOCAB or TEXT), `schedule` (constant or linear), `rate`, `seed`, `num_virtual_tokens`,
`steps`, `batch`, `every`, `output`. Answered by the validation losses at step 0 and every so many steps; the adapter of
the lowest is saved in `output` where that is not null. A float32 soft prompt; weights in bfloat16 on a card. Where there is
none they are in float32, and gradients are accumulated over sequences one by one, which pads nothing.
"""

import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "interop"))

import peers  # noqa: E402  (SmolLM2 from its GGUF)
import peft  # noqa: E402
import program  # noqa: E402  (the text that a recipe begins from)
import torch  # noqa: E402

PADDING = 2
DEVICE, DTYPE, MICRO_BATCH, VALIDATION_BATCH = \
    ("cuda", torch.bfloat16, 8, 16) if torch.cuda.is_available() else ("cpu", torch.float32, 1, 1)


def batch_of(sequences):
    longest = max(len(s.ids) for s in sequences)
    ids = torch.full((len(sequences), longest), PADDING)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for i, s in enumerate(sequences):
        ids[i, :len(s.ids)] = torch.tensor(s.ids)
        mask[i, :len(s.ids)] = 1
        labels[i, s.begin:s.end] = ids[i, s.begin:s.end]
    return {"input_ids": ids.to(DEVICE), "attention_mask": mask.to(DEVICE), "labels": labels.to(DEVICE)}


def micro_batches(sequences, size):
    return [batch_of(sequences[i:i + size]) for i in range(0, len(sequences), size)]


def num_targets(batch):
    return int((batch["labels"] != -100).sum())


def new_peft(base, job):
    # PEFT asks for a tokenizer by name, which a GGUF alone does not give; its own lines then fill the rows from token ids.
    config = peft.PromptTuningConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=job["num_virtual_tokens"],
        prompt_tuning_init="SAMPLE_VOCAB" if job["init"] == "SAMPLE_VOCAB" else "RANDOM")
    torch.manual_seed(job["seed"])
    model = peft.get_peft_model(base, config)
    if job["init"] == "TEXT":
        rows = peers.rows_of_text(program.TEXT, job["num_virtual_tokens"])
        model.prompt_encoder["default"].embedding.weight.data.copy_(rows)
    return model


@torch.no_grad()
def validation_loss(model, batches):
    """Mean over all targets."""
    total = targets = 0
    for batch in batches:
        total += model(**batch).loss.item() * num_targets(batch)
        targets += num_targets(batch)
    return total / targets


def tune(base, train, validation, job):
    model = new_peft(base, job)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=job["rate"])
    falling = (lambda step: 1 - step / job["steps"]) if job["schedule"] == "linear" else (lambda step: 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, falling)
    losses = []

    def validate():
        losses.append(validation_loss(model, validation))
        if job["output"] and losses[-1] == min(losses):
            model.save_pretrained(job["output"])

    validate()
    order, queue = random.Random(job["seed"]), []
    for step in range(1, job["steps"] + 1):
        while len(queue) < job["batch"]:
            queue += order.sample(train, len(train))
        taken, queue = queue[:job["batch"]], queue[job["batch"]:]
        optimizer.zero_grad()
        batches = micro_batches(taken, MICRO_BATCH)
        targets = sum(map(num_targets, batches))
        for batch in batches:
            (model(**batch).loss * (num_targets(batch) / targets)).backward()
        optimizer.step()
        schedule.step()
        if step % job["every"] == 0:
            validate()
    return losses


def main():
    train, validation = ([peers.training_sequence(json.loads(line)) for line in pathlib.Path(path).read_text().splitlines()]
                         for path in sys.argv[1:3])
    base = peers.new_model(peers.state_dict(), DTYPE).to(DEVICE)
    batches = micro_batches(validation, VALIDATION_BATCH)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(tune(base, train, batches, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
