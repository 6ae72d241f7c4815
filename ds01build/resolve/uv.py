"""Runs uv: its own configuration shut out, secrets only in its environment, no builds ever."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ds01build.errors import ResolveError, Unavailable
from ds01build.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "Index",
    "NoSolution",
    "Uv",
    "Workspace",
    "compile_fetched",
    "compile_requirements",
]

_OFFLINE = re.compile(
    r"error sending request|Failed to fetch|Could not connect|dns error|"
    r"network was disabled|HTTP status (server )?error|tcp connect error",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A package index: the alias that locks use, its URL, and the URL with credentials."""

    alias: str
    url: str
    secret_url: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uv:
    """The uv program and what it may see. Without an index ``default``, uv uses its own."""

    program: Path
    interpreter: Path
    environment: Mapping[str, str] = field(repr=False)
    indexes: tuple[Index, ...] = ()
    offline: bool = False

    def aliases(self) -> dict[str, str]:
        """Return the alias of each index by the URL that uv prints for it."""
        return {index.url.rstrip("/"): index.alias for index in self.indexes}

    def index_variables(self) -> dict[str, str]:
        """Return the variables that tell a uv of the indexes; they may hold credentials."""
        urls = {index.alias: index.secret_url for index in self.indexes}
        default = urls.pop("default", "")
        more = " ".join(f"{alias}={url}" for alias, url in urls.items())
        found = {"UV_DEFAULT_INDEX": default, "UV_INDEX": more}
        return {name: value for name, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Workspace:
    """A private directory for the files that uv reads and writes; the caller removes it."""

    root: Path

    def write(self, name: str, lines: Iterable[str]) -> str:
        """Write ``lines`` and return the file's name within the directory."""
        (self.root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return name

    def has(self, name: str) -> bool:
        """Return whether a file was written."""
        return (self.root / name).exists()

    def write_bytes(self, name: str, body: bytes) -> None:
        """Write a file whose directory may have to be made."""
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.root / name).read_text(encoding="utf-8")


@dataclass(eq=False)
class NoSolution(ResolveError):
    """uv found no set of packages; the message is its explanation."""


def compile_requirements(
    tool: Uv,
    workspace: Workspace,
    inputs: Sequence[str],
    arguments: Sequence[str],
    configuration: str = "",
    *,
    seconds: float = 600,
) -> str:
    """Run ``uv pip compile`` over requirement files of ``workspace`` and return what it prints.

    ``configuration`` (a uv.toml) stands in the place of every one that uv would find.
    Raises NoSolution, and Unavailable when an index or uv itself cannot be reached.
    """
    command: list[str | Path] = [tool.program, "pip", "compile", "--no-build"]
    command += ["--config-file", workspace.write("uv.toml", [configuration])]
    command += ["--quiet", "--no-header", "--no-python-downloads", "--python", tool.interpreter]
    command += ["--offline"] if tool.offline else []
    done = run(
        [*command, *arguments, "--", *inputs],
        environment={**tool.environment, **tool.index_variables()},
        cwd=workspace.root,
        seconds=seconds,
    )
    if done.code != 0:
        raise _failure(_redacted(done.stderr, tool.indexes), tool)
    return done.stdout


def compile_fetched(
    tool: Uv, workspace: Workspace, inputs: Sequence[str], arguments: Sequence[str]
) -> str:
    """Run ``compile_requirements`` over pages that another run has just fetched.

    They may be out of date by the rules of HTTP, and are not asked for again. What uv did not keep
    is fetched. Raises NoSolution and Unavailable.
    """
    try:
        return compile_requirements(replace(tool, offline=True), workspace, inputs, arguments)
    except (NoSolution, Unavailable):
        return compile_requirements(tool, workspace, inputs, arguments)


_QUERY = re.compile(r"(://[^\s?]*)\?[^\s)`'\"]*")


def _redacted(text: str, indexes: Iterable[Index]) -> str:
    for index in indexes:
        text = text.replace(index.secret_url, index.url)
        secret = index.secret_url.partition("://")[2].partition("@")[0]
        if "@" in index.secret_url:
            text = text.replace(secret, "****")
    return _QUERY.sub(r"\1", text)  # a token may stand there as well


# uv takes such an answer for an index without the package.
_FORBIDDEN = re.compile(r"\b(401 Unauthorized|403 Forbidden)\b")


def _failure(stderr: str, tool: Uv) -> ResolveError | Unavailable:
    causes = [line.strip() for line in stderr.splitlines() if line.strip()]
    text = " ".join(line.removeprefix("cause: ").removeprefix("error: ") for line in causes)
    if tool.offline and "network was disabled" in text:
        return Unavailable(
            "the package index was not asked (--offline) and its cache lacks what is needed",
            hint="run it once without --offline",
        )
    if match := _FORBIDDEN.search(text):
        return Unavailable(
            f"the package index answers {match[1]}: {text:.300}",
            hint="put user and password into the netrc file or DS01_INDEX_URL",
        )
    if _OFFLINE.search(text):
        return Unavailable(f"the package index cannot be reached: {text:.300}")
    return NoSolution(text)
