"""Addresses: what came out (Digest, DiffId) and what would be done (Key), never mixed."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Canonical", "DiffId", "Digest", "Key", "canonical"]

Canonical = Union[str, int, bool, None, "Mapping[str, Canonical]", "Sequence[Canonical]"]

_ADDRESS = re.compile(r"sha256:[0-9a-f]{64}")


def _checked(value: object) -> None:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise ValueError(f"not a sha256 address: {value!r:.100}")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """The content address of stored bytes: ``sha256:`` and 64 hex digits.

    Raises ValueError for anything else.
    """

    value: str

    def __post_init__(self) -> None:
        _checked(self.value)

    def __str__(self) -> str:
        return self.value

    @property
    def hex(self) -> str:
        """The 64 hex digits."""
        return self.value[7:]

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the digest of ``content``."""
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}")


@dataclass(frozen=True, slots=True, order=True)
class DiffId:
    """The content address of a layer's uncompressed tar (OCI image-spec, config.md).

    Raises ValueError for anything that is not ``sha256:`` and 64 hex digits.
    """

    value: str

    def __post_init__(self) -> None:
        _checked(self.value)

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """An input address: equal keys mean that the same thing would be done to the same inputs.

    Raises ValueError for anything that is not ``sha256:`` and 64 hex digits.
    """

    value: str

    def __post_init__(self) -> None:
        _checked(self.value)

    def __str__(self) -> str:
        return self.value

    @property
    def hex(self) -> str:
        """The 64 hex digits."""
        return self.value[7:]

    @classmethod
    def of(cls, inputs: Mapping[str, Canonical]) -> Key:
        """Return the key of ``inputs``, which say everything that decides the outcome."""
        return cls(f"sha256:{hashlib.sha256(canonical(inputs)).hexdigest()}")


def canonical(value: Canonical) -> bytes:
    """Encode ``value`` as the one JSON text that stands for it: sorted, compact, ASCII.

    Floats are refused, because their text is not unique. Raises TypeError.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError("a float has no canonical form")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_floats(item)
