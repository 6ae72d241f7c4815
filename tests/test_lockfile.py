from __future__ import annotations

import copy
import datetime as dt
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import tomli
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from values import a_lock, a_target, an_image_lock, deb_pin, digest, file_pin, wheel_pin

from ds01build import lock
from ds01build.digest import Digest
from ds01build.errors import Issue, LockError
from ds01build.lock import Lock, LockedDebian, LockedLayer, LockedTier
from ds01build.lockfile import LIMIT, dumps, loads
from ds01build.recipe.settings import ImageSettings
from ds01build.target import Directory, Link

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple["str | int", ...]
Tables = dict[str, Any]

# What may be absent, and then is empty.
OPTIONAL = re.compile(
    r"base\.packages|image.*|target\.(directories|links).*|tier\[\d\]\.(after|requests).*"
    r"|wheel\[\d\]\.requires.*"
)


TABLES: Tables = tomli.loads(dumps(a_lock()))


def tables() -> Tables:
    return copy.deepcopy(TABLES)


def text_of(content: Tables) -> str:
    return tomli_w.dumps(content)


def refused(text: str) -> LockError:
    with pytest.raises(LockError) as caught:
        loads(text, source="x.lock")
    return caught.value


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Yield the place of every value of the lock's tables, tables and arrays included."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    if isinstance(value, list):
        for place, inner in enumerate(value):
            yield from paths(inner, (*path, place))


def dotted(path: Path) -> str:
    words = [f"[{word}]" if isinstance(word, int) else f".{word}" for word in path]
    return "".join(words).removeprefix(".").replace(".org.example.team", ".'org.example.team'")


PATHS = tuple(paths(TABLES))
KEYS = tuple(path for path in PATHS if isinstance(path[-1], str))


def at(content: Tables, path: Path) -> Any:  # noqa: ANN401 (TOML)
    for step in path:
        content = content[step]  # type: ignore[index]
    return content


def changed(path: Path, value: object) -> str:
    content = tables()
    at(content, path[:-1])[path[-1]] = value
    return text_of(content)


def test_a_lock_reads_back_as_it_was() -> None:
    assert loads(dumps(a_lock()), source="x.lock") == a_lock()


def test_the_text_is_what_it_was_and_ends_with_a_newline() -> None:
    text = dumps(a_lock())
    assert text.startswith("# Written by ds01. Change the recipe instead, and run `ds01 lock`.\n\n")
    assert text.endswith("]\n")
    assert text == dumps(a_lock())
    assert [*tomli.loads(text)] == [
        *("version", "name", "recipe"),
        *("base", "target", "image", "tier", "deb", "wheel", "file", "layer"),
    ]


def test_a_lock_holds_no_time_and_no_location() -> None:
    text = dumps(a_lock())
    assert "://" not in text
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d", text)


def test_modes_are_octal_and_empty_values_are_left_out() -> None:
    content = tables()
    assert content["file"][0]["mode"] == "0600"
    assert content["target"]["directories"][1]["mode"] == "2775"
    assert "requires" not in content["wheel"][2]
    assert content["image"]["entrypoint"] == []  # takes the base's away
    assert "entrypoint" not in lock.to_dict(replace(a_lock(), image=ImageSettings()))


def test_the_digest_of_a_lock_does_not_depend_on_its_file() -> None:
    loaded = loads(f"# a comment\n{dumps(a_lock())}\n\n", source="x.lock")
    assert loaded.digest == a_lock().digest
    assert replace(a_lock(), recipe=digest("other")).digest != a_lock().digest


