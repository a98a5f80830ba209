"""The rules of the house that are cheap to check: dependencies, banned calls, sizes, headers, tables against code and documents."""

import os
import pathlib
import re
import subprocess

import pytest

import banned
import include_direction
import sizes
from rules import ROOT, code, files, text

BUILD = pathlib.Path(os.environ.get("BUILD_DIR", ROOT / "build" / "release")).resolve()
DOCKET = BUILD / "docket"
FLAGS = ["-std=c17", "-D_GNU_SOURCE", "-I.", "-Wall", "-Wextra", "-Werror"]


def run(*command, **options):
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, **options)


def table(path, macro):
    return re.findall(rf"^{macro}\((\w+)", text(path), re.M)


def test_rooms_include_only_what_is_below_them():
    assert include_direction.wrong_edges() == []


def test_a_wrong_edge_would_be_seen(monkeypatch):
    monkeypatch.setitem(include_direction.ROOMS, "worker/model/", set())
    assert any("worker/model/" in edge and "kernels/kernels.h" in edge for edge in include_direction.wrong_edges())


def test_banned_calls_are_not_made():
    assert banned.banned() == []


def test_files_and_readmes_keep_their_size():
    assert sizes.too_long() == []


def test_headers_compile_alone(tmp_path):
    wrong = []
    libraries = run("pkg-config", "--cflags", "libgsf-1").stdout.split()
    for header in files(".h", folders=("kernels", "worker", "handlers")):
        if "simd_" in header or "/core_a" in header or header.endswith(("_loops.h", "worker/options.h")):
            continue  # made to be included in the middle of a file: of one instruction set with its flags, of a table
        source = tmp_path / "alone.c"
        source.write_text(f'#include "{header}"\n#include "{header}"\n', encoding="utf-8")
        outcome = run("gcc", *FLAGS, *libraries, "-fsyntax-only", source)
        if outcome.returncode:
            wrong.append(f"{header}: {outcome.stderr[:400]}")
    assert wrong == []


def linked_alone(tmp_path, objects, libraries):
    main = tmp_path / "main.c"
    main.write_text("int main(void)\n{\n    return 0;\n}\n", encoding="utf-8")
    return run("gcc", "-pthread", main, *objects, *libraries, "-o", tmp_path / "alone")


@pytest.mark.skipif(BUILD.name != "release", reason="sanitizers bring symbols of their own")
def test_kernels_link_alone(tmp_path):
    outcome = linked_alone(tmp_path, sorted((BUILD / "kernels").rglob("*.o")), ["-lm"])
    assert outcome.returncode == 0, outcome.stderr[-2000:]


@pytest.mark.skipif(BUILD.name != "release", reason="sanitizers bring symbols of their own")
def test_the_model_links_without_network_and_archives(tmp_path):
    objects = [path for room in ("kernels", "worker/base", "worker/model") for path in sorted((BUILD / room).rglob("*.o"))]
    outcome = linked_alone(tmp_path, objects, ["-lcjson", "-lpcre2-8", "-lutf8proc", "-lcrypto", "-lm", "-ldl"])
    assert outcome.returncode == 0, outcome.stderr[-2000:]


@pytest.mark.parametrize("page, path", [("settings", "deploy/SETTINGS.md"), ("events", "deploy/EVENTS.md"), ("errors", "deploy/ERRORS.md")])
def test_pages_are_what_the_program_says(page, path):
    said = run(DOCKET, "--page", page)
    assert said.returncode == 0, said.stderr
    assert text(path) == said.stdout, f"{path} is old: {DOCKET} --page {page} > {path}"


# In the tables already, because names are stable; used once there is an accelerator or a drain that hands jobs back.
LATER = {"backend_fallback", "job_progress", "worker_draining"}


def test_every_event_is_logged_somewhere():
    everything = "\n".join(code(path) for path in files(".c", folders=("worker", "handlers")) if "tools/health" not in path)
    unused = [name for name in table("worker/base/events.def", "LOG_EVENT") if f"EVENT_{name}" not in everything]
    assert set(unused) <= LATER


def test_every_error_code_is_used_somewhere():
    everything = "\n".join(text(path) for path in files(".c", ".h", folders=("worker", "handlers")))
    unused = [name for name in table("worker/base/error_codes.def", "ERROR_CODE") if not re.search(rf'CODE_{name}\b|"[^"]*\b{name}\b', everything)]
    assert set(unused) <= LATER


def test_every_setting_is_used_somewhere():
    """No setting is read and then forgotten, but those whose help says so."""
    everything = "\n".join(code(path) for path in files(".c", folders=("worker", "handlers")))
    rows = re.findall(r"^OPTION\(\w+, (\w+),(.*?)\"\)$", text("worker/options.h"), re.M | re.S)
    unused = [name for name, row in rows if f"->{name}" not in everything and f".{name}" not in everything
              and "accepted;" not in row]
    assert len(rows) > 30 and unused == []


@pytest.mark.parametrize("command", ["worker", "classify", "tokenize", "logits", "bench", "quantize", "validate", "health"])
def test_help_of_every_command(command):
    said = run(DOCKET, command, "--help", env={})
    assert said.returncode == 0 and said.stdout.startswith(f"usage: docket {command}"), said
    assert max(len(line) for line in said.stdout.splitlines()) <= 110


def test_documents_name_files_that_are_there():
    wrong = []
    for path in files(".md", folders=(".",)):
        for target in re.findall(r"\]\(([^)#:]+)\)", text(path)):
            if not ((ROOT / path).parent / target).exists():
                wrong.append(f"{path}: {target}")
    assert wrong == []


def test_scripts_are_scripts():
    for path in [".ci/run", *files(".sh", folders=("deploy", "tests"))]:
        assert run("bash", "-n", path).returncode == 0, path
        assert os.access(ROOT / path, os.X_OK), f"{path} cannot be run"
