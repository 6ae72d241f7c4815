"""Builds the shipped recipes with the real command line, and looks into what comes out."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ds01build import lockfile
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ds01build.lock import Lock
    from ds01build.pin import DebPin, Pin, WheelPin

SCRIPT = Path(sys.executable).with_name("ds01")
CLONE = Path(__file__).parent.parent
UNAVAILABLE = 4

# What says where packages come from on this machine. Anything else is hidden from commands.
PASSED = ("DS01_APT_", "DS01_INDEX_URL", "NO_PROXY", "PIP_", "PYTHONPATH", "SSL_CERT_", "UV_")

Answer = dict[str, Any]  # JSON


def require(*tools: str, root: bool = False) -> None:
    """Skip the test on a machine without ``tools``, or where this is not root."""
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    if lacking:
        pytest.skip(f"needs {', '.join(lacking)}, which this machine lacks")
    if root and os.geteuid() != 0:
        pytest.skip("needs root")


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Answer:
        """The JSON on stdout."""
        answer: Answer = json.loads(self.out)
        return answer


def run(
    *command: str | Path,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    umask: int = -1,
    seconds: float = 600,
) -> Ended:
    """Run a command to its end."""
    ended = subprocess.run(
        list(map(str, command)),
        env=environment,
        cwd=cwd,
        umask=umask,
        timeout=seconds,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def succeed(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command that must end with 0, and return what it printed."""
    ended = run(*command, environment=environment)
    assert ended.code == 0, f"{command[0]} ended with {ended.code}\n{ended.err}\n{ended.out}"
    return ended.out


