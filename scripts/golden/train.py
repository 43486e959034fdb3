"""Golden numbers of src/train, made by torch's AdamW, transformers' Adafactor and its schedules: tests/golden/train."""

import json
import pathlib

import torch
import transformers

SHAPE = (3, 8)
STEPS = 12


def schedule_rates(kind, warmup, steps):
    """The learning rate of each step of a run, as transformers' scheduler gives it to the optimizer."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.003)
    scheduler = transformers.get_scheduler(kind, optimizer, warmup, steps)
    rates = []
    for _ in range(steps):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def make_schedules():
    names = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}
    return [
        {"kind": kind, "learning_rate": 0.003, "warmup_steps": warmup, "steps": steps,
         "rates": schedule_rates(name, warmup, steps)}
        for kind, name in names.items()
        for warmup, steps in [(0, 1), (0, 10), (4, 10), (10, 10), (20, 10), (3, 100)]
    ]


def trajectory(dtype, start, gradients, rates, weight_decay, clip_norm):
    """The parameter after each step, the norms before clipping, and the last moments."""
    parameter = torch.nn.Parameter(start.to(dtype).clone())
    optimizer = torch.optim.AdamW([parameter], lr=rates[0], weight_decay=weight_decay)
    parameters, norms = [], []
    for gradient, rate in zip(gradients, rates):
        parameter.grad = gradient.to(dtype).clone()
        norms.append(torch.linalg.vector_norm(parameter.grad).item())
        if clip_norm > 0:
            torch.nn.utils.clip_grad_norm_([parameter], clip_norm)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        parameters.append(parameter.detach().flatten().tolist())
    state = optimizer.state[parameter]
    return {"parameters": parameters, "norms": norms, "first_moment": state["exp_avg"].flatten().tolist(),
            "second_moment": state["exp_avg_sq"].flatten().tolist()}


def make_trajectories():
    """Gradients whose norms lie on both sides of the clip, with one element that is always zero."""
    torch.manual_seed(20)
    start = torch.randn(SHAPE)
    scales = 10.0 ** torch.empty(STEPS).uniform_(-3, 1)
    gradients = [torch.randn(SHAPE) * scale for scale in scales]
    for gradient in gradients:
        gradient[0, 0] = 0
    rates = [0.003 * step / 4 if step <= 4 else 0.003 for step in range(1, STEPS + 1)]
    cases = []
    for weight_decay, clip_norm in [(0.0, 0.0), (1e-5, 1.0), (0.1, 0.0), (0.1, 0.5)]:
        arguments = (start, gradients, rates, weight_decay, clip_norm)
        cases.append({"weight_decay": weight_decay, "clip_norm": clip_norm,
                      "float64": trajectory(torch.float64, *arguments),
                      "float32": trajectory(torch.float32, *arguments)})
    return {"start": start.flatten().tolist(), "rates": rates,
            "gradients": [gradient.flatten().tolist() for gradient in gradients], "cases": cases}


def adafactor_trajectory(dtype, start, gradients, rates, weight_decay):
    """The parameter after each step, and the last moments."""
    parameter = torch.nn.Parameter(start.to(dtype).clone())
    optimizer = transformers.optimization.Adafactor(
        [parameter], lr=rates[0], weight_decay=weight_decay, scale_parameter=False, relative_step=False, warmup_init=False)
    parameters = []
    for gradient, rate in zip(gradients, rates):
        parameter.grad = gradient.to(dtype).clone()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        parameters.append(parameter.detach().flatten().tolist())
    state = optimizer.state[parameter]
    return {"parameters": parameters, "row_moment": state["exp_avg_sq_row"].tolist(),
            "column_moment": state["exp_avg_sq_col"].tolist()}


def make_adafactor_trajectories():
    """Gradients that grow and shrink, so that some updates are clipped and some are not; one is zero throughout."""
    torch.manual_seed(21)
    cases = []
    for shape in [(3, 8), (1, 8), (5, 1), (1, 1), (6, 4)]:
        start = torch.randn(shape)
        scales = 10.0 ** torch.empty(STEPS).uniform_(-6, 1)
        gradients = [torch.randn(shape) * scale for scale in scales]
        gradients[4] = torch.zeros(shape)
        rates = [0.3 * step / 4 if step <= 4 else 0.3 for step in range(1, STEPS + 1)]
        for weight_decay in [0.0, 0.1]:
            arguments = (start, gradients, rates, weight_decay)
            cases.append({"shape": shape, "weight_decay": weight_decay, "start": start.flatten().tolist(), "rates": rates,
                          "gradients": [gradient.flatten().tolist() for gradient in gradients],
                          "float64": adafactor_trajectory(torch.float64, *arguments),
                          "float32": adafactor_trajectory(torch.float32, *arguments)})
    return cases


def make(directory: pathlib.Path):
    golden = {"schedules": make_schedules(), "adamw": make_trajectories(), "adafactor": make_adafactor_trajectories()}
    for name, value in golden.items():
        (directory / f"{name}.json").write_text(json.dumps(value) + "\n")
