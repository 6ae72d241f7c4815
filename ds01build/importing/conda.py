"""Reads a conda environment.yml: what is on PyPI, or in Debian, by a name that is known.

conda's names are its own, and a package of the same name on an index of Python packages may be
anybody's. So only names that conda.toml beside this file has are carried over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from ds01build.errors import Ds01Error, RecipeError
from ds01build.fields import Fields, Issues, load, single_line
from ds01build.grammar import deb, package_name, requirement, variable_name
from ds01build.importing.documents import Scalar, Sequence, Table, read_document
from ds01build.importing.draft import Draft, Slice, noted
from ds01build.importing.requirements import refusals, tier_of
from ds01build.importing.secrecy import SECRET, exposes, is_secret
from ds01build.quantities import counted
from ds01build.recipe import ImageSettings
from ds01build.recipe.requirements import gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ds01build.importing.documents import Node
    from ds01build.importing.draft import Note, Outcome

__all__ = ["read_environment"]

# The match specification of conda: CHANNEL::NAME VERSION BUILD, with spaces or equals signs.
_SPEC = re.compile(
    r"(?:(?P<channel>[A-Za-z0-9_./-]{1,200})::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})"
    r"\s*(?P<rest>.*)"
)
_PARTS = re.compile(
    r"(?P<exact>==|=)?\s*(?P<version>[^\s=<>!~,|\[\]]+)(?:[=\s](?P<build>[^\s=]+))?"
)
_RANGE = re.compile(r"(?:(?:[<>]=?|!=|~=|==)[0-9][A-Za-z0-9.!+_]*(?:\.\*)?,?)+")
_PATHS = frozenset(
    {"PATH", "HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "LIBRARY_PATH", "CPATH", "PKG_CONFIG_PATH"}
    | {"PYTHONPATH", "PYTHONHOME", "MANPATH"}
)
_INSTALLERS = frozenset({"pip", "conda", "mamba", "uv"})


@dataclass(slots=True)
class _Reading:
    file: str
    read: Callable[[str], str]
    python: list[str] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    name: str = ""

    def note(self, outcome: Outcome, line: int, text: str, reason: str) -> None:
        self.notes.append(noted(outcome, self.file, line, text, reason))


def read_environment(file: str, read: Callable[[str], str]) -> Draft:
    """Read an environment; ``read`` returns files beneath its directory.

    Raises Ds01Error for what is none, and what ``read`` raises.
    """
    try:
        document = read_document(read(file))
    except ValueError as error:
        raise Ds01Error(f"{file}: {error}") from error
    if not isinstance(document, Table):
        raise Ds01Error(f"{file} is not a conda environment: it has no dependencies")
    reading = _Reading(file, read)
    for key, value in document.items:
        _entry(reading, key, value)
    stem = file.rpartition("/")[2].rpartition(".")[0]
    packages = {
        "system": ("apt", reading.system),
        tier_of(stem, "environment"): ("python", reading.python),
    }
    return Draft(
        name=reading.name,
        slices=tuple(
            Slice(tier=tier, kind="apt" if kind == "apt" else "python", packages=tuple(found))
            for tier, (kind, found) in packages.items()
            if found
        ),
        image=ImageSettings(env=tuple(sorted(reading.env.items()))),
        notes=tuple(reading.notes),
    )


def _entry(reading: _Reading, key: Scalar, value: Node) -> None:
    if key.text == "name" and isinstance(value, Scalar):
        reading.name = value.text
    elif key.text == "dependencies" and isinstance(value, Sequence):
        for item in value.items:
            _dependency(reading, item)
    elif key.text == "channels" and isinstance(value, Sequence):
        reason = "packages come from an index of Python packages and from Debian"
        for item in value.items:
            text = item.text if isinstance(item, Scalar) else ""
            reading.note("dropped", item.line, f"channel {text}".strip(), reason)
    elif key.text == "variables" and isinstance(value, Table):
        for name, item in value.items:
            _variable(reading, name, item)
    elif key.text == "prefix":
        reading.note("done", key.line, key.text, "where packages lie is the base's to say")
    else:
        reading.note("dropped", key.line, key.text, "no such part of an environment is known")


def _variable(reading: _Reading, name: Scalar, value: Node) -> None:
    try:
        if not isinstance(value, Scalar):
            raise ValueError("not a string")  # noqa: TRY004, TRY301
        reading.env[variable_name(name.text)] = _carried(name.text, single_line(value.text))
    except ValueError as error:
        reading.note("dropped", name.line, name.text, str(error))


def _carried(name: str, value: str) -> str:
    """Return the value of a variable. Raises ValueError for one that no image should have."""
    if is_secret(name) or exposes(value):
        raise ValueError(SECRET)
    if name in _PATHS or name.startswith("CONDA_"):
        raise ValueError("it says where conda's environment lies, and the image has none")
    return value


def _dependency(reading: _Reading, item: Node) -> None:
    if isinstance(item, Scalar):
        _package(reading, item)
        return
    tables = item.items if isinstance(item, Table) else ()
    for key, value in tables:
        if key.text == "pip" and isinstance(value, Sequence):
            for line in value.items:
                _pip(reading, line)
        else:
            reading.note("dropped", key.line, key.text, "only pip is known here")
    if not tables:
        reading.note("dropped", item.line, "", "neither a package nor a list for pip")


def _pip(reading: _Reading, item: Node) -> None:
    """Read one line for pip, which may include files."""
    if not isinstance(item, Scalar):
        reading.note("dropped", item.line, "", "not a requirement")
        return
    own, texts = reading.file, dict[str, str]()

    def read(path: str) -> str:
        if path == own:
            return item.text
        texts[path] = reading.read(path)
        return texts[path]

    found, issues = gathered(own, read)
    reading.python += found.packages
    for bound in found.constraints:
        reason = "a bound of what others may need: only a file below the recipe can have it"
        reading.note("dropped", item.line, bound, reason)
    if found.digests:
        what = f"hashes of {counted(len(found.digests), 'package')}"
        reading.note("changed", item.line, what, "a lock has the hashes of what it chooses")
    for note in refusals(own, issues, texts):
        line = item.line if note.source == own else note.line
        text = note.text or (item.text if note.source == own and "://" not in item.text else "")
        reading.notes.append(noted("dropped", note.source, line, text, note.reason))


def _package(reading: _Reading, item: Scalar) -> None:
    text = " ".join(item.text.partition(" #")[0].split())
    match = _SPEC.fullmatch(text)
    if match is None:
        reading.note("dropped", item.line, text, "not a package of conda, such as numpy=1.26")
        return
    name = match["name"].lower()
    special = _special(name, match["rest"])
    if special is not None:
        reading.note(special[0], item.line, text, special[1])
        return
    known = _known()
    if name in known["system"]:
        _system(reading, item.line, text, known["system"][name], match["rest"])
        return
    python = known["python"].get(name) or known["python"].get(name.replace("_", "-"))
    if python is None:
        reason = (
            "conda's own, or not known to be the same Python package: if it is, put it under pip"
        )
        reading.note("dropped", item.line, text, reason)
        return
    try:
        versions, lost = _versions(match["rest"])
        wanted = requirement(f"{python}{versions}")
    except ValueError as error:
        reading.note("dropped", item.line, text, str(error))
        return
    reading.python.append(wanted)
    if lost or python != name:
        without = f", without {lost}" if lost else ""
        reading.note("changed", item.line, text, f"as the Python package {wanted}{without}")


def _special(name: str, rest: str) -> tuple[Outcome, str] | None:
    if name == "python":
        version = re.match(r"[=\s]*(3\.[0-9]{1,2})", rest)
        helps = f": --base python:{version[1]}-slim has this one" if version else ""
        return "dropped", f"the base decides on its Python{helps}"
    if name in _INSTALLERS:
        return "done", "ds01 installs packages itself"
    return None


def _system(reading: _Reading, line: int, text: str, name: str, rest: str) -> None:
    reading.system.append(name)
    if rest or name != text:
        lost = ", without its version" if rest else ""
        reading.note("changed", line, text, f"as the Debian package {name}{lost}")


def _versions(rest: str) -> tuple[str, str]:
    """Return conda's versions as PEP 440 has them, and what is lost. Raises ValueError.

    ``=1.2`` is any 1.2, ``==1.2`` that one, and so is ``=1.2=build``: that is one file of it.
    """
    plain = rest.strip()
    if plain.lstrip("= ") in ("", "*"):
        return "", ""
    if _RANGE.fullmatch(plain.replace(" ", "")):
        return plain.replace(" ", ""), ""
    match = _PARTS.fullmatch(plain)
    if match is None:
        raise ValueError("versions that PEP 440 has no way to write")
    version, build = match["version"], match["build"] or ""
    if match["exact"] == "==" or (build and build != "*"):
        return f"=={version}", f"the build {build}" if build else ""
    if version.endswith("*"):
        return f"=={version.removesuffix('*').rstrip('.')}.*", ""
    return (f"=={version}.*" if match["exact"] else f"=={version}"), ""


@cache
def _known() -> Mapping[str, Mapping[str, str]]:
    """Return for conda's names what Python and Debian packages are called."""
    text = files("ds01build.importing").joinpath("conda.toml").read_text(encoding="utf-8")
    issues = Issues()
    table = Fields(load(text), "", issues)
    python = {name: name for name in table.texts("same", package_name)}
    python |= dict(table.pairs("python", str, requirement))
    system = {name: name for name in table.texts("same-in-debian", deb)}
    system |= dict(table.pairs("debian", str, deb))
    table.close()
    if issues.found():
        raise RecipeError(source="conda.toml", issues=issues.found())
    return {"python": python, "system": system}
