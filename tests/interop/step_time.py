"""Times one training step of SmolLM2 beside PEFT's on the same exemplars: seconds and peak memory, side by side.

    .venv-interop/bin/python tests/interop/step_time.py [--exemplars 16] [--steps 5] [--dtype bf16]

PEFT runs as its documentation has it: prompt tuning, right padding, labels −100 outside of the answers. Both sides take turns, one step each; the
first step of each is not counted.
"""

import argparse
import pathlib
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
import program


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


def peft_worker(dtype, batch):
    """Runs a step for every line on stdin and prints its seconds and the process's peak since the first, in KiB."""
    torch.nn.functional.linear = peers.stock_linear  # its time is that of LibTorch's own products
    step = peft_step(dtype, batch)
    for first, _ in enumerate(sys.stdin):
        print(step(), peak_kib(), flush=True)
        if first == 0:
            pathlib.Path("/proc/self/clear_refs").write_text("5")  # what loading took does not count


def peak_kib():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def our_step(dtype, batch):
    with tempfile.TemporaryDirectory() as folder:
        rows = peers.vocabulary_rows(numerics.NUM_VIRTUAL_TOKENS)
        return program.probe(dtype, rows, batch, pathlib.Path(folder))["seconds"].item()


def our_peak_kib(options):
    """The peak of a whole process of ours, measured where PEFT's is no child beside it."""
    code = ("import resource, sys; sys.path.insert(0, %r); import step_time, numerics; "
            "step_time.our_step(%r, numerics.sequences(0, %d)); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    code %= (str(pathlib.Path(__file__).parent), options.dtype, options.exemplars)
    return int(subprocess.run([sys.executable, "-B", "-c", code], check=True, capture_output=True, text=True).stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exemplars", type=int, default=16)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--dtype", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--peft-worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    batch = numerics.sequences(0, options.exemplars)
    if options.peft_worker:
        return peft_worker({"fp32": torch.float32, "bf16": torch.bfloat16}[options.dtype], batch)
    worker = subprocess.Popen([sys.executable, *sys.orig_argv[1:], "--peft-worker"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ours, theirs, peft_peak = [], [], 0
    for i in range(options.steps + 1):
        mine = our_step(options.dtype, batch)
        worker.stdin.write("step\n")
        worker.stdin.flush()
        peer, peft_peak = map(float, worker.stdout.readline().split())
        print(f"step {i}: prescript {mine:.2f} s, PEFT {peer:.2f} s", file=sys.stderr)
        if i > 0:
            ours.append(mine)
            theirs.append(peer)
    worker.stdin.close()
    worker.wait()
    our_peak = our_peak_kib(options)
    tokens = [len(ids) for *_, ids in batch]
    versions = f"peft {peft.__version__}, transformers {peers.transformers.__version__}, torch {torch.__version__}"
    print(
        f"SmolLM2-135M, {options.dtype}, {numerics.NUM_VIRTUAL_TOKENS} virtual tokens, {len(batch)} exemplars of "
        f"{min(tokens)} to {max(tokens)} tokens, {torch.get_num_threads()} threads; {versions}"
    )
    for name, seconds, peak in (("prescript", ours, our_peak), ("PEFT", theirs, peft_peak)):
        print(f"{name:<10} {statistics.median(seconds):6.2f} s a step (median of {len(seconds)}), "
              f"peak {peak / 2**20:.2f} GiB")
    print(f"ratio      {statistics.median(theirs) / statistics.median(ours):6.2f}")


if __name__ == "__main__":
    main()
