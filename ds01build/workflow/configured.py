"""What the files of a machine and of its user configure, and the engine that they lead to."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ds01build.configuration import configure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.configuration import Configuration
    from ds01build.engine.api import Engine

__all__ = ["SITE", "configuration_of", "connected", "now", "text_of", "user_file"]

SITE = Path("/etc/ds01/config.toml")
_LIMIT = 1024 * 1024  # characters of a configuration file


def user_file(environment: Mapping[str, str], home: Path) -> Path:
    """Return where a user's own configuration lies (XDG Base Directory Specification)."""
    own = environment.get("XDG_CONFIG_HOME", "")
    return (Path(own) if own.startswith("/") else home / ".config") / "ds01/config.toml"


def configuration_of(environment: Mapping[str, str], home: Path) -> Configuration:
    """Return what environment and files say. Raises Ds01Error for what is not valid."""
    texts = [(str(path), text_of(path)) for path in (SITE, user_file(environment, home))]
    return configure(environment, home, [(name, text) for name, text in texts if text])


def text_of(path: Path) -> str:
    """Return the text of a small file, empty for one that is not there, or not for this user."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_LIMIT)
    except OSError:
        return ""


def connected(environment: Mapping[str, str], home: Path) -> Engine:
    """Return the engine of a user. Raises Unavailable."""
    from ds01build.engine.connect import connect

    return connect(environment, home)


def now() -> str:
    """Return the time in UTC, RFC 3339."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
