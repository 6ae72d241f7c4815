"""A real browser without a screen: Debian's Chromium, driven by its own driver (W3C WebDriver)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_STARTED = re.compile(rb"started successfully on port ([0-9]+)")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver section 12: the web element identifier
SHIFT, ENTER = "\ue008", "\ue007"  # WebDriver section 17.4.2
_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",  # which root cannot have
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
]


class BrowserError(Exception):
    """A driver does not do what it is asked."""


@dataclass(frozen=True)
class Browser:
    """A window of a browser. Scripts are JavaScript functions' bodies, with ``arguments``."""

    pool: urllib3.HTTPConnectionPool
    session: str

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        return _call(self.pool, method, f"/session/{self.session}{path}", body)

    def open(self, url: str) -> None:
        self.call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self.call("GET", "/url"))

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 (JSON)
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait(self, script: str, *arguments: object, seconds: float = 60) -> Any:  # noqa: ANN401
        """Return what a script does as soon as that is true; fail with what the page shows."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.run(script, *arguments)
            if found:
                return found
            time.sleep(0.2)
        shown = self.run("return document.body ? document.body.innerText : ''")
        pytest.fail(f"not after {seconds} seconds: {script}\n{self.url}\n{shown:.2000}")

    def click(self, selector: str, seconds: float = 60) -> None:
        """Click on the first element of a selector that can be seen, as soon as that is done."""
        end = time.monotonic() + seconds
        while True:
            found = self.wait(
                "return [...document.querySelectorAll(arguments[0])].find(e => e.offsetParent)",
                selector,
                seconds=seconds,
            )
            try:
                self.call("POST", f"/element/{found[_ELEMENT]}/click", {})
            except BrowserError:  # it moves, something lies over it, or it has gone meanwhile
                if time.monotonic() > end:
                    raise
            else:
                return
            time.sleep(0.2)

    def type(self, *keys: str, held: str = "") -> None:
        """Press keys one after the other, with another one held down."""
        pressed = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        if held:
            down, up = ({"type": kind, "value": held} for kind in ("keyDown", "keyUp"))
            pressed = [down, *pressed, up]
        keyboard = {"type": "key", "id": "keyboard", "actions": pressed}
        self.call("POST", "/actions", {"actions": [keyboard]})


def _call(pool: urllib3.HTTPConnectionPool, method: str, path: str, body: object) -> Any:  # noqa: ANN401
    content = None if body is None else json.dumps(body).encode()
    answer = pool.request(method, path, body=content, headers={"Content-Type": "application/json"})
    value = json.loads(answer.data)["value"]
    if answer.status != 200:
        raise BrowserError(f"{value['error']}: {value['message']}")
    return value


@contextmanager
def browser(home: Path) -> Iterator[Browser]:
    """Start a browser whose files are below ``home``; skip the test on a machine without one."""
    driver, program = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or program is None:
        pytest.skip("needs Debian's chromium and chromium-driver, which this machine lacks")
    home.mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home)}
    with subprocess.Popen(
        [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            port = next(filter(None, map(_STARTED.search, process.stdout)))[1]
            with urllib3.HTTPConnectionPool("127.0.0.1", int(port), timeout=120) as pool:
                yield from _session(pool, program)
        finally:
            process.terminate()


def _session(pool: urllib3.HTTPConnectionPool, program: str) -> Iterator[Browser]:
    options = {"goog:chromeOptions": {"binary": program, "args": _ARGUMENTS}}
    made = _call(pool, "POST", "/session", {"capabilities": {"alwaysMatch": options}})
    found = Browser(pool, made["sessionId"])
    try:
        yield found
    finally:
        with suppress(Exception):
            found.call("DELETE", "")
