"""The container's files, as far as they can be checked without a container engine."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from rules import ROOT, files, text

DOCKERFILES = ["Dockerfile", ".runpod/Dockerfile"]
IGNORED = text(".dockerignore").split("\n")


def instructions(path):
    """(word, rest) of each instruction, continued lines joined."""
    joined = re.sub(r"\\\n", " ", text(path))
    lines = [line.strip() for line in joined.split("\n") if line.strip() and not line.startswith("#")]
    return [tuple(line.split(None, 1)) for line in lines]


@pytest.mark.parametrize("path", DOCKERFILES)
def test_copied_files_are_there_and_in_the_context(path):
    kept = [line[1:] for line in IGNORED if line.startswith("!")]
    for word, rest in instructions(path):
        if word == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), f"{path}: COPY {source}"
                assert any(source == name or source.startswith(name + "/") for name in kept), f"{path}: .dockerignore leaves out {source}"


def stages_that_make(path):
    """(name, what it copies from the context, the targets of make) of each stage that runs it."""
    stages = []
    for word, rest in instructions(path):
        if word == "FROM":
            stages.append((rest.split(" AS ")[-1], [], []))
        elif stages and word == "COPY" and not rest.startswith("--from"):
            stages[-1][1].append(rest)
        elif stages and word == "RUN" and re.search(r"\bmake -j", rest):
            command = re.search(r"\bmake (.*?)(&&|$)", rest)[1]
            stages[-1][2].extend(target for target in ("install", "cuda") if re.search(rf"\b{target}\b", command))
    return [stage for stage in stages if stage[2]]


def test_the_images_build_the_program_and_the_backend():
    assert [(name, targets) for name, _, targets in stages_that_make("Dockerfile")] == [("build", ["install"]), ("cuda", ["cuda"])]
    assert [targets for _, _, targets in stages_that_make(".runpod/Dockerfile")] == [["install"]]


@pytest.mark.parametrize("path, stage", [(path, stage[0]) for path in DOCKERFILES for stage in stages_that_make(path)])
def test_what_is_copied_is_enough_to_build(path, stage, tmp_path):
    """A stage sees those files and no others: make must find every rule there."""
    for name, copies, targets in stages_that_make(path):
        if name != stage:
            continue
        for rest in copies:
            *sources, to = rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, tmp_path / to, dirs_exist_ok=True)
                else:
                    target = tmp_path / to / pathlib.Path(source).name if to.endswith("/") else tmp_path / to
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / source, target)
        outcome = subprocess.run(["make", "-n", "COMMIT=x", "NVCC=nvcc", *targets, f"DESTDIR={tmp_path / 'out'}"], cwd=tmp_path,
                                 capture_output=True, text=True, env={**os.environ, "MAKEFLAGS": ""})
        assert outcome.returncode == 0, outcome.stderr[-2000:]
        if "cuda" in targets:
            assert "libdocket_cuda.so" in outcome.stdout and "attention.cu" in outcome.stdout


def test_the_backend_lies_where_the_loader_looks():
    """CUDA_LIBRARY's default is a bare name; the loader finds it in /usr/local/lib once ldconfig has run."""
    found = instructions("Dockerfile")
    after = found[found.index(("FROM", "runtime AS final-cuda")) + 1:]
    assert after[:2] == [("COPY", "--from=cuda /out/ /usr/local/lib/"), ("RUN", "ldconfig")]
    built = next(rest for word, rest in found if word == "RUN" and re.search(r"\bmake -j\S+ cuda\b", rest))
    assert re.search(r"install -D -m 755 build/release/libdocket_cuda\.so /out/libdocket_cuda\.so", built)


@pytest.mark.parametrize("path", DOCKERFILES)
def test_bases_are_pinned_and_stages_exist(path):
    arguments, stages = {}, set()
    for word, rest in instructions(path):
        if word == "ARG":
            name, _, value = rest.partition("=")
            arguments.setdefault(name, value)
        elif word == "FROM":
            base = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], rest.split()[0])
            if base not in stages:
                assert re.fullmatch(r"[\w./-]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?", base), f"{path}: {base} is not pinned"
            if " AS " in rest:
                stages.add(rest.split(" AS ")[1])
        elif word == "COPY" and rest.startswith("--from"):
            assert rest.split()[0].partition("=")[2] in stages


def test_the_image_is_not_root_and_says_how_it_is():
    found = instructions("Dockerfile")
    last = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    end = dict((word, rest) for word, rest in found[last:])
    assert end["USER"] == "10001:10001"
    assert json.loads(end["HEALTHCHECK"].split("CMD")[1]) == ["docket", "health"]
    assert json.loads(end["ENTRYPOINT"]) == ["docket"]
    assert "org.opencontainers.image.licenses" in end["LABEL"]
    assert {"final-cpu", "final-cuda"} <= {rest.split(" AS ")[1] for word, rest in found if word == "FROM" and " AS " in rest}


