"""A judge behind a real local server that fails, stalls and is killed; its key is nowhere."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback

import pytest

from helpers.openai_server import OpenAIServer, retry_at_once
from helpers.scoring_pools import (
    KEY,
    KEY_ENV,
    alpaca_rows,
    assert_nowhere,
    judged,
    make_pool,
    some,
    truth,
)
from qdit.scoring import EndpointError, MissingScoresError, score
from qdit.scoring.rubrics import alpagasus

pytest.importorskip("openai", reason="needs the openai package: pip install 'qdit[judge]'")

N = 12


@pytest.fixture(autouse=True)
def no_long_pauses(monkeypatch):
    retry_at_once(monkeypatch)
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture
def pool(tmp_path):
    return make_pool(tmp_path, N)


@pytest.mark.parametrize(
    "fault", ["500", "503", "429", "429:0.05", "drop", "truncated", "garbage", "half", "empty", "echo"]
)
def test_one_failure_of_each_request_changes_nothing(pool, fault):
    with OpenAIServer(lambda request: fault if request.attempt == 0 else None) as server:
        made = judged(pool, server, retries=1)
    assert made.quality.tolist() == truth(pool, alpagasus())
    assert made.manifest["results"][0]["failed"] == 0
    assert len(server.requests) == 2 * N


def test_retry_after_is_obeyed(tmp_path):
    pool = make_pool(tmp_path, 1)
    with OpenAIServer(["429:0.4"]) as server:
        start = time.monotonic()
        judged(pool, server)
    assert time.monotonic() - start >= 0.4


def test_a_request_that_takes_too_long(tmp_path):
    pool = make_pool(tmp_path, 1)
    with (
        OpenAIServer(["stall"]) as server,
        pytest.raises(MissingScoresError, match=r"no answer within 0\.2 seconds; a longer timeout may help"),
    ):
        judged(pool, server, timeout=0.2, retries=0)


def test_stalls_end_at_the_timeout(tmp_path):
    pool = make_pool(tmp_path, 4)
    with OpenAIServer(["stall", "stall"]) as server:
        made = judged(pool, server, timeout=0.3, concurrency=2)
    assert made.quality.tolist() == truth(pool, alpagasus())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("500", "2 x HTTP 500: scripted failure"),
        ("400", "2 x HTTP 400: scripted failure"),
        ("drop", r"2 x Connection error\. \(\w+: .+\)"),
        ("garbage", "2 x the reply is no chat completion"),
        ("half", "2 x the reply is no JSON"),
        ("empty", "2 x the reply is no chat completion"),
    ],
)
def test_rows_that_always_fail_lose_no_others(pool, fault, error):
    bees = [i for i, row in enumerate(alpaca_rows(N)) if "bees" in row["instruction"]]
    want = truth(pool, alpagasus())
    with OpenAIServer(some(fault)) as server:
        with pytest.raises(
            MissingScoresError, match=f"rows 3, 11.*2 requests failed.*{error}.*repeat the command"
        ):
            judged(pool, server, retries=1)
        asked = len(server.requests)
        made = judged(pool, server, retries=1, missing="lowest")
        assert len(server.requests) - asked == (2 if fault == "400" else 4)  # 400 is not repeated
    assert made.quality[bees].tolist() == [min(want[i] for i in range(N) if i not in bees)] * 2
    others = [i for i in range(N) if i not in bees]
    assert made.quality[others].tolist() == [want[i] for i in others]
    (result,) = made.manifest["results"]
    assert (result["failed"], result["failed_rows"], result["null"]) == (2, bees, 2)
    assert sum(result["errors"].values()) == 2
    with OpenAIServer() as server:  # works again: only what failed is asked for, without --overwrite
        healed = judged(pool, server, missing="lowest")
        assert len(server.requests) == 2
    assert healed.quality.tolist() == want


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_refusal_stops_at_once(pool, status):
    with OpenAIServer(lambda request: status) as server:
        with pytest.raises(EndpointError, match=f"HTTP {status}: scripted failure"):
            judged(pool, server, concurrency=2)
        assert len(server.requests) <= 3


def test_a_dead_endpoint_stops_the_run(tmp_path):
    pool = make_pool(tmp_path, 60)
    with OpenAIServer(lambda request: None if request.number < 5 else "500") as server:
        with pytest.raises(EndpointError, match=r"20 requests in a row failed.*all answers so far are kept"):
            judged(pool, server, concurrency=1, retries=0)
        assert len(server.requests) == 25
    with OpenAIServer() as server:
        judged(pool, server)
        assert len(server.requests) == 55


def test_no_endpoint(pool):
    with pytest.raises(MissingScoresError, match=r"12 of 12 rows.*Connection error"):
        score(
            pool, "alpagasus", judge_model="m", base_url="http://127.0.0.1:1/v1", key_env=KEY_ENV, retries=0
        )


def test_openai_without_a_key(pool, monkeypatch):
    monkeypatch.delenv(KEY_ENV)
    with pytest.raises(EndpointError, match="no key: the environment variable that key_env names is not set"):
        score(pool, "alpagasus", judge_model="m", key_env=KEY_ENV)


@pytest.mark.parametrize("fault", ["echo", "401", "garbage", "drop", "unparsable", None])
def test_the_key_is_nowhere(tmp_path, fault, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    pool = make_pool(tmp_path, 3)
    trace = ""
    echo = lambda text: f"4\nYour key is {KEY}, Bearer {KEY}"  # noqa: E731
    with OpenAIServer(lambda request: fault, answer=echo) as server:
        try:
            judged(pool, server, retries=1, progress=True, missing="error")
        except (MissingScoresError, EndpointError):
            trace = traceback.format_exc()
        assert all(request.authorization == f"Bearer {KEY}" for request in server.requests)
    assert (fault is None) == (trace == "")
    captured = capfd.readouterr()
    assert_nowhere(KEY, tmp_path, trace, captured.out, captured.err, caplog.text)
    if fault == "echo":
        assert "could not handle Bearer [key]" in trace
    if fault is None:
        assert "Your key is [key]" in next((pool / "scoring").glob("*.jsonl")).read_text()


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from openai import _base_client
_base_client.INITIAL_RETRY_DELAY = 0.02
from qdit.cli.score import score_command
pool, url, env = sys.argv[1:]
score_command(pool, "alpagasus", judge_model="m", base_url=url, key_env=env, concurrency=4, timeout=0.5,
              missing="lowest", progress=True)
"""


