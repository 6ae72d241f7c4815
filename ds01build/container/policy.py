"""What a site says of containers: nothing is loosened that it does not allow."""

from __future__ import annotations

from dataclasses import dataclass

from ds01build.errors import Ds01Error
from ds01build.fields import Fields, Issues, load
from ds01build.grammar import matching

__all__ = ["Policy", "policy_in"]

_CAPABILITY = matching(r"[A-Z]+(?:_[A-Z]+)*", "a capability, without CAP_, as SYS_PTRACE")
_PROFILE = matching(r"unconfined|/[A-Za-z0-9._/-]{1,200}", "'unconfined' or the path of a profile")
_DEVICE = matching(r"/dev/[A-Za-z0-9._/-]{1,100}", "a device below /dev")
_GROUP = matching(r"[a-z_][a-z0-9_-]{0,31}|[0-9]{1,10}", "a group, by name or gid")
_LIMIT = matching(r"-1|[0-9]{1,15}", "a number, or -1 for no limit")
_ULIMIT = matching(r"[a-z]{1,20}", "the name of a limit, as memlock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a site says of the containers of all its users; by default it loosens nothing."""

    sudo: bool = False  # who asks for it may become root in his container
    capabilities: tuple[str, ...] = ()  # beyond the engine's own, as SYS_PTRACE
    seccomp: str = ""  # a profile in the place of the engine's own
    devices: tuple[str, ...] = ()  # of the host, as /dev/snd
    groups: tuple[str, ...] = ()  # that every user is a member of, as the image or a gid names them
    ulimits: tuple[tuple[str, int], ...] = ()  # soft and hard, -1 for none
    mlc_labels: bool = False  # containers have the labels of AIME's tools, too


def policy_in(name: str, text: str) -> Policy:
    """Return what the table ``[containers]`` of a configuration file says. Raises Ds01Error."""
    issues = Issues()
    try:
        fields = Fields(load(text), "", issues).table("containers")
    except ValueError as error:
        raise Ds01Error(f"{name}: {error}") from error
    limits = fields.pairs("ulimits", _ULIMIT, _LIMIT)
    policy = Policy(
        sudo=fields.flag("sudo"),
        capabilities=fields.texts("capabilities", _CAPABILITY),
        seccomp=fields.text("seccomp", _PROFILE),
        devices=fields.texts("devices", _DEVICE),
        groups=fields.texts("groups", _GROUP),
        mlc_labels=fields.flag("mlc-labels"),
        ulimits=tuple((each, int(value)) for each, value in limits),
    )
    fields.close()
    if found := issues.found():
        raise Ds01Error("\n".join(f"{name}: {issue}" for issue in found))
    return policy