def test_the_last_stage_has_no_build_tools():
    """The chain of stages from the end back to a pinned base runs no --build."""
    found, chain, wanted = instructions("Dockerfile"), [], None
    stages, name = {}, None
    for word, rest in found:
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else "last"
            stages[name] = (rest.split()[0], [])
        elif name:
            stages[name][1].append(f"{word} {rest}")
    wanted = "last"
    while wanted in stages:
        base, lines = stages[wanted]
        chain += lines
        wanted = base.replace("${VARIANT}", "cpu")
    assert "runtime" in stages and not [line for line in chain if "--build" in line or "gcc" in line]


@pytest.mark.skipif(not shutil.which("apt-cache"), reason="no apt-cache here")
@pytest.mark.parametrize("groups", [["--build"], ["--runtime"], ["--lint", "--tools"]])
def test_packages_exist(groups):
    names = subprocess.run([ROOT / "deploy/install-deps.sh", *groups, "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert names
    known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True).stdout.split()
    if len(known) < 5000:
        pytest.skip("no package index here")
    assert [name for name in names if name not in known] == []


def test_the_version_is_the_same_everywhere():
    version = re.search(r"^VERSION := (\S+)", text("Makefile"), re.M)[1]
    for path in DOCKERFILES:
        assert f'image.version="{version}"' in text(path)


def test_hub_files_say_what_the_settings_say():
    options = text("worker/options.h")
    hub, tests = json.loads(text(".runpod/hub.json")), json.loads(text(".runpod/tests.json"))
    names = [entry["key"] for entry in hub["config"]["env"]] + [entry["key"] for entry in tests["config"]["env"]]
    names += [name for preset in hub["config"]["presets"] for name in preset["defaults"]]
    for name in names:
        assert re.search(rf'"{name}[ "]', options), name
    assert all(test["timeout"] >= 60000 and "labels" in test["input"] for test in tests["tests"])


# The installer, against a system that is played by scripts.

FAKE = {
    "apt-get": 'echo "apt-get $*" >> "$LOG"; case "$*" in *install*) [ -e "$STATE/stale" ] && { echo "404 Not Found"; exit 100; }; exit 0;; '
               '*update*) rm -f "$STATE/stale" "$STATE/unknown"; exit 0;; esac',
    "apt-cache": '[ -e "$STATE/unknown" ] && exit 100; exit 0',
    "pkg-config": "exit 1",
    "id": 'echo "${FAKE_UID:-0}"',
    "env": 'shift; exec "$@"',
}


def play(tmp_path, *arguments, without=(), **variables):
    place = tmp_path / "bin"
    place.mkdir(exist_ok=True)
    for name, body in FAKE.items():
        if name not in without:
            (place / name).write_text(f"#!/bin/bash\n{body}\n", encoding="utf-8")
            (place / name).chmod(0o755)
    for name in ("bash", "gcc", "make", "openssl", "mktemp", "rm", "tail", "printf"):
        if not (place / name).exists() and shutil.which(name):
            (place / name).symlink_to(shutil.which(name))
    environment = {"PATH": str(place), "LOG": str(tmp_path / "log"), "STATE": str(tmp_path), **variables}
    outcome = subprocess.run(["/bin/bash", str(ROOT / "deploy/install-deps.sh"), *arguments], env=environment, capture_output=True, text=True)
    log = tmp_path / "log"
    return outcome, log.read_text(encoding="utf-8") if log.exists() else ""


def test_installer_names_what_it_installs_and_why(tmp_path):
    outcome, log = play(tmp_path, "--build")
    assert outcome.returncode == 0, outcome.stderr
    assert "libcurl4-openssl-dev" in outcome.stdout and "HTTPS to the queue" in outcome.stdout
    assert "install" in log and "libcjson-dev" in log and "update" not in log


def test_installer_refreshes_an_index_that_does_not_know_a_package(tmp_path):
    (tmp_path / "unknown").touch()
    outcome, log = play(tmp_path, "--build")
    assert outcome.returncode == 0 and log.index("update") < log.index("install")


def test_installer_refreshes_an_index_that_is_stale(tmp_path):
    (tmp_path / "stale").touch()
    outcome, log = play(tmp_path, "--build")
    assert outcome.returncode == 0, outcome.stderr
    assert log.count("install -y") == 2 and "update" in log


def test_installer_says_what_to_do_on_another_system(tmp_path):
    outcome, log = play(tmp_path, "--build", without=("apt-get",))
    assert outcome.returncode == 69 and "no apt-get" in outcome.stderr and log == ""


def test_installer_says_what_to_do_without_rights(tmp_path):
    outcome, log = play(tmp_path, "--build", FAKE_UID="1000")
    assert outcome.returncode == 77 and "As root, run: apt-get install" in outcome.stderr and log == ""


def test_installer_is_silent_when_all_is_there():
    if subprocess.run(["pkg-config", "--exists", "libcurl", "libcjson", "libarchive", "libpcre2-8", "libutf8proc", "libcrypto", "cmocka"]).returncode:
        pytest.skip("not all is there")
    outcome = subprocess.run([ROOT / "deploy/install-deps.sh"], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")
