"""A small world on this machine: a package index, a Debian archive, and a user who builds.

Everything is served on the loopback interface and made of wheels and .debs that are built here. A
module that wants it says ``pytest_plugins = ("world_fixtures",)`` and asks for ``world``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from archive import Package, publish
from servers import content, status
from wheels import File, archive, record

from ds01build.layers.root import BASE_PACKAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archive import Signer
    from servers import Answer, Request, Route, Server

TOOLS = ("apt-get", "apt-cache", "gpg", "gpgv")
SCRIPT = Path(sys.executable).with_name("ds01")
NUMBERS = count(1)
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"

RECIPE = """\
schema = 1
name = "demo"

[base]
debian = "bookworm"

[tiers.python]
kind = "python"
packages = ["app"]
"""


def wheel_of(
    name: str,
    version: str = "1.0",
    *files: File,
    requires: Sequence[str] = (),
    extra: Sequence[File] = (),
) -> bytes:
    """Return a sound wheel: ``files``, or a module of its own; ``extra`` stay out of RECORD."""
    stem = f"{name.replace('-', '_')}-{version}"
    own = File(name=f"{name.replace('-', '_')}.py".encode(), content=f"V = {version!r}\n".encode())
    metadata = File(name=f"{stem}.dist-info/METADATA".encode(), content=metadata_of(stem, requires))
    tag = b"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    every = [
        *(files or [own]),
        metadata,
        File(name=f"{stem}.dist-info/WHEEL".encode(), content=tag),
    ]
    return archive([*every, *extra, record(every, stem)])


def metadata_of(stem: str, requires: Sequence[str] = ()) -> bytes:
    name, _, version = stem.rpartition("-")
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {each}" for each in requires]
    return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class Index:
    """A package index (PEP 503 and 691) below ``prefix``; ``password`` of the user, if it has."""

    server: Server
    prefix: str
    password: str = ""
    offers: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.server.url}{self.prefix}/simple"

    def offer(
        self, name: str, version: str = "1.0", *files: File, requires: Sequence[str] = ()
    ) -> bytes:
        """Offer a sound wheel and return its bytes."""
        made = wheel_of(name, version, *files, requires=requires)
        file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        self.add(file, made, metadata_of(f"{file.rsplit('-', 3)[0]}", requires))
        return made

    def add(self, file: str, body: bytes, metadata: bytes | None = None) -> None:
        """Offer a file whatever is in it; metadata apart spare clients a look inside."""
        row: dict[str, Any] = {
            "filename": file,
            "url": f"{self.server.url}{self.prefix}/files/{file}",
            "hashes": {"sha256": hashlib.sha256(body).hexdigest()},
            "size": len(body),
        }
        if metadata is not None:
            row["core-metadata"] = {"sha256": hashlib.sha256(metadata).hexdigest()}
            self.route(f"files/{file}.metadata", content(metadata))
        name = file.split("-", maxsplit=1)[0].replace("_", "-").lower()
        self.offers.setdefault(name, {})[file] = row
        self.route(f"files/{file}", content(body))
        page = {
            "meta": {"api-version": "1.1"},
            "name": name,
            "files": list(self.offers[name].values()),
            "versions": sorted({each.split("-")[1] for each in self.offers[name]}),
        }
        self.route(f"simple/{name}/", typed(json.dumps(page).encode(), SIMPLE_JSON))

    def route(self, path: str, route: Route) -> None:
        """Answer for ``path`` below the prefix, in place of what was there."""
        if self.password:
            route = guarded(route, self.password)
        self.server.routes[f"{self.prefix}/{path}"] = route

    def fetched(self, file: str) -> int:
        """Return how often the file was asked for."""
        return self.server.paths().count(f"{self.prefix}/files/{file}")


def typed(body: bytes, kind: str) -> Route:
    def route(answer: Answer, _: Request) -> None:
        answer.start(200, {"Content-Type": kind, "Content-Length": str(len(body))})
        answer.wfile.write(body)

    return route


def guarded(route: Route, password: str) -> Route:
    """Ask for basic authentication as ``user`` first."""
    expected = "Basic " + base64.b64encode(f"user:{password}".encode()).decode()

    def checked(answer: Answer, request: Request) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        allowed = headers.get("authorization") == expected
        challenge = status(401, {"WWW-Authenticate": 'Basic realm="index"'})
        (route if allowed else challenge)(answer, request)

    return checked


def debian() -> list[Package]:
    """Return the packages of a root that is as small as the rules for one allow."""
    known = {
        "base-files": Package(
            "base-files", "12.4", files={"etc/debian_version": b"12.4\n", "root/.keep": b""}
        ),
        "base-passwd": Package(
            "base-passwd",
            "3.6.1",
            files={
                "usr/share/base-passwd/passwd.master": b"root:*:0:0:root:/root:/bin/bash\n",
                "usr/share/base-passwd/group.master": b"root:*:0:\nmail:*:8:\nutmp:*:43:\n",
            },
        ),
        "bash": Package("bash", "5.2.15-2", files={"bin/bash": b"#!\n"}),
        "libc-bin": Package("libc-bin", "2.36-9", files={"etc/ld.so.conf": b"/usr/local/lib\n"}),
        "python3": Package("python3", "3.11.2-1", depends="python3.11-minimal, libc6"),
    }
    below = (
        Package("python3.11-minimal", "3.11.2-6", files={"usr/bin/python3.11": b"#!\n"}),
        Package("libc6", "2.36-9", files={"lib/x86_64-linux-gnu/libc.so.6": b"libc\n"}),
        Package("tool", "1.0-1", depends="libtool (>= 1.0)", files={"usr/bin/tool": b"1\n"}),
        Package("libtool", "1.0-1", files={"usr/lib/libtool": b"1\n"}),
        Package("lonely", "1.0-1", files={"usr/bin/lonely": b"1\n"}),
    )
    rest = {name: Package(name) for name in BASE_PACKAGES if name not in known}
    return [*rest.values(), *known.values(), *below]


@dataclass(frozen=True)
class Archive:
    """A Debian archive in ``root``, served below ``prefix``."""

    server: Server
    prefix: str
    root: Path
    signer: Signer
    packages: list[Package]

    @property
    def url(self) -> str:
        return f"{self.server.url}{self.prefix}"

    def publish(self, *newer: Package) -> None:
        """Let the index offer ``newer`` packages too."""
        self.packages.extend(newer)
        publish(self.root, "bookworm", self.packages, self.signer)
        publish(self.root, "bookworm-security", (), self.signer)
        for path in filter(Path.is_file, self.root.rglob("*")):
            where = f"{self.prefix}/{quote(str(path.relative_to(self.root)))}"
            self.server.routes[where] = content(path.read_bytes())

    def drop(self, name: str) -> None:
        """Take the oldest .deb of that name away, as a mirror does that has a newer one."""
        package = next(each for each in self.packages if each.name == name)
        self.packages.remove(package)
        (self.root / package.path()).unlink()
        del self.server.routes[f"{self.prefix}/{quote(package.path())}"]
        self.publish()


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> list[str]:
        """The lines of stderr from the first error on."""
        lines = self.err.splitlines()
        starts = [n for n, line in enumerate(lines) if line.lower().startswith("error:")]
        return lines[starts[0] :] if starts else []

    @property
    def answer(self) -> Any:  # noqa: ANN401 (JSON)
        """The JSON on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True)
