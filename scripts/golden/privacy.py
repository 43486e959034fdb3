"""Epsilons of DP-SGD runs by Opacus' RDPAccountant: tests/golden/privacy."""

import json
import warnings

from opacus.accountants import RDPAccountant


def epsilon(noise, rate, steps, delta):
    accountant = RDPAccountant()
    accountant.history = [(noise, rate, steps)]
    return accountant.get_epsilon(delta)


def make(output_dir):
    warnings.filterwarnings("ignore", message="Optimal order is the")
    cases = [
        {"noise": noise, "sample_rate": rate, "steps": steps, "delta": delta,
         "epsilon": epsilon(noise, rate, steps, delta)}
        for noise in (0.3, 0.5, 0.8, 1.0, 1.3, 2.0, 4.0, 10.0, 50.0)
        for rate in (0.0001, 0.001, 0.01, 0.1, 0.32, 0.9, 1.0)
        for steps in (1, 60, 2000)
        for delta in (1e-7, 1e-5, 1e-3)
    ]
    (output_dir / "epsilons.json").write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