SHORT = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)
LINE = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=20)
ADDRESS = st.binary(max_size=4).map(Digest.of)
SIZE = st.integers(min_value=0, max_value=2**53)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    names = draw(st.lists(SHORT.filter(lambda name: name != "base"), max_size=4, unique=True))
    kinds = [draw(st.sampled_from(["apt", "python", "files"])) for _ in names]
    tier = st.sampled_from(["base", *names])
    wheels = draw(st.lists(SHORT, max_size=4, unique=True))
    debs = draw(st.lists(SHORT.map(lambda name: f"lib{name}"), min_size=1, max_size=4, unique=True))
    files = draw(st.lists(SHORT.map(lambda name: f"/{name}"), max_size=3, unique=True))
    pins = {"wheels": wheels, "debs": debs, "files": files}
    names_of = st.lists(st.sampled_from(wheels), unique=True) if wheels else st.just([])
    return Lock(
        name=draw(SHORT),
        recipe=draw(ADDRESS),
        base=LockedDebian(suite="bookworm", architecture="arm64", packages=tuple(debs[:1])),
        target=replace(
            a_target(),
            directories=tuple(sorted(draw(st.sets(DIRECTORIES, max_size=3)))),
            links=tuple(sorted(draw(st.sets(st.builds(Link, SHORT, LINE), max_size=3)))),
        ),
        image=draw(IMAGES),
        tiers=tuple(
            LockedTier(name=n, kind=k, after=tuple(names[:place]), requests=tuple(draw(LINES)))
            for place, (n, k) in enumerate(zip(names, kinds, strict=True))
        ),
        debs=tuple(replace(deb_pin(n, tier=draw(tier)), size=draw(SIZE)) for n in debs),
        wheels=tuple(
            replace(wheel_pin(n, tier=draw(tier)), requires=tuple(draw(names_of))) for n in wheels
        ),
        files=tuple(
            replace(file_pin(n, tier=draw(tier)), mode=draw(st.integers(0, 0o7777))) for n in files
        ),
        layers=tuple(
            LockedLayer(tier=draw(tier), kind=kind, names=names)
            for kind, all_names in pins.items()
            for names in (tuple(all_names[:2]), tuple(all_names[2:]))
            if names
        ),
    )


LINES = st.lists(LINE, max_size=3)
DIRECTORIES = st.builds(Directory, SHORT | st.just(""), st.integers(0, 0o7777), SIZE, SIZE)
IMAGES = st.builds(
    ImageSettings,
    env=st.dictionaries(SHORT, LINE, max_size=3).map(lambda rows: tuple(sorted(rows.items()))),
    workdir=st.sampled_from(["", "/", "/work space"]),
    user=st.sampled_from(["", "1000", "jovyan:users"]),
    entrypoint=st.none() | LINES.map(tuple),
    cmd=st.none() | LINES.map(tuple),
    labels=st.dictionaries(SHORT, LINE, max_size=3).map(lambda rows: tuple(sorted(rows.items()))),
    ports=st.sets(st.sampled_from(["80/tcp", "53/udp", "8888/tcp"])).map(
        lambda ports: tuple(sorted(ports))
    ),
)


@settings(max_examples=50, deadline=None)
@given(locks())
def test_every_lock_reads_back_as_it_was(content: Lock) -> None:
    text = dumps(content)
    assert loads(text, source="x.lock") == content
    assert text.endswith("\n")


@settings(max_examples=20, deadline=None)
@given(locks(), st.floats(min_value=0, max_value=1))
def test_a_lock_that_was_cut_short_is_refused(content: Lock, part: float) -> None:
    text = dumps(content)
    assert_whole_or_refused(text[: int(part * len(text))], content)


def test_a_lock_cut_at_any_line_is_refused() -> None:
    text = dumps(a_lock())
    for end in (match.end() for match in re.finditer(r"\n|= |\[", text)):
        assert_whole_or_refused(text[:end], a_lock())


