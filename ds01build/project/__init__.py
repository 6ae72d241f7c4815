"""Projects: the directory that work is done in, as a value and as the files that it starts with."""

from ds01build.project.declaring import Author, Project, declaration, read
from ds01build.project.outlining import (
    KINDS,
    Outline,
    ask,
    bundles_of,
    described,
    fill,
    kind_of,
)
from ds01build.project.tree import files

__all__ = [
    "KINDS",
    "Author",
    "Outline",
    "Project",
    "ask",
    "bundles_of",
    "declaration",
    "described",
    "files",
    "fill",
    "kind_of",
    "read",
]
