"""Every family in every format: ids, loss and gradient are those of transformers; in one HF and one GGUF format of each on to
an exported adapter and its greedy text. `test_models.py --table FILE` writes what passed as docs/MODELS.md."""

import copy
import json
import pathlib
import re
import sys
import unittest

import torch

import model_families
import peers
import program

EXEMPLARS = [
    {"id": "a", "question": "How much water should I drink?", "answer": "Drink when you are thirsty; two litres a day is plenty."},
    {"id": "b", "question": "Is a fever dangerous?", "answer": "Rarely. See a doctor if it lasts three days."},
    {"id": "c", "question": "Can I take ibuprofen with food?", "answer": "Yes, that is gentler on the stomach."},
]
TEXTS = [record[part] for record in EXEMPLARS for part in ("question", "answer")]
INIT = "Answer the question carefully."
NUM_VIRTUAL = 4
FORMATS = ("safetensors", "safetensors in shards", "GGUF F32", "GGUF F16", "GGUF BF16", "GGUF Q8_0", "GGUF in shards")
TO_AN_ADAPTER = ("safetensors", "GGUF Q8_0")


def model_in(folder, family, form):
    """(path, transformers' model of the same numbers, its tokenizer)."""
    tokenizer = model_families.new_tokenizer(family.tokenizer, TEXTS)
    model = model_families.new_model(family, tokenizer)
    if form == "safetensors":
        return model_families.save(folder / "model", model, tokenizer), model, tokenizer
    if form == "safetensors in shards":
        # Its weights are bfloat16 numbers already, and stay beside rotary tables in float32.
        path = model_families.save(folder / "model", copy.deepcopy(model).bfloat16(), tokenizer, shard="40KB")
        assert len(list(path.glob("*.safetensors"))) > 2
        return path, model, tokenizer
    if form == "GGUF in shards":
        path = model_families.write_gguf(folder / "model.gguf", family, model, tokenizer, model_families.F.F32,
                                         split_max_tensors=8)
        shards = sorted(folder.glob("model-*.gguf"))
        assert len(shards) > 2, shards
        return shards[0], model, tokenizer
    kind = model_families.F[form.removeprefix("GGUF ")]
    model = model_families.rounded_by(model, kind)
    return model_families.write_gguf(folder / "model.gguf", family, model, tokenizer, kind), model, tokenizer


def text_of(tokenizer, ids):
    """As decode gives it, but of bytes that are no whole character only those are lost, not the run they stand in."""
    ids = [i for i in ids if i not in tokenizer.all_special_ids]
    pieces = tokenizer.convert_ids_to_tokens(ids)
    if not any(re.fullmatch("<0x[0-9A-F]{2}>", piece) for piece in pieces):
        return tokenizer.decode(ids)
    spelled = [bytes.fromhex(piece[3:5]) if re.fullmatch("<0x[0-9A-F]{2}>", piece) else piece.replace("▁", " ").encode()
               for piece in pieces]
    return b"".join(spelled).decode(errors="replace").removeprefix(" ")


def one_sign_a_run(text):
    return re.sub("\ufffd+", "\ufffd", text)


class Models(program.ProgramTest):
    def expect_transformers(self, family, form):
        path, model, tokenizer = model_in(self.folder, family, form)
        train = program.write_exemplars(self.folder / "train.jsonl", EXEMPLARS)
        recipe = program.write_recipe(
            self.folder / "recipe.json", train, base_model=str(path), data={"format": "plain"},
            soft_prompt={"num_virtual_tokens": NUM_VIRTUAL, "init": {"from": "text", "text": INIT}},
            training={"steps": 2, "batch_size": len(EXEMPLARS)})

        sequences = []
        for i in range(len(EXEMPLARS)):
            seen = json.loads(program.run("inspect", recipe, "--example", i, "--json").stdout)
            self.assertEqual(seen["text"], f"{EXEMPLARS[i]['question']}\nAnswer: {EXEMPLARS[i]['answer']}")
            ids = tokenizer(seen["text"])["input_ids"] + [tokenizer.eos_token_id]
            self.assertEqual(seen["ids"], ids)
            sequences.append(peers.Sequence(seen["soft_prompt_at"], seen["targets"][0], len(ids), ids))

        # Rotary tables stay what float32 makes of them.
        exact = model.double()
        start = tokenizer(INIT, add_special_tokens=False)["input_ids"]
        prompt = exact.get_input_embeddings()(torch.tensor((start * NUM_VIRTUAL)[:NUM_VIRTUAL])).detach()
        expected_loss, expected_gradient = peers.loss_and_gradient(exact, prompt, sequences)
        loss, gradient = program.gradient(recipe, self.folder)
        self.assertLessEqual(abs(loss - expected_loss), 1e-5 * expected_loss)
        self.assertLessEqual((gradient - expected_gradient).norm(), 1e-4 * expected_gradient.norm())

        if form not in TO_AN_ADAPTER:
            return
        program.run("train", recipe)
        self.assertEqual(len(program.metrics(self.folder / "run")), 2)
        adapter = self.folder / "run" / "adapter"
        trained = program.load_file(adapter / "adapter_model.safetensors")["prompt_embeddings"]
        self.assertGreater((trained - prompt).norm(), 0)

        questions = program.write_exemplars(self.folder / "questions.jsonl", [{"id": "q", "question": EXEMPLARS[0]["question"]}])
        answer = program.json_lines(program.run(
            "generate", "--model", path, "--adapter", adapter, "--dtype", "fp32", "--input", questions, "--json",
            "--max-new-tokens", 8).stdout)[0]
        asked = tokenizer(f"{EXEMPLARS[0]['question']}\nAnswer:")["input_ids"]
        ids = self.greedy(exact, trained, asked, tokenizer.eos_token_id)
        self.assertEqual(answer["num_tokens"], len(ids))
        self.assertEqual(one_sign_a_run(answer["text"]), one_sign_a_run(text_of(tokenizer, ids)))

    @torch.no_grad()
    def greedy(self, lm, prompt, ids, end):
        rows = lm.get_input_embeddings()
        inputs, generated = torch.cat([prompt.double(), rows(torch.tensor(ids))])[None], []
        while len(generated) < 8 and end not in generated:
            generated.append(lm(inputs_embeds=inputs, use_cache=False).logits[0, -1].argmax().item())
            inputs = torch.cat([inputs, rows(torch.tensor([[generated[-1]]]))], 1)
        return generated