def assert_whole_or_refused(text: str, content: Lock) -> None:
    try:
        assert loads(text, source="x.lock") == content
    except LockError as error:
        assert error.issues  # noqa: PT017 (either is right)


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_lock_without_one_of_its_keys_is_refused_with_its_path(path: Path) -> None:
    content = tables()
    del at(content, path[:-1])[path[-1]]
    if OPTIONAL.fullmatch(dotted(path)) and path[-1] not in {"mode", "uid", "gid", "path", "to"}:
        assert loads(text_of(content), source="x.lock") != a_lock()
    else:
        named = dotted(path) if len(path) > 1 or path[0] in {"name", "version"} else str(path[0])
        assert named in str(refused(text_of(content)))


@pytest.mark.parametrize("path", PATHS, ids=dotted)
def test_a_value_of_another_type_is_refused_with_its_path(path: Path) -> None:
    value = at(TABLES, path)
    others: tuple[object, ...] = (True, 1.5, dt.date(2026, 1, 1), "\x00", -1, [[]], {"x": {}})
    for other in others:
        if type(other) is not type(value) or other in ("\x00", -1, [[]]):
            error = refused(changed(path, other))
            assert any(issue.path.startswith(dotted(path)) for issue in error.issues), error
            assert str(error).startswith("x.lock: ")


@pytest.mark.parametrize(
    "path", [(), *(path for path in PATHS if isinstance(at(TABLES, path), dict))], ids=dotted
)
def test_an_unknown_key_is_refused_with_its_path(path: Path) -> None:
    error = refused(changed((*path, "sizes"), 1))
    assert dotted((*path, "sizes")) in str(error)


