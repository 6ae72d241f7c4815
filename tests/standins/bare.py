"""A Debian without Python, as its own tools and scripts make it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from images import succeed

from standins.layout import Layout, Made, tar
from standins.workshop import ARCHITECTURE

if TYPE_CHECKING:
    from pathlib import Path

    from standins.workshop import Workshop

_UNSAFE = "/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def bare(shop: Workshop, destination: Path) -> None:
    """Make the smallest Debian that has apt."""
    destination.mkdir()
    file = destination / "bare.tar"
    fast = ("--dpkgopt=force-unsafe-io", f'--customize-hook=rm "$1{_UNSAFE}"')
    options = ("--quiet", "--variant=minbase", "--include=ca-certificates", "--format=tar")
    without = ("--skip=output/dev",)  # images have no devices: each runtime makes its own
    succeed("mmdebstrap", *options, *fast, *without, "bookworm", file, shop.sources())
    layout = Layout.create(destination, "e", ARCHITECTURE)
    layout.append(file.read_bytes())
    layout.append(tar([Made(path="dev")]))
    layout.configure({"Env": [f"PATH={_PATH}"], "Cmd": ["bash"]})
    file.unlink()
