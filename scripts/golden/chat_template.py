"""Golden files of src/text's chat templates, made by jinja2 as transformers sets it up: tests/golden/chat_template.

    templates/*.jinja   public templates of models, as llama.cpp's models/templates holds them (MIT licence); kept, not made
    models.json         {"conversations": [{"messages", "add_generation_prompt"}, ...], "templates": [{"name", "text" (of a
                        template written here), "results": [...]}]}
    language.json       {"cases": [{"template", "result"}, ...]}: one small template for each thing that the language has

A result is what the conversation renders to, or null where jinja2 raises an error.
"""

import datetime
import json

import jinja2
from transformers.utils import chat_template_utils

BOS, EOS, DATE = "<s>", "</s>", "2025-03-07"


class FixedDate(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(DATE)


chat_template_utils.datetime = FixedDate

TRICKY = "  \n Maß & „Dosis“: 1,5 µg {{ x }} {% if y %} {# z #} 'a' \"b\" \\n <|im_end|> </s> 👩‍⚕️ 患者 \t\n\n "


def conversation(*contents, system=None, prompt=False):
    messages = [] if system is None else [{"role": "system", "content": system}]
    for i, content in enumerate(contents):
        messages.append({"role": "assistant" if i % 2 else "user", "content": content})
    return {"messages": messages, "add_generation_prompt": prompt}


CONVERSATIONS = [
    conversation("What is anaemia?", "Too few red blood cells."),
    conversation("What is anaemia?", prompt=True),
    conversation("What is anaemia?", "Too few red blood cells.", system="You are a careful clinician."),
    conversation("Hi", "Hello.", "And then?", "Rest.", "Thanks", system="Be brief.", prompt=True),
    conversation(TRICKY, TRICKY),
    conversation(TRICKY, TRICKY, TRICKY, prompt=True, system=TRICKY),
    conversation("", "", system=""),
    conversation("/no_think Why?", "<think>\nreasons\n</think>\n\nBecause.", "So?", "<think>x</think>Yes."),
    {"messages": [{"role": "assistant", "content": "First."}, {"role": "user", "content": "Second."}],
     "add_generation_prompt": False},
    {"messages": [{"role": "user", "content": "One."}, {"role": "user", "content": "Two."}], "add_generation_prompt": True},
    {"messages": [{"role": "doctor", "content": "Odd role."}], "add_generation_prompt": True},
    {"messages": [], "add_generation_prompt": False},
]

# Templates of models whose text is short enough to be written down here.
WRITTEN = {
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
              "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "smollm2": "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are"
               " a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' +"
               " message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
               "{{ '<|im_start|>assistant\n' }}{% endif %}",
    "llama2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]"
              "['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message"
              " in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation"
              " roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message !="
              " false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}"
              "{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' +"
              " content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' +"
              " eos_token }}{% endif %}{% endfor %}",
    "llama3": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' +"
              " message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
              "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
              "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "mistral": "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
               "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
               "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] =="
               " 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are"
               " supported!') }}{% endif %}{% endfor %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token"
              " }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif"
              " message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n"
              "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    "phi3": "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
            "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] =="
            " 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "generation tags": "{%- for message in messages %}\n  {%- if message.role == 'assistant' %}\n    {% generation %}\n"
                       "{{- message.content + eos_token }}\n    {% endgeneration %}\n  {%- else %}\n{{ message.content }}\n"
                       "  {% endif %}\n{%- endfor %}",
}

# One line each, rendered with no messages but those of MESSAGES. Errors are cases too.
MESSAGES = [{"role": "system", "content": "Sé breve."}, {"role": "user", "content": " Grüße, Ärztin! 👩‍⚕️ "},
            {"role": "assistant", "content": "ok"}]
LANGUAGE = r"""
{{ 1 }} {{ -1 }} {{ 1.0 }} {{ 1e20 }} {{ 1.5e-7 }} {{ 123456789.125 }} {{ 1e15 }} {{ 1e16 }} {{ 0.0001 }} {{ 1_000 }}
{{ true }} {{ False }} {{ none }} {{ None }} {{ 'a' 'b' }} {{ "it's" }} {{ 'a\tb\\c\x41\u00e9\101\q' }}
{{ [1, 'a', none, true, 1.5, (1,), (), [], {}] }} {{ {'a': [1], 2: "it's"} }} {{ ['a\n\'"', "it's", 'q"'] }}
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}
{{ 7.5 // 2 }} {{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }} {{ 1 + 2.5 }} {{ true + 1 }} {{ 3 - 5 * 2 }} {{ -2 ** 2 }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 'a' + 'b' }} {{ 'ab' * 3 }} {{ 2 * [1, 2] }} {{ [1] + [2] }} {{ (1,) + (2,) }} {{ 'x' * -1 }}
{{ 'a' + 1 }}
{{ [1] + (2,) }}
{{ none + 'a' }}
{{ missing + 'a' }}
{{ 'a' ~ 1 ~ none ~ missing ~ [1] ~ 1.5 }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ 1 == true }} {{ 'a' < 'b' }} {{ 'é' > 'z' }} {{ 1 != '1' }} {{ none == none }}
{{ 1 < 'a' }}
{{ missing < 1 }}
{{ [1, [2]] == [1, [2]] }} {{ [1] == (1,) }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ missing == other }} {{ missing == none }}
{{ 'a' in 'cat' }} {{ '' in 'a' }} {{ 1 in [1, 2] }} {{ 'a' in {'a': 1} }} {{ 'b' not in 'cat' }} {{ 1 in missing }}
{{ 1 in 'a' }}
{{ 1 in none }}
{{ 'x' if true else 'y' }} {{ 'x' if false }} {{ 'x' if 0 else 'y' if 0 else 'z' }} {{ 1 and 0 or 'b' }} {{ not 1 }} {{ not not 1 }}
{{ missing }} {{ missing is defined }} {{ missing is undefined }} {{ missing|length }} {{ missing|default('d') }} {{ not missing }}
{{ missing.a }}
{{ missing['a'] }}
{{ missing() }}
{{ none.a }} {{ none['a'] }} {{ 'a'.b }} {{ (1).b }} {{ {'a': 1}.b }} {{ [1].b }} {{ [1][5] }} {{ 'abc'[7] }} {{ {'a': 1}[[1]] }}
{{ {'a': 1}.b.c }}
{{ messages[0].role }} {{ messages[-1]['content'] }} {{ messages.0.role }} {{ messages[1].content[1] }} {{ messages[1].content[-3] }}
{{ messages[1].content|length }} {{ messages|length }} {{ messages[1].content[1:6] }} {{ messages[1].content[::-1] }}
{{ 'abcdef'[2:] }} {{ 'abcdef'[:2] }} {{ 'abcdef'[-2:] }} {{ 'abcdef'[1:-1] }} {{ 'abcdef'[::2] }} {{ 'abcdef'[4:1:-1] }} {{ 'abc'[5:] }}
{{ [1,2,3,4][1:] }} {{ [1,2,3,4][::-1] }} {{ (1,2,3)[:2] }} {{ [1,2,3][-1:] }} {{ [1,2,3][:-5] }} {{ [1,2][9:0:-1] }} {{ 'é👩‍⚕️x'[1:] }}
{{ 'abc'[::0] }}
{{ tools[1:] }}
{{ tools }} {{ documents }} {{ tools is none }} {{ tools is defined }} {{ add_generation_prompt }} {{ bos_token }}{{ eos_token }}
{{ unk is defined }} {{ strftime_now is defined }} {{ raise_exception is defined }} {{ namespace is callable }}
{{ strftime_now('%d %b %Y, %A %a %B %m %y %j %H:%M:%S %% %-d') }}
{{ raise_exception('no') }}
{{ 1 is number }} {{ true is number }} {{ 1 is integer }} {{ true is integer }} {{ 1.5 is float }} {{ 'a' is string }} {{ true is boolean }}
{{ [] is iterable }} {{ 'a' is iterable }} {{ none is iterable }} {{ {} is mapping }} {{ [] is mapping }} {{ {} is sequence }} {{ missing is iterable }}
{{ 'a' is sequence }} {{ (1,) is sequence }} {{ 1 is sequence }} {{ missing is sequence }} {{ missing is callable }} {{ none is none }} {{ 0 is none }} {{ missing is none }}
{{ 1 is odd }} {{ 2 is even }} {{ -3 is odd }} {{ 6 is divisibleby 3 }} {{ 6 is divisibleby(4) }} {{ 1 is in [1] }} {{ 1 is not in [1] }}
{{ 1 is eq 1 }} {{ 1 is equalto 2 }} {{ 1 is ne(2) }} {{ 1 is lt 2 }} {{ 2 is ge 2 }} {{ true is true }} {{ 1 is true }} {{ false is false }}
{{ not 1 is defined }} {{ 1 is not defined }} {{ 'a' is string and 1 is number }} {{ 'y' if x is defined else 'n' }}
{{ ' a b '|trim }}. {{ 'xxaxx'|trim('x') }} {{ none|trim }} {{ 5|trim }} {{ messages[1].content|trim }}. {{ 'ab'|upper }} {{ 'AB'|lower }}
{{ 'hello wORLD-foo (bar) x'|title }} {{ 'hELLO wORLD'|capitalize }} {{ ''|capitalize }} {{ 'hello wORLD-foo x1y'.title() }}
{{ 'aXbXc'|replace('X', '-') }} {{ 'aXbXc'|replace('X', '-', 1) }} {{ 'a1b'|replace(1, 2) }} {{ 'aXb'.replace('X', 'YY') }}
{{ missing|default }}. {{ ''|default('e') }}. {{ ''|default('e', true) }} {{ none|default('n', boolean=true) }} {{ none|d('n') }} {{ 0|d(5) }}
{{ [1, 2]|join(', ') }} {{ 'abc'|join('-') }} {{ []|join }}. {{ messages|join('|', attribute='role') }} {{ [1, none, 'x']|join }} {{ '-'.join(['a', 'b']) }}
{{ '-'.join([1]) }}
{{ [1, 2]|first }} {{ [1, 2]|last }} {{ 'abc'|first }} {{ 'abc'|last }} {{ []|first }}. {{ []|last }}. {{ {'a': 1}|first }}
{{ 'abc'|list }} {{ {'a': 1, 'b': 2}|list }} {{ (1, 2)|list }} {{ range(3)|list }} {{ [3, 1]|reverse|list }} {{ 'abc'|reverse }}
{{ 5|string + 'x' }} {{ '42'|int + 1 }} {{ ' 7 '|int }} {{ 'x'|int }} {{ 'x'|int(9) }} {{ 2.9|int }} {{ true|int }} {{ none|int }} {{ '+5'|int }}
{{ range(4)[1:]|list }} {{ range(3)[-1] }} {{ range(3)|length }} {{ range(2) is sequence }} {{ range(2, 8, 3)|list }} {{ range(3, 0, -1)|list }} {{ range(0)|list }}
{{ range(100001)|list }}
{{ range(3) + [1] }}
{{ 1. 5 }}
{{ {'a': 1, 'B': 2}|items|list }} {{ {'b': 1, 'A': 2}|dictsort }} {{ {'b': 1, 'A': 2}|dictsort(true) }} {{ missing|items|list }}
{{ {'a': 1, 'a': 2, 1: 'x', true: 'y'} }} {{ {'a': 1}.get('a') }} {{ {'a': 1}.get('b') }} {{ {'a': 1}.get('b', 3) }} {{ dict(a=1) }}
{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %} {{ {'a': 1}.keys()|list }} {{ {'a': 1}.values()|list }}
{{ messages|map(attribute='role')|list }} {{ ['a', 'b']|map('upper')|join }} {{ [' a ']|map('trim')|list }} {{ ['aXb']|map('replace', 'X', '-')|first }}
{{ messages|selectattr('role', 'equalto', 'user')|list|length }} {{ messages|rejectattr('role', '==', 'user')|map(attribute='role')|join(',') }}
{{ [0, 1, 2, none]|select|list }} {{ [1, 2, 3]|select('odd')|list }} {{ [1, 2, 3]|reject('odd')|list }} {{ [1, none]|reject('none')|list }}
{{ messages|selectattr('tool_calls', 'defined')|list }} {{ messages|selectattr('content')|list|length }} {{ messages|selectattr('x')|first }}.
{{ 'y' if messages|selectattr('role', 'eq', 'nobody') else 'n' }} {{ 'a' in ['a']|map('lower') }}
{{ tools|selectattr('type')|list }} {{ tools|map('upper')|list }}
{{ messages|map('first')|length }}
{{ {'a': [1, 2.5, true, none, 'é"\n\x7f/']}|tojson }} {{ 'é\u2028😀\x7f'|tojson(ensure_ascii=true) }} {{ []|tojson }} {{ {}|tojson(indent=2) }}
{{ {'b': [1, {'c': (2, 3)}], 'a': []}|tojson(indent=2) }} {{ {'b': 1, 'a': 2}|tojson(sort_keys=true) }} {{ [1, 2]|tojson(separators=(',', ':')) }}
{{ {1: 2, none: 3, true: 4, 1.5: 5}|tojson }} {{ [1]|tojson(indent='--') }} {{ [1, 2]|tojson(false, none) }}
{{ missing|tojson }}
{{ 'a\n\nb\nc'|indent }} {{ 'a\nb'|indent(2, true) }} {{ 'a\n\nb'|indent(1, blank=true) }} {{ 'a\nb'|indent('> ') }} {{ 'a\n'|indent }}.
{{ '  a '.strip() }}. {{ 'xya'.lstrip('xy') }} {{ 'ayx'.rstrip('xy') }} {{ '\u00a0\u2003a\u3000\x1f'.strip() }}. {{ 'éaé'.strip('é') }} {{ 'a'.strip(none) }}
{{ 'a,b,,c'.split(',') }} {{ ' a  b '.split() }} {{ 'a b c '.split(none, 1) }} {{ 'a,b,c'.split(',', 1) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'aXYb'.split('XY')[-1] }}
{{ 'a'.split('') }}
{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('bc') }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.startswith('') }} {{ 'héllo'.find('l') }} {{ 'a'.find('x') }}
{{ 'abc'.upper() }} {{ 'ABC'.lower() }} {{ 'abC dE'.capitalize() }} {{ 'aXaX'.count('X') }} {{ '{}-{}'.format(1, 'a') }} {{ '{{}}'.format() }}
{{ 'a'.startswith(1) }}
{{ [1].append(2) }}
{{ {'a': 1}.pop('a') }}
{{ {[1]: 2} }}
{{ none|length }}
{{ 5|length }}
{% for x in none %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in missing %}{{ x }}{% else %}empty{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }};{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.cycle('a', 'b') }} {% endfor %}{{ x }}
{% for x in [1, 2, 3, 4] if x is even %}{{ x }}/{{ loop.index }}/{{ loop.length }}/{{ loop.last }} {% else %}none{% endfor %}
{% for x in [1, 3] if x is even %}{{ x }}{% else %}none{% endfor %}
{% set ns = namespace(found=false) %}{% for x in [1, 2, 3] if not ns.found %}{{ x }}{% if x == 2 %}{% set ns.found = true %}{% endif %}{% endfor %}
{% set ns = namespace(found=false) %}{% for x in [1, 2, 3] if not ns.found %}{{ x }}{{ loop.last }}{% if x == 2 %}{% set ns.found = true %}{% endif %}{% endfor %}
{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %} {% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% else %}no{% endfor %}
{% for a in [1, 2] %}{% for b in 'xy' %}{{ a }}{{ b }}{{ loop.index }}{% endfor %}{{ loop.index }}{% endfor %}
{% for a, b in [(1, 2), [3, 4]] %}{{ a }}-{{ b }} {% endfor %}{% for c in 'é👩' %}[{{ c }}]{% endfor %}{% for k in {'p': 1} %}{{ k }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}
{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}
{% for i in [1, 2] %}{% if i == 2 %}{{ y }}{% endif %}{% set y = i %}{% endfor %}{{ y is defined }}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t }}
{% set ns = namespace(a=1, b='x') %}{% set ns.a = ns.a + 1 %}{{ ns.a }}{{ ns.b }}{{ ns.c }}{{ ns['a'] }}
{% set ns = namespace(n=0) %}{% for i in [1, 2, 3] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}
{% set d = {} %}{% set d.x = 1 %}
{% set x %}a{{ 1 }}b{% endset %}{{ x }}{{ x|length }} {% set y | upper | trim %} q {% endset %}[{{ y }}]{% filter upper %}abc{{ 'd' }}{% endfilter %}
{% set z = 1 %}{% set x %}{% set z = 2 %}{{ z }}{% endset %}{{ x }}{{ z }}
{% macro f(a, b=2, c='x' ~ b) %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}{{ f(1) }}{{ f(1, 3) }}{{ f(1, c=5) }}{{ f() }}{{ f(b=1, a=2)|length }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}
{% macro f() %}{{ x }}{% set x = 3 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{{ x }}{% set x = 2 %}{{ f() }}
{% macro f(x) %}{{ x }}{{ messages|length }}{% endmacro %}{% for m in messages %}{{ f(m.role) }}{% endfor %}
{% macro f(x) %}[{{ x }}]{% endmacro %}{% set g = f %}{{ g(1) }}{{ f is callable }}
{% set x = 'text' %}{{ x() }}
{{ messages[0].items()|list|length }} {{ messages[0].get('name') }} {{ 'role' in messages[0] }} {{ messages[0]['name'] is defined }}
{% raw %}{{ x }} {% if %}{% endraw %}! {%- raw -%}  a  {%- endraw -%} b
{# comment #}a{#- x -#} b {# {{ #}c
{{ '{{ x }}' }} {{ "{% if %}" }} {{ {'a': {'b': 1}}['a']['b'] }} {{ {'a':{'b':1}} }}
{{ 1.5.x }} {{ [[1,2],[3,4]][1][0] }} {{ ([1, 2]|first) + 3 }} {{ 'a b'.split()[1] }} {{ (1, 2)[0] }} {{ 'abc'[1:][0] }}
{{ [1, 2, 3]|length - 1 }} {{ -5|string }} {{ 2 * 3|string|length }} {{ 'a' ~ 'b' + 'c' }} {{ 1 + 2 ~ 3 }} {{ not false == true }}
{% if not x %}a{% elif x %}b{% else %}c{% endif %}{% if '' %}a{% elif [] %}b{% elif 0.0 %}c{% elif {} %}d{% elif 'x' %}e{% else %}f{% endif %}
{% if false %}{{ 'a'|nonsense }}{% endif %}ok{% if false %}{{ 'a' is nonsense }}{% endif %}
{% if true %}{{ 'a'|nonsense }}{% endif %}
{{ 'a'|nonsense }}
{% nonsense %}
{% if true %}
{% endfor %}
{{ 1 + }}
{{ (1 }}
{{ 'a }}
{{ a b }}
{{ }}
{% for %}{% endfor %}
{% set = 1 %}
{# never ends
{% raw %} never ends
{{ 1
""".strip().split("\n")

# What spreads over lines: white space control.
LINES = [
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n", "a\n  {%- if true -%}\n  b\n  {%- endif -%}\nc\n", "{% if true +%}\nx\n{% endif %}\n\n",
    "a \n {%+ if true %}\nx{% endif %}\n", "  {{ 1 }}  \n  {{- 2 -}}  \n 3", " {# c #}\nx\n  {#- c -#}  \n y{# z #}\n\n", "a\r\nb\rc\n\n", "x\n",
    "{% for m in messages %}\n    {{ m.role }}\n{% endfor %}\n", "{%- for m in messages -%}\n    {{- m.role -}}\n{%- endfor -%}\n",
    "{% raw %}\n a {{ b }}\n{% endraw %}\nx", "  {% raw -%}\n a\n  {%- endraw +%}\nx", "{{ 'a\nb' }}", "{{\n'a'\n}}\n{%\nif true\n%}\nb{% endif %}",
    "{% set x = 1 %}\n{{ x }}\n{% set y %}\n a\n{% endset %}\n[{{ y }}]", "\n\n{% if true %}\n\n x{% endif %}", "a{%- if true %} b {%+ endif -%}\n c",
    "x {{- 'y' }} {{ 'z' -}} w", "{%- set a = 1 %}\n\n{{- a }}", "\t{% if 1 %}\t\n\t{% endif %}\n\tx", "{{ 1 }}\n", "{{ 1 }}\n\n", "", "\n",
    "\u00a0{% if 1 %}x{% endif %}", "é\u3000 {%- if 1 %}x{% endif %}",
]


def render(template, messages, add_generation_prompt):
    try:
        return chat_template_utils.render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=add_generation_prompt,
            bos_token=BOS, eos_token=EOS)[0][0]
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError):
        return None


def rendered_by(template):
    return [render(template, c["messages"], c["add_generation_prompt"]) for c in CONVERSATIONS]


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def make(output_dir):
    templates = [{"name": name, "text": text, "results": rendered_by(text)} for name, text in WRITTEN.items()]
    for path in sorted((output_dir / "templates").glob("*.jinja")):
        templates.append({"name": path.name, "results": rendered_by(path.read_text(encoding="utf-8"))})
    write(output_dir / "models.json", {"conversations": CONVERSATIONS, "templates": templates})
    cases = [{"template": text, "result": render(text, MESSAGES, False)} for text in LANGUAGE + LINES]
    write(output_dir / "language.json", {"messages": MESSAGES, "cases": cases})
