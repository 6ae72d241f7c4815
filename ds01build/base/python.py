"""The Python that a shell in the base finds, without running it (CPython, Modules/getpath.py).

Its version is the first of: patchlevel.h of its prefix; the record in conda-meta; the Debian
package pythonX.Y-minimal; the version in the executable, or in libpython.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from ds01build.base.facts import Interpreter
from ds01build.target import MAX_LINKS, Schemes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ds01build.base.tree import Tree

__all__ = ["DEFAULT_PATH", "Python", "find_python"]

# Of a container whose image has no PATH, in every engine.
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Not the free-threaded python3.14t: it takes other wheels.
_LIBRARY = re.compile(r"python3\.[0-9]{1,2}")
_PATCHLEVEL = re.compile(
    r'^#define\s+PY_VERSION\s+"(3\.[0-9]{1,2}\.[0-9]{1,2}[^"\s+]{0,8})', re.MULTILINE
)
_CONDA = re.compile(r"python-(3\.[0-9]{1,2}\.[0-9]{1,2}(?:(?:a|b|rc)[0-9]{1,2})?)-[^/]*\.json")
_VERSION = re.compile(r"3\.[0-9]{1,2}\.[0-9]{1,2}(?:(?:a|b|rc)[0-9]{1,2})?")
_DEB_VERSION = re.compile(r"(?:[0-9]+:)?(3\.[0-9]{1,2}\.[0-9]{1,2})(?:~?((?:a|b|rc)[0-9]{1,2}))?")


class Python(NamedTuple):
    """An interpreter; without ``schemes`` it is one that ds01 can't install for.

    ``held`` are the directories of distributions that nothing installed later comes before.
    """

    interpreter: Interpreter
    schemes: Schemes | None
    held: tuple[str, ...] = ()


class _Home(NamedTuple):
    """A prefix, and the name of the directory of modules below its lib."""

    prefix: str
    library: str

    @property
    def stdlib(self) -> str:
        return posixpath.join(self.prefix, "lib", self.library)

    @property
    def short(self) -> str:
        return self.library.removeprefix("python")


def find_python(
    tree: Tree, environment: Mapping[str, str], debs: Mapping[str, str]
) -> Python | None:
    """Return the first python3 or python along PATH, None where there is neither.

    ``debs`` are the versions of Debian packages by name.
    """
    path = _executable(tree, environment.get("PATH") or DEFAULT_PATH)
    if path is None:
        return None
    folder = posixpath.dirname(path)
    venv = _venv(tree, folder)
    binary = _followed(tree, path)
    home = _home(tree, binary, venv)
    version = _version(tree, home, binary, debs) if home else ""
    if home is None or not version:
        return Python(Interpreter(path=path, version="", prefix="", directories=()), None)
    prefix = home.prefix if venv is None else posixpath.dirname(folder)
    is_debian = _is_debian(tree, home)
    layout = _Layout(tree, home, prefix, is_debian, environment, venv)
    interpreter = Interpreter(
        path=path,
        version=version,
        prefix=prefix,
        directories=tuple(layout.directories()),
        externally_managed=venv is None and tree.has_file(f"{home.stdlib}/EXTERNALLY-MANAGED"),
    )
    return Python(interpreter, layout.schemes(), tuple(layout.held()))


class _Layout(NamedTuple):
    """Where an interpreter looks for distributions, and where pip puts them for it."""

    tree: Tree
    home: _Home
    prefix: str
    is_debian: bool
    environment: Mapping[str, str]
    venv: Mapping[str, str] | None

    @property
    def is_local(self) -> bool:
        return self.is_debian and self.venv is None

    def schemes(self) -> Schemes:
        """Return the schemes of sysconfig that pip goes by: posix_local, venv, posix_prefix."""
        data = posixpath.join(self.prefix, "local") if self.is_local else self.prefix
        site = "dist-packages" if self.is_local else "site-packages"
        packages = posixpath.join(data, "lib", self.home.library, site)
        include = posixpath.join(self.home.prefix, "include", self.home.library)
        if self.venv is not None:  # pip, locations/_sysconfig.py
            include = posixpath.join(self.prefix, "include", "site", f"python{self.home.short}")
        return Schemes(
            purelib=packages,
            platlib=packages,
            scripts=posixpath.join(data, "bin"),
            data=data,
            headers=include,
        )

    def held(self) -> Iterator[str]:
        """Yield those of ``directories`` that come before, or are, the one of pip."""
        first = {*self._named(), self.tree.real(self.schemes().purelib)}
        for path in self.directories():
            if path in first or self.tree.real(path) in first:
                yield path

    def directories(self) -> Iterator[str]:
        """Yield the directories of sys.path that exist: PYTHONPATH, then those of site.py."""
        own = self._of_home() if self.venv is None else self._of_venv()
        done: set[str | None] = {None}
        for path in (*self._named(), *own):
            real = self.tree.real(path)
            if real not in done and self.tree.has_directory(path):
                done.add(real)
                yield path

    def _named(self) -> Iterator[str]:
        for path in self.environment.get("PYTHONPATH", "").split(":"):
            if path.startswith("/"):
                yield posixpath.normpath(path)

    def _of_venv(self) -> Iterator[str]:
        yield posixpath.join(self.prefix, "lib", self.home.library, "site-packages")
        if self.venv and self.venv.get("include-system-site-packages", "").lower() == "true":
            yield from self._of_home()

    def _of_home(self) -> Iterator[str]:
        prefix, library = self.home.prefix, self.home.library
        if not self.is_debian:
            yield posixpath.join(prefix, "lib", library, "site-packages")
            return
        yield posixpath.join(prefix, "local/lib", library, "dist-packages")
        yield posixpath.join(prefix, "lib/python3/dist-packages")
        yield posixpath.join(prefix, "lib", library, "dist-packages")


def _executable(tree: Tree, path: str) -> str | None:
    for name in ("python3", "python"):
        for folder in path.split(":"):
            candidate = posixpath.join(folder, name)
            node = tree.node(candidate) if folder.startswith("/") else None
            if node is not None and node.kind == "file" and node.mode & 0o111:
                return posixpath.normpath(candidate)
    return None


def _followed(tree: Tree, path: str) -> str:
    """Return ``path`` with links to the file followed, not those of its directories.

    This is what decides the prefix: /opt/env stays /opt/env where it is a link to /opt/conda.
    """
    for _ in range(MAX_LINKS):
        folder, name = posixpath.split(path)
        real = tree.real(folder)
        link = tree.links.get(posixpath.join(real or "", name)) if real is not None else None
        if link is None:
            break
        path = posixpath.normpath(posixpath.join(folder, link))
    return path


def _venv(tree: Tree, folder: str) -> Mapping[str, str] | None:
    """Return what pyvenv.cfg says, which lies beside the executable or one directory above."""
    for place in (folder, posixpath.dirname(folder)):
        text = tree.text(posixpath.join(place, "pyvenv.cfg"))
        pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
        found = {key.strip().lower(): value.strip() for key, _, value in pairs}
        if found.get("home", "").startswith("/"):
            return found
    return None


def _home(tree: Tree, binary: str, venv: Mapping[str, str] | None) -> _Home | None:
    """Return the prefix by its landmark lib/pythonX.Y/os.py, looked for from the binary upwards."""
    match = _LIBRARY.fullmatch(posixpath.basename(binary))
    folder = posixpath.dirname(binary)
    if venv is not None:
        folder = posixpath.normpath(venv["home"])
    while True:
        names = [match[0]] if match else tree.names(posixpath.join(folder, "lib"))
        found = [
            name
            for name in names
            if _LIBRARY.fullmatch(name)
            and tree.has_file(posixpath.join(folder, "lib", name, "os.py"))
        ]
        if found:
            return _Home(folder, found[0]) if len(found) == 1 else None
        if folder in ("/", "//", ""):
            return None
        folder = posixpath.dirname(folder)


def _is_debian(tree: Tree, home: _Home) -> bool:
    """Return whether its sysconfig prefers posix_local, as Debian's does."""
    names = ("sysconfig.py", "sysconfig/__init__.py")
    found = {tree.read(posixpath.join(home.stdlib, name)) or b"" for name in names}
    return any(b"posix_local" in text for text in found)


