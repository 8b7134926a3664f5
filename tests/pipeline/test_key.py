"""A run that embeds and scores by servers: their keys stand in no file, log, config or error."""

import json
import logging
import traceback

import pytest
import yaml

from helpers.openai_server import OpenAIServer
from helpers.scoring_pools import KEY, KEY_ENV, alpaca_rows, assert_nowhere
from qdit.cli.main import main
from qdit.pipeline import read_config, run

pytest.importorskip("openai", reason="servers need openai: pip install 'qdit[judge]'")


def write(folder, url):
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in alpaca_rows(12)))
    server = {"base_url": url, "key_env": KEY_ENV, "retries": 0}
    content = {
        "source": "rows.jsonl",
        "out": "out",
        "embed": {"model": "m", "batch_size": 2, **server},
        "score": {"by": "alpagasus", "judge_model": "j", **server},
        "select": {"alpha": 0.5, "k": 3},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    return folder / "run.yaml"


def echo_of(path):
    """Answer every request to a path, but the first, with an error that repeats the key."""
    return lambda request: "echo" if request.path.endswith(path) and request.number > 0 else None


def test_the_key_is_nowhere_in_a_run(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setenv(KEY_ENV, KEY)
    caplog.set_level(logging.DEBUG)
    said = []
    answer = lambda text: f"4\nYour key is {KEY}, Bearer {KEY}"  # noqa: E731
    with OpenAIServer(answer=answer) as server:
        file = write(tmp_path, server.url)
        for path in ("/embeddings", "/chat/completions"):
            server._faults = echo_of(path)
            try:
                run(read_config(file), progress=True, say=said.append)
            except Exception:
                said.append(traceback.format_exc())
            assert main(["run", str(file)]) != 0  # as a user sees it, from what the first call left
            assert_nowhere(KEY, tmp_path)
        assert "could not handle Bearer [key]" in "".join(said)
        server._faults = ()
        assert main(["run", str(file)]) == 0
        assert all(request.authorization == f"Bearer {KEY}" for request in server.requests)
    options = ["--judge_model", "j", "--key_env", KEY_ENV, "--print_config"]
    assert main(["score", str(tmp_path / "out" / "pool"), "--by", "alpagasus", *options]) == 0
    assert main(["report", str(tmp_path / "out"), "--no-progress"]) in (0, 1)  # 1 without matplotlib
    assert main(["verify", str(tmp_path / "out" / "export")]) == 0
    captured = capfd.readouterr()
    assert KEY_ENV in captured.out
    assert_nowhere(KEY, tmp_path, *map(str, said), captured.out, captured.err, caplog.text)
