"""From a tree and a configuration to everything that ds01 knows of a base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ds01build.base.distributions import distributions
from ds01build.base.facts import BaseFacts
from ds01build.base.places import places_below, places_of
from ds01build.base.python import find_python
from ds01build.base.system import accounts, apt_facts, debs, glibc, os_release, toolkit
from ds01build.errors import Ds01Error
from ds01build.platform import MACHINES, Platform
from ds01build.target import Target

if TYPE_CHECKING:
    from ds01build.base.config import BaseConfig
    from ds01build.base.facts import Distribution
    from ds01build.base.python import Python
    from ds01build.base.tree import Tree

__all__ = ["derive", "platform_of"]

_RUNTIMES = ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu13", "nvidia-cuda-runtime-cu12")


def derive(tree: Tree, config: BaseConfig) -> BaseFacts:
    """Return the facts of the image that ``tree`` and ``config`` are of.

    Nothing but these two decides them. Raises Ds01Error for a file of the base that is too large.
    """
    environment = dict(config.environment)
    packages, status = debs(tree)
    python = find_python(tree, environment, {deb.name: deb.version for deb in packages})
    target = _target(tree, python)
    everywhere = places_below(tree)
    found = _distributions(tree, python)
    release = os_release(tree)
    return BaseFacts(
        config=config.digest,
        architecture=config.architecture,
        distribution=release.get("ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        title=release.get("PRETTY_NAME", ""),
        glibc=glibc(tree, MACHINES.get(config.architecture, config.architecture)),
        manager=_manager(tree, python, found),
        interpreter=python.interpreter if python else None,
        target=target,
        directories=everywhere.directories,
        links=everywhere.links,
        distributions=found,
        debs=packages,
        apt=apt_facts(tree, status),
        users=accounts(tree, "passwd"),
        groups=accounts(tree, "group"),
        environment=tuple(sorted(environment.items())),
        cuda=toolkit(tree, environment) or _runtime(found),
        driver=environment.get("NVIDIA_REQUIRE_CUDA", ""),
    )


def platform_of(facts: BaseFacts) -> Platform:
    """Return what machine code runs on the base.

    Raises Ds01Error for a base that Python packages cannot be put on: without a Python, with one
    that is not CPython 3 in its usual layout, without glibc, of another architecture.
    """
    machine = MACHINES.get(facts.architecture)
    if machine is None:
        known = ", ".join(sorted(MACHINES))
        raise Ds01Error(f"the base is for {facts.architecture!r:.64}; ds01 builds for {known}")
    if facts.interpreter is None:
        raise Ds01Error(
            "the base has no Python: neither python3 nor python is along its PATH",
            'take a base with Python, or in [base]: debian = "bookworm", packages = ["python3"]',
        )
    if facts.target is None:
        raise Ds01Error(
            f"the base's {facts.interpreter.path} is not a CPython 3 that ds01 can install for: "
            "no lib/python3.N/os.py belongs to it, or its version is not recorded"
        )
    if facts.glibc is None:
        raise Ds01Error(
            "the base has no glibc, and wheels are chosen by its version; "
            "take one that is not made with musl, such as a Debian"
        )
    return Platform(python=facts.target.version, glibc=facts.glibc, machine=machine)


def _target(tree: Tree, python: Python | None) -> Target | None:
    if python is None or python.schemes is None:
        return None
    places = places_of(tree, python.schemes)
    return Target(
        interpreter=python.interpreter.path,
        version=python.interpreter.version,
        schemes=python.schemes,
        directories=places.directories,
        links=places.links,
    )


def _distributions(tree: Tree, python: Python | None) -> tuple[Distribution, ...]:
    if python is None or python.schemes is None:
        return ()
    return distributions(
        tree, python.interpreter.directories, held=python.held, data=python.schemes.data
    )


def _manager(
    tree: Tree, python: Python | None, found: tuple[Distribution, ...]
) -> Literal["conda", "pip", ""]:
    if python is None or not python.interpreter.prefix:
        return ""
    if tree.has_directory(f"{python.interpreter.prefix}/conda-meta"):
        return "conda"
    return "pip" if any(each.name == "pip" for each in found) else ""


def _runtime(found: tuple[Distribution, ...]) -> str:
    versions = {each.name: each.version for each in found}
    return next((versions[name] for name in _RUNTIMES if name in versions), "")
