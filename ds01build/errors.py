"""What can go wrong, as values: one base class, fields, a hint, an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "CheckFailed",
    "CollisionError",
    "CycleError",
    "Ds01Error",
    "Issue",
    "LockError",
    "MismatchError",
    "MissingDebs",
    "NoEngine",
    "NoProgram",
    "NotExecutable",
    "RecipeError",
    "RejectedFile",
    "ResolveError",
    "StoreError",
    "Unavailable",
    "UsageError",
]


@dataclass(eq=False)
class Ds01Error(Exception):
    """The request cannot be met; ``hint`` names a command that helps."""

    message: str
    hint: str = ""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class UsageError(Ds01Error):
    """The command line contradicts itself."""

    exit_code: ClassVar[int] = 2


@dataclass(eq=False)
class CheckFailed(Ds01Error):
    """A check said no: a stale lock, a damaged store."""

    exit_code: ClassVar[int] = 3


@dataclass(eq=False)
class Unavailable(Ds01Error):
    """The world lacks something: a network, a tool, an engine."""

    exit_code: ClassVar[int] = 4


@dataclass(eq=False)
class NoEngine(Unavailable):
    """No engine listens where engines do, and nothing names another: nobody asked for one."""


@dataclass(eq=False)
class NoProgram(Ds01Error):
    """A container lacks the program that it is to run: the exit code is that of a shell."""

    exit_code: ClassVar[int] = 127


@dataclass(eq=False)
class NotExecutable(Ds01Error):
    """A container has the program, and it cannot be executed: the exit code is that of a shell."""

    exit_code: ClassVar[int] = 126


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with a file that a person or a program wrote."""

    path: str  # dotted, such as tiers.jupyter.packages[2]; empty for the whole file
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" if self.path else self.problem


def _listed(source: str, issues: tuple[Issue, ...]) -> str:
    return "\n".join(f"{source}: {issue}" for issue in issues)


@dataclass(eq=False)
class RecipeError(Ds01Error):
    """A recipe, or a file that it includes, is not valid; all issues at once."""

    message: str = ""
    source: str = "recipe"
    issues: tuple[Issue, ...] = ()

    def __str__(self) -> str:
        return _listed(self.source, self.issues)


@dataclass(eq=False)
class LockError(Ds01Error):
    """A lock is not one that ds01 wrote, or was cut short; all issues at once."""

    message: str = ""
    source: str = "lock"
    issues: tuple[Issue, ...] = ()

    def __str__(self) -> str:
        return _listed(self.source, self.issues)


@dataclass(eq=False)
class CycleError(Ds01Error):
    """Tiers need each other; ``cycle`` starts and ends with the same tier."""

    message: str = ""
    cycle: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"tiers need each other: {' -> '.join(self.cycle)}"


@dataclass(eq=False)
class ResolveError(Ds01Error):
    """No set of packages satisfies the recipe."""


@dataclass(eq=False)
class RejectedFile(Ds01Error):
    """A wheel or .deb is malformed, hostile, or for another platform."""

    message: str = ""
    name: str = ""
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


@dataclass(eq=False)
class CollisionError(Ds01Error):
    """Two sources own one path and disagree about it."""

    message: str = ""
    path: str = ""
    first: str = ""
    second: str = ""
    problem: str = "different bytes"

    def __str__(self) -> str:
        return f"/{self.path}: {self.first} and {self.second} disagree ({self.problem})"


@dataclass(eq=False)
class MismatchError(Ds01Error):
    """Bytes are not those that an address promises."""

    message: str = ""
    where: str = ""
    expected: str = ""
    actual: str = ""

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.actual}"


@dataclass(eq=False)
class MissingDebs(Ds01Error):
    """The mirror no longer has .debs that a lock names."""

    message: str = ""
    debs: tuple[str, ...] = ()  # name=version

    def __str__(self) -> str:
        return f"the mirror no longer has {', '.join(self.debs)}"


@dataclass(eq=False)
class StoreError(Ds01Error):
    """The store cannot be used: owner, modes, format, space."""
