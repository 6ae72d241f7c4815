"""The container commands as programs, for the user of these tests, in a real engine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engines import clean
from images import SCRIPT, Place, run
from terminals import terminal

from ds01build.engine.names import moving_tag

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from images import Ended
    from quays import Quay
    from terminals import Terminal

UID = os.geteuid()


@dataclass(frozen=True)
class Dock:
    """A quay whose user is who runs the tests, with images of his: names end in its token."""

    quay: Quay

    @property
    def home(self) -> Path:
        return self.quay.root / "home"

    @property
    def environment(self) -> dict[str, str]:
        variables = {
            "DOCKER_HOST": self.quay.engine.url,
            "DS01_ENGINE_NETWORK": "host",
            "XDG_CONFIG_HOME": str(self.home / ".config"),
        }
        return Place(root=self.quay.root, variables=variables).environment

    def name(self, stem: str) -> str:
        return f"{stem}-{self.quay.token}"

    def full(self, stem: str) -> str:
        return f"{self.name(stem)}._.{UID}"

    def offer(self, stem: str) -> str:
        """Give the user the image of the quay by a name, and return its tag."""
        image = self.quay.engine.inspect(self.quay.tag)
        assert image is not None
        tag = moving_tag(UID, self.name(stem))
        self.quay.engine.tag(image.engine_id, tag)
        return tag

    def run(self, program: str, *words: str) -> Ended:
        return run(
            SCRIPT.with_name(program), *words, environment=self.environment, cwd=self.quay.root
        )

    def done(self, program: str, *words: str) -> str:
        """Run a program that has to succeed, and return what it prints."""
        ended = self.run(program, *words)
        assert ended.code == 0, ended.err
        return ended.out

    def answer(self, program: str, *words: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.done(program, "--json", *words))
        return answer

    def refused(self, code: int, says: str, program: str, *words: str) -> Ended:
        """Run a program that must not do what it is asked: it says why, and makes nothing."""
        before = self.containers
        ended = self.run(program, *words)
        assert (ended.code, ended.out) == (code, ""), ended.err
        assert says in ended.err
        assert "Traceback" not in ended.err
        assert self.containers == before
        return ended

    def at(self, program: str, *words: str) -> AbstractContextManager[Terminal]:
        command: list[str | Path] = [SCRIPT.with_name(program), *words]
        return terminal(command, self.environment, self.quay.root, 120)

    @property
    def containers(self) -> dict[str, str]:
        """The ids of all containers of this test, by name."""
        rows = self.quay.engine.client.containers(all=True, filters={"name": self.quay.token})
        return {row["Names"][0].removeprefix("/"): str(row["Id"]) for row in rows}

    def clean(self, *stems: str) -> None:
        for stem in stems:
            clean(self.quay.engine, f"ds01-{UID}/{self.name(stem)}")
