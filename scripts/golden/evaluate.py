"""ROUGE-L of pairs of texts by rouge-score 0.1.2, without stemming -> tests/golden/evaluate/rouge_l.json."""

import json
import random

from rouge_score import rouge_scorer

TEXTS = [
    "Rest, drink plenty of fluids, and see a doctor if the fever lasts longer than three days.",
    "See a doctor if a fever lasts longer than 3 days; drink fluids and rest.",
    "Fluids! Rest. Fluids! Rest.",
    "COVID-19 (SARS-CoV-2) can't be told from flu by symptoms alone.",
    "na\u00efve caf\u00e9 \u03b1-blocker 5\u00b5g",
    "",
    "...",
    "a a a a a",
    "a b a b",
]


def make(output_dir):
    generator = random.Random(1)
    words = "the a pain fever of in rest 5 mg drug".split()
    texts = TEXTS + [" ".join(generator.choices(words, k=generator.randint(1, 40))) for _ in range(12)]
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    cases = []
    for reference in texts:
        for answer in texts:
            score = scorer.score(reference, answer)["rougeL"]
            cases.append([texts.index(reference), texts.index(answer), score.precision, score.recall, score.fmeasure])
    (output_dir / "rouge_l.json").write_text(json.dumps({"texts": texts, "cases": cases}) + "\n")
