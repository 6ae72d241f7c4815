"""Where a scenario works: a directory of its own with stores and caches, and ds01 in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from values import suite_of, target_of

from ds01build import lockfile
from ds01build.workflow import machine
from ds01build.workflow.quick import lock_path
from ds01build.workflow.request import read_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ds01build.digest import Digest
    from ds01build.lock import Lock
    from ds01build.resolve.machine import MachineResolver
    from ds01build.store import DirStore
    from ds01build.workflow.steps import Edges

DS01 = Path(sysconfig.get_path("scripts")) / "ds01"


@dataclass(frozen=True, kw_only=True)
class Room:
    """A directory, the recipe that is measured, and what to add to the environment."""

    directory: Path
    recipe: Path
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """The caller's, so that its indexes and proxies count, with other places for all files."""
        return {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.directory}/no-engine.sock",  # unless it is what counts
            **dict(self.extra),
            "DS01_STORE": str(self.directory / "store"),
            "XDG_CACHE_HOME": str(self.directory / "cache"),
        }

    def part(self, name: str) -> Room:
        """Return an empty room within this one."""
        directory = self.directory / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        return Room(directory=directory, recipe=self.recipe, extra=self.extra)

    def clear(self) -> None:
        shutil.rmtree(self.directory)

    def command(self, *arguments: str) -> list[str]:
        return [str(DS01), *arguments, str(self.recipe)]

    def run(self, *arguments: str) -> str:
        """Run a command of ds01 on the recipe and return what it prints."""
        return self.output(*arguments, str(self.recipe))

    def output(self, *arguments: str) -> str:
        """Run a command of ds01 and return what it prints."""
        command = [str(DS01), *arguments]
        done = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def lock(self) -> Lock:
        path = lock_path(self.recipe)
        return lockfile.loads(path.read_text(encoding="utf-8"), source=str(path))

    def store(self) -> DirStore:
        return self._edges().store

    def urls(self) -> dict[Digest, str]:
        """Return where this machine fetches each file of the lock from."""
        lock, resolver = self.lock(), self._resolver()
        found = resolver.wheel_urls(lock.wheels, target_of(lock).version) if lock.wheels else {}
        return {
            **{pin.digest: url for pin, url in found.items()},
            **{pin.digest: resolver.deb_urls(pin, suite_of(lock))[0] for pin in lock.debs},
        }

    def _edges(self) -> Edges:
        return machine.edges(self.environment, Path.home(), lambda _: None)

    def _resolver(self) -> MachineResolver:
        return self._edges().resolver.with_settings(read_request(self.recipe).recipe.resolve)


def seconds(argv: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> float:
    """Run a command, which must succeed, and return the seconds that it took."""
    start = time.perf_counter()
    subprocess.run(
        argv, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start
