"""Which format prompts get: the one that the model's template is recognised as, plain text with a line in the log, or the one named by hand."""

import json
import shutil
import subprocess

import pytest

from support import BUILD, MODEL, MODEL_CACHE, TEXTS, missing

DOCKET = str(BUILD / "docket")
OK, UNSUPPORTED, CONFIG = 0, 65, 78
UNKNOWN = "{% for m in messages %}{{ '<|odd|>' + m['content'] }}{% endfor %}"

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


@pytest.fixture
def model(tmp_path):
    """A folder with the demo model's files that a test may change."""
    snapshots = MODEL_CACHE / ("models--" + MODEL.replace("/", "--")) / "snapshots"
    folder = tmp_path / "model"
    shutil.copytree(next(snapshots.iterdir()), folder)
    (tmp_path / "one.txt").write_text(TEXTS[0])
    return folder


def set_template(model, template):
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))


def classify(model, *flags, **variables):
    said = subprocess.run([DOCKET, "classify", "--model", str(model), "--labels", "invoice,resume,meeting minutes", "--jsonl", "--log-level", "warn", *flags,
                           str(model.parent / "one.txt")], capture_output=True, timeout=120, env={"PATH": "/usr/bin:/bin", **variables}, check=False)
    return said.returncode, json.loads(said.stdout)["scores"] if said.returncode == OK else None, said.stderr.decode()


def test_a_template_that_is_recognised_is_used_without_a_word(model):
    code, scores, log = classify(model)
    assert code == OK and scores and "chat template" not in log


def test_an_unknown_template_is_told_and_prompts_are_plain(model):
    _, recognised, _ = classify(model)
    set_template(model, UNKNOWN)
    code, scores, log = classify(model)
    assert code == OK and "chat template not used" in log and "CHAT_TEMPLATE" in log
    assert scores == classify(model, "--chat-template", "none")[1] and scores != recognised


def test_a_name_replaces_what_lies_there(model):
    _, recognised, _ = classify(model)
    set_template(model, UNKNOWN)
    code, scores, log = classify(model, CHAT_TEMPLATE="mistral-instruct")
    assert (code, scores) == (OK, recognised) and "chat template" not in log


def test_a_file_of_its_own_comes_first(model):
    _, recognised, _ = classify(model)
    template = json.loads((model / "tokenizer_config.json").read_text())["chat_template"]
    set_template(model, UNKNOWN)
    (model / "chat_template.jinja").write_text(template)
    code, scores, log = classify(model)
    assert (code, scores) == (OK, recognised) and "chat template" not in log
    (model / "chat_template.jinja").write_text(UNKNOWN)
    assert "chat template not used" in classify(model)[2]


def test_a_format_that_the_tokenizer_cannot_write_is_refused(model):
    code, _, log = classify(model, CHAT_TEMPLATE="llama-3")
    assert code not in (OK, CONFIG) and "CHAT_TEMPLATE: the chat format llama-3 needs" in log
    code, _, log = classify(model, CHAT_TEMPLATE="odd")
    assert code == CONFIG and "mistral-instruct" in log


def test_many_texts_in_one_go(model):
    lines = ["", "Total due: 41.20 €", "</s> two\nlines"]
    done = subprocess.run([DOCKET, "tokenize", "--model", str(model), "--lines"], input="".join(json.dumps(t) + "\n" for t in lines).encode(),
                          capture_output=True, timeout=120, check=True)
    for text, line in zip(lines, done.stdout.decode().splitlines(), strict=True):
        one = subprocess.run([DOCKET, "tokenize", "--model", str(model)], input=text.encode(), capture_output=True, timeout=120, check=True)
        assert json.loads(line)[0] == json.loads(one.stdout)
    bad = subprocess.run([DOCKET, "tokenize", "--model", str(model), "--lines"], input=b'"a"\n7\n', capture_output=True, timeout=120, check=False)
    assert bad.returncode != OK and b"line 2: want a JSON string" in bad.stderr
