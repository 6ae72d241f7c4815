"""This machine and a user of it, as the workflows of containers need them."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.container import Identity, policy_in
from ds01build.driver import inventory
from ds01build.errors import Ds01Error, Unavailable
from ds01build.events import Note, Warned
from ds01build.once import once
from ds01build.workflow.configured import (
    SITE,
    configuration_of,
    connected,
    now,
    text_of,
    user_file,
)
from ds01build.workflow.containers import Host
from ds01build.workflow.limiting import SITE_LIMITS, Standing, held, limits_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.container import Policy
    from ds01build.events import Report
    from ds01build.limits import Limits

__all__ = ["host", "identity", "limits_of", "standing"]


def host(environment: Mapping[str, str], home: Path, report: Report) -> Host:
    """Return the host for the user of this process, whose environment and home these are.

    Raises Ds01Error for a configuration that cannot be used.
    """
    own = user_file(environment, home)
    if policy_in(str(own), text_of(own)) != policy_in(str(own), ""):
        raise Ds01Error(f"{own}: [containers] has a place in {SITE} alone: it is the machine's")
    who = identity()
    return Host(
        engine=once(lambda: connected(environment, home)),
        identity=who,
        home=home,
        report=report,
        now=now,
        network=configuration_of(environment, home).network,
        policy=_policy(),
        inventory=once(inventory),
        limits=once(lambda: limits_of(environment, home, report, who.login)),
    )


def standing(
    environment: Mapping[str, str], home: Path, report: Report, login: str = ""
) -> Standing:
    """Return what a user may have and has; without a login, the user of this process.

    Raises Ds01Error for files of limits that are wrong, none where no engine answers.
    """
    own = identity()
    login = login or own.login
    limits = limits_of(environment, home, report, login)
    uid = own.uid if login == own.login else _uid(login, report)
    try:
        containers = held(connected(environment, home), uid, login)
    except Unavailable as error:
        report(Note(f"which containers there are is not known: {error}"))
        return Standing(limits=limits, containers=None)
    return Standing(limits=limits, containers=containers)


def limits_of(environment: Mapping[str, str], home: Path, report: Report, login: str) -> Limits:
    """Return what a user may have. Raises Ds01Error for files of limits that are wrong."""
    own = user_file(environment, home).with_name(SITE_LIMITS.name)
    if own.exists():
        report(Warned(f"{own} is not read: limits are the machine's, in {SITE_LIMITS}"))
    named = environment.get("DS01_LIMITS")
    path = Path(named or SITE_LIMITS).absolute()
    return limits_at(path, login, report, is_named=bool(named))


def _uid(login: str, report: Report) -> int | None:
    try:
        return pwd.getpwnam(login).pw_uid
    except KeyError:
        report(Note(f"there is no user {login!r:.100} on this machine"))
        return None


def identity() -> Identity:
    """Return who this process runs as."""
    uid = os.geteuid()
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:  # of a directory service that does not answer
        login = str(uid)
    return Identity(uid=uid, gid=os.getegid(), login=login)


def _policy() -> Policy:
    policy = policy_in(str(SITE), text_of(SITE))
    if not policy.seccomp.startswith("/"):
        return policy
    # The engine wants the profile itself.
    profile = text_of(Path(policy.seccomp))
    if not profile:
        raise Ds01Error(f"{SITE}: containers.seccomp: {policy.seccomp} cannot be read")
    return replace(policy, seccomp=profile)
