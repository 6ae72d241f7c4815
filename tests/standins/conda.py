"""A prefix as conda makes one, behind a link, with a framework in it.

The interpreter and its library are Debian's, moved: Python finds its prefix from where it lies.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from images import read_lock
from wheels import OnDisk

from ds01build.layers import pack, tree, wheel
from ds01build.target import Directory, Link, Schemes, Target
from standins import recipes
from standins.layout import Made, tar
from standins.workshop import Workshop, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from standins.layout import Layout

PREFIX = "/opt/conda"  # the link
PLACE = "srv/conda"  # where it leads
VERSION = "3.11.2"
SITE = f"{PREFIX}/lib/python3.11/site-packages"
USER = 1000  # who may install here, as in images for several users

SHARED = ("", "/bin", "/conda-meta", "/lib/python3.11/site-packages", "/share")
OWN = ("/include", "/include/python3.11", "/lib", "/lib/python3.11")
DIRECTORIES = (
    *(Directory(PLACE + path, 0o2775, USER, USER) for path in SHARED),
    *(Directory(PLACE + path) for path in OWN),
)
TARGET = Target(
    interpreter=f"{PREFIX}/bin/python3.11",
    version=VERSION,
    schemes=Schemes(
        purelib=SITE,
        platlib=SITE,
        scripts=f"{PREFIX}/bin",
        data=PREFIX,
        headers=f"{PREFIX}/include/python3.11",
    ),
    directories=DIRECTORIES,
    links=(Link("opt/conda", f"/{PLACE}"),),
)

_LIBRARY = "usr/lib/python3.11/"
_LEFT_OUT = ("EXTERNALLY-MANAGED", "_distutils_system_mod.py", "sitecustomize.py")
# Debian's Python prefers directories of its own, conda's does what upstream's does. The module
# site is frozen into the interpreter, so that what it looks at is set right after it.
_LOCAL, _UPSTREAM = b"prefix_scheme = 'posix_local'", b"prefix_scheme = 'posix_prefix'"
_CUSTOM = b"""\
import os, site, sys

_OWN = os.path.join(sys.prefix, "lib", "python3.11", "site-packages")
site.getsitepackages = lambda prefixes=None: [_OWN]
site.addsitedir(_OWN)
"""


def conda(name: str, *, real: bool) -> Callable[[Workshop, Path], None]:
    """Return what makes the stand-in, with a PyTorch that works or only looks so."""

    def make(shop: Workshop, destination: Path) -> None:
        wheels = shop.framework(public=False, real=real)
        named = [*map(str, wheels), "pip"]
        # A store of its own: where others have made the layers, the wheels are there no more.
        own = Workshop(shop.root / "conda")
        recipe = own.build(name, partial(recipes.framework, name, named), wheels, "--keep-sources")
        layout = shop.layout("plain", plain).copied(destination)
        layout.append(tar({one.path: one for one in _prefix(layout)}.values()))
        layout.append_pieces(_packages(own, recipe))
        path = next(e for e in layout.config["config"]["Env"] if e.startswith("PATH="))
        layout.variable("PATH", f"{PREFIX}/bin:{path.removeprefix('PATH=')}")

    return make


def _prefix(base: Layout) -> Iterator[Made]:
    yield Made(path="opt", mode=0o755)
    yield Made(path="srv", mode=0o755)
    for one in DIRECTORIES:
        yield Made(path=one.path, mode=one.mode, uid=one.uid, gid=one.gid)
    yield Made(path="opt/conda", to=f"/{PLACE}")
    for link in ("python", "python3"):
        yield Made(path=f"{PLACE}/bin/{link}", to="python3.11")
    yield from _interpreter(base)
    for path, content in _records().items():
        yield Made(path=f"{PLACE}/conda-meta/{path}", content=content, mode=0o664, uid=USER)


def _interpreter(base: Layout) -> Iterator[Made]:
    for member, content in base.members():
        inside = member.name.removeprefix(_LIBRARY)
        if member.name == "usr/bin/python3.11":
            yield Made(path=f"{PLACE}/bin/python3.11", content=content)
        if inside == member.name or inside in _LEFT_OUT:
            continue
        path = f"{PLACE}/lib/python3.11/{inside}"
        if inside == "sysconfig.py":
            assert _LOCAL in content, "Debian's Python is not the one that this knows"
            yield Made(path=path, content=content.replace(_LOCAL, _UPSTREAM), mode=member.mode)
        else:
            own = content if member.isreg() else None
            yield Made(path=path, content=own, to=member.linkname, mode=member.mode)
    yield Made(path=f"{PLACE}/lib/python3.11/sitecustomize.py", content=_CUSTOM, mode=0o644)


def _records() -> dict[str, bytes]:
    """Return what conda notes of the packages that it installed, numpy among them."""
    installed = {"python": VERSION, "numpy": recipes.HELD["numpy"]}
    rows = {}
    for number, (name, version) in enumerate(installed.items()):
        build = f"py311h{number:07x}_0"
        row = {"name": name, "version": version, "build": build, "build_number": 0}
        row |= {"channel": "defaults", "subdir": "linux-64", "depends": [], "files": []}
        rows[f"{name}-{version}-{build}.json"] = json.dumps(row, indent=2).encode()
    specs = ", ".join(f"'{name}=={version}'" for name, version in installed.items())
    rows["history"] = f"==> 2025-06-01 00:00:00 <==\n# update specs: [{specs}]\n".encode()
    return rows


def _packages(shop: Workshop, recipe: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the wheels of a recipe's lock, installed for the prefix, plain and packed."""
    owned = (
        wheel.install(OnDisk(shop.place.path(str(pin.digest))), pin, TARGET)
        for pin in read_lock(recipe).wheels
    )
    yield from pack.batched(
        pack.splice(tree.complete(chain.from_iterable(owned), TARGET.directories))
    )
