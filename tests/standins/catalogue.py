"""Every stand-in by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from standins import variants
from standins.bare import bare
from standins.conda import conda
from standins.workshop import framework, old, plain, tools

if TYPE_CHECKING:
    from collections.abc import Mapping

    from standins.workshop import Maker

REAL = ("a", "b", "c")  # a PyTorch that works: 600 MB each, unpacked

STAND_INS: Mapping[str, Maker] = {
    "a": framework("a", public=False, real=True),
    "a-light": framework("a-light", public=False, real=False),
    "b": framework("b", public=True, real=True),
    "b-light": framework("b-light", public=True, real=False),
    "c": conda("c", real=True),
    "c-light": conda("c-light", real=False),
    "d": old,
    "e": bare,
    "plain": plain,
    "tools": tools,
    "onbuild": variants.variant(variants.onbuild),
    "volume": variants.variant(variants.volume),
    "foreign": variants.variant(variants.foreign),
    "owners": variants.variant(variants.owners),
}
