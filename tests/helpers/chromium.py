"""A page in headless Chromium, driven over the DevTools pipe: console, requests, layout, screenshot."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS = 60


def find() -> str | None:
    """Return the path of a Chromium, or None; QDIT_CHROMIUM names one."""
    named = os.environ.get("QDIT_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """A headless Chromium with one page; use it as a context manager.

    Attributes:
        errors: console errors and warnings, uncaught exceptions, violations of the page's policy.
        requests: addresses that the page asked for, data: ones left out.
    """

    def __init__(self, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._size = (width, height)
        self._dark = dark
        self._next = 0
        self._events: list[dict] = []
        self._buffer = b""

    def __enter__(self) -> "Browser":
        self._profile = tempfile.mkdtemp(prefix="chromium-")
        down_read, self._down = os.pipe()
        self._up, up_write = os.pipe()
        options = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self._profile}"),
            *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
        ]
        # the browser talks on file descriptors 3 and 4
        command = ["bash", "-c", f'exec 3<&{down_read} 4>&{up_write}; exec "$@"', "bash", find(), *options]
        self._process = subprocess.Popen(
            command, pass_fds=(down_read, up_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(down_read)
        os.close(up_write)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.page(f"{domain}.enable")
        width, height = self._size
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}
        self.page("Emulation.setEmulatedMedia", features=[scheme])
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._down)
        os.close(self._up)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def resize(self, width: int, height: int) -> None:
        self.page(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def open(self, path: Path) -> None:
        """Load a file and wait until it and its pictures are there."""
        self.page("Page.navigate", url=path.resolve().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._keep(self._read())
        self.run("Promise.all([...document.images].map(i => i.decode())).then(() => 0)")

    def run(self, expression: str):
        """Return the value of a JavaScript expression."""
        found = self.page("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """Save the whole page as PNG."""
        found = self.page("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def page(self, method: str, **parameters):
        return self.send(method, session=self._session, **parameters)

    def send(self, method: str, session: str | None = None, **parameters):
        self._next += 1
        message = {"id": self._next, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._down, json.dumps(message).encode() + b"\0")
        while True:
            found = self._read()
            if found.get("id") == self._next:
                assert "error" not in found, (method, found)
                return found["result"]
            self._keep(found)

    def _keep(self, event: dict) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        self._events.append({"method": method})
        if method == "Network.requestWillBeSent":
            address = parameters["request"]["url"]
            if not address.startswith("data:"):
                self.requests.append(address)
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.errors.append(str(parameters["args"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.errors.append(parameters["entry"]["text"])

    def _read(self) -> dict:
        end = time.monotonic() + _SECONDS
        while b"\0" not in self._buffer:
            part = os.read(self._up, 1 << 20)
            assert part, "the browser has gone"
            assert time.monotonic() < end, "the browser does not answer"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)
