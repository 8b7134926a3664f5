"""The test server itself: what it answers, and that it fails as asked."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest

from helpers.openai_server import UNPARSABLE, OpenAIServer, embedding, rating


def post(server: OpenAIServer, path: str, body: dict[str, Any], timeout: float = 5.0) -> dict[str, Any]:
    """Send a request and return the parsed answer."""
    request = urllib.request.Request(
        server.url + path,
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "Authorization": "Bearer top-secret"},
    )
    with urllib.request.urlopen(request, timeout=timeout) as response:
        return json.loads(response.read())


def chat(server: OpenAIServer, text: str = "rate this") -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return post(server, "/chat/completions", body)["choices"][0]["message"]["content"]


def test_answers_depend_on_the_text_alone() -> None:
    with OpenAIServer() as server:
        first, other = chat(server, "a"), chat(server, "b")
        assert first == chat(server, "a") == rating("a")
        assert first != other
        assert 0 <= float(first.splitlines()[0]) <= 5


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(encoding: str) -> None:
    with OpenAIServer(dims=6) as server:
        body = {"model": "m", "input": ["x", "y"], "encoding_format": encoding}
        data = [entry["embedding"] for entry in post(server, "/embeddings", body)["data"]]
    if encoding == "base64":
        data = [np.frombuffer(base64.b64decode(value), "<f4") for value in data]
    np.testing.assert_array_equal(np.float32(data), np.float32([embedding("x", 6), embedding("y", 6)]))
    np.testing.assert_allclose(np.linalg.norm(data, axis=1), 1, rtol=1e-6)


def test_faults_in_order_then_none() -> None:
    with OpenAIServer(["500", "429:2", "echo"]) as server:
        for status in (500, 429, 500):
            with pytest.raises(urllib.error.HTTPError) as caught:
                chat(server)
            with caught.value as error:
                assert error.code == status
                content = error.read().decode()
                assert error.headers.get("Retry-After") == ("2" if status == 429 else None)
        assert "top-secret" in content
        assert chat(server) == rating("rate this")
        assert [r.attempt for r in server.requests] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("drop", (http.client.RemoteDisconnected, ConnectionError)),
        ("stall:0.1", (http.client.RemoteDisconnected, ConnectionError)),
        ("garbage", UnicodeDecodeError),
        ("truncated", http.client.IncompleteRead),
        ("empty", IndexError),
    ],
)
def test_broken_answers(fault: str, error: type[Exception]) -> None:
    with OpenAIServer([fault]) as server:
        with pytest.raises(error):
            chat(server)
        assert chat(server) == rating("rate this")


def test_stall_outlives_the_client() -> None:
    with OpenAIServer(["stall"]) as server, pytest.raises(TimeoutError):
        post(server, "/embeddings", {"model": "m", "input": "x"}, timeout=0.2)


def test_faults_by_request() -> None:
    with OpenAIServer(lambda r: "unparsable" if "bad" in r.text else None) as server:
        assert chat(server, "bad one") == UNPARSABLE
        assert chat(server, "good one") == rating("good one")
