"""Builds the values that tests of locks, graphs and plans start from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ds01build.digest import DiffId, Digest
from ds01build.layer import ZSTD, Layer
from ds01build.lock import (
    Lock,
    LockedDebian,
    LockedImage,
    LockedLayer,
    LockedTier,
    Removed,
)
from ds01build.pin import DebPin, FilePin, WheelPin
from ds01build.recipe.settings import ImageSettings
from ds01build.stack import Stat
from ds01build.target import Directory, Ground, Link, Schemes, Target

if TYPE_CHECKING:
    from ds01build.digest import Key

MIB = 1024 * 1024


def digest(text: str) -> Digest:
    return Digest.of(text.encode())


def wheel_pin(
    name: str, *, version: str = "1.0", size: int = 1000, tier: str = "work", content: str = ""
) -> WheelPin:
    """Return the pin of a wheel whose bytes are named by ``content``, or by its name."""
    return WheelPin(
        name=name,
        version=version,
        file=f"{name.replace('-', '_')}-{version}-py3-none-any.whl",
        size=size,
        digest=digest(content or f"{name} {version}"),
        tier=tier,
    )


def deb_pin(
    name: str, *, version: str = "1.0-1", size: int = 2000, tier: str = "base", content: str = ""
) -> DebPin:
    return DebPin(
        name=name,
        version=version,
        architecture="amd64",
        path=f"pool/main/{name[0]}/{name}/{name}_{version}_amd64.deb",
        size=size,
        digest=digest(content or f"{name} {version} deb"),
        tier=tier,
    )


def file_pin(to: str, *, mode: int = 0o644, tier: str = "config", content: str = "") -> FilePin:
    return FilePin(
        to=to,
        source=to.rpartition("/")[2],
        mode=mode,
        size=10,
        digest=digest(content or to),
        tier=tier,
    )


def a_target() -> Target:
    packages = "/usr/local/lib/python3.11/dist-packages"
    return Target(
        interpreter="/usr/bin/python3.11",
        version="3.11.2",
        schemes=Schemes(
            purelib=packages,
            platlib=packages,
            scripts="/usr/local/bin",
            data="/usr/local",
            headers="/usr/local/include/python3.11",
        ),
        directories=(Directory("usr"), Directory("usr/local", 0o2775, 0, 50)),
        links=(Link("usr/local/man", "share/man"),),
    )


def a_lock() -> Lock:
    """Return a lock with every kind of tier, pin and layer, and every optional value set."""
    return Lock(
        name="thesis-cv",
        recipe=digest("recipe"),
        base=LockedDebian(suite="bookworm", architecture="amd64", packages=("less",)),
        target=a_target(),
        image=ImageSettings(
            env=(("A", "1"), ("B", "2")),
            labels=(("org.example.team", "vision"),),
            workdir="/workspace",
            user="1000:1000",
            entrypoint=(),
            cmd=("jupyter", "lab"),
            ports=("8888/tcp",),
        ),
        tiers=(
            LockedTier(name="system", kind="apt", requests=("git",)),
            LockedTier(name="work", kind="python", requests=("numpy>=2", "pandas")),
            LockedTier(name="config", kind="files", after=("work",)),
        ),
        debs=(deb_pin("git", tier="system"), deb_pin("libc6")),
        wheels=(
            replace(wheel_pin("numpy", size=20 * MIB), index="fast"),
            replace(wheel_pin("pandas"), requires=("numpy", "six")),
            wheel_pin("six"),
        ),
        files=(file_pin("/etc/motd", mode=0o600), file_pin("/opt/run.sh", mode=0o755)),
        layers=(
            LockedLayer(tier="base", kind="debs", names=("libc6",)),
            LockedLayer(tier="system", kind="debs", names=("git",)),
            LockedLayer(tier="work", kind="wheels", names=("numpy",)),
            LockedLayer(tier="work", kind="wheels", names=("pandas", "six")),
            LockedLayer(tier="config", kind="files", names=("/etc/motd", "/opt/run.sh")),
        ),
    )


def base_layer(number: int) -> Layer:
    """Return a layer of a base, as a registry has it."""
    return Layer(
        digest=digest(f"base blob {number}"),
        diff_id=DiffId(digest(f"base tar {number}").value),
        size=1000 + number,
    )


def an_image_lock() -> Lock:
    """Return a lock over an image with every kind of tier that it can have.

    In recipe order: two tiers of .debs, one of wheels that replaces the base's torch, files, and
    commands that need wheels and files.
    """
    return replace(
        a_lock(),
        base=LockedImage(
            reference="docker.io/aimehub/pytorch-2.8.0-cuda12.6.3:latest",
            architecture="amd64",
            manifest=digest("base manifest"),
            config=digest("base config"),
            layers=(base_layer(1), replace(base_layer(2), media_type=ZSTD)),
            glibc="2.36",
            ground=Ground(
                directories=(Directory("tmp", 0o1777),), links=(Link("var/run", "/run"),)
            ),
        ),
        tiers=(
            LockedTier(name="system", kind="apt", requests=("git",)),
            LockedTier(name="media", kind="apt", after=("system",), requests=("ffmpeg",)),
            LockedTier(name="work", kind="python", requests=("numpy>=2", "pandas")),
            LockedTier(name="config", kind="files"),
            LockedTier(
                name="models",
                kind="run",
                after=("config", "work"),
                commands=("python -m nltk.downloader punkt", "true"),
                network=True,
            ),
        ),
        debs=(deb_pin("ffmpeg", tier="media"), deb_pin("git", tier="system")),
        files=(file_pin("/tmp/motd"),),
        removed=(Removed(name="numpy", version="1.26.4", paths=("opt/torch", "opt/torch.py")),),
        layers=(
            LockedLayer(tier="base", kind="removed", names=("numpy",)),
            LockedLayer(tier="system", kind="executed", names=("system",)),
            LockedLayer(tier="media", kind="executed", names=("media",)),
            LockedLayer(tier="work", kind="wheels", names=("numpy",)),
            LockedLayer(tier="work", kind="wheels", names=("pandas", "six")),
            LockedLayer(tier="config", kind="files", names=("/tmp/motd",)),
            LockedLayer(tier="models", kind="executed", names=("models",)),
        ),
    )


def target_of(lock: Lock) -> Target:
    """Return the target of a lock that has one."""
    assert lock.target is not None
    return lock.target


def suite_of(lock: Lock) -> str:
    """Return the suite of a lock over a Debian base."""
    assert isinstance(lock.base, LockedDebian)
    return lock.base.suite


def python_lock(count: int) -> Lock:
    """Return a lock of ``count`` Python tiers, each after the one before it, with two wheels."""
    names = [f"tier-{number}" for number in range(count)]
    wheels = [wheel_pin(f"{end}{name[5:]}", tier=name) for name in names for end in ("a", "b")]
    return replace(
        a_lock(),
        tiers=tuple(
            LockedTier(name=name, kind="python", after=(before,) if before else ())
            for before, name in zip(["", *names], names, strict=False)
        ),
        debs=(deb_pin("libc6"),),
        wheels=tuple(sorted(wheels)),
        files=(),
        layers=(
            LockedLayer(tier="base", kind="debs", names=("libc6",)),
            *(
                LockedLayer(tier=name, kind="wheels", names=(f"a{name[5:]}", f"b{name[5:]}"))
                for name in names
            ),
        ),
    )


def layer_for(key: Key, size: int = 500) -> Layer:
    """Return a layer that ``key`` might have come out as."""
    return Layer(
        digest=digest(f"blob of {key}"),
        diff_id=DiffId(digest(f"tar of {key}").value),
        size=size,
    )


def directory(mode: int = 0o755, uid: int = 0, gid: int = 0) -> Stat:
    return Stat("directory", mode, uid, gid, "")


def file(content: str = "", mode: int = 0o644, uid: int = 0, gid: int = 0) -> Stat:
    return Stat("file", mode, uid, gid, digest(content).hex)


def symlink(to: str) -> Stat:
    return Stat("symlink", 0o777, 0, 0, to)
