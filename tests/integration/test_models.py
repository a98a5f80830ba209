"""docket models against an imitation of a hub: what is fetched, what is asked for, what a hub that fails or lies can do."""

import fcntl
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import pytest

import jobs
from hub_server import Hub, git_sha1
from support import BUILD, MODEL, MODEL_CACHE, missing

DOCKET = str(BUILD / "docket")
SNAPSHOT = next((MODEL_CACHE / "models--docket--demo-mixtral" / "snapshots").iterdir())
FILES = {path.name: path.read_bytes() for path in SNAPSHOT.iterdir()}
SHARDS = sorted(name for name in FILES if name.endswith(".safetensors"))
COMMIT = "c0ffee" * 6 + "1234"
TOKEN = "hf_a_secret_that_no_one_may_see"
OK, USAGE, INVALID, MISSING, IO, AUTH, CONFIG = 0, 64, 65, 66, 74, 76, 78
PIECE = 262144

pytestmark = pytest.mark.skipif(missing("docket") is not None, reason=str(missing("docket")))


@pytest.fixture
def hub():
    extra = {"README.md": b"# no", "pytorch_model.bin": b"pickle", "consolidated.safetensors": b"twice", "onnx/model.onnx": b"no"}
    with Hub({**FILES, **extra}, MODEL, COMMIT) as server:
        yield server


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def command(hub, cache, *words, model=MODEL, **variables):
    environment = {"PATH": "/usr/bin:/bin", "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(cache), **variables}
    return [DOCKET, "models", "fetch", model, "--piece-bytes", str(PIECE), *words], environment


def fetch(hub, cache, *words, expect=OK, **more):
    line, environment = command(hub, cache, *words, **more)
    said = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == expect, said.stderr
    return said


def repository(cache):
    return cache / "models--docket--demo-mixtral"


def assert_whole(cache, revision="main", files=FILES, links=True):
    """The standard layout: blobs by checksum, relative links, the ref; and nothing else."""
    home = repository(cache)
    if revision != COMMIT:
        assert (home / "refs" / revision).read_text() == COMMIT
    snapshot = home / "snapshots" / COMMIT
    assert sorted(path.name for path in snapshot.iterdir()) == sorted(files)
    for name, content in files.items():
        assert (snapshot / name).read_bytes() == content, name
        assert (snapshot / name).is_symlink() == links, name
        if links:
            sums = {hashlib.sha256(content).hexdigest(), git_sha1(content)}
            target = os.readlink(snapshot / name)
            assert target.startswith("../../blobs/") and target.rpartition("/")[2] in sums
    assert not list((home / "blobs").glob("*.docket.*"))


def assert_nothing_published(cache):
    """No blob that is not whole and proven, no snapshot that counts as a model, no ref."""
    home = repository(cache)
    assert not list(home.glob("refs/**/*")) and not list(home.glob("snapshots/*/config.json"))
    for blob in home.glob("blobs/*"):
        if ".docket." not in blob.name:
            content = blob.read_bytes()
            assert blob.name in (hashlib.sha256(content).hexdigest(), git_sha1(content))


def assert_secret_kept(said, cache):
    assert TOKEN not in said.stdout + said.stderr
    for path in cache.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()


def test_fetch_puts_what_docket_reads_into_the_standard_layout(hub, cache):
    said = fetch(hub, cache, "--json")
    told = json.loads(said.stdout)
    assert told["commit"] == COMMIT and told["files"] == len(FILES)
    assert told["bytes"] == told["network_bytes"] == sum(len(content) for content in FILES.values())
    assert pathlib.Path(told["folder"]) == repository(cache) / "snapshots" / COMMIT
    assert_whole(cache)
    for name in ("README.md", "pytorch_model.bin", "consolidated.safetensors", "model.onnx"):
        assert not hub.asked(part=name), "not needed"
    assert len({r[3]["Range"] for r in hub.asked("cdn")}) > len(SHARDS), "several ranges a file"
    listed = subprocess.run([DOCKET, "models", "list", "--json"], env={"HF_HUB_CACHE": str(cache)}, capture_output=True, check=True)
    entry = json.loads(listed.stdout)["models"][0]
    assert (entry["repository"], entry["commit"], entry["revisions"], entry["complete"]) == (MODEL, COMMIT, "main", True)
    verified = subprocess.run([DOCKET, "models", "verify", MODEL, "--json"], env={"HF_HUB_CACHE": str(cache)}, capture_output=True,
                              check=True)
    assert all(entry["proven"] for entry in json.loads(verified.stdout)["files"])


def test_a_second_fetch_asks_for_no_byte(hub, cache):
    fetch(hub, cache)
    before = len(hub.requests)
    assert json.loads(fetch(hub, cache, "--json").stdout)["network_bytes"] == 0
    assert len(hub.requests) == before + 1, "the listing alone"


def test_the_model_can_be_used(hub, cache):
    fetch(hub, cache)
    said = subprocess.run([DOCKET, "tokenize", "--model", MODEL, "--hub-cache", str(cache)], input=b"hello", capture_output=True,
                          check=False)
    assert said.returncode == OK and json.loads(said.stdout), said.stderr


def test_the_token_goes_to_the_hub_alone(hub, cache):
    hub.faults["token"] = TOKEN
    said = fetch(hub, cache, HF_TOKEN=TOKEN)
    assert all(r[3].get("Authorization") == f"Bearer {TOKEN}" for r in hub.asked("hub"))
    assert hub.asked("cdn") and not any("Authorization" in r[3] for r in hub.asked("cdn"))
    assert_secret_kept(said, cache)
    assert_whole(cache)


@pytest.mark.parametrize("code, words", [("GatedRepo", "gated"), ("RepoNotFound", "HF_TOKEN")])
def test_refusals_say_what_to_do(hub, cache, code, words):
    hub.faults.update(token=TOKEN, code=code)
    for variables in ({}, {"HF_TOKEN": TOKEN + "x"}):
        said = fetch(hub, cache, expect=AUTH, **variables)
        assert words in said.stderr and "hub_refused" in said.stderr
        assert_secret_kept(said, cache)


def test_a_token_with_a_line_break_is_never_sent(hub, cache):
    said = fetch(hub, cache, expect=CONFIG, HF_TOKEN=TOKEN + "\nX: y")
    assert not hub.requests
    assert_secret_kept(said, cache)


@pytest.mark.parametrize("revision, expect", [("v9", AUTH), ("../main", CONFIG), (COMMIT, OK), ("v1", OK), ("refs/pr/7", OK)])
def test_revisions(hub, cache, revision, expect):
    hub.revisions.update({"v1": COMMIT, "refs/pr/7": COMMIT})
    said = fetch(hub, cache, model=f"{MODEL}@{revision}", expect=expect)
    if expect == OK:
        assert_whole(cache, revision)
    else:
        assert revision in said.stderr and not cache.exists()


@pytest.mark.parametrize("model", ["no/such/name", "../x", "a--b/c", ""])
def test_names_that_are_none_are_refused(hub, cache, model):
    fetch(hub, cache, model=model, expect=CONFIG)
    assert not hub.requests and not cache.exists()


def test_a_renamed_repository_is_followed_on_the_hub(hub, cache):
    hub.faults["moved_from"] = "docket/old-name"
    fetch(hub, cache, model="docket/old-name", HF_TOKEN=TOKEN)
    assert (cache / "models--docket--old-name" / "snapshots" / COMMIT / "config.json").exists()


@pytest.mark.parametrize("faults", [{"status": 500, "times": 2}, {"status": 429, "headers": [("Retry-After", "1")]},
                                    {"cdn_status": 503, "times": 3}, {"cdn_status": 429, "headers": [("Retry-After", "1")]},
                                    {"cut": 100_000, "times": 2}, {"expired": 3}, {"wrong_bytes": SHARDS[0], "times": 1}],
                         ids=lambda faults: "_".join(str(v) for v in list(faults.items())[0]))
def test_what_passes_is_outlived(hub, cache, faults):
    hub.faults.update(faults)
    said = fetch(hub, cache)
    assert_whole(cache)
    assert "model_fetch_retried" in said.stderr or "hub did not give" in said.stderr or faults.get("expired")


def test_a_server_without_ranges_gives_the_whole(hub, cache):
    hub.faults["no_ranges"] = True
    fetch(hub, cache)
    assert_whole(cache)


LIES = [({"wrong_bytes": SHARDS[0]}, "model_checksum_wrong"), ({"wrong_bytes": "tokenizer_config.json"}, "model_checksum_wrong"),
        ({"etags": {"config.json": "0" * 40}}, "model_checksum_wrong"), ({"etags": {"config.json": "../../../x"}}, "no checksum"),
        ({"sizes": {SHARDS[0]: 17}}, "lists"), ({"commit": "b" * 40}, "asked for commit"), ({"surplus": 3}, "more than"),
        ({"shift": 4}, "answers with others"), ({"range_total": 12345}, "answers with others"),
        ({"listed_sizes": {SHARDS[0]: 1 << 50}}, "free"), ({"listed": ["../escape.safetensors"]}, "stays in its folder"),
        ({"listed": ["/etc/config.json"]}, "stays in its folder"), ({"listed": ["a\nb"]}, "stays in its folder"),
        ({"listing": b"{}"}, "sha"), ({"listing": b"not json"}, "listing"), ({"listing": b'{"sha": "\\u0000"}'}, "listing"),
        ({"listing": b'{"sha": "' + b"d" * 40 + b'", "siblings": [{"rfilename": "pytorch_model.bin"}]}'}, "pytorch_model.bin")]


@pytest.mark.parametrize("faults, words", LIES, ids=[f"{list(f)[0]}_{i}" for i, (f, _) in enumerate(LIES)])
def test_lies_are_found_out_and_nothing_is_published(hub, cache, faults, words):
    hub.faults.update(faults)
    line, environment = command(hub, cache)
    said = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode in (INVALID, IO, MISSING), said.stderr
    assert words in said.stderr, said.stderr
    assert_nothing_published(cache)
    assert not list(cache.parent.glob("escape*"))


def test_an_index_that_leads_elsewhere_is_refused(hub, cache):
    hub.files["model.safetensors.index.json"] = json.dumps({"weight_map": {"a": "../../x.safetensors"}}).encode()
    said = fetch(hub, cache, expect=INVALID)
    assert "one path part" in said.stderr
    assert_nothing_published(cache)


def test_a_revision_that_moves_meanwhile_stays_the_one_that_was_listed(hub, cache):
    original = hub.answer_listing

    def move(request, revision):
        original(request, revision)
        hub.revisions["main"] = "b" * 40
    hub.answer_listing = move
    fetch(hub, cache)
    assert_whole(cache)


def test_a_hub_that_is_not_there_is_given_up(hub, cache, tmp_path):
    hub.endpoint = "http://127.0.0.1:9"
    line, environment = command(hub, cache)
    with open(tmp_path / "said", "wb") as out:
        process = subprocess.Popen(line, env=environment, stderr=out, stdout=out)
    wait_until(lambda: b"hub did not give" in (tmp_path / "said").read_bytes())
    process.terminate()                               # in the middle of a wait
    assert process.wait(60) == 1
    assert not list(cache.glob("models--*/refs/*"))


def wait_until(true, seconds=60):
    deadline = time.monotonic() + seconds * jobs.PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_kill_costs_a_few_pieces(hub, cache):
    """SIGKILL in the middle of a file: the next fetch asks only for what was not whole."""
    total = sum(len(content) for content in FILES.values())
    hub.faults["gate"] = total // 2
    line, environment = command(hub, cache, "--connections", "3", "--json")
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: hub.sent >= total // 2 and list(cache.glob("models--*/blobs/*.docket.parts")))
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    assert_nothing_published(cache)
    first = hub.sent
    del hub.faults["gate"]
    again = json.loads(fetch(hub, cache, "--connections", "3", "--json").stdout)["network_bytes"]
    # three connections, each with a piece half done and half a megabyte on the way (buffers of the sockets, a slice of the server)
    assert again <= total - first + 3 * (PIECE + 6 * 1024 * 1024) and again < total
    assert_whole(cache)


def test_bytes_of_a_damaged_rest_are_found_out(hub, cache):
    """What an earlier run left is not believed: the checksum decides, and the file is fetched anew."""
    hub.faults["gate"] = 3_000_000
    line, environment = command(hub, cache)
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: any(path.stat().st_size > 60 for path in cache.glob("models--*/blobs/*.docket.parts")))
    process.send_signal(signal.SIGKILL)
    process.wait(20)
    for rest in cache.glob("models--*/blobs/*.docket.incomplete"):
        rest.write_bytes(b"\xaa" * rest.stat().st_size)
    del hub.faults["gate"]
    assert "its bytes have" in fetch(hub, cache).stderr
    assert_whole(cache)


