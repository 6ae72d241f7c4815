"""Commands in a container that runs, as its user: to their end, or left to themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ds01build.engine.api import asking
from ds01build.engine.frames import STDOUT, executed
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ds01build.engine.api import Engine

__all__ = ["EngineInside"]

_LIMIT = 1 << 20  # bytes that a command prints


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInside:
    """The inside of a container that runs. Everything raises Ds01Error and Unavailable."""

    engine: Engine
    name: str

    def ask(self, argv: Sequence[str]) -> tuple[int, bytes]:
        """Run a command to its end, and return its status and what it prints, which is hostile."""
        client, printed = self.engine.client, b""
        with asking(self.engine.place, f"to run {argv[0]} in {self.name}"):
            made = client.exec_create(self.name, list(argv))["Id"]
            with executed(client, made) as frames:
                for channel, content in frames:
                    printed += content if channel == STDOUT else b""
                    if len(printed) > _LIMIT:
                        raise Ds01Error(f"{argv[0]} in {self.name} prints without an end")
            code = client.exec_inspect(made)["ExitCode"]
        return (-1 if code is None else int(code)), printed

    def begin(self, argv: Sequence[str], variables: Mapping[str, str]) -> Callable[[], int | None]:
        """Start a command and leave it; what is returned gives its status, None while it runs."""
        client = self.engine.client
        with asking(self.engine.place, f"to start {argv[0]} in {self.name}"):
            made = client.exec_create(self.name, list(argv), environment=dict(variables))["Id"]
            client.exec_start(made, detach=True)

        def status() -> int | None:
            with asking(self.engine.place, f"for what was started in {self.name}"):
                found = client.exec_inspect(made)
            return None if found["Running"] else int(found["ExitCode"] or 0)

        return status
