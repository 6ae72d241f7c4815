"""What people build today for the same image: three Dockerfiles over one base.

``pip``     one RUN of pip for each tier; compiles bytecode, as pip does
``uv``      the same with uv and a cache mount; makes no bytecode
``expert``  requirement files locked with hashes, one independent stage for each tier, put together
            with COPY --link, and the same cache mount; no bytecode
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from uv import find_uv_bin

from bench.buildkit import ENTER, SECRETS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.buildkit import Builder

Tiers = dict[str, tuple[str, ...]]  # requirements by the name of the tier

SITE = "/usr/local/lib/python3.11/dist-packages"
_UV = "uv pip install --quiet --system --break-system-packages"
_STAGE = "uv pip install --quiet --no-deps --require-hashes --python /usr/bin/python3 --prefix /out"


def cached(name: str) -> str:
    """Return the mount of a cache of that name."""
    return f"--mount=type=cache,target=/root/.cache/uv,id={name} {SECRETS}"


def pip(base: str, tiers: Tiers) -> str:
    install = "pip install --quiet --no-cache-dir --break-system-packages --root-user-action=ignore"
    runs = (f"RUN {SECRETS} {ENTER} && {install} {_words(tiers[name])}\n" for name in tiers)
    return f"FROM {base}\n{''.join(runs)}"


def apt(dockerfile: str, packages: tuple[str, ...], *, last: bool = False) -> str:
    """Return a Dockerfile that installs Debian packages before all else, or after it."""
    install = "apt-get update -qq && apt-get install -y -qq --no-install-recommends"
    run = f"RUN {SECRETS} {ENTER} && {install} {' '.join(packages)}\n"
    head, _, rest = dockerfile.partition("\n")
    return f"{dockerfile}{run}" if last else f"{head}\n{run}{rest}"


def uv(base: str, tiers: Tiers, cache: str) -> str:
    run = f"RUN {cached(cache)} {ENTER} && UV_LINK_MODE=copy {_UV}"
    runs = (f"{run} {_words(tiers[name])}\n" for name in tiers)
    return f"FROM {base}\n{''.join(runs)}"


def expert(base: str, tiers: Tiers, cache: str) -> str:
    stages = (
        f"FROM {base} AS {name}\n"
        f"COPY {name}.txt /tmp/\n"
        f"RUN {cached(cache)} {ENTER} && UV_LINK_MODE=copy {_STAGE} -r /tmp/{name}.txt"
        " && rm -f /out/.lock && mv /out/lib/python3.11/site-packages"
        " /out/lib/python3.11/dist-packages\n"
        for name in tiers
    )
    copies = (f"COPY --link --from={name} /out/ /usr/local/\n" for name in tiers)
    return f"{''.join(stages)}FROM {base}\n{''.join(copies)}"


def _words(requirements: tuple[str, ...]) -> str:
    return " ".join(f"'{each}'" for each in requirements)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where a peer builds: an engine, a base in it, the same with uv, and a directory."""

    builder: Builder
    base: str
    base_with_uv: str
    held: Mapping[str, str]  # what the base holds: version by name
    directory: Path

    def prepare(self) -> None:
        """Put uv over the base, as ``COPY --from`` would, before anything is measured."""
        context = self.directory / "with-uv"
        context.mkdir(parents=True)
        shutil.copyfile(find_uv_bin(), context / "uv")
        text = f"FROM {self.base}\nCOPY --chmod=755 uv /usr/local/bin/uv\n"
        (context / "Dockerfile").write_text(text)
        self.builder.build(context, self.base_with_uv)

    def context(self, kind: str, tiers: Tiers, cache: str) -> tuple[Path, float]:
        """Write what a peer builds from; return where, and the seconds that locking took."""
        context = self.directory / kind
        shutil.rmtree(context, ignore_errors=True)
        context.mkdir(parents=True)
        start = time.perf_counter()
        if kind == "expert":
            for name, text in locked(tiers, self.held, context).items():
                (context / f"{name}.txt").write_text(text)
        taken = time.perf_counter() - start if kind == "expert" else 0.0
        text = {
            "pip": lambda: pip(self.base, tiers),
            "uv": lambda: uv(self.base_with_uv, tiers, cache),
            "expert": lambda: expert(self.base_with_uv, tiers, cache),
        }[kind]()
        (context / "Dockerfile").write_text(text)
        return context, taken


def held(builder: Builder, base: str) -> dict[str, str]:
    """Return what a base holds of Python as its own pip lists it: version by name."""
    listed = builder.run(base, "pip", "list", "--format", "json")
    return {str(each["name"]): str(each["version"]) for each in json.loads(listed)}


def locked(tiers: Tiers, held: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Return a requirements file with hashes for each tier, without what lies beneath it.

    All tiers fit each other, since every one is resolved with those before it.
    """
    known: set[str] = {canonicalize_name(name) for name in held}
    pins = [f"{name}=={version}" for name, version in held.items()]
    asked: list[str] = []
    files = {}
    for name, requirements in tiers.items():
        asked += requirements
        blocks = _resolved(asked, pins, scratch)
        files[name] = "".join(text for each, text in blocks.items() if each not in known)
        known |= set(blocks)
        pins = [*pins, *(text.partition(" ")[0] for text in blocks.values())]
    return files


def _resolved(asked: list[str], pins: list[str], scratch: Path) -> dict[str, str]:
    """Return what uv locks, each distribution with its hashes, by name."""
    (scratch / "asked.in").write_text("".join(f"{each}\n" for each in asked))
    (scratch / "pins.txt").write_text("".join(f"{each}\n" for each in dict.fromkeys(pins)))
    command = [
        *(find_uv_bin(), "pip", "compile", "--quiet", "--no-build", "--generate-hashes"),
        *("--no-annotate", "--no-header", "--python-version", "3.11.2"),
        *("--constraint", str(scratch / "pins.txt"), str(scratch / "asked.in")),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    blocks: dict[str, str] = {}
    name = ""
    for line in done.stdout.splitlines(keepends=True):
        if not line.startswith(" "):
            name = line.partition("=")[0]
        blocks[name] = blocks.get(name, "") + line
    return blocks