def test_two_at_once_do_not_harm_each_other(hub, cache):
    lines = [command(hub, cache, "--json") for _ in range(3)]
    started = [subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for line, environment in lines]
    ended = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [OK] * 3, ended
    assert_whole(cache)
    assert sum(json.loads(out)["network_bytes"] for out, _ in ended) == sum(len(content) for content in FILES.values())


def test_the_lock_of_the_hubs_library_is_respected(hub, cache):
    locks = cache / ".locks" / "models--docket--demo-mixtral"
    locks.mkdir(parents=True)
    with open(locks / f"{hub.etag('config.json')}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line, environment = command(hub, cache)
        process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: hub.asked("hub", "HEAD", "/config.json"))
        assert process.poll() is None and not hub.asked("hub", "GET", "/config.json")
        assert_nothing_published(cache)
    assert process.wait(60) == OK
    assert_whole(cache)


def test_without_links_the_files_themselves_are_there(hub, cache):
    fetch(hub, cache, "--no-links")
    assert_whole(cache, links=False)
    assert json.loads(fetch(hub, cache, "--no-links", "--json").stdout)["network_bytes"] == 0


def test_a_full_disk_is_said_and_publishes_nothing(hub, cache):
    """RLIMIT_FSIZE stands in for a disk that fills up in the middle of a file."""
    line, environment = command(hub, cache)
    said = subprocess.run(["/bin/sh", "-c", 'ulimit -f 2000; exec "$@"', "sh", *line], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    assert said.returncode == IO and "cannot" in said.stderr, said.stderr
    assert_nothing_published(cache)
    fetch(hub, cache)
    assert_whole(cache)


def test_verify_names_the_bad_file(hub, cache):
    fetch(hub, cache)
    verify = [DOCKET, "models", "verify", MODEL]
    assert subprocess.run(verify, env={"HF_HUB_CACHE": str(cache)}, capture_output=True, check=False).returncode == OK
    blob = (repository(cache) / "snapshots" / COMMIT / SHARDS[1]).resolve()
    content = bytearray(blob.read_bytes())
    content[-5] ^= 1
    blob.write_bytes(content)
    said = subprocess.run(verify, env={"HF_HUB_CACHE": str(cache)}, capture_output=True, text=True, check=False)
    assert said.returncode == INVALID and f"bad      {SHARDS[1]}" in said.stdout and "model_checksum_wrong" in said.stderr
    assert said.stdout.count("intact   ") == len(FILES) - 1


def test_list_says_what_is_missing(hub, cache):
    fetch(hub, cache)
    (repository(cache) / "snapshots" / COMMIT / SHARDS[0]).unlink()
    said = subprocess.run([DOCKET, "models", "list"], env={"HF_HUB_CACHE": str(cache)}, capture_output=True, text=True, check=True)
    assert SHARDS[0] in said.stdout and "complete" not in said.stdout


def test_short_names(hub, cache):
    """Each asks for its repository."""
    names = {"tinyllama": "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "mistral-7b": "mistralai/Mistral-7B-v0.1",
             "mistral-7b-instruct": "mistralai/Mistral-7B-Instruct-v0.2", "gemma-2b": "google/gemma-2b",
             "llama2-7b": "meta-llama/Llama-2-7b-hf", "mixtral-8x7b-instruct": "mistralai/Mixtral-8x7B-Instruct-v0.1"}
    for short, full in names.items():
        fetch(hub, cache, model=short, expect=AUTH)
        assert hub.requests[-1][2].startswith(f"/api/models/{full}/revision/main")


@pytest.mark.parametrize("words", [[], ["steal"], ["fetch"], ["list", "x"], ["verify"]])
def test_the_command_line_is_checked(words):
    assert subprocess.run([DOCKET, "models", *words], env={}, capture_output=True, check=False).returncode == USAGE
