"""The workloads of scripts/bench. P virtual tokens, S tokens of a hard prompt that all sequences share, then the tokens
of a question and its answer, of which the last T are targets."""

import random
from typing import NamedTuple

VOCABULARY = 49152


class Case(NamedTuple):
    num_virtual: int
    shared: int
    lengths: list  # of question and answer, one a sequence
    targets: int

    def sequences(self) -> list:
        """(index of the first target, ids) of every sequence; ids of the question differ from the first on."""
        draw = random.Random(1)
        hard_prompt = [draw.randrange(1000, VOCABULARY) for _ in range(self.shared)]
        firsts = draw.sample(range(1000, VOCABULARY), len(self.lengths))
        sequences = []
        for first, length in zip(firsts, self.lengths):
            ids = [first] + [draw.randrange(1000, VOCABULARY) for _ in range(length - 1)]
            sequences.append((self.shared + length - self.targets, hard_prompt + ids))
        return sequences


# Mean 64, longest 96.
SHORT = [34, 40, 46, 50, 54, 57, 60, 62, 64, 66, 69, 73, 78, 84, 91, 96]
# Mean 100, longest 160.
MIDDLE = [52, 61, 68, 74, 80, 85, 90, 95, 99, 104, 109, 115, 123, 135, 150, 160]
# Mean 256, longest 384.
LONG = [196, 198, 200, 203, 208, 214, 221, 230, 240, 252, 266, 282, 301, 322, 379, 384]

CASES = {
    "A": Case(20, 0, SHORT, 2),
    "B": Case(20, 236, SHORT, 8),
    "C": Case(50, 974, MIDDLE, 8),
    "D": Case(50, 974, MIDDLE * 4, 8),
    "E": Case(20, 236, LONG, 192),
    "F": Case(20, 0, [236] * 8, 236),
    "break-even": Case(20, 12, [53, 75], 8),  # the least that sharing has to pay for
}

for _name, _mean, _longest in (
        ("A", 64, 96), ("B", 64, 96), ("C", 100, 160), ("E", 256, 384), ("F", 236, 236), ("break-even", 64, 75)):
    _lengths = CASES[_name].lengths
    assert sum(_lengths) == _mean * len(_lengths) and max(_lengths) == _longest, (_name, sum(_lengths) / len(_lengths))
