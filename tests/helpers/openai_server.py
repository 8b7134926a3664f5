"""A local server that speaks the OpenAI protocol and fails on request.

It answers POST /v1/chat/completions and /v1/embeddings; every answer depends on the prompt or input alone.

    with OpenAIServer(faults=["500", None, "drop"]) as server:  # the first three requests
        client = openai.OpenAI(base_url=server.url, api_key="x")

A fault is a name, and "stall:0.5" or "429:0.1" give its seconds:
    400, 401, 404, 500, 503: that status    429: with retry-after (seconds, default 0)
    stall: no answer for so long (default 60 s)    drop: the connection is closed without an answer
    garbage: status 200 and a page    half: status 200 and half an object    truncated: half of the bytes
    empty: no choices, no data    unparsable: a chat answer without a number
    echo: status 500, the key sent is in the message    nan: embeddings of NaN    short: one embedding too few
    unnumbered: embeddings without index    unnumbered-first: without it where it is 0
    400=what it says: that status and message
or a dict: what a chat answer's choice has instead of its own fields, or with "status" the fields of an error.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import numpy as np
import pytest

UNPARSABLE = "I would rather not put a number on this."


@dataclass(frozen=True)
class Request:
    """What arrived: `number` counts all requests, `attempt` those with the same text, both from 0."""

    path: str
    body: dict[str, Any]
    authorization: str
    number: int
    attempt: int

    @property
    def inputs(self) -> list[str]:
        """All inputs."""
        return _inputs(self.body)

    @property
    def text(self) -> str:
        """The last message, or the first input."""
        if "messages" in self.body:
            return str(self.body["messages"][-1]["content"])
        return _inputs(self.body)[0]


Fault = str | dict[str, Any] | None
Faults = Sequence[Fault] | Callable[[Request], Fault]


class OpenAIServer:
    """The server, in threads of this process, from `with` to the end of its block.

    Args:
        faults: faults of the first requests in order, or a function of the request.
        answer: chat answer as a function of all messages' text; default `rating`.
        dims: dimensions of an embedding; a request's "dimensions" goes first.
        delay: seconds that every good answer takes.

    Attributes:
        url: base URL for a client, ending in /v1.
        requests: what arrived so far.
        most_at_once: the most requests that were open at the same time.

    """

    def __init__(
        self,
        faults: Faults = (),
        *,
        answer: Callable[[str], str] | None = None,
        dims: int = 8,
        delay: float = 0.0,
        port: int = 0,
    ) -> None:
        self._faults = faults
        self.answer = rating if answer is None else answer
        self.dims = dims
        self.delay = delay
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._open = 0
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._http = _Server(("127.0.0.1", port), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and let stalled requests go."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def arrive(self, path: str, body: dict[str, Any], authorization: str) -> tuple[Request, Fault]:
        """Count a request; return it with its fault."""
        with self._lock:
            key = json.dumps([path, body], sort_keys=True)
            request = Request(path, body, authorization, len(self.requests), self._seen[key])
            self._seen[key] += 1
            self.requests.append(request)
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
            if callable(self._faults):
                return request, self._faults(request)
            return request, self._faults[request.number] if request.number < len(self._faults) else None

    def leave(self) -> None:
        """Count a request out."""
        with self._lock:
            self._open -= 1


def retry_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients ask again without the pauses that are the library's business."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.02)
    monkeypatch.setattr("qdit.models.client._BACKOFF", (0.01, 0.02))


def rating(text: str) -> str:
    """Return an AlpaGasus-like answer: a number from 0 to 5 in steps of 0.5, then a sentence."""
    return f"{_digest(text)[0] % 11 / 2:g}\nA number made from the text."


def embedding(text: str, dims: int) -> list[float]:
    """Return a unit vector (float32 values) made from the text."""
    random = np.random.default_rng(int.from_bytes(_digest(text)[:8], "little"))
    vector = random.standard_normal(dims).astype(np.float32)
    return (vector / np.linalg.norm(vector)).tolist()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _inputs(body: dict[str, Any]) -> list[str]:
    return [body["input"]] if isinstance(body["input"], str) else list(body["input"])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    owner: OpenAIServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # clients that hang up are no news
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if len(content) < int(self.headers["Content-Length"]):  # the client is gone
            self.close_connection = True
            return None
        body = json.loads(content)
        owner = self.server.owner
        request, fault = owner.arrive(self.path, body, self.headers.get("Authorization", ""))
        try:
            if isinstance(fault, dict):
                return self._special(request, fault)
            status, _, message = (fault or "").partition("=")
            name, _, seconds = status.partition(":")
            if message:
                self._error(int(status), message)
            else:
                self._respond(request, name, float(seconds) if seconds else None)
        finally:
            owner.leave()

    def _special(self, request: Request, fault: dict[str, Any]) -> None:
        if "status" in fault:
            content = json.dumps(fault.get("body", {"error": fault}))
            return self._send(fault["status"], content.encode(), {})
        content = _chat(request, "", self.server.owner.answer)
        content["choices"][0] |= fault
        return self._send(200, json.dumps(content).encode(), {})

    def _respond(self, request: Request, fault: str, seconds: float | None) -> None:
        owner = self.server.owner
        if fault == "stall":
            owner.closing.wait(60.0 if seconds is None else seconds)
        if fault in ("stall", "drop"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "echo":
            self._error(500, f"could not handle {request.authorization}")
        elif fault == "429":
            self._error(429, "slow down", {"Retry-After": f"{seconds or 0:g}"})
        elif fault.isdigit():
            self._error(int(fault), "scripted failure")
        elif fault == "garbage":
            self._send(200, b"<html>\xff\xfe not json", {"Content-Type": "text/html"})
        elif fault == "half":
            self._send(200, b'{"choices": [{"index"', {})
        else:
            owner.closing.wait(owner.delay)
            content = json.dumps(self._content(request, fault)).encode()
            self._send(200, content, {}, promise=len(content) * 2 if fault == "truncated" else None)

    def _content(self, request: Request, fault: str) -> dict[str, Any]:
        if request.path == "/v1/chat/completions":
            return _chat(request, fault, self.server.owner.answer)
        if request.path == "/v1/embeddings":
            return _embeddings(request, fault, self.server.owner.dims)
        return {"error": {"message": f"unknown path {request.path}"}}

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        content = json.dumps({"error": {"message": message, "type": "scripted", "code": status}})
        self._send(status, content.encode(), headers or {})

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], *, promise: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if promise is None else promise))
        self.end_headers()
        self.wfile.write(content)
        if promise is not None:
            self.close_connection = True


def _chat(request: Request, fault: str, answer: Callable[[str], str]) -> dict[str, Any]:
    prompt = "\n".join(str(message["content"]) for message in request.body["messages"])
    text = UNPARSABLE if fault == "unparsable" else answer(prompt)
    words = text.split()
    limit = request.body.get("max_tokens") or request.body.get("max_completion_tokens") or len(words)
    text = text if len(words) <= limit else " ".join(words[:limit])
    message = {"role": "assistant", "content": text}
    finish = "stop" if len(words) <= limit else "length"
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    used, made = len(prompt.split()), len(text.split())
    return {
        "id": f"chatcmpl-{_digest(prompt).hex()[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": request.body["model"],
        "choices": [] if fault == "empty" else [choice],
        "usage": {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made},
    }


def _embeddings(request: Request, fault: str, dims: int) -> dict[str, Any]:
    texts = _inputs(request.body)
    dims = int(request.body.get("dimensions", dims))
    vectors: list[Any] = [embedding(text, dims) for text in texts]
    if fault == "nan":
        vectors = [[float("nan")] * dims for _ in texts]
    if request.body.get("encoding_format") == "base64":
        vectors = [base64.b64encode(np.asarray(v, "<f4").tobytes()).decode() for v in vectors]
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
    for entry in {"unnumbered": data, "unnumbered-first": data[:1]}.get(fault, []):
        del entry["index"]
    used = sum(len(text.split()) for text in texts)
    return {
        "object": "list",
        "data": [] if fault == "empty" else data[:-1] if fault == "short" else data,
        "model": request.body["model"],
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A stand-in for an OpenAI-compatible server")
    parser.add_argument("--port", type=int, default=8765)
    server = OpenAIServer(port=parser.parse_args().port)
    with server:
        print(server.url, flush=True)
        server.closing.wait()


if __name__ == "__main__":
    main()
