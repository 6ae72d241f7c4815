"""The store: blobs by digest, layers by key, and what is known about them."""

from ds01build.store.directory import DirStore, Store, open_store

__all__ = ["DirStore", "Store", "open_store"]
