"""Builds the edges of a machine from an environment that the caller hands over."""

from __future__ import annotations

import netrc
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from uv import find_uv_bin

from ds01build.base.config import parse_config
from ds01build.engine.site import Site
from ds01build.events import Note, Warned
from ds01build.fetch.transfer import remote_size
from ds01build.fetch.transport import HttpTransport, Proxies, Settings
from ds01build.location import origin, split_credentials
from ds01build.once import once
from ds01build.reference import DEFAULT_REGISTRY
from ds01build.registry import (
    Keyring,
    Patience,
    RegistryClient,
    credential_files,
    open_client,
)
from ds01build.resolve.machine import MachineResolver, Memory
from ds01build.resolve.session import host_checks_expiry
from ds01build.resolve.sources import parse_sources
from ds01build.resolve.uv import Index, Uv
from ds01build.store import open_store
from ds01build.store.facts import open_facts
from ds01build.workflow import lending
from ds01build.workflow.bases import ImageBases, Machine
from ds01build.workflow.configured import configuration_of, connected, now, text_of
from ds01build.workflow.probing import EngineProbes
from ds01build.workflow.steps import Edges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ds01build.configuration import Configuration
    from ds01build.engine.api import Engine
    from ds01build.events import Report
    from ds01build.resolve.sources import AptSource
    from ds01build.store import DirStore

__all__ = ["asking", "edges", "host_sources", "this_machine", "uv_of"]

APT = Path("/etc/apt")


def edges(
    environment: Mapping[str, str],
    home: Path,
    report: Report,
    *,
    offline: bool = False,
    update_missing: bool = False,
    loads: bool = False,
) -> Edges:
    """Return the edges for a user whose environment and home directory these are.

    ``loads`` says that what is built shall go into an engine.

    Raises StoreError and Ds01Error for a store or configuration that cannot be used.
    """
    configuration = configuration_of(environment, home)
    store = open_store(configuration.store, uid=os.geteuid())
    facts = open_facts(store.root / "facts")
    lenders = lending.lenders(configuration, store, report)
    engine = once(lambda: connected(environment, home))
    probes = _probes(configuration, store, engine, report)
    sources = once(lambda: host_sources(environment))
    transport = HttpTransport(once(lambda: asking(configuration, sources())))
    resolver = _resolver(configuration, sources, transport, facts, report, offline=offline)
    bases = ImageBases(
        registry=_registry(configuration, environment, home, report),
        store=store,
        cache=facts,
        probes=probes,
        machine=this_machine(environment),
        report=report,
        offline=offline,
        loads=loads,
    )
    return Edges(
        store=store,
        lenders=lenders,
        facts=lending.Recalled(facts, lenders),
        resolver=replace(resolver, update_missing=update_missing, apt_of=probes.apt),
        bases=bases,
        engine=engine,
        site=probes.site,
        network=configuration.network,
        transport=transport,
        report=report,
        now=now,
        clock=time.monotonic,
        workers=len(os.sched_getaffinity(0)),
    )


def _resolver(
    configuration: Configuration,
    sources: Callable[[], tuple[AptSource, ...]],
    transport: HttpTransport,
    memory: Memory,
    report: Report,
    *,
    offline: bool,
) -> MachineResolver:
    return MachineResolver(
        tool=uv_of(configuration, offline=offline),
        cache=configuration.cache,
        memory=memory,
        architecture=_architecture(),
        host_sources=sources,
        mirror=configuration.apt_mirror,
        keyring=configuration.apt_keyring,
        environment=configuration.environment,
        size_of=lambda url: remote_size(transport, url),
        note=lambda text: report(Note(text)),
        warn=lambda text: report(Warned(text)),
    )


def _probes(
    configuration: Configuration, store: DirStore, engine: Callable[[], Engine], report: Report
) -> EngineProbes:
    return EngineProbes(
        engine=engine,
        report=report,
        site=_site(configuration),
        network=configuration.network,
        diff_ids=lambda config: parse_config(store.path(config).read_bytes()).diff_ids,
    )


def _registry(
    configuration: Configuration, environment: Mapping[str, str], home: Path, report: Report
) -> RegistryClient:
    return open_client(
        _settings(configuration),
        Keyring(
            files=credential_files(environment, home),
            environment=environment,  # of helpers, as Docker calls them
        ),
        plain=configuration.plain_registries,
        mirrors={DEFAULT_REGISTRY: configuration.registry_mirrors},
        patience=Patience(tell=lambda text: report(Note(text))),
    )


