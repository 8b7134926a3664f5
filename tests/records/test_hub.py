"""Data sets and presets over HTTP from a small Hub on this machine, and the errors of a Hub that refuses."""

import json
import os
import subprocess
import sys

import pytest

from helpers.hub_server import HubServer
from qdit.records import open_records
from qdit.records.presets import PRESETS

pytest.importorskip("datasets")
pytestmark = pytest.mark.slow  # each import runs in a process of its own, with its own Hub address and cache

CHAT = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
TOKEN = "hf_" + "secretsecret" * 2


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


REPOSITORIES = {
    "tatsu-lab/alpaca": {
        "README.md": b"---\nlicense: cc-by-nc-4.0\n---\n",
        "data/train.jsonl": lines({"instruction": "add", "input": "1 2", "output": "3", "text": "..."}),
    },
    "databricks/databricks-dolly-15k": {
        "databricks-dolly-15k.jsonl": lines(
            {"instruction": "when?", "context": "in 1990", "response": "1990", "category": "closed_qa"}
        )
    },
    "laion/OIG": {
        "unified_chip2.jsonl": lines(
            {"text": "<human>: hi\n<bot>: hello", "metadata": {"source": "unified_chip2"}},
            {"text": "<human>: ho\n<bot>: hey", "metadata": {"source": "unified_chip2"}},
        ),
        "unified_basic.jsonl": lines({"text": "another file", "metadata": ""}),
    },
    "stingning/ultrachat": {"train_0.jsonl": lines({"id": "0", "data": ["q", "a", "q2", "a2"]})},
    "lmsys/lmsys-chat-1m": {
        "train.jsonl": lines(
            {"conversation_id": "c0", "model": "m", "conversation": CHAT, "language": "English"}
        )
    },
}


@pytest.fixture
def hub(tmp_path):
    with HubServer(REPOSITORIES) as server:
        yield server


def run(hub, tmp_path, source, expression="", **variables):
    """Import in a process that knows only this Hub; return the finished process."""
    code = (
        "import sys; from qdit.records import import_records\n"
        f"import_records({source!r}, sys.argv[1], overwrite=True{expression})"
    )
    env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    env |= {"HF_TOKEN": TOKEN, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1", **variables}
    command = [sys.executable, "-c", code, str(tmp_path / "pool")]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_the_mixed_pool(hub, tmp_path):
    done = run(hub, tmp_path, "mixed-270k")
    assert done.returncode == 0, done.stderr
    records = open_records(tmp_path / "pool")
    assert [(row.id, row.instruction, row.input, row.output) for row in records.rows()] == [
        ("alpaca-0", "add", "1 2", "3"),
        ("dolly-0", "when?", "in 1990", "1990"),
        ("oig-small-chip2-0", "hi", "", "hello"),
        ("oig-small-chip2-1", "ho", "", "hey"),
    ]
    assert records.sources()[1] == ["alpaca", "dolly", "oig-small-chip2"]
    for entry in records.manifest["sources"]:
        assert (entry["preset"], entry["commit"]) == ("mixed-270k", hub.commit(entry["location"]))
    assert json.loads(records.raw(1))["category"] == "closed_qa"
    for path in tmp_path.joinpath("pool").iterdir():
        assert TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("ultrachat", ("0", "ultrachat", "q", "a", 4)),
        ("lmsys-chat-1m", ("c0", "lmsys-chat-1m", "q", "a", 2)),
        ("alpaca", ("alpaca-0", "alpaca", "add", "3", 2)),
    ],
)
def test_presets(hub, tmp_path, name, want):
    done = run(hub, tmp_path, name)
    assert done.returncode == 0, done.stderr
    row = open_records(tmp_path / "pool").row(0)
    assert (row.id, row.source, row.instruction, row.output, len(row.turns)) == want


def test_revision_and_cache(hub, tmp_path):
    commit = hub.commit("tatsu-lab/alpaca")
    done = run(hub, tmp_path, "tatsu-lab/alpaca", ", revision='main'")
    assert done.returncode == 0, done.stderr
    entry = open_records(tmp_path / "pool").manifest["sources"][0]
    assert (entry["revision"], entry["commit"], entry["source"]) == ("main", commit, "alpaca")
    before = len(hub.requests)
    done = run(hub, tmp_path, "tatsu-lab/alpaca", HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert len(hub.requests) == before
    assert open_records(tmp_path / "pool").manifest["sources"][0]["commit"] is None


@pytest.mark.parametrize(
    ("source", "expression", "error"),
    [
        (
            "tatsu-lab/alpaca",
            ", revision='v9'",
            "FileNotFoundError: revision: tatsu-lab/alpaca has none called 'v9'",
        ),
        ("tatsu-lab/alpaca", ", split='dev'", "ValueError: source: tatsu-lab/alpaca: Unknown split "),
        (
            "no/thing",
            "",
            "FileNotFoundError: source: no file or folder no/thing, and no data set of that name",
        ),
    ],
)
def test_what_is_not_there(hub, tmp_path, source, expression, error):
    done = run(hub, tmp_path, source, expression)
    assert done.stderr.strip().splitlines()[-1].startswith(error)
    assert not (tmp_path / "pool").exists()


def test_gated_data_sets_say_how_to_log_in(hub, tmp_path):
    hub.gated.add("lmsys/lmsys-chat-1m")
    done = run(hub, tmp_path, "lmsys-chat-1m")
    assert done.stderr.strip().splitlines()[-1] == (
        "PermissionError: lmsys/lmsys-chat-1m is gated: accept its terms at "
        "https://huggingface.co/datasets/lmsys/lmsys-chat-1m, then log in with `hf auth login` or set the "
        "environment variable HF_TOKEN"
    )
    assert TOKEN not in done.stdout + done.stderr


def test_without_a_network(hub, tmp_path):
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    done = run(hub, tmp_path, "alpaca", **nowhere)
    text = done.stderr.strip().splitlines()[-1]
    assert text.startswith(
        "ConnectionError: source: no file or folder tatsu-lab/alpaca, and the Hugging Face Hub "
    )
    assert text.endswith(
        "; connect, or set HF_HUB_OFFLINE=1 to use what was downloaded before, or pass a file"
    )
    done = run(hub, tmp_path, "lmsys-chat-1m", HF_HUB_OFFLINE="1")
    text = done.stderr.strip().splitlines()[-1]
    assert "it is not in the cache; unset HF_HUB_OFFLINE to download it" in text
    assert "is gated: accept its terms" in text
    assert not (tmp_path / "pool").exists()


def test_every_preset_is_tried_here():
    assert {preset.repository for group in PRESETS.values() for preset in group.values()} == set(REPOSITORIES)
