"""What the protocol suites share: the two workers under test, and the list of deliberate differences between them."""

import json
import pathlib

import pytest

_LIST = json.loads((pathlib.Path(__file__).parent / "sdk_differences.json").read_text(encoding="utf-8"))
DIFFERENCES, HEADER_DIFFERENCES = _LIST["behaviour"], _LIST["headers"]

both = pytest.mark.parametrize("kind", ["mock_worker", "sdk"])
ours = pytest.mark.parametrize("kind", ["mock_worker"])
sdk_only = pytest.mark.parametrize("kind", ["sdk"])


def differs(kind, name):
    """True for the reference worker where it behaves otherwise on purpose; the name must be in sdk_differences.json."""
    if name not in DIFFERENCES:
        raise KeyError(f"{name} is not in sdk_differences.json")
    return kind == "sdk"


def mock(job_id, result=None, **settings):
    """A job for the mock handler: what it answers, and delay, error, progress, refresh, crash or spin."""
    settings["return"] = result
    return {"id": job_id, "input": {f"mock_{name}": value for name, value in settings.items()}}
