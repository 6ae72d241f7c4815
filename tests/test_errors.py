from __future__ import annotations

import pytest

from ds01build import errors
from ds01build.errors import (
    CheckFailed,
    CollisionError,
    CycleError,
    Ds01Error,
    Issue,
    LockError,
    MismatchError,
    MissingDebs,
    NoEngine,
    NoProgram,
    NotExecutable,
    RecipeError,
    RejectedFile,
    ResolveError,
    StoreError,
    Unavailable,
    UsageError,
)

CODES: dict[type[Ds01Error], int] = {
    Ds01Error: 1,
    UsageError: 2,
    CheckFailed: 3,
    Unavailable: 4,
    NoEngine: 4,
    NoProgram: 127,
    NotExecutable: 126,
    RecipeError: 1,
    LockError: 1,
    CycleError: 1,
    ResolveError: 1,
    RejectedFile: 1,
    CollisionError: 1,
    MismatchError: 1,
    MissingDebs: 1,
    StoreError: 1,
}

ISSUES = (Issue("tiers.work.packages[2]", "not a requirement"), Issue("", "not TOML"))


def test_every_class_has_its_exit_code() -> None:
    found = {
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Ds01Error)
    }
    assert {one.__name__ for one in found} | {"Issue"} == {*errors.__all__}
    assert found == CODES.keys()
    assert {one: one.exit_code for one in found} == CODES


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Ds01Error("no"), "no"),
        (UsageError("--frozen and --upgrade"), "--frozen and --upgrade"),
        (CheckFailed("x.lock is stale"), "x.lock is stale"),
        (Unavailable("uv is not installed"), "uv is not installed"),
        (
            RecipeError(source="r.toml", issues=ISSUES),
            "r.toml: tiers.work.packages[2]: not a requirement\nr.toml: not TOML",
        ),
        (LockError(source="r.lock", issues=ISSUES[1:]), "r.lock: not TOML"),
        (CycleError(cycle=("a", "b", "a")), "tiers need each other: a -> b -> a"),
        (ResolveError("no such package"), "no such package"),
        (RejectedFile(name="x.whl", problem="holds a link"), "x.whl: holds a link"),
        (
            CollisionError(path="usr/x", first="a", second="b"),
            "/usr/x: a and b disagree (different bytes)",
        ),
        (
            MismatchError(where="x.whl", expected="5 bytes", actual="4 bytes"),
            "x.whl: expected 5 bytes, got 4 bytes",
        ),
        (MissingDebs(debs=("git=1", "less=2")), "the mirror no longer has git=1, less=2"),
        (StoreError("the store is read-only"), "the store is read-only"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_says_what_is_wrong(error: Ds01Error, text: str) -> None:
    assert str(error) == text
    assert error.hint == ""


@pytest.mark.parametrize("kind", CODES)
def test_an_error_is_equal_to_itself_alone(kind: type[Ds01Error]) -> None:
    one, other = kind("x", hint="ds01 lock"), kind("x", hint="ds01 lock")
    assert one != other
    assert len({one, other}) == 2
    assert (one.message, one.hint) == ("x", "ds01 lock")
