"""Whom a TLS connection believes."""

from __future__ import annotations

import ssl
import threading
from typing import final

__all__ = ["Trust"]


@final
class Trust:
    """The certificates of authorities, read once for all connections.

    To read those of a system takes 30 ms and more, and urllib3 would do it for each connection.
    """

    def __init__(self, authorities: str | None) -> None:
        self._authorities = authorities  # file of CA certificates; None for the system's
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return what connections check their server's certificate with. Raises OSError."""
        with self._lock:
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._authorities)
            return self._context