class World:
    """A user with a home, a store and a directory of recipes, between an index and an archive."""

    root: Path
    index: Index
    archive: Archive
    keyring: Path
    built: dict[str, str] = field(default_factory=dict)  # images that must stay as they are
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def recipe(self) -> Path:
        return self.root / "project" / "demo.toml"

    @property
    def lock(self) -> Path:
        return self.recipe.with_suffix(".lock")

    @property
    def environment(self) -> dict[str, str]:
        """All that commands see; tests may change ``variables``."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "DS01_STORE": str(self.store),
            "DS01_INDEX_URL": self.index.url,
            "DS01_APT_MIRROR": self.archive.url,
            "DS01_APT_KEYRING": str(self.keyring),
            "DOCKER_HOST": f"unix://{self.root}/no-engine.sock",  # whatever this machine has
            **self.variables,
        }

    def write(self, text: str, name: str = "demo.toml") -> Path:
        """Write a file beside the recipe, or the recipe itself, and return its path."""
        path = self.recipe.with_name(name)
        path.write_text(text, encoding="utf-8")
        return path

    def ask_for(self, *packages: str, more: str = "") -> None:
        """Let the recipe's tier ask for ``packages``."""
        names = json.dumps(packages)
        self.write(RECIPE.replace('["app"]', names) + more)

    def command(self, *arguments: str | Path) -> list[str]:
        return [str(SCRIPT), *map(str, arguments)]

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start ds01 in a session of its own; its output is the caller's to read."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            cwd=self.recipe.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ds01(self, *arguments: str | Path, seconds: float = 60) -> Outcome:
        """Run ds01 to its end."""
        return ended(self.start(*arguments), seconds)

    def build(self, *arguments: str | Path) -> Outcome:
        return self.ds01("build", *arguments, "demo.toml")

    def refuses(self, code: int, *arguments: str | Path, says: Sequence[str]) -> Outcome:
        """Run a command that must end with ``code`` and these last lines, and lose nothing."""
        locked = self.lock.read_bytes() if self.lock.exists() else b""
        outcome = self.ds01(*arguments)
        found = (outcome.code, outcome.complaint, outcome.out)
        if found != (code, list(says), "") or "Traceback" in outcome.err:
            pytest.fail(
                f"ended with {outcome.code}, printed {outcome.out!r}, and said\n{outcome.err}"
            )
        assert is_shown_safely(outcome.err), ascii(outcome.err)
        assert self.images() == self.built, "the images changed"
        now = self.lock.read_bytes() if self.lock.exists() else b""
        assert now == locked, "the lock changed"
        return outcome

    def images(self) -> dict[str, str]:
        """Return the digest of each image of the store by name, all its blobs being there."""
        found = {}
        for row in json.loads((self.store / "index.json").read_bytes())["manifests"]:
            name = row["annotations"]["org.opencontainers.image.ref.name"]
            manifest = json.loads(self.blob(row["digest"]))
            for part in (manifest["config"], *manifest["layers"]):
                assert len(self.blob(part["digest"])) == part["size"]
            found.update({} if "@" in name else {name: row["digest"]})
        return found

    def blob(self, digest: str) -> bytes:
        """Return the bytes of a blob of the store, which are the right ones."""
        hexadecimal = digest.partition(":")[2]
        found = (self.store / "blobs" / "sha256" / hexadecimal).read_bytes()
        assert hashlib.sha256(found).hexdigest() == hexadecimal
        return found

    def verified(self) -> str:
        """Return what is wrong with the store, empty if nothing is."""
        return self.ds01("store", "verify").out


