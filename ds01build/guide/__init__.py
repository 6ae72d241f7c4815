"""What commands say about themselves beyond ``--help``: texts for people who are new to all this.

They are tables of TOML beside this file, read when somebody asks for them and at no other time.
"""

from ds01build.guide.reading import (
    Concept,
    Entry,
    Example,
    concept,
    concepts,
    entries,
    entry,
    text,
    topics,
)

__all__ = [
    "Concept",
    "Entry",
    "Example",
    "concept",
    "concepts",
    "entries",
    "entry",
    "text",
    "topics",
]
