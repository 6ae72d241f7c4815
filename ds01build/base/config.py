"""An image's configuration, read from hostile bytes (OCI image-spec 1.1, config.md; Docker's)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ds01build.digest import DiffId, Digest
from ds01build.errors import RejectedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["BaseConfig", "Healthcheck", "History", "parse_config"]

T = TypeVar("T")

MAX_BYTES = 8 << 20
MAX_ITEMS = 10_000
MAX_TEXT = 1 << 20  # characters
MAX_NUMBER = 2**63 - 1

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"([^=\x00-\x20\x7f]{1,256})=([^\x00]*)", re.DOTALL)
_PORT = re.compile(r"[0-9]{1,5}(?:-[0-9]{1,5})?(?:/(?:tcp|udp|sctp))?")
_TEXT = re.compile(r"[^\x00]*", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """How an engine asks a container for its health; times in nanoseconds, 0 for the default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a layer came to be; ``is_empty`` where there was none."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    is_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseConfig:
    """What an image says of itself. ``digest`` is that of its bytes.

    ``environment`` is in the order of the image, the last of equal names; names of variables,
    labels, ports and volumes are unique, and the latter three sorted.
    """

    digest: Digest
    architecture: str  # as Go and OCI name it, such as amd64
    variant: str = ""
    os: str
    diff_ids: tuple[DiffId, ...]
    environment: tuple[tuple[str, str], ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    workdir: str = ""
    user: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()
    stop_signal: str = ""
    shell: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    history: tuple[History, ...] = field(default=(), repr=False)

    def variable(self, name: str) -> str:
        """Return the value of an environment variable, empty where it is not set."""
        return dict(self.environment).get(name, "")


def parse_config(content: bytes) -> BaseConfig:
    """Return the configuration that ``content`` is the JSON of.

    Keys that are not known are passed over. Raises RejectedFile for what is not a configuration
    of a Linux image, and for a known key with a value of a type that no engine writes.
    """
    digest = Digest.of(content)
    try:
        return _config(digest, _Object(_loaded(content), "the configuration"))
    except ValueError as error:
        raise RejectedFile(name=f"image configuration {digest}", problem=str(error)) from error


def _loaded(content: bytes) -> object:
    if len(content) > MAX_BYTES:
        raise ValueError(f"has {len(content)} bytes, more than {MAX_BYTES}")
    try:
        loaded: object = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {error!s:.200}") from error
    return loaded


class _Object:
    """A JSON object whose values are asked for with their types; null counts as absent."""

    __slots__ = ("_values", "_where")

    def __init__(self, values: object, where: str) -> None:
        if not isinstance(values, dict):
            raise ValueError(f"{where} is not an object")  # noqa: TRY004
        self._values: Mapping[str, object] = values
        self._where = where

    def text(self, key: str, pattern: re.Pattern[str] = _TEXT) -> str:
        value = self._values.get(key)
        return "" if value is None else _text(value, f"{self._where}.{key}", pattern)

    def number(self, key: str) -> int:
        value = self._values.get(key)
        if value is None:
            return 0
        if type(value) is not int or not 0 <= value <= MAX_NUMBER:
            raise ValueError(f"{self._where}.{key} is not a number: {value!r:.100}")
        return value

    def flag(self, key: str) -> bool:
        value = self._values.get(key)
        if value is not None and not isinstance(value, bool):
            raise ValueError(f"{self._where}.{key} is neither true nor false")
        return value is True

    def words(self, key: str) -> tuple[str, ...]:
        """Return an array of texts; one text is an array of one, as Docker has it."""
        value = self._values.get(key)
        return self._items(key, [value] if isinstance(value, str) else value, _text)

    def items(self, key: str, read: Callable[[object, str], T]) -> tuple[T, ...]:
        return self._items(key, self._values.get(key), read)

    def _items(self, key: str, values: object, read: Callable[[object, str], T]) -> tuple[T, ...]:
        where = f"{self._where}.{key}"
        if values is None:
            return ()
        if not isinstance(values, list) or len(values) > MAX_ITEMS:
            raise ValueError(f"{where} is not an array of at most {MAX_ITEMS}")
        return tuple(read(value, f"{where}[{at}]") for at, value in enumerate(values))

    def table(self, key: str) -> Mapping[str, object]:
        value = self._values.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or len(value) > MAX_ITEMS:
            raise ValueError(f"{self._where}.{key} is not an object of at most {MAX_ITEMS}")
        return {_text(name, f"{self._where}.{key}"): value[name] for name in value}

    def below(self, key: str) -> _Object | None:
        value = self._values.get(key)
        return None if value is None else _Object(value, f"{self._where}.{key}")


def _text(value: object, where: str, pattern: re.Pattern[str] = _TEXT) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not pattern.fullmatch(value):
        raise ValueError(f"{where} has the value {value!r:.100}")
    if not value.isascii():
        value.encode()  # a lone surrogate is a ValueError
    return value


def _config(digest: Digest, image: _Object) -> BaseConfig:
    container = image.below("config") or _Object({}, "config")
    rootfs = image.below("rootfs") or _Object({}, "rootfs")
    os = image.text("os", _WORD)
    if os != "linux":
        raise ValueError(f"is for {os or 'no system'}, and ds01 builds for linux")
    return BaseConfig(
        digest=digest,
        architecture=image.text("architecture", _WORD),
        variant=image.text("variant", _TEXT),
        os=os,
        diff_ids=rootfs.items("diff_ids", lambda value, where: DiffId(_text(value, where))),
        environment=_environment(container.words("Env")),
        entrypoint=container.words("Entrypoint"),
        cmd=container.words("Cmd"),
        workdir=container.text("WorkingDir"),
        user=container.text("User"),
        labels=_labels(container.table("Labels")),
        ports=_ports(container.table("ExposedPorts")),
        volumes=tuple(sorted(container.table("Volumes"))),
        on_build=container.words("OnBuild"),
        stop_signal=container.text("StopSignal"),
        shell=container.words("Shell"),
        healthcheck=_healthcheck(container.below("Healthcheck")),
        history=image.items("history", _history),
    )


def _environment(entries: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return what the entries set; one without a value sets nothing, as in engines."""
    found: dict[str, str] = {}
    for entry in entries:
        match = _VARIABLE.fullmatch(entry)
        if match is None and "=" in entry:
            raise ValueError(f"config.Env has the entry {entry!r:.100}")
        if match is not None:
            found[match[1]] = match[2]
    return tuple(found.items())


def _ports(table: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(sorted(_text(name, "config.ExposedPorts", _PORT) for name in table))


def _labels(table: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, _text(value, "config.Labels")) for name, value in table.items()))


def _healthcheck(found: _Object | None) -> Healthcheck | None:
    if found is None:
        return None
    return Healthcheck(
        test=found.words("Test"),
        interval=found.number("Interval"),
        timeout=found.number("Timeout"),
        start_period=found.number("StartPeriod"),
        start_interval=found.number("StartInterval"),
        retries=found.number("Retries"),
    )


def _history(value: object, where: str) -> History:
    entry = _Object(value, where)
    return History(
        created=entry.text("created"),
        created_by=entry.text("created_by"),
        author=entry.text("author"),
        comment=entry.text("comment"),
        is_empty=entry.flag("empty_layer"),
    )
