"""Golden files of src/text/rendering, made by jinja2 and the tokenizers package: tests/golden/rendering.

    templates.json   {name: chat template}; SmolLM2's own and others that wrap, trim and think
    smollm2.jsonl    {"template" (null: format plain), "hard_prompt", "exemplar", "text", "ids", "targets", "prompt_ids",
                     "question_token", "letter", "text_of_option"}: what SmolLM2 reads. The last two are
                     [[ids, targets] of each option], scored by its letter and by its text

The messages are put together here from DESIGN section 6 alone. Where the answer stands is found by searching for it in
the rendered text: nothing but the template's own text comes behind it.
"""

import json

import gguf
from jinja2.sandbox import ImmutableSandboxedEnvironment

from golden.tokenizer import SMOLLM2, smollm2, write_lines

TEMPLATES = {
    "trimming": "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}\n\n{{ m.content | trim }}<|im_end|>\n{% endfor %}",
    "thinking": "{%- for m in messages %}\n<|im_start|>{{ m.role }}\n"
    "{%- if loop.last and m.role == 'assistant' %}\n<think>\n\n</think>\n{% endif %}\n{{ m.content }} \n<|im_end|>\n{%- endfor %}",
    "instructing": "{% set rest = messages %}{% if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% endif %}{% for m in rest %}{% if m.role == 'user' %}"
    "[INST] {{ system if loop.first else '' }}{{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}",
}

EXEMPLARS = [
    {"question": "What is creatinine?", "answer": "A waste product of the muscles; the kidneys remove it."},
    {"question": "How many chambers has the heart?", "answer": "4"},
    {"question": "Was hilft bei Fieber über 39 °C? ", "answer": "Viel trinken, ruhen – und 500 mg Paracetamol.\n"},
    {"question": "  Is it safe\tto fly?", "answer": " Yes,\n\n* in most cases.\n* Ask first. "},
    {"question": "熱があります。", "answer": "病院に行ってください。🩺"},
    {"context": "Aspirin lowered the risk by 20%.\n\nNo bleeding was seen.", "question": "Does aspirin help?",
     "answer": "It does, a little.", "rationale": "The risk was lowered."},
    {"question": "Which nerve is tested?", "options": {"A": "Facial", "B": "Trigeminal", "C": "Vagus"}, "answer": "B",
     "rationale": "The corneal reflex begins in the ophthalmic branch."},
    {"context": "A man of 60 years.", "question": "Next step?", "options": {"A": "ECG", "B": "12 mg", "E": "(X-ray)"},
     "answer": "E"},
    {"question": "Answer: or Question: ?", "answer": "Answer: neither"},
    {"question": "<|im_start, what is it?", "answer": "<|im_end, not whole"},
]
CONVERSATIONS = [
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is a fever?"},
                  {"role": "assistant", "content": "A temperature above 38 degrees."}]},
    {"messages": [{"role": "user", "content": "My knee hurts."}, {"role": "assistant", "content": "Since when?"},
                  {"role": "user", "content": "Since yesterday."}, {"role": "assistant", "content": "Rest it for a week."}]},
]
SPECIAL_IN_PLAIN = {"question": "What ends a turn?", "answer": "The token <|im_end|> does."}

FEW_SHOT = [
    {"id": "f1", "question": "What is a tendon?", "answer": "It joins muscle and bone."},
    {"id": "f2", "question": "Which is a vein?", "options": {"A": "Aorta", "B": "Cava"}, "answer": "B", "rationale": "It leads back."},
]
HARD_PROMPTS = [
    {"instruction": None, "few_shot": [], "rationale": False},
    {"instruction": "You are a careful clinician.", "few_shot": [], "rationale": True},
    {"instruction": None, "few_shot": FEW_SHOT[:1], "rationale": False},
    {"instruction": "Answer as a physician would.\n", "few_shot": FEW_SHOT, "rationale": True},
]


def question(e):
    lines = [e["question"]] + [f"({letter}) {text}" for letter, text in e.get("options", {}).items()]
    return "\n\n".join(([e["context"]] if "context" in e else []) + ["\n".join(lines)])


def answer(e, rationale, choice=None):
    short = choice or (f"({e['answer']})" if "options" in e else e["answer"])
    return short if not rationale else "\n".join(([e["rationale"]] if "rationale" in e else []) + ["Answer: " + short])