def is_shown_safely(text: str) -> bool:
    """Say whether a terminal shows ``text`` as it is."""
    return text.replace("\n", "").isprintable()


def ended(process: subprocess.Popen[str], seconds: float = 60) -> Outcome:
    """Wait for a process and return what it left behind."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return Outcome(process.returncode, out, err)


def furnish(index: Index) -> None:
    """Offer what RECIPE asks for, and what tests add to it."""
    index.offer("app", requires=["lib>=1"])
    index.offer("lib")
    index.offer("other")


def copied(world: World, root: Path) -> World:
    """Return a copy of a world in ``root``, with an index of its own."""
    for name in ("store", "project", "home"):
        shutil.copytree(world.root / name, root / name, symlinks=True)
    index = Index(world.index.server, f"/{next(NUMBERS)}")
    furnish(index)
    return replace(world, root=root, index=index, variables={}, built=dict(world.built))


def own_archive(world: World) -> World:
    """Return the same world with an archive of its own, which may change."""
    prefix = f"{world.index.prefix}/debian"
    own = replace(world.archive, prefix=prefix, root=world.root / "debian", packages=debian())
    own.publish()
    return replace(world, archive=own)


def secret_index(world: World, password: str) -> World:
    """Return the same world with an index that asks for a password."""
    index = Index(world.index.server, f"/{next(NUMBERS)}", password)
    furnish(index)
    return replace(world, index=index)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that another thread or process does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def files_below(*roots: Path) -> Iterable[Path]:
    return (path for root in roots for path in root.rglob("*") if path.is_file())