def name_of(family, form):
    return f"test_{family.variant}_{form.lower().replace(' ', '_')}"


for _family in model_families.FAMILIES:
    for _form in FORMATS:
        setattr(Models, name_of(_family, _form),
                lambda self, family=_family, form=_form: self.expect_transformers(family, form))


TABLE = """# Models

What runs, from which files. The table is written by `scripts/dev models` from tests that ran
(`tests/interop/test_models.py`): for each family a tiny model of random weights, made by transformers, is stored in each
format; ids, loss and the gradient of the soft prompt have to be those of transformers in float64 (loss to 1e-5, gradient to
1e-4), past the window where layers slide. In the formats marked ✔✔ the same model is also tuned and its adapter exported and
used: the greedy text has to be transformers'. ✔ alone: up to the gradient. Each has a tiny tokenizer as its family's is put together,
GPT-NeoX that of GPT-2.

{table}

* K-quants and the other GGUF types (Q4_0, Q4_1, Q5_0, Q5_1, Q2_K to Q6_K) are read bit for bit as `gguf.dequantize` reads them
  (`tests/io`), whatever the family.
* Of a model that also sees, the text side is read.
* GGUF has no key for some settings; they are as llama.cpp takes them: Gemma's query scalar is the head size (in the models of
  27 billion parameters D / H), every second or all but every sixth layer slides, GPT-2's scores are not divided by the layer's
  number. BioMedLM divides them: use its Hugging Face files. Absent caps of a Gemma 2 are 50 and 30, an absent window is 4096.
* What a config.json leaves out is as the family's class in transformers has it: a window of 4096 of a Mistral, for one. An absent
  base of the rotary positions is 10000, as in Llama 2's own config.json, and in llama.cpp of a GGUF.
* llama.cpp's converter writes no window of a Mistral, nor of a Qwen that has one: such a GGUF attends to everything, as in
  llama.cpp. Of Mistral 7B v0.1 that differs from its Hugging Face files behind 4096 tokens.
* Files that contradict themselves are refused: two bases, types or original contexts of rotary positions, a head of its own in a
  file whose config.json ties it to the embedding. So is a share of the head that turns outside Phi-3 and GPT-NeoX, which
  programs read in different ways.
* Long sequences: `dynamic` and `longrope` scalings turn all positions otherwise once a sequence is longer than the original
  context, which sequences of several lengths cannot share. They run up to there: `inspect` tells that context as
  `max_positions` and says that longer sequences are not implemented, and a longer exemplar is refused.
* Tokenizers: byte-level BPE, SentencePiece's BPE and, from tokenizer.json, unigram. Refused by name: the normaliser
  `Precompiled`, unigram and WordPiece of a GGUF, a GGUF of byte-level BPE without `tokenizer.ggml.pre`.
* Not supported, and refused by name: mixtures of experts, encoders, attention in both directions, state-space models, any
  other family or feature.
"""


class Recorder(unittest.TextTestResult):
    passed = set()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed.add(test.id().split(".")[-1])


def write_table(path):
    result = unittest.TextTestRunner(resultclass=Recorder).run(unittest.defaultTestLoader.loadTestsFromTestCase(Models))
    rows = [["family", *FORMATS], ["---"] * (1 + len(FORMATS))]
    for family in model_families.FAMILIES:
        marks = ("✔✔" if form in TO_AN_ADAPTER else "✔" for form in FORMATS)
        rows.append([family.label, *(mark if name_of(family, form) in Recorder.passed else "✘"
                                     for form, mark in zip(FORMATS, marks))])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    pathlib.Path(path).write_text(TABLE.format(table=table))
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        write_table(sys.argv[2])
    unittest.main()
