"""ds01 over a base image into an engine, as a candidate beside its peers."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.candidate import ADDED, TIERS, Candidate
from bench.room import Room, seconds
from ds01build.digest import Digest
from ds01build.workflow.quick import lock_path

if TYPE_CHECKING:
    from bench.candidate import State
    from bench.peers import Bench, Tiers

NAME = "bench-over-image"


def ours(bench: Bench) -> Candidate:
    """Return ds01 with the stack of the bench over its base, in its engine."""
    directory = bench.directory / "ds01"
    directory.mkdir()
    room = Room(
        directory=directory,
        recipe=directory / "stack.toml",
        extra=(("DOCKER_HOST", bench.builder.host),),
    )
    return Candidate(name="ds01", seconds=_Building(bench, room).seconds)


@dataclass(frozen=True)
class _Building:
    bench: Bench
    room: Room

    def seconds(self, state: State) -> float:
        """Bring the state about, build, and return what building took, locking included."""
        more = {**TIERS, next(iter(TIERS)): (*next(iter(TIERS.values())), ADDED)}
        self.room.recipe.write_text(recipe(self.bench.base, more if state == "added" else TIERS))
        if state == "cold":
            self._forget()
        elif state == "warm":
            self._unmake()
        command = self.room.command("build", "--load", "--keep-sources", "--quiet")
        return seconds(command, self.room.environment)

    def _forget(self) -> None:
        """Remove the lock, the store, what resolvers have cached, and the image."""
        lock_path(self.room.recipe).unlink(missing_ok=True)
        for name in ("store", "cache"):
            shutil.rmtree(self.room.directory / name, ignore_errors=True)
        self._unload()

    def _unmake(self) -> None:
        """Remove the image and its layers, but not what they were made from."""
        printed = self.room.run("build", "--load", "--json", "--quiet")
        store = self.room.directory / "store"
        for layer in json.loads(printed)["layers"]:
            (store / "blobs/sha256" / Digest(layer["digest"]).hex).unlink(missing_ok=True)
        shutil.rmtree(store / "keys")
        self._unload()

    def _unload(self) -> None:
        """Let the engine forget every image of that name, whatever its tag."""
        docker = ["docker", "--host", self.bench.builder.host]
        listed = subprocess.run(
            [*docker, "images", "--quiet", "--no-trunc", f"ds01-*/{NAME}"],
            check=True,
            capture_output=True,
            text=True,
        )
        for image in sorted(set(listed.stdout.split())):
            subprocess.run([*docker, "rmi", "--force", image], check=True, capture_output=True)


def recipe(base: str, tiers: Tiers) -> str:
    lines = ["schema = 1", f'name = "{NAME}"', "[base]", f"image = {json.dumps(base)}"]
    for name, packages in tiers.items():
        lines += [f"[tiers.{name}]", 'kind = "python"', f"packages = {json.dumps([*packages])}"]
    return "".join(f"{line}\n" for line in lines)
