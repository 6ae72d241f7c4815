"""OCI registries: what a reference stands for, and its blobs (OCI distribution-spec 1.1)."""

from ds01build.registry.blob import BlobReader, Patience
from ds01build.registry.client import RegistryClient, open_client
from ds01build.registry.credentials import Keyring, Login, credential_files
from ds01build.registry.manifest import RemoteImage

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
