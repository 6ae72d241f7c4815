"""Looks at what files and variables set: the configuration, limits, stores that are only read."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from ds01build.configuration import configure
from ds01build.errors import Ds01Error, StoreError
from ds01build.events import Note, Warned
from ds01build.store.readonly import open_read_only
from ds01build.workflow import hosts, lending
from ds01build.workflow.checked import Checked
from ds01build.workflow.configured import SITE, configuration_of, text_of, user_file
from ds01build.workflow.limiting import SITE_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ds01build.events import Event
    from ds01build.workflow.doctor import Machine

__all__ = ["configuration", "is_valid", "lenders", "limits"]


def is_valid(looked_at: Machine) -> bool:
    """Say whether the configuration can be read, whatever it allows containers."""
    try:
        configuration_of(looked_at.environment, looked_at.home)
    except Ds01Error:
        return False
    return True


def configuration(looked_at: Machine) -> Iterator[Checked]:
    """Say which configuration files there are, or what is wrong with them."""
    environment, home = looked_at.environment, looked_at.home
    places = (SITE, user_file(environment, home))
    try:
        configuration_of(environment, home)
        hosts.host(environment, home, lambda _: None)  # which reads the policy of containers
    except Ds01Error as error:
        remedy = error.hint or _correction(str(error), places, environment, home)
        yield Checked(topic="configuration", says=str(error), state="problem", remedy=remedy)
        return
    files = [str(path) for path in places if text_of(path)]
    yield Checked(topic="configuration", says=", ".join(files) or "the defaults: there is no file")


def _correction(
    said: str, places: tuple[Path, ...], environment: Mapping[str, str], home: Path
) -> str:
    """Return what to do about a configuration with an error: to which file, or which variable."""
    for path in places:
        if said.startswith(f"{path}:") or _is_wrong({}, home, path):
            return _edited(path)
    for name, value in environment.items():
        if _is_wrong({name: value}, home):
            return f"unset {name}"
    return _edited(places[-1])


def _is_wrong(environment: Mapping[str, str], home: Path, *files: Path) -> bool:
    try:
        configure(environment, home, [(str(path), text_of(path)) for path in files])
    except Ds01Error:
        return True
    return False


def _edited(path: Path) -> str:
    program = "edit" if os.access(path, os.W_OK) else "sudoedit"
    return f"{program} {shlex.quote(str(path))}"


def limits(looked_at: Machine) -> Iterator[Checked]:
    """Say which file of limits counts for the user. Raises Ds01Error for one that is wrong."""
    told: list[Event] = []
    login = hosts.identity().login
    found = hosts.limits_of(looked_at.environment, looked_at.home, told.append, login)
    says = f"those of ds01 itself: there is no {SITE_LIMITS}"
    if found.source:
        says = f"{found.source}: you are in the group {found.group}"
    yield Checked(topic="limits", says=says)
    for each in told:
        if isinstance(each, Warned):
            remedy = "ds01 limits show"
            yield Checked(topic="limits", says=each.text, state="warning", remedy=remedy)


def lenders(looked_at: Machine) -> Iterator[Checked]:
    """Say which stores are read and never written. Raises Ds01Error."""
    topic, environment = "read-only", looked_at.environment
    configuration = configuration_of(environment, looked_at.home)
    told: list[Event] = []
    trusted = lending.owners(configuration, os.geteuid(), told.append)
    for each in told:
        if isinstance(each, Note):
            says = each.text.removeprefix("warning: ")
            remedy = f"correct {_named('DS01_STORE_OWNERS', 'owners', environment)}"
            yield Checked(topic=topic, says=says, state="warning", remedy=remedy)
    for place in configuration.read_only_stores:
        yield _lender(place, trusted, _named("DS01_STORE_RO", "read-only", environment))


def _lender(place: Path, trusted: frozenset[int], named: str) -> Checked:
    try:
        found = open_read_only(place, trusted=trusted)
    except StoreError as error:
        says = f"{place} is passed over: {error}"
        remedy = f"ls -ld -- {shlex.quote(str(place))}, or take it out of {named}"
        return Checked(topic="read-only", says=says, state="warning", remedy=remedy)
    return Checked(topic="read-only", says=f"{found}, of uid {found.owner}")


def _named(variable: str, key: str, environment: Mapping[str, str]) -> str:
    """Return where a setting comes from."""
    return variable if variable in environment else f"store.{key} of the configuration"
