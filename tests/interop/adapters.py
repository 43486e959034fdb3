"""Adapters around given soft prompts, saved by PEFT."""

import copy

import peft

import peers


def save(folder, prompt):
    """`prompt` is [P, D]; returns the folder."""
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=len(prompt))
    model = peft.get_peft_model(copy.deepcopy(peers.model()), config)
    model.prompt_encoder["default"].embedding.weight.data.copy_(prompt)
    model.save_pretrained(folder)
    return folder