@dataclass(frozen=True, kw_only=True)
class Place:
    """A user's home and store below ``root``, and how that user starts commands."""

    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()  # of every command
    cwd: Path | None = None
    umask: int = -1

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(PASSED) or name.lower().endswith("_proxy")
        }
        own = Path.home()
        return {
            **inherited,
            "PATH": os.environ["PATH"],
            "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(own / ".config")),
            "NETRC": os.environ.get("NETRC", str(own / ".netrc")),
            "HOME": str(self.home),
            "DS01_STORE": str(self.store),
            "DOCKER_HOST": f"unix://{self.home}/no-engine.sock",  # whatever this machine has
            **self.variables,
        }

    def ds01(self, *words: str | Path) -> Ended:
        return run(
            *self.prefix,
            SCRIPT,
            *words,
            environment=self.environment,
            cwd=self.cwd or self.root,
            umask=self.umask,
        )

    def build(self, recipe: Path, *options: str) -> Answer:
        """Build ``recipe`` and return the answer; it must succeed."""
        ended = self.ds01("build", "--json", "--quiet", *options, recipe)
        assert ended.code == 0, ended.err
        return ended.answer

    def path(self, digest: str) -> Path:
        """Return the file of a blob."""
        return self.store / "blobs/sha256" / digest.removeprefix("sha256:")

    def blobs(self) -> dict[str, int]:
        """Return the size of each blob in the store, by digest."""
        found = (self.store / "blobs/sha256").iterdir() if self.store.exists() else ()
        return {f"sha256:{path.name}": path.stat().st_size for path in found}


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A shipped recipe that was built; ``known`` are the blobs that the store had before."""

    place: Place
    recipe: Path
    lock: Lock
    answer: Answer
    known: frozenset[str]

    @property
    def pins(self) -> dict[str, WheelPin | DebPin]:
        """What the lock names, by digest."""
        pins: list[WheelPin | DebPin] = [*self.lock.wheels, *self.lock.debs]
        return {str(pin.digest): pin for pin in pins}

    @property
    def digest(self) -> str:
        return str(self.answer["image"]["digest"])

    @property
    def reference(self) -> str:
        return str(self.answer["image"]["reference"])

    @property
    def manifest(self) -> Answer:
        manifest: Answer = json.loads(self.place.path(self.digest).read_bytes())
        return manifest

    @property
    def config(self) -> Answer:
        config: Answer = json.loads(self.place.path(self.manifest["config"]["digest"]).read_bytes())
        return config

    def layers(self) -> list[Path]:
        """Return the files of the layers, lowest first."""
        return [self.place.path(layer["digest"]) for layer in self.manifest["layers"]]


@dataclass(frozen=True)
class Tree:
    """An unpacked image, and its configuration as a runtime gets it."""

    bundle: Path

    @property
    def root(self) -> Path:
        return self.bundle / "rootfs"

    def enter(self, *command: str, seconds: float = 300) -> Ended:
        """Run a command in the image with the environment of its configuration, no other."""
        process = json.loads((self.bundle / "config.json").read_text())["process"]
        variables = [*process["env"], "HOME=/root"]
        return run("chroot", self.root, "/usr/bin/env", "-i", *variables, *command, seconds=seconds)

    def prints(self, *command: str) -> str:
        """Return what a command prints that must end with 0 and complain of nothing."""
        ended = self.enter(*command)
        assert (ended.code, ended.err) == (0, ""), f"{' '.join(command)}\n{ended.err}\n{ended.out}"
        return ended.out


def unpack(reference: str, directory: Path) -> Tree:
    """Unpack the image at ``reference`` below ``directory``, as skopeo and umoci see it."""
    require("skopeo", "umoci", "chroot", root=True)
    layout = directory / "layout"
    succeed("skopeo", "--insecure-policy", "copy", reference, f"oci:{layout}:image")
    succeed("umoci", "unpack", "--image", f"{layout}:image", directory / "bundle")
    shutil.rmtree(layout)
    tree = Tree(directory / "bundle")
    try:
        # Every runtime makes this device, and git does not start without it.
        os.mknod(tree.root / "dev/null", 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("needs to make device nodes")
    (tree.root / "dev/null").chmod(0o666)
    return tree


class Gallery:
    """The shipped recipes, each built and unpacked once in a session."""

    def __init__(self, directory: Path) -> None:
        # A name that nothing else has: found anywhere in an image, it came from this machine.
        self.token = f"builder-{secrets.token_hex(8)}"
        self.root = directory / self.token
        names = dict.fromkeys(("USER", "LOGNAME", "HOSTNAME", "EMAIL"), self.token)
        self.place = Place(root=self.root / "place", variables=names)
        self._built: dict[str, Shipped] = {}
        self._trees: dict[str, Tree] = {}
        self._count = 0
        for path in (directory, self.root, self.place.home):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)  # so that another user's build can read recipes

    def directory(self) -> Path:
        """Return a new directory, which other users can reach."""
        self._count += 1
        path = self.root / str(self._count)
        path.mkdir()
        path.chmod(0o755)
        return path

    def probe(self) -> str:
        """Say why packages can't be reached, empty if they can: by locking the least recipe."""
        recipe = self.directory() / "slim.toml"
        shutil.copyfile(CLONE / "recipes/slim.toml", recipe)
        ended = self.place.ds01("lock", "--quiet", recipe)
        assert ended.code in (0, UNAVAILABLE), ended.err
        if ended.code == 0:
            return ""
        # What follows names hosts.
        return ended.err.splitlines()[0].removeprefix("error: ").partition(": ")[0]

    def built(self, name: str, *options: str) -> Shipped:
        """Return the shipped recipe of that name, built in the session's store."""
        if name not in self._built:
            recipe = self.copy(name)
            known = frozenset(self.place.blobs())
            answer = self.place.build(recipe, "--update-missing", *options)
            self._built[name] = Shipped(
                place=self.place,
                recipe=recipe,
                lock=read_lock(recipe),
                answer=answer,
                known=known,
            )
        return self._built[name]

    def copy(self, name: str) -> Path:
        """Return a copy of a shipped recipe, with its lock where ds01 looks for it."""
        root = self.directory()
        for kind, path in (("recipes", f"{name}.toml"), ("lockfiles", f"{name}.lock")):
            (root / kind).mkdir()
            (root / kind).chmod(0o755)
            shutil.copyfile(CLONE / kind / path, root / kind / path)
            (root / kind / path).chmod(0o644)
        return root / "recipes" / f"{name}.toml"

    def unpacked(self, name: str) -> Tree:
        """Return the shipped recipe of that name, unpacked; nobody may change what is in it."""
        if name not in self._trees:
            self._trees[name] = unpack(self.built(name).reference, self.directory())
        return self._trees[name]

    def seeded(self, image: Shipped, **how: Any) -> Place:  # noqa: ANN401 (fields of Place)
        """Return a new place whose store has what ``image`` was made from, and nothing else."""
        place = replace(Place(root=self.directory()), **how)
        place.home.mkdir()
        assert place.ds01("store", "du").code == 0
        for digest in image.pins:
            os.link(image.place.path(digest), place.path(digest))
        return place


def read_lock(recipe: Path) -> Lock:
    path = lock_path(recipe)
    return lockfile.loads(path.read_text(), source=path.name)


def actions(answer: Answer) -> set[str]:
    """Return what was done to the layers of a build, each word once."""
    return {layer["action"] for layer in answer["layers"]}


def written(answer: Answer) -> list[Answer]:
    """Return the layers that a build wrote."""
    return [layer for layer in answer["layers"] if layer["action"] == "written"]


def total(pins: Iterable[Pin]) -> int:
    """Return the bytes of ``pins``."""
    return sum(pin.size for pin in pins)