def trouble(request):
    """Fail the first tries of most requests in every way; some rows never get a usable answer."""
    shown = request.body["messages"][0]["content"]
    if "tides" in shown.split("Response")[0]:
        return "unparsable"
    faults = ("500", "429:0.02", "drop", "garbage", "truncated", "stall", None, None)
    return faults[len(shown) % len(faults)] if request.attempt == 0 else None


def start(pool, server):
    command = [sys.executable, "-c", CHILD, str(pool), server.url, KEY_ENV]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def wait_for(pool, lines, child, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and child.poll() is None:
        if sum(path.read_bytes().count(b"\n") for path in (pool / "scoring").glob("*.jsonl")) >= lines:
            return
        time.sleep(0.005)
    raise AssertionError(f"{lines} answers did not come: {child.communicate()}")


def comparable(pool):
    """All of the manifest but times."""
    value = json.loads((pool / "quality.json").read_text())
    value.pop("seconds")
    for one in value["results"]:
        one.pop("seconds")
        one.pop("base_url")
    return value


@pytest.mark.slow
def test_killed_again_and_again_ends_with_the_same_scores(tmp_path):
    n = 64
    calm, pool = make_pool(tmp_path / "calm", n), make_pool(tmp_path / "killed", n)
    with OpenAIServer(some("unparsable", "tides")) as server:
        judged(calm, server, missing="lowest")
    output = ""
    with OpenAIServer(trouble, delay=0.02) as server:
        for lines, number in ((10, signal.SIGKILL), (25, signal.SIGKILL), (40, signal.SIGINT)):
            child = start(pool, server)
            wait_for(pool, lines, child)
            child.send_signal(number)
            out, err = child.communicate()
            assert child.returncode in (-signal.SIGKILL, -signal.SIGINT, 1), err
            assert not (pool / "quality.npy").exists()
            output += out + err
        assert "repeat the call to go on; scores so far are in" in output
        child = start(pool, server)
        out, err = child.communicate()
        assert child.returncode == 0, err
        answered = [r for r in server.requests if trouble(r) in (None, "unparsable")]
        assert len(answered) <= n + 3 * 4  # at most what was under way at each kill was paid for twice
    assert (pool / "quality.npy").read_bytes() == (calm / "quality.npy").read_bytes()
    assert comparable(pool) == comparable(calm)
    assert_nowhere(KEY, tmp_path, output, out, err)
