"""A small Hugging Face Hub on this machine, speaking the HTTP calls that datasets makes."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class HubServer(ThreadingHTTPServer):
    """Serves {repository: {file: bytes}}; use it as a context manager.

    Attributes:
        gated: repositories whose files are refused.
        requests: (method, path) of every request.

    """

    daemon_threads = True

    def __init__(self, repositories, gated=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = repositories
        self.gated = set(gated)
        self.requests = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name):
        return hashlib.sha1(repr(sorted(self.repositories[name].items())).encode()).hexdigest()

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def do_POST(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    def log_message(self, *arguments):
        pass

    def answer(self):
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path))
        if path.startswith("/api/datasets/"):
            return self.api(path.removeprefix("/api/datasets/").split("/"))
        if path.startswith("/datasets/"):
            return self.resolve(path.removeprefix("/datasets/").split("/"))
        return self.send(404, b"")

    def api(self, parts):
        name, rest = "/".join(parts[:2]), parts[2:]
        if name not in self.server.repositories:
            return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        files, commit = self.server.repositories[name], self.server.commit(name)
        if rest and rest[0] in ("revision", "tree", "paths-info") and rest[1] not in ("main", commit):
            return self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        if not rest or rest[0] == "revision":
            siblings = [{"rfilename": file} for file in files]
            return self.json({"id": name, "sha": commit, "private": False, "tags": [], "siblings": siblings})
        entries = [
            {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for file, content in files.items()
        ]
        if rest[0] == "tree":
            return self.tree(entries, "/".join([*rest[2:], ""]), "recursive=true" in self.path.lower())
        if rest[0] == "paths-info":
            asked = self.body.decode()
            return self.json([entry for entry in entries if entry["path"] in asked])
        return self.send(404, b"{}")

    def tree(self, entries, folder, recursive):
        inside = [entry for entry in entries if entry["path"].startswith(folder)]
        if not inside:
            return self.send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        here = [entry for entry in inside if recursive or "/" not in entry["path"][len(folder) :]]
        deeper = {
            folder + entry["path"][len(folder) :].split("/")[0] for entry in inside if entry not in here
        }
        folders = [{"type": "directory", "path": path, "size": 0, "oid": "0" * 40} for path in sorted(deeper)]
        return self.json(here + folders)

    def resolve(self, parts):
        name, file = "/".join(parts[:2]), "/".join(parts[4:])
        content = self.server.repositories.get(name, {}).get(file)
        if name in self.server.gated:
            return self.send(
                401, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": f"{name} is restricted"}
            )
        if content is None:
            return self.send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        tag = f'"{hashlib.sha1(content).hexdigest()}"'
        start, status, extra = 0, 200, {}
        asked = self.headers.get("Range", "").removeprefix("bytes=").split("-")[0]
        if asked:
            start, status = int(asked), 206
            extra = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return self.send(
            status, content[start:], {"ETag": tag, "X-Repo-Commit": self.server.commit(name), **extra}
        )

    def json(self, value):
        return self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, status, content, headers=None):
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
