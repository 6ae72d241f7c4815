"""The recipes of stand-ins that ds01 builds, and what they hold of Python."""

from __future__ import annotations

from pathlib import Path

SITE = "/usr/local/lib/python3.11/dist-packages"  # where tiers write on these
SOURCES = "debian.sources"

# What a framework's image has besides the framework.
HELD = {
    "ipython": "9.3.0",
    "numpy": "2.2.6",
    "pillow": "11.0.0",
    "psutil": "7.0.0",
    "pyyaml": "6.0.2",
    "requests": "2.32.3",
    "tqdm": "4.67.1",
}
OLD = ("python3-numpy", "python3-requests", "python3-yaml")

_HEAD = """\
schema = 1
name = "{name}"

[base]
debian = "bookworm"
packages = ["apt", "debian-archive-keyring"{debs}]

[tiers.sources]
kind = "files"
files = [{{ from = "{sources}", to = "/etc/apt/sources.list.d/debian.sources" }}]

[image]
cmd = ["/bin/bash"]
"""
_FRAMEWORK = """
[tiers.framework]
kind = "python"
packages = {packages}

[resolve]
extra-index-urls = {{ standin = "{index}" }}
"""


def plain(name: str, debs: tuple[str, ...] = ()) -> str:
    """Return a recipe of Debian with apt, Python and ``debs``."""
    return _HEAD.format(name=name, debs="".join(f', "{each}"' for each in debs), sources=SOURCES)


def framework(name: str, wheels: list[str], index: str) -> str:
    """Return a recipe with everything of HELD and ``wheels``, which are on ``index``."""
    held = [f"{name}=={version}" for name, version in HELD.items()]
    return plain(name) + _FRAMEWORK.format(packages=[*wheels, *held], index=index)


def apt_sources(mirror: str) -> bytes:
    """Return apt's sources for a base: of ``mirror``, or else those of this Debian machine."""
    if mirror:
        url, *_ = mirror.split()
        return f"Types: deb\nURIs: {url}\nSuites: bookworm\nComponents: main\n".encode()
    own = Path("/etc/apt/sources.list.d/debian.sources")
    return own.read_bytes() if own.exists() else b""
