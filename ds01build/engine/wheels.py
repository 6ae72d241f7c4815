"""Builds wheels in a sandbox: with the interpreter of an image, isolated as PEP 517 has it.

The build frontend is uv, which is put into the container; git is the image's own. Nothing of what
runs there is believed: a caller gets names and bytes, and checks them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from ds01build.engine.logged import Logged
from ds01build.engine.sandbox import InMemory, Supply
from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ds01build.engine.sandbox import Ended, Sandbox
    from ds01build.layers.entry import Source

__all__ = ["SECONDS", "Bench", "Tools", "furnished"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
SECONDS = 4 * 3600.0  # a wheel of CUDA kernels takes hours
_WHEEL_LIMIT = 4 << 30  # bytes
_TEXT_LIMIT = 4 << 20  # bytes of a list of files
# Two builds of one source then have a chance to be the same; zip holds no time before 1980.
_STEADY = {"SOURCE_DATE_EPOCH": "315619200", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
_GIT = {
    "GIT_ALLOW_PROTOCOL": "https:http",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a bench is furnished with.

    ``variables`` say where build requirements come from, and may be secret; ``secrets`` are the
    words in them that neither log nor error may hold.
    """

    uv: Source = field(repr=False)
    interpreter: str  # absolute, in the image
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A container in which one wheel is built."""

    sandbox: Sandbox
    tools: Tools
    run: Logged

    def located(
        self, name: str, lines: Sequence[str], constraints: Sequence[str], options: Sequence[str]
    ) -> str:
        """Return the source distribution that ``lines``, all of ``name``, come to.

        That is a pylock.toml (PEP 751). ``options`` are uv's. Nothing of the package is run: uv is
        told that it needs nothing, and does not ask itself.
        """
        self.put("uv.toml", f'[[dependency-metadata]]\nname = "{name}"\n'.encode())
        self.put("wanted.in", "".join(f"{line}\n" for line in lines).encode())
        self.put("bounds.txt", "".join(f"{line}\n" for line in constraints).encode())
        output = self._path("pylock.toml")
        argv = [self._path("uv"), "pip", "compile", "--no-deps", "--quiet"]
        argv += ["--config-file", self._path("uv.toml")]
        argv += ["--no-binary", name, "--python", self.tools.interpreter, *options]
        argv += ["--constraints", self._path("bounds.txt")]
        argv += ["--format", "pylock.toml", "--output-file", output, "--", self._path("wanted.in")]
        self.run(argv, "uv pip compile")
        code, text = self.sandbox.capture(["cat", "--", output], limit=_TEXT_LIMIT)
        if code != 0:
            raise Ds01Error("the container has lost what uv wrote")
        return text.decode(errors="replace")

    def put(self, name: str, content: bytes | Source) -> str:
        """Put a file beside the others and return its path."""
        source = InMemory(content) if isinstance(content, bytes) else content
        self.sandbox.put([Supply(name, source)])
        return self._path(name)

    def cloned(self, url: str, revision: str) -> tuple[str, str]:
        """Clone a git repository; return the path of the work tree, and the commit it is at.

        ``revision`` is a tag, a branch or a commit, or empty for the HEAD. Raises Ds01Error.
        """
        if self.sandbox.capture(["/bin/sh", "-c", "command -v git"])[0] != 0:
            raise Ds01Error("the base has no git, which it takes to get the source")
        tree = self._path("tree")
        self.run(["git", "clone", "--no-checkout", "--", url, tree], "git clone")
        commit = self._commit(tree, revision)
        self.run(["git", "-C", tree, "checkout", "--detach", commit, "--"], "git checkout")
        modules = ["git", "-C", tree, "submodule", "update", "--init", "--recursive"]
        self.run(modules, "git submodule update")
        return tree, commit

    def _commit(self, tree: str, revision: str) -> str:
        places = [f"refs/tags/{revision}", f"refs/remotes/origin/{revision}"]
        if _COMMIT.fullmatch(revision):
            places = [revision]  # a tag may have that name as well
        for place in places if revision else ["refs/remotes/origin/HEAD"]:
            argv = ["git", "-C", tree, "rev-parse", "--verify", "--quiet", "--end-of-options"]
            code, printed = self.sandbox.capture([*argv, f"{place}^{{commit}}"])
            found = printed.decode(errors="replace").strip()
            if code == 0 and _COMMIT.fullmatch(found) and found.startswith(_pinned(revision)):
                return found
        raise Ds01Error(f"the repository has no commit, tag or branch {revision!r:.100}")

    def built(self, source: str) -> str:
        """Build the wheel of an archive or directory in the container, and return its name."""
        out = self._path("out")
        argv = [self._path("uv"), "build", "--wheel", "--no-config"]
        argv += ["--python", self.tools.interpreter, "--out-dir", out, "--", source]
        self.run(argv, "uv build")
        code, printed = self.sandbox.capture(["ls", "-1", "--", out])
        found = [line for line in printed.decode(errors="replace").splitlines() if line]
        if code != 0 or len(found) != 1:
            raise Ds01Error(f"the build made {len(found)} files instead of one wheel")
        return found[0]

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of the wheel that was built."""
        ends: list[Ended] = []
        size = 0
        for chunk in self.sandbox.stream(["cat", "--", self._path(f"out/{name}")], ends.append):
            size += len(chunk)
            if size > _WHEEL_LIMIT:
                raise Ds01Error(f"the wheel has more than {_WHEEL_LIMIT} bytes")
            yield chunk
        if ends[0].code != 0:
            raise Ds01Error("the container has lost the wheel")

    def _path(self, name: str) -> str:
        return f"{self.sandbox.scratch}/{name}"


def furnished(sandbox: Sandbox, tools: Tools, log: IO[bytes], path: Path, network: str) -> Bench:
    """Return a bench in ``sandbox``, whose commands write to ``log``, which is at ``path``.

    Raises Unavailable when the engine does, and Ds01Error where the image cannot run uv.
    """
    env = {
        "HOME": sandbox.scratch,
        "UV_CACHE_DIR": f"{sandbox.scratch}/cache",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        **_STEADY,
        **_GIT,
        **tools.variables,
    }
    run = Logged(
        sandbox=sandbox,
        log=log,
        path=str(path),
        env=env,
        workdir="/",
        network=network,
        secrets=tools.secrets,
    )
    made = Bench(sandbox=sandbox, tools=tools, run=run)
    program = made.put("uv", tools.uv)
    run(["chmod", "0755", "--", program], "chmod")
    run([program, "--version"], "uv --version")
    return made


def _pinned(revision: str) -> str:
    """Return what a commit has to start with: itself, where the revision is one."""
    return revision if _COMMIT.fullmatch(revision) else ""
