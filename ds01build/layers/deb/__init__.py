"""Reads .debs strictly: their files as entries, and the facts that a root is computed from."""

from ds01build.layers.deb.elf import Library
from ds01build.layers.deb.facts import DebFacts
from ds01build.layers.deb.unpack import unpack

__all__ = ["DebFacts", "Library", "unpack"]
