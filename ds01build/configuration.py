"""What a machine and its user set: where things lie, and where packages come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ds01build.errors import Ds01Error

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Configuration", "configure", "store_path"]

# What tools may see of the caller's environment: certificates and proxies.
_PASSED = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
)
_KEYS = {
    "apt": ("mirror", "keyring"),
    "registry": ("plain", "mirrors"),
    "engine": ("network",),
    "store": ("read-only", "owners"),  # lists, joined with colons as their variables are
}
_REGISTRY_VARIABLES = {"DS01_PLAIN_REGISTRIES": "plain", "DS01_REGISTRY_MIRRORS": "mirrors"}
_STORE_VARIABLES = {"DS01_STORE_RO": "read-only", "DS01_STORE_OWNERS": "owners"}
# A machine that is set up for uv or pip needs no second setting.
_INDEX_VARIABLES = ("DS01_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Directories and sources. URLs may hold credentials: they are never printed."""

    store: Path
    cache: Path
    read_only_stores: tuple[Path, ...] = ()  # absolute
    store_owners: tuple[str, ...] = ()  # users, by name or uid, whose stores are believed
    indexes: Mapping[str, str] = field(repr=False, default_factory=dict)  # URL by alias
    apt_mirror: str = field(repr=False, default="")
    apt_keyring: str = ""
    plain_registries: tuple[str, ...] = ()  # hosts that may be asked over http
    registry_mirrors: tuple[str, ...] = ()  # hosts that are asked before the default registry
    network: Literal["bridge", "host"] = "bridge"  # of containers that ask for one
    environment: Mapping[str, str] = field(repr=False, default_factory=dict)  # for tools
    netrc: Path | None = None


def configure(
    environment: Mapping[str, str], home: Path, files: Sequence[tuple[str, str]] = ()
) -> Configuration:
    """Return what ``environment`` and the TOML ``files`` (name, text) say.

    Later files win over earlier ones, the environment over both. Directories follow the XDG Base
    Directory Specification. Raises Ds01Error for a file that is not valid.
    """
    indexes: dict[str, str] = {}
    apt: dict[str, str] = {}
    engine: dict[str, str] = {}
    stores: dict[str, str] = {}
    registries: dict[str, tuple[str, ...]] = {"plain": (), "mirrors": ()}
    for name, text in files:
        tables = _tables(name, text)
        indexes.update(tables["index"])
        apt.update(tables["apt"])
        engine.update(tables["engine"])
        stores.update(tables["store"])
        for key, hosts in tables["registry"].items():
            registries[key] = _hosts(f"{name}: registry.{key}", hosts)
    for variable in reversed(_INDEX_VARIABLES):
        if environment.get(variable):
            indexes["default"] = _url(variable, environment[variable])
    for variable, key in _REGISTRY_VARIABLES.items():
        if environment.get(variable):
            registries[key] = _hosts(variable, environment[variable])
    for variable, key in _STORE_VARIABLES.items():
        if variable in environment:  # empty as well: it takes away what files say
            stores[key] = environment[variable]
    mirror = environment.get("DS01_APT_MIRROR", "")
    for url in mirror.split():
        _url("DS01_APT_MIRROR", url)
    return Configuration(
        store=store_path(environment, home),
        cache=_directory(environment.get("XDG_CACHE_HOME"), home / ".cache") / "ds01",
        read_only_stores=tuple(map(_place, _listed(stores.get("read-only", "")))),
        store_owners=_listed(stores.get("owners", "")),
        indexes=indexes,
        apt_mirror=mirror or apt.get("mirror", ""),
        apt_keyring=environment.get("DS01_APT_KEYRING") or apt.get("keyring", ""),
        plain_registries=registries["plain"],
        registry_mirrors=registries["mirrors"],
        network=_network(environment.get("DS01_ENGINE_NETWORK") or engine.get("network", "")),
        environment={name: environment[name] for name in _PASSED if name in environment},
        netrc=Path(environment.get("NETRC") or home / ".netrc"),
    )


def store_path(environment: Mapping[str, str], home: Path) -> Path:
    """Return where the store lies: ``DS01_STORE``, or below the user's data directory."""
    data = _directory(environment.get("XDG_DATA_HOME"), home / ".local/share")
    return Path(environment.get("DS01_STORE") or data / "ds01/store").absolute()


def _directory(value: str | None, default: Path) -> Path:
    """Return the directory of an XDG variable; a relative one is ignored, as the text has it."""
    return Path(value) if value and value.startswith("/") else default


def _url(where: str, url: str) -> str:
    """Return ``url`` if it can be taken apart. The error names only where it stands."""
    from ds01build.location import origin, split_credentials  # noqa: PLC0415 (as below)

    try:
        clean, _ = split_credentials(url)
        if clean.startswith(("http:", "https:")):
            origin(clean)
    except ValueError as error:
        raise Ds01Error(f"{where} is {error}") from error
    return url


def _listed(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(":")))


def _place(text: str) -> Path:
    if not text.startswith("/"):
        raise Ds01Error(f"a read-only store has an absolute path, not {text!r:.200}")
    return Path(text)


def _joined(where: str, value: object) -> str:
    """Return a list of a configuration file as its variable has it."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Ds01Error(f"{where} is a list of strings")
    for each in value:
        if not each or ":" in each or "\0" in each:
            raise Ds01Error(f"{where}: {each!r:.100} is empty, or has a colon in it")
    return ":".join(value)


def _network(text: str) -> Literal["bridge", "host"]:
    if text == "host":
        return "host"
    if text not in ("", "bridge"):
        raise Ds01Error(f"the network of containers is bridge or host, not {text!r:.60}")
    return "bridge"


def _hosts(where: str, text: str) -> tuple[str, ...]:
    """Return the registries that ``text`` lists, with spaces between them."""
    from ds01build.reference import parse_host  # noqa: PLC0415 (as below)

    try:
        return tuple(map(parse_host, text.split()))
    except ValueError as error:
        raise Ds01Error(f"{where} is {error}") from error


def _urls(table: str, key: str, value: str) -> list[str]:
    """Return what has to be a URL in a value of a configuration file."""
    if table == "index":
        return [value]
    return value.split() if key == "mirror" else []


def _tables(name: str, text: str) -> dict[str, dict[str, str]]:
    """Return the tables of a configuration file."""
    from ds01build.fields import load  # noqa: PLC0415 (not needed to find the store)

    try:
        document = load(text)
    except ValueError as error:
        raise Ds01Error(f"{name}: {error}") from error
    tables: dict[str, dict[str, str]] = {"index": {}, **{table: {} for table in _KEYS}}
    document.pop("containers", None)  # which only commands of containers read
    for table, values in document.items():
        if table not in tables or not isinstance(values, dict):
            there = ", ".join(f"[{one}]" for one in (*tables, "containers"))
            raise Ds01Error(f"{name}: {table!r:.60}: unknown table; there are {there}")
        if table == "store":
            found = {key: _joined(f"{name}: store.{key!r:.60}", v) for key, v in values.items()}
            values.update(found)
        if not all(isinstance(value, str) for value in values.values()):
            raise Ds01Error(f"{name}: {table}: every value is a string")
        for key, value in values.items():
            for url in _urls(table, key, value):
                _url(f"{name}: {table}.{key!r:.60}", url)
        known = _KEYS.get(table, values)
        for key in values:
            if key not in known:
                there = ", ".join(known)
                raise Ds01Error(f"{name}: {table}.{key!r:.60}: unknown key; there are {there}")
        tables[table] = values
    return tables
