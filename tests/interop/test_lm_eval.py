"""Log-likelihoods and accuracies of `prescript evaluate` against EleutherAI's lm-evaluation-harness on SmolLM2 in
float32: 200 items of two to four options, rendered by task files of ours (lm_eval_tasks) as `format: plain`."""

import json
import os
import unittest

os.environ.update(HF_DATASETS_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1", TQDM_DISABLE="1")

import lm_eval
import transformers
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

import peers
import program

LETTERS = "ABCD"
NUM_OPTIONS = (4, 2, 3, 2)  # of the items made of an exemplar, one after the other
NUM_BY_LETTER = 100  # of the 200 items; the others go by text
BOUND = 1e-4  # nats, of an option's log-likelihood


def item(record, turn) -> dict:
    """An exemplar with its right option at another place, among so many options."""
    right = record["options"][record["answer"]]
    wrong = [text for letter, text in record["options"].items() if letter != record["answer"]]
    texts = wrong[: NUM_OPTIONS[turn] - 1]
    place = (LETTERS.index(record["answer"]) + turn) % (len(texts) + 1)
    texts.insert(place, right)
    return {"id": f"{record['id']}-{turn}", "question": record["question"],
            "options": dict(zip(LETTERS, texts)), "answer": LETTERS[place]}


def items() -> list:
    records = [r for name in ("validation", "train") for r in program.exemplars(f"multiple_choice.{name}.jsonl")]
    return [item(record, turn) for record in records[:50] for turn in range(len(NUM_OPTIONS))]


class LmEval(program.ProgramTest):
    def prescript(self, parts):
        """(options of (task, id), conditions of the report)."""
        recipe = {"base_model": str(peers.MODEL), "dtype": "fp32", "output": str(self.folder / "run"),
                  "bootstrap": {"replicas": 10}, "tasks": {}}
        for by in parts:
            recipe["tasks"][by] = {"questions": str(self.folder / f"{by}.jsonl"), "format": "plain", "scoring": [by]}
        (self.folder / "recipe.yaml").write_text(json.dumps(recipe))
        program.run("evaluate", self.folder / "recipe.yaml")
        records = program.json_lines((self.folder / "run" / "records.jsonl").read_text())
        report = json.loads((self.folder / "run" / "report.json").read_text())
        return {(r["task"], r["id"]): r["options"] for r in records if "id" in r}, report["conditions"]

    def harness(self, parts):
        """Samples and results by task, through task files that name the items' files."""
        for by in parts:
            task = (peers.ROOT / "tests" / "interop" / "lm_eval_tasks" / f"{by}.yaml").read_text()
            (self.folder / f"{by}.yaml").write_text(task.replace(f": {by}.jsonl", f": {self.folder / by}.jsonl"))
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=peers.tokenizer(),
            eos_token=peers.tokenizer().id_to_token(peers.field("tokenizer.ggml.eos_token_id")))
        # LibTorch's log-softmax of 49152 float32 logits is 2e-5 off, for every token in the same direction.
        lm = HFLM(pretrained=peers.model(), tokenizer=tokenizer, batch_size=16, max_length=1024, softmax_dtype="float64")
        found = lm_eval.simple_evaluate(
            model=lm, tasks=[f"prescript_{by}" for by in parts], log_samples=True, bootstrap_iters=0,
            task_manager=TaskManager(include_path=str(self.folder), include_defaults=False))
        return found["samples"], found["results"]

    def test_items_and_accuracies(self):
        everything = items()
        self.assertEqual(len({i["id"] for i in everything}), 200)
        parts = {"letter": everything[:NUM_BY_LETTER], "text": everything[NUM_BY_LETTER:]}
        for by, part in parts.items():
            program.write_exemplars(self.folder / f"{by}.jsonl", part)
        options, conditions = self.prescript(parts)
        samples, results = self.harness(parts)

        differences = []
        for by, part in parts.items():
            of_items = {sample["doc"]["id"]: sample for sample in samples[f"prescript_{by}"]}
            self.assertEqual(set(of_items), {i["id"] for i in part})
            for each in part:
                found = [options[by, each["id"]][letter][by]["log_likelihood"] for letter in each["options"]]
                expected = [score for score, _ in of_items[each["id"]]["filtered_resps"]]
                for one, other in zip(found, expected, strict=True):
                    differences.append((abs(one - other), each["id"]))
        print(f"{len(differences)} log-likelihoods, largest difference {max(differences)[0]:.2e}")
        self.assertLessEqual(max(differences)[0], BOUND, max(differences)[1])
        for scoring, by, metric in (("letter", "letter", "acc"), ("text", "text", "acc"), ("text_normalized", "text", "acc_norm")):
            condition = next(c for c in conditions if c["scoring"] == scoring)
            self.assertAlmostEqual(condition["accuracy"][0], results[f"prescript_{by}"][f"{metric},none"], delta=1e-12)


if __name__ == "__main__":
    unittest.main()
