"""OCI registries: what a reference stands for, and its blobs (OCI distribution-spec 1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.http.session import Session
from ds01build.registry.access import Access
from ds01build.registry.blob import BlobReader, Patience
from ds01build.registry.client import RegistryClient
from ds01build.registry.credentials import Keyring, Login, credential_files
from ds01build.registry.manifest import RemoteImage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ds01build.http.settings import Settings
    from ds01build.registry.access import Logins

__all__ = [
    "BlobReader",
    "Keyring",
    "Login",
    "Patience",
    "RegistryClient",
    "RemoteImage",
    "credential_files",
    "open_client",
]


def open_client(
    settings: Settings,
    logins: Logins,
    *,
    mirrors: Mapping[str, tuple[str, ...]] | None = None,
    patience: Patience | None = None,
) -> RegistryClient:
    """Return a client that reads within ``settings``; the caller closes it.

    ``settings.plain`` has the origins of registries that may be asked over plain HTTP besides those
    of the loopback interface; ``mirrors`` names, by registry, hosts that are asked before it.
    """
    return RegistryClient(
        access=Access(session=Session(settings), logins=logins),
        patience=patience or Patience(),
        mirrors=mirrors or {},
    )
