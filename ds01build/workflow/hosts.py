"""This machine and a user of it, as the workflows of containers need them."""

from __future__ import annotations

import os
import pwd
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.container import Identity, policy_in
from ds01build.errors import Ds01Error
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.container import Policy
    from ds01build.events import Report

__all__ = ["host", "identity"]


def host(environment: Mapping[str, str], home: Path, report: Report) -> Host:
    """Return the host for the user of this process, whose environment and home these are.

    Raises Ds01Error for a configuration that cannot be used.
    """
    own = user_file(environment, home)
    if policy_in(str(own), text_of(own)) != policy_in(str(own), ""):
        raise Ds01Error(f"{own}: [containers] has a place in {SITE} alone: it is the machine's")
    return Host(
        engine=once(lambda: connected(environment, home)),
        identity=identity(),
        home=home,
        report=report,
        now=now,
        network=configuration_of(environment, home).network,
        policy=_policy(),
    )


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