@pytest.mark.parametrize("kind", ["deb", "wheel", "file", "tier"])
def test_what_is_locked_twice_is_refused(kind: str) -> None:
    content = tables()
    content[kind].append(copy.deepcopy(content[kind][0]))
    name = content[kind][0].get("name", "/etc/motd")
    assert f"x.lock: {kind}: {name!r} stands there twice" in str(refused(text_of(content)))


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("deb", 0, "tier"), "none", "deb git: there is no tier 'none'"),
        (("wheel", 0, "tier"), "none", "wheel numpy: there is no tier 'none'"),
        (("file", 0, "tier"), "none", "file /etc/motd: there is no tier 'none'"),
        (("layer", 3, "tier"), "none", "layer[3].tier: there is no tier 'none'"),
        (("tier", 2, "after"), ["none"], "tier[2].after: there is no tier 'none'"),
        (("tier", 0, "name"), "base", "tier: 'base' stands there twice"),
        (("wheel", 1, "requires"), ["none"], "wheel[1].requires: 'none' is not locked"),
        (("layer", 0, "names"), [], "deb 'libc6': is in no layer"),
        (("layer", 0, "names"), [], "layer[0].names: required"),
        (("layer", 1, "names"), ["git", "libc6"], "layer debs: 'libc6' stands there twice"),
        (("layer", 2, "names"), ["nump"], "wheel 'nump': is in a layer, but not locked"),
        (("layer", 2, "kind"), "debs", "deb 'numpy': is in a layer, but not locked"),
        (("layer",), [], "deb 'libc6': is in no layer"),
        (("version",), 0, "version: 0 is not a version of locks"),
        (("name",), "A", "name: 'A' is not an image name"),
        (("recipe",), "sha256:0", "recipe: 'sha256:0' is not a digest"),
        (("deb", 0, "path"), "../x.deb", "deb[0].path: '../x.deb' is not a path"),
        (("deb", 0, "name"), "git;x", "deb[0].name: 'git;x' is not the name of a Debian"),
        (("deb", 0, "version"), "1 2", "deb[0].version: '1 2' is not the version of a .deb"),
        (("deb", 0, "size"), 2**60, f"deb[0].size: {2**60} is not a number from 0 to {2**53}"),
        (("wheel", 0, "size"), -1, f"wheel[0].size: -1 is not a number from 0 to {2**53}"),
        (("version",), -1, f"version: -1 is not a number from 0 to {2**53}"),
        (("wheel", 0, "file"), "a/b-1-py3-none-any.whl", "wheel[0].file: 'a/b-1-py3-none-any.whl'"),
        (("wheel", 0, "file"), "numpy.whl", "wheel[0].file: "),
        (("wheel", 0, "sha256"), "0" * 63, "wheel[0].sha256: '000"),
        (("wheel", 0, "name"), "Num_py", "wheel[0].name: 'Num_py' is not a normalised package"),
        (("file", 0, "to"), "etc/motd", "file[0].to: 'etc/motd' is not an absolute path"),
        (("file", 0, "source"), "/etc/passwd", "file[0].source: '/etc/passwd' is not a path"),
        (("file", 0, "mode"), "644", "file[0].mode: '644' is not a mode of four octal digits"),
        (("target", "interpreter"), "python3", "target.interpreter: 'python3' is not an absolute"),
        (("target", "version"), "3.11", "target.version: '3.11' is not the version"),
        (("target", "links", 0, "path"), "/usr", "target.links[0].path: '/usr' is not a path"),
        (("image", "user"), "root;id", "image.user: 'root;id' is not a user"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_its_path(
    path: Path, value: object, problem: str
) -> None:
    assert f"x.lock: {problem}" in str(refused(changed(path, value)))


def test_all_issues_are_told_at_once_with_what_to_run() -> None:
    content = tables()
    content["deb"][0]["size"] = "big"
    del content["wheel"][1]["file"]
    error = refused(text_of(content))
    assert error.issues == (
        Issue("deb[0].size", "expected an integer, found a string"),
        Issue("wheel[1].file", "required"),
    )
    assert str(error) == (
        "x.lock: deb[0].size: expected an integer, found a string\nx.lock: wheel[1].file: required"
    )
    assert (error.hint, error.exit_code) == (
        "restore x.lock, or remove it, then: ds01 lock RECIPE",
        1,
    )


def test_the_lock_of_a_newer_ds01_is_refused_before_anything_else() -> None:
    error = refused("version = 2\nwhatever = true\n")
    assert str(error) == "x.lock: version: 2 was written by a newer ds01; this one reads 1"
    assert error.hint == "in the clone of ds01: git pull && .ci/venv"


def test_text_that_is_too_long_is_refused_without_reading_it() -> None:
    start = time.process_time()
    assert str(refused("a" * (LIMIT + 1))) == f"x.lock: longer than {LIMIT} characters"
    assert str(refused("\n" + "a" * 4097)) == "x.lock: line 2 is longer than 4096 characters"
    assert time.process_time() - start < 0.5


@given(st.text(max_size=200))
def test_no_text_raises_anything_else(text: str) -> None:
    refused(text)


LOCK_TEXT = dumps(a_lock())


@settings(max_examples=200)
@given(st.integers(0, len(LOCK_TEXT) - 1), st.sampled_from('\0\n"=[]{}.#-x0\\'), st.booleans())
def test_a_damaged_character_is_refused_or_harmless(place: int, new: str, insert: bool) -> None:  # noqa: FBT001
    text = LOCK_TEXT[:place] + new + LOCK_TEXT[place if insert else place + 1 :]
    try:
        assert isinstance(loads(text, source="x.lock"), Lock)
    except LockError as error:
        assert error.issues  # noqa: PT017 (either is right)


def test_refused_text_reaches_no_terminal_as_it_is() -> None:
    for text in ('name = "\\u001b[31m"', 'tier = "\u202e"', '"\\u001b]0;x" = 1', "\x1b[31m = ="):
        shown = str(refused(text))
        assert all(line.isprintable() for line in shown.splitlines()), shown


def test_a_lock_whose_base_has_all_says_that_it_has_no_layers() -> None:
    content = replace(
        an_image_lock(), tiers=(), debs=(), wheels=(), files=(), removed=(), layers=()
    )
    text = dumps(content)
    assert loads(text, source="a.lock") == content
    with pytest.raises(LockError) as caught:
        loads(text.replace("layer = []\n", ""), source="a.lock")
    assert str(caught.value) == "a.lock: layer: required"