def host_sources(environment: Mapping[str, str]) -> tuple[AptSource, ...]:
    """Return the apt sources of this machine. Raises Unavailable for what is none."""
    paths = [APT / "sources.list", *_listed(APT / "sources.list.d"), *_listed(APT / "mirrors")]
    texts = {str(path): text_of(path) for path in paths}
    return parse_sources(texts, expires=host_checks_expiry(environment))


def _listed(directory: Path) -> Iterator[Path]:
    try:
        yield from sorted(directory.iterdir())
    except OSError:
        return


def uv_of(configuration: Configuration, *, offline: bool) -> Uv:
    """Return uv as it is configured. Raises FileNotFoundError where it is not installed."""
    indexes = tuple(
        Index(alias=alias, url=split_credentials(url)[0], secret_url=url)
        for alias, url in configuration.indexes.items()
    )
    environment = {
        **configuration.environment,
        "HOME": str(configuration.cache),
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "UV_CACHE_DIR": str(configuration.cache / "uv"),
    }
    if _has_netrc(configuration):
        environment["NETRC"] = str(configuration.netrc)
    return Uv(
        program=Path(find_uv_bin()),
        interpreter=Path(sys.executable),
        environment=environment,
        indexes=indexes,
        offline=offline,
    )


def _has_netrc(configuration: Configuration) -> bool:
    # Not Path.exists: that raises where this user may not look into the directory.
    return configuration.netrc is not None and os.access(configuration.netrc, os.R_OK)


def asking(configuration: Configuration, sources: tuple[AptSource, ...]) -> Settings:
    """Return how files are asked for, of indexes and of archives alike."""
    mirrors = [source.uri for source in sources] + configuration.apt_mirror.split()
    urls = [*configuration.indexes.values(), *mirrors]
    known = {origin(clean): own for clean, own in map(split_credentials, urls) if own}
    settings = _settings(configuration)
    return replace(
        settings,
        credentials={**_netrc(configuration, urls), **known},
        # A .deb is proved by the lock's hash: mirrors over http are as good as any.
        plain=frozenset(origin(url) for url in mirrors if url.startswith("http://")),
    )


def _settings(configuration: Configuration) -> Settings:
    environment = configuration.environment
    exempt = environment.get("no_proxy", environment.get("NO_PROXY", ""))
    every = environment.get("all_proxy", environment.get("ALL_PROXY", ""))
    return Settings(
        proxies=Proxies(
            http=environment.get("http_proxy", environment.get("HTTP_PROXY", every)),
            https=environment.get("https_proxy", environment.get("HTTPS_PROXY", every)),
            exempt=tuple(word.strip() for word in exempt.split(",") if word.strip()),
        ),
    )


def this_machine(environment: Mapping[str, str]) -> Machine:
    """Return what decides which image a framework is on this machine."""
    drivers = (Path("/sys/module/nvidia/version"), Path("/sys/module/amdgpu/version"))
    return Machine(
        mlc_arch=environment.get("MLC_ARCH", ""),
        driver=next(filter(None, (text_of(path).strip() for path in drivers)), ""),
        architecture=_architecture(),
    )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")


def _site(configuration: Configuration) -> Site:
    """Return what containers need of this machine to get out of its network."""
    environment = configuration.environment
    bundle = environment.get("SSL_CERT_FILE", "")
    proxies = {
        name.lower(): value for name, value in environment.items() if "proxy" in name.lower()
    }
    certificates = text_of(Path(bundle)).encode() if bundle else b""
    return Site(certificates=certificates, proxies=proxies)


def _netrc(configuration: Configuration, urls: list[str]) -> dict[str, tuple[str, str]]:
    """Return the credentials that the user's netrc file has for the servers of ``urls``."""
    if not _has_netrc(configuration):
        return {}
    try:
        hosts = netrc.netrc(str(configuration.netrc)).hosts
    except (netrc.NetrcParseError, OSError):
        return {}
    found = {}
    for url in (split_credentials(url)[0] for url in urls if url.startswith("http")):
        login = hosts.get(url.partition("://")[2].partition("/")[0].partition(":")[0])
        if login and login[2]:
            found[origin(url)] = (login[0], login[2])
    return found