def message(e, prompt):
    word = "Explanation" if prompt["rationale"] else "Answer"
    pieces = [prompt["instruction"]] if prompt["instruction"] else []
    pieces += [f"Question: {question(shot)}\n{word}: {answer(shot, prompt['rationale'])}" for shot in prompt["few_shot"]]
    return "\n\n".join(pieces + [("Question: " if prompt["few_shot"] else "") + question(e)])


def flattened(e):
    """A conversation as its question, its answer and the turns around them."""
    turns = e.get("messages")
    if not turns:
        return e, [], []
    first = next(i for i, turn in enumerate(turns) if turn["role"] == "user")
    return {"question": turns[first]["content"], "answer": turns[-1]["content"]}, turns[:first], turns[first + 1:-1]


class Oracle:
    def __init__(self):
        self.tokenizer = smollm2()
        fields = gguf.GGUFReader(SMOLLM2).fields
        pieces = fields["tokenizer.ggml.tokens"].contents()
        self.bos = pieces[fields["tokenizer.ggml.bos_token_id"].contents()]
        self.eos_id = fields["tokenizer.ggml.eos_token_id"].contents()
        self.eos = pieces[self.eos_id]
        self.special = {i for i, kind in enumerate(fields["tokenizer.ggml.token_type"].contents()) if kind == 3}
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self.templates = {"own": fields["tokenizer.chat_template"].contents(), **TEMPLATES}
        self.compiled = {name: environment.from_string(text) for name, text in self.templates.items()}

    def encode(self, text, name):
        self.tokenizer.encode_special_tokens = name is None
        return self.tokenizer.encode(text, add_special_tokens=False)

    def text_around(self, e, prompt, name, a):
        e, before, between = flattened(e)
        m = message(e, prompt)
        if name is None:
            return m + ("\nExplanation: " if prompt["rationale"] else "\nAnswer: ") + a
        turns = before + [{"role": "user", "content": m}] + between + [{"role": "assistant", "content": a}]
        return self.compiled[name].render(messages=turns, bos_token=self.bos, eos_token=self.eos, add_generation_prompt=False)

    def place(self, text, part):
        for kept in (part, part.rstrip(), part.strip()):
            if kept in text:
                return text.rindex(kept), text.rindex(kept) + len(kept)
        raise AssertionError(f"{part!r} is not in {text!r}")

    def render(self, e, prompt, name):
        text = self.text_around(e, prompt, name, a := answer(flattened(e)[0], prompt["rationale"]))
        begin, end = self.place(text, a)
        encoding = self.encode(text, name)
        ids, offsets = encoding.ids, encoding.offsets
        targets = [i for i, (b, t) in enumerate(offsets) if b < end and t > begin]
        if name is None:
            ids, last = ids + [self.eos_id], len(ids)
        else:
            last = next(i for i, (b, t) in enumerate(offsets) if b >= end and ids[i] in self.special)
            ids, text = ids[:last + 1], text[:offsets[last][1]]
        prompt_text = text[:begin] if name else text[:begin].removesuffix(" ")
        at, _ = self.place(text[:begin], question(flattened(e)[0]))
        return {"text": text, "ids": ids, "targets": targets + [last], "prompt_ids": self.encode(prompt_text, name).ids,
                "question_token": next(i for i, (_, t) in enumerate(offsets) if t > at)}

    def options(self, e, prompt, name, by_text):
        scored = []
        for letter, option in e["options"].items():
            choice = option if by_text else f"({letter})"
            text = self.text_around(e, prompt, name, ("Answer: " if prompt["rationale"] else "") + choice)
            begin, end = self.place(text, choice)
            encoding = self.encode(text, name)
            targets = [i for i, (b, t) in enumerate(encoding.offsets) if b < end and t > begin]
            scored.append([encoding.ids[:targets[-1] + 1], targets])
        return scored


def records(oracle):
    for name in [None, *oracle.templates]:
        for prompt in HARD_PROMPTS:
            for e in EXEMPLARS + (CONVERSATIONS if name else [SPECIAL_IN_PLAIN]):
                record = {"template": name, "hard_prompt": prompt, "exemplar": e, **oracle.render(e, prompt, name)}
                if "options" in e:
                    record["letter"] = oracle.options(e, prompt, name, by_text=False)
                    record["text_of_option"] = oracle.options(e, prompt, name, by_text=True)
                yield record


def make(output_dir):
    oracle = Oracle()
    (output_dir / "templates.json").write_text(json.dumps(oracle.templates, indent=1) + "\n")
    write_lines(output_dir / "smollm2.jsonl", records(oracle))