def _version(tree: Tree, home: _Home, binary: str, debs: Mapping[str, str]) -> str:
    for version in _versions(tree, home, binary, debs):
        if _VERSION.fullmatch(version) and version.startswith(f"{home.short}."):
            return version
    return ""


def _versions(tree: Tree, home: _Home, binary: str, debs: Mapping[str, str]) -> Iterator[str]:
    header = posixpath.join(home.prefix, "include", home.library, "patchlevel.h")
    match = _PATCHLEVEL.search(tree.text(header))
    yield match[1] if match else ""
    recorded = map(_CONDA.fullmatch, tree.names(posixpath.join(home.prefix, "conda-meta")))
    yield from sorted(each[1] for each in recorded if each)[-1:]
    deb = _DEB_VERSION.match(debs.get(f"{home.library}-minimal", ""))
    if deb and home.prefix == "/usr":
        yield deb[1] + (deb[2] or "")
    yield from _compiled(tree, home, [binary, *_libraries(tree, home)])


def _libraries(tree: Tree, home: _Home) -> Iterator[str]:
    folder = posixpath.join(home.prefix, "lib")
    for name in tree.names(folder):
        if name.startswith(f"lib{home.library}.so"):
            yield posixpath.join(folder, name)


def _compiled(tree: Tree, home: _Home, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        found = {line for line in tree.text(path).split("\n") if line.startswith(f"{home.short}.")}
        if len(found) == 1:
            yield found.pop().removesuffix("+")
