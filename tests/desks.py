"""A user at a desk with an engine: recipes over image bases, from ``ds01 lock`` to a container."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from images import Place, read_lock, run, succeed
from servers import serving
from world import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from images import Answer, Ended

    from ds01build.lock import Lock

# All that an image has, but for what each container gets of its own: type, mode, owner, link.
EVERYTHING = r"""
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run \) -prune -o \
  -printf '%p\0%y %m %U:%G %l\0'
"""
_OWN = frozenset({"/", "/.dockerenv", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})


@dataclass(frozen=True)
class Desk:
    """A place, and the engine (as in DOCKER_HOST) that commands talk to; empty for none.

    Every recipe is called ``name``, as nothing else in the engine is.
    """

    place: Place
    host: str
    name: str
    stages: set[str] = field(default_factory=set)  # that Docker built
    made: list[str] = field(default_factory=list)

    def recipe(self, base: str, text: str, name: str = "") -> Path:
        """Write a recipe over an image and return its path."""
        path = self.place.root / f"{name or self.name}.toml"
        head = f'schema = 1\nname = "{name or self.name}"\n\n[base]\nimage = "{base}"\n'
        path.write_text(f"{head}{text}", encoding="utf-8")
        return path

    def lock(self, recipe: Path, *options: str) -> Lock:
        ended = self.place.ds01("lock", "--quiet", *options, recipe)
        assert ended.code == 0, ended.err
        return read_lock(recipe)

    def refused(self, recipe: Path, command: str = "lock") -> Ended:
        """Return how a command ended that must not do what it is asked, nor crash."""
        ended = self.place.ds01(command, "--quiet", recipe)
        assert ended.code != 0
        assert "Traceback" not in ended.err
        return ended

    def build(self, recipe: Path, *options: str) -> Answer:
        """Build and load a recipe, and return the answer."""
        before = stages(self.host) if "docker" in options else None
        answer = self.place.build(recipe, "--load", *options)
        if before is not None:
            self.stages.update(stages(self.host) - before)
        self.made.append(str(answer["image"]["reference"]))
        return answer

    def docker(self, *words: str) -> str:
        return succeed("docker", "--host", self.host, *words)

    def inside(self, image: str, script: str) -> str:
        """Return what a script prints in a container of ``image``, which has no network."""
        words = ("run", "--rm", "--network=none", "--user=0", "--entrypoint=/bin/sh")
        return self.docker(*words, image, "-euc", script)

    def tree(self, image: str) -> dict[str, str]:
        """Return type, mode, owner and link of every path of ``image``."""
        words = self.inside(image, EVERYTHING).split("\0")
        found = dict(zip(words[0::2], words[1::2], strict=False))
        return {path: seen for path, seen in found.items() if path not in _OWN}

    def without_engine(self, root: Path) -> Desk:
        """Return another desk of the same user, where no engine is and the store is empty."""
        (root / "home").mkdir(parents=True)
        own = {k: v for k, v in self.place.variables.items() if k != "DOCKER_HOST"}
        return replace(self, place=Place(root=root, variables=own), host="")

    def clean(self) -> None:
        """Remove the images that were loaded, whatever they are tagged, and stages of Docker's."""
        for repository in {image.partition(":")[0] for image in self.made}:
            listed = self.docker("images", "--quiet", "--no-trunc", repository).split()
            for image in set(listed):
                run("docker", "--host", self.host, "rmi", "--force", image)
        for stage in self.stages:
            run("docker", "--host", self.host, "rmi", stage)


def stages(host: str) -> frozenset[str]:
    """Return the tags of the stages that an engine keeps for later builds."""
    form = "--format={{.Repository}}:{{.Tag}}"
    return frozenset(succeed("docker", "--host", host, "images", form, "ds01/tier").split())


@contextmanager
def offering() -> Iterator[Index]:
    """Serve an empty package index until the block ends."""
    with serving() as server:
        yield Index(server, "/own")


def python_tier(*requirements: str, name: str = "code") -> str:
    packages = json.dumps(requirements)
    return f'\n[tiers.{name}]\nkind = "python"\npackages = {packages}\n'


def apt_tier(*packages: str, name: str = "system") -> str:
    return f'\n[tiers.{name}]\nkind = "apt"\npackages = {json.dumps(packages)}\n'


def run_tier(*commands: str, name: str = "models", after: tuple[str, ...] = ()) -> str:
    behind = f"after = {json.dumps(after)}\n" if after else ""
    return f'\n[tiers.{name}]\nkind = "run"\ncommands = {json.dumps(commands)}\n{behind}'


def of_tier(answer: Answer, tier: str) -> list[dict[str, Any]]:
    """Return the layers of a tier that a build answered with."""
    return [layer for layer in answer["layers"] if layer["tier"] == tier]
