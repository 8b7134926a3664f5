"""Pushing to the Hub, against a small server that speaks its upload protocol."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from helpers.export_pools import make
from qdit.exporting import export

TOKEN = "hf_" + "secret" * 6

constants = pytest.importorskip("huggingface_hub.constants", reason="pip install 'qdit[data]'")


class Handler(BaseHTTPRequestHandler):
    """Creates repositories and takes commits; everything is told to `server`."""

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return content
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        status = 401 if self.server.refuse else 200
        self.answer(status, {"id": "me/rows", "sha": "0" * 40, "siblings": []})

    def do_POST(self):
        content, server = self.body(), self.server
        server.authorizations.add(self.headers.get("Authorization"))
        if server.refuse:
            self.answer(401, {"error": "Invalid user token."})
        elif self.path == "/api/repos/create":
            server.created.append(json.loads(content))
            self.answer(200, {"url": f"{server.url}/datasets/me/rows", "name": "me/rows"})
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(content)["files"]
            ]
            self.answer(200, {"files": files})
        elif "/commit/" in self.path:
            for line in content.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    server.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            found = {"commitUrl": f"{server.url}/datasets/me/rows/commit/1", "commitOid": "1" * 40}
            self.answer(200, found | {"pullRequestUrl": None, "hookOutput": ""})
        else:
            self.answer(404, {"error": f"unknown {self.path}"})


@pytest.fixture
def server(monkeypatch):
    found = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{found.server_port}"
    found.created, found.files, found.authorizations, found.refuse = [], {}, set(), False
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", found.url)
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def test_everything_is_uploaded_as_it_is(server, tmp_path):
    made = make(tmp_path)
    out = export(made.chosen, tmp_path / "out", decisions="jsonl", push_to_hub="me/rows")
    assert server.created[0]["name"] == "rows"
    asked = server.created[0]
    assert asked.get("visibility") == "private" or asked.get("private") is True
    there = {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert server.files == there
    assert server.authorizations == {f"Bearer {TOKEN}"}
    assert not any(TOKEN.encode() in content for content in there.values())


def test_a_refusal_says_what_to_do_and_not_the_token(server, tmp_path):
    server.refuse = True
    made = make(tmp_path)
    with pytest.raises(RuntimeError, match="answered 401 for me/rows; log in with: hf auth login") as found:
        export(made.chosen, tmp_path / "out", push_to_hub="me/rows")
    assert TOKEN not in str(found.value)
    assert (tmp_path / "out" / "manifest.json").exists()  # the export itself is whole


def test_a_bad_name(server, tmp_path):
    made = make(tmp_path)
    with pytest.raises(ValueError, match="push_to_hub: got 'a/b/c', wanted a name such as user/dataset"):
        export(made.chosen, tmp_path / "out", push_to_hub="a/b/c")
