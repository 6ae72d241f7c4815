"""A usable Debian root from unpacked .debs, with no maintainer script run.

What scripts would have left behind is computed from the packages' facts: every rule is a pure
function of a ``Tree`` to entries, named by the package whose script it stands for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.layers.root import (
    accounts,
    alternatives,
    certificates,
    dpkg,
    loader,
    pam,
    settings,
    skeleton,
)
from ds01build.layers.root.base import BASE_PACKAGES
from ds01build.layers.root.places import directories, links, target
from ds01build.layers.root.refused import refuse
from ds01build.layers.root.scripts import ScriptNote, unreproduced
from ds01build.layers.root.tree import Tree
from ds01build.versions import RULES as VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ds01build.layers.deb import DebFacts
    from ds01build.layers.entry import Entry

__all__ = [
    "BASE_PACKAGES",
    "VERSION",
    "ScriptNote",
    "directories",
    "entries",
    "links",
    "refuse",
    "target",
    "unreproduced",
]

_RULES = (
    skeleton.merged_usr,
    skeleton.entries,
    skeleton.python,
    accounts.entries,
    settings.entries,
    pam.entries,
    certificates.entries,
    alternatives.entries,
    dpkg.entries,
)


def entries(facts: Sequence[DebFacts], architecture: str) -> list[tuple[str, Entry]]:
    """Return the last layer of a root made of the packages in ``facts``, with owners.

    Equal for every order of ``facts``. Raises Ds01Error for packages that are refused and for an
    architecture that is not known.
    """
    refuse(deb.name for deb in facts)
    tree = Tree.of(facts)
    made = [each for rule in _RULES for each in rule(tree)]
    made.extend(loader.entries(tree.plus(entry for _, entry in made), architecture))
    return [(owner, entry) for owner, entry in made if tree.stats.get(entry.path) != entry.stat]
