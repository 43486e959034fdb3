"""What `prescript inspect RECIPE --example N` shows of SmolLM2's rendering, against jinja2 and tokenizers."""

import json
import unittest

import peers
import program

INSTRUCTION = "You are a careful clinician.\nAnswer briefly."


class Inspect(program.ProgramTest):
    def expect_equal(self, records, rationale=False, **data):
        train = program.write_exemplars(self.folder / "train.jsonl", records)
        data |= {"rationale": rationale}
        recipe = program.write_recipe(self.folder / "recipe.json", train, data=data,
                                      soft_prompt={"position": "before_question", "num_virtual_tokens": 3})
        prompt = peers.hard_prompt(data.get("instruction"), rationale=rationale)
        template = None if data.get("format") == "plain" else "own"
        for i, record in enumerate(records):
            with self.subTest(record["id"], **data):
                seen = json.loads(program.run("inspect", recipe, "--example", i, "--json").stdout)
                expected = peers.oracle().render(record, prompt, template)
                self.assertEqual(seen["id"], record["id"])
                self.assertEqual(seen["ids"], expected["ids"])
                self.assertEqual(seen["targets"], expected["targets"])
                self.assertEqual(seen["soft_prompt_at"], expected["question_token"])
                self.assertEqual(seen["num_virtual_tokens"], 3)
                self.assertEqual(seen["text"], expected["text"])

    def test_of_the_models_own_template_equals_jinja2(self):
        records = [{**e, "id": str(i)} for i, e in enumerate(peers.rendering.EXEMPLARS + peers.rendering.CONVERSATIONS)]
        self.expect_equal(records)
        self.expect_equal(program.exemplars("consumer_health.train.jsonl", 3), instruction=INSTRUCTION)

    def test_of_plain_format_is_built_from_the_rules(self):
        self.expect_equal(program.exemplars("multiple_choice.train.jsonl", 3), instruction=INSTRUCTION, format="plain", rationale=True)


if __name__ == "__main__":
    unittest.main()
