"""Wheels that no index offers: of direct URLs, and built from source in a container of the base."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from engines import place
from hypothesis import assume, given
from hypothesis import strategies as st
from servers import content
from sourced import packed, project, sdist
from values import a_lock
from wheels import File
from world import secret_index, wheel_of

from ds01build import graph, spec
from ds01build.direct import direct_of
from ds01build.engine.logged import without
from ds01build.errors import LockError
from ds01build.lockfile import dumps, loads
from ds01build.pin import Source

if TYPE_CHECKING:
    from pathlib import Path

    from standin_fixtures import StandIns
    from world import World

    from ds01build.engine.api import Engine
    from ds01build.lock import Lock
    from ds01build.pin import WheelPin

pytest_plugins = ("world_fixtures", "engine_fixtures", "standin_fixtures")

HEX = "0123456789abcdef" * 4
COMMIT = HEX[:40]
URL = "https://a.example/x"
SOURCES = [
    Source(kind="url", place=f"{URL}.whl"),
    Source(kind="archive", place=f"{URL}.zip", address=HEX),
    Source(kind="git", place=f"{URL}.git", address=COMMIT),
    Source(kind="sdist", place="x-1.0.tar.gz", address=HEX),
]
WHEEL = "direct-1.0-py3-none-any.whl"


def with_source(source: Source) -> Lock:
    lock = a_lock()
    return replace(lock, wheels=(replace(lock.wheels[0], source=source), *lock.wheels[1:]))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.kind)
def test_a_source_is_in_the_lock_and_in_no_key(source: Source) -> None:
    lock = with_source(source)
    assert loads(dumps(lock), source="x.lock") == lock
    keys = [[spec.key(s) for _, s in graph.of(each).stack] for each in (lock, a_lock())]
    assert keys[0] == keys[1]
    assert lock.wheels[0].is_built is (source.kind != "url")


@pytest.mark.parametrize(
    ("source", "issue"),
    [
        (replace(SOURCES[2], address="main"), "source.commit: 'main' is not a commit of 40 digits"),
        (replace(SOURCES[2], place="ext::sh -c id"), "source.git: "),
        (replace(SOURCES[3], place="../x-1.0.tar.gz"), "source.sdist: "),
        (replace(SOURCES[1], place="https://me:secret@a.example/x"), "source.archive: the URL hol"),
        (replace(SOURCES[1], address=""), "source.sha256: required"),
    ],
)
def test_a_source_that_no_recipe_can_have_is_refused(source: Source, issue: str) -> None:
    with pytest.raises(LockError) as caught:
        loads(dumps(with_source(source)), source="x.lock")
    assert f"x.lock: wheel[0].{issue}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_direct_url_is_taken_apart() -> None:
    git, archive = "x @ git+https://a.example/x.git@v1/a", f"y @ {URL}.zip#sha256={HEX}"
    wheel = f'z[b] @ {URL}.whl#sha256={HEX} ; python_version < "4"'
    found = direct_of([git, archive, wheel, "plain>=1"])
    assert list(found) == [git, archive, wheel]
    assert (found[git].source, found[git].revision) == (replace(SOURCES[2], address=""), "v1/a")
    assert found[archive].source == SOURCES[1]
    assert (found[wheel].source, found[wheel].sha256) == (SOURCES[0], HEX)
    assert found[wheel].line(wheel, "1.0") == 'z[b]==1.0; python_version < "4"'


def locked(world: World) -> dict[str, WheelPin]:
    found = loads(world.lock.read_text(), source=world.lock.name)
    return {pin.name: pin for pin in found.wheels}


def served(world: World, name: str, body: bytes) -> str:
    """Serve a file and return its direct URL, pinned."""
    world.index.route(name, content(body))
    return f"{world.index.server.url}{world.index.prefix}/{name}#sha256={sha256(body)}"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_a_wheel_at_a_direct_url_needs_no_engine(world: World) -> None:
    body = wheel_of("direct", requires=["other", 'absent; extra == "more"'])
    url = served(world, WHEEL, body)
    world.index.offer("direct", "9.0")
    world.index.offer("user", requires=["direct"])
    world.ask_for("user", f"direct @ {url}")
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    pins = locked(world)
    assert set(pins) == {"direct", "other", "user"}
    assert pins["direct"].source == Source(kind="url", place=url.partition("#")[0])
    assert pins["direct"].requires == ("other",)
    assert pins["direct"].digest.hex == sha256(body)
    assert world.ds01("lock", "--check", "demo.toml").code == 0


def test_a_direct_url_may_have_a_development_version(world: World) -> None:
    version = "1.0.dev3+g0123abc"
    file = f"direct-{version.replace('+', '%2B')}-py3-none-any.whl"
    body = wheel_of("direct", version)
    world.index.server.routes[f"{world.index.prefix}/{file}"] = content(body)
    url = f"{world.index.server.url}{world.index.prefix}/{file}#sha256={sha256(body)}"
    world.index.offer("user", requires=["direct>=0.5"])
    world.ask_for("user", f"direct @ {url}")
    outcome = world.build()
    assert outcome.code == 0, outcome.err
    assert locked(world)["direct"].version == version
    assert locked(world)["direct"].file == f"direct-{version}-py3-none-any.whl"


def test_a_locked_direct_url_is_fetched_again_on_another_machine(world: World) -> None:
    url = served(world, WHEEL, wheel_of("direct"))
    world.ask_for(f"direct @ {url}")
    assert world.ds01("lock", "demo.toml").code == 0
    elsewhere = replace(world, variables={"DS01_STORE": str(world.root / "elsewhere")})
    outcome = elsewhere.build("--locked")
    assert outcome.code == 0, outcome.err


def test_extras_and_markers_of_a_direct_url_count(world: World) -> None:
    body = wheel_of("direct", requires=['other; extra == "more"\nProvides-Extra: more'])
    url = served(world, WHEEL, body)
    world.ask_for(f"direct[more] @ {url}")
    assert world.ds01("lock", "demo.toml").code == 0
    assert set(locked(world)) == {"direct", "other"}
    world.ask_for("app", f"direct[more] @ {url} ; python_version < '3'")
    assert world.ds01("lock", "demo.toml").code == 0
    assert set(locked(world)) == {"app", "lib"}


def test_a_direct_url_with_other_bytes_is_refused(world: World) -> None:
    body, other = wheel_of("direct"), wheel_of("direct", "1.1")
    url = served(world, WHEEL, body).partition("#")[0]
    world.ask_for(f"direct @ {url}#sha256={sha256(other)}")
    world.refuses(
        1,
        "lock",
        "demo.toml",
        says=[f"error: direct: expected sha256:{sha256(other)}, got sha256:{sha256(body)}"],
    )


def test_a_direct_url_that_is_gone_is_named(world: World) -> None:
    url = f"{world.index.server.url}/gone/{WHEEL}"
    world.ask_for(f"direct @ {url}#sha256={HEX}")
    world.refuses(4, "lock", "demo.toml", says=[f"error: {url} cannot be reached"])


def test_a_direct_url_is_not_fetched_offline(world: World) -> None:
    url = served(world, WHEEL, wheel_of("direct"))
    world.ask_for(f"direct @ {url}")
    world.refuses(
        4,
        "lock",
        "--offline",
        "demo.toml",
        says=[
            "error: direct is not in the store, and --offline forbids to fetch it",
            "hint:  run it once without --offline",
        ],
    )


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (
            "other-1.0-py3-none-any.whl",
            "direct comes as a wheel of other: 'other-1.0-py3-none-any.whl'",
        ),
        (
            "direct-1.0-cp311-cp311-win_amd64.whl",
            "direct-1.0-cp311-cp311-win_amd64.whl: is for another platform (cp311-cp311-win_amd64)",
        ),
        (
            "direct-2.0-py3-none-any.whl",
            (
                "direct-2.0-py3-none-any.whl: its .dist-info directory is of 'direct' '1.0', and "
                "the lock has direct==2.0"
            ),
        ),
    ],
)
def test_a_direct_url_to_another_wheel_is_refused(world: World, file: str, problem: str) -> None:
    url = served(world, file, wheel_of("direct"))
    world.ask_for(f"direct @ {url}")
    world.refuses(1, "lock", "demo.toml", says=[f"error: {problem}"])


def test_a_package_has_one_direct_url(world: World) -> None:
    one, two = (f"{URL}/{n}/{WHEEL}#sha256={HEX}" for n in "ab")
    world.ask_for(f"direct @ {one}", f"direct @ {two}")
    world.refuses(
        1, "lock", "demo.toml", says=[f"error: direct is asked for from {one} and from {two}"]
    )


@pytest.mark.parametrize("url", [f"git+{URL}.git", f"{URL}.zip#sha256={HEX}"])
def test_nothing_is_built_over_a_root_of_debs(world: World, url: str) -> None:
    world.ask_for(f"direct @ {url}")
    world.refuses(
        1,
        "lock",
        "demo.toml",
        says=[
            "error: direct has to be built from its source, which takes a container of an image",
            "hint:  use an image as the base, or ask for a version with wheels",
        ],
    )


def test_what_a_wheel_needs_from_a_url_of_its_own_is_asked_for_by_name(world: World) -> None:
    needs = "friend @ https://a.example/friend.whl"
    url = served(world, WHEEL, wheel_of("direct", requires=[needs]))
    world.ask_for(f"direct @ {url}")
    world.refuses(
        1,
        "lock",
        "demo.toml",
        says=[
            "error: direct==1.0 needs friend from a URL of its own, which nobody here has pinned",
            "hint:  ask for it in the tier: friend @ URL",
        ],
    )
    friend = served(world, "friend-1.0-py3-none-any.whl", wheel_of("friend"))
    world.ask_for(f"direct @ {url}", f"friend @ {friend}")
    assert world.ds01("lock", "demo.toml").code == 0
    assert set(locked(world)) == {"direct", "friend"}


@pytest.mark.parametrize("pieces", [["a secret b"], ["a se", "cret b"], list("a secret b")])
@pytest.mark.parametrize("secrets", [[b"secret"], [b"secret", b"another, longer one"]])
def test_a_secret_is_in_no_log_however_it_is_printed(
    pieces: list[str], secrets: list[bytes]
) -> None:
    found = b"".join(without([piece.encode() for piece in pieces], secrets))
    assert found == b"a **** b"


@given(st.lists(st.binary(max_size=5)), st.lists(st.binary(min_size=3), max_size=2))
def test_what_is_no_secret_is_all_logged(pieces: list[bytes], secrets: list[bytes]) -> None:
    whole = b"".join(pieces)
    assume(not any(secret in whole for secret in secrets))
    assert b"".join(without(pieces, secrets)) == whole


@dataclass(frozen=True)
class Lab:
    """A world whose recipes stand on an image with git, which an engine builds wheels in."""

    world: World
    host: str
    image: str

    def ask_for(self, *packages: str) -> None:
        self.world.ask_for(*packages)
        text = self.world.recipe.read_text()
        self.world.recipe.write_text(text.replace('debian = "bookworm"', f'image = "{self.image}"'))

    def refusal(self) -> str:
        """Lock what cannot be locked, and return what is said of it."""
        outcome = self.world.ds01("lock", "demo.toml", seconds=300)
        assert outcome.code == 1, outcome.err
        return outcome.complaint[0]

    def lock(self) -> dict[str, WheelPin]:
        outcome = self.world.ds01("lock", "demo.toml", seconds=300)
        assert outcome.code == 0, outcome.err
        return locked(self.world)

    def build(self) -> None:
        outcome = self.world.ds01("build", "--no-load", "--locked", "demo.toml", seconds=300)
        assert outcome.code == 0, outcome.err

    def logs(self) -> list[Path]:
        return sorted((self.world.store / "logs").glob("*"))


def furnished(world: World, stand_ins: StandIns, host: str) -> Lab:
    variables = {"DOCKER_HOST": host, "DS01_ENGINE_NETWORK": "host"}
    return Lab(replace(world, variables=variables), host, stand_ins.reference("tools"))


@pytest.fixture
def lab(world: World, stand_ins: StandIns, engine: Engine) -> Lab:
    """Return a lab with each kind of engine in turn."""
    host = place(engine.kind)
    stand_ins.load("tools", host)
    return furnished(world, stand_ins, host)


@pytest.fixture
def one_lab(world: World, stand_ins: StandIns, graph_engine: Engine) -> Lab:
    host = place(graph_engine.kind)
    stand_ins.load("tools", host)
    return furnished(world, stand_ins, host)


@pytest.mark.network
def test_without_an_engine_a_package_without_wheels_is_a_lack(
    world: World, stand_ins: StandIns
) -> None:
    lab = furnished(world, stand_ins, f"unix://{world.root}/no-engine.sock")
    world.index.add("tiny-1.0.tar.gz", sdist("tiny"))
    lab.ask_for("tiny")
    outcome = lab.world.ds01("lock", "demo.toml")
    assert outcome.code == 4, outcome.err
    assert outcome.complaint[0].startswith(
        "error: tiny has to be built from its source in a container engine, and "
    )
    assert outcome.complaint[1].startswith("hint:  DOCKER_HOST names a socket that is not there: ")
    assert not world.lock.exists() or "tiny" not in world.lock.read_text()


@pytest.mark.network
@pytest.mark.slow
def test_a_source_distribution_is_built_in_the_base(lab: Lab) -> None:
    sentinel = lab.world.root / "sentinel"
    before = f"""
import pathlib
pathlib.Path("/usr/made-by-a-build").touch()
pathlib.Path({str(sentinel)!r}).parent.mkdir(parents=True, exist_ok=True)
pathlib.Path({str(sentinel)!r}).touch()
"""
    body = sdist("tiny", requires=["other"], before=before)
    lab.world.index.add("tiny-1.0.tar.gz", body)
    lab.world.index.offer("user", requires=["tiny<2"])
    lab.ask_for("user")
    pins = lab.lock()
    assert set(pins) == {"other", "tiny", "user"}
    assert pins["tiny"].source == Source(
        kind="sdist", place="tiny-1.0.tar.gz", address=sha256(body)
    )
    assert pins["tiny"].requires == ("other",)
    assert not sentinel.exists()
    assert lab.logs() == []
    lab.build()


@pytest.mark.network
@pytest.mark.slow
def test_a_built_wheel_is_kept_and_not_built_twice(one_lab: Lab) -> None:
    lab = one_lab
    lab.world.index.add("tiny-1.0.tar.gz", sdist("tiny"))
    lab.ask_for("tiny")
    first = lab.lock()["tiny"]
    lab.world.index.add("tiny-2.0.tar.gz", sdist("tiny", "2.0"))
    lab.ask_for("tiny", "other")
    again = replace(lab, world=replace(lab.world, variables={}))  # without an engine
    assert again.lock()["tiny"] == first
    outcome = lab.world.ds01("lock", "--upgrade-package", "tiny", "demo.toml", seconds=300)
    assert outcome.code == 0, outcome.err
    assert locked(lab.world)["tiny"].version == "2.0"


def lose(lab: Lab, pin: WheelPin) -> None:
    """Take a wheel out of the store, as on a machine that did not build it."""
    (lab.world.store / "blobs" / "sha256" / pin.digest.hex).unlink()


@pytest.mark.network
@pytest.mark.slow
def test_a_wheel_that_the_store_lacks_is_built_again(lab: Lab) -> None:
    lab.world.index.add("tiny-1.0.tar.gz", sdist("tiny"))
    lab.ask_for("tiny")
    pin = lab.lock()["tiny"]
    lose(lab, pin)
    offline = lab.world.ds01("build", "--offline", "--no-load", "demo.toml")
    assert offline.code == 4, offline.err
    assert "the store lacks 1 file, and --offline forbids to fetch: " in offline.complaint[0]
    lab.build()
    assert (lab.world.store / "blobs" / "sha256" / pin.digest.hex).exists()


@pytest.mark.network
@pytest.mark.slow
def test_a_version_stays_on_a_machine_that_did_not_build_it(one_lab: Lab) -> None:
    lab = one_lab
    body = sdist("tiny")
    lab.world.index.add("tiny-1.0.tar.gz", body)
    lab.ask_for("tiny")
    pin = lab.lock()["tiny"]
    lose(lab, pin)
    lab.world.index.add("tiny-2.0.tar.gz", sdist("tiny", "2.0"))
    # A hash in a file of requirements is that of what an index has.
    lab.world.write(f"tiny --hash=sha256:{sha256(body)}\n", "more.txt")
    lab.ask_for("tiny", "other")
    text = lab.world.recipe.read_text().replace("[tiers.python]", MORE)
    lab.world.write(text)
    assert lab.lock()["tiny"] == pin


MORE = """\
[tiers.python]
requirements = "more.txt"
"""


@pytest.mark.network
@pytest.mark.slow
def test_a_build_that_comes_out_otherwise_is_refused_with_what_to_do(one_lab: Lab) -> None:
    lab = one_lab
    mark = lab.world.index.server
    before = (
        "import urllib.request\n"
        f"if urllib.request.urlopen({mark.url + '/which'!r}).read() == b'other':\n"
        "    os.replace('other', 'built')"
    )
    mark.routes["/which"] = content(b"built")
    lab.world.index.add("tiny-1.0.tar.gz", sdist("tiny", before=before))
    lab.ask_for("tiny")
    pin = lab.lock()["tiny"]
    assert mark.paths().count("/which") == 1, "what finds a version runs nothing of the package"
    lose(lab, pin)
    mark.routes["/which"] = content(b"other")
    outcome = lab.world.ds01("build", "--no-load", "demo.toml", seconds=300)
    assert outcome.code == 1, outcome.err
    other = sha256(project("tiny")["other"])
    assert outcome.complaint == [
        (
            f"error: tiny==1.0, which was built again from its source: expected {pin.digest}, got "
            f"sha256:{other}: a build is not reproducible"
        ),
        (
            "hint:  ds01 lock --upgrade-package tiny demo.toml, or copy the wheel's blob from the "
            "store that it was locked in"
        ),
    ]
    assert lab.world.images() == lab.world.built
    outcome = lab.world.ds01("lock", "--upgrade-package", "tiny", "demo.toml", seconds=300)
    assert outcome.code == 0, outcome.err
    assert locked(lab.world)["tiny"].digest.hex == other
    lab.build()


@pytest.mark.network
@pytest.mark.slow
def test_a_build_that_fails_shows_its_last_lines_and_locks_nothing(lab: Lab) -> None:
    before = "print('compiling'); print('no \\x1b[31mcompiler', flush=True); os._exit(3)"
    lab.world.index.add("tiny-1.0.tar.gz", sdist("tiny", before=before))
    lab.ask_for("tiny")
    outcome = lab.world.ds01("lock", "demo.toml", seconds=300)
    assert outcome.code == 1, outcome.err
    assert outcome.complaint[0] == (
        "error: building the wheel of tiny: 'uv build' ended with status 2"
    )
    assert {"error: compiling", "error: no compiler"} <= set(outcome.complaint), outcome.err
    (log,) = lab.logs()
    assert outcome.complaint[-1] == f"hint:  less {log}"
    assert "compiling" in log.read_text()
    assert not lab.world.lock.exists() or "tiny" not in lab.world.lock.read_text()


@pytest.mark.network
@pytest.mark.slow
def test_a_build_that_makes_a_wheel_of_another_package_is_refused(one_lab: Lab) -> None:
    before = "open('built', 'wb').write(b'no wheel')"
    one_lab.world.index.add("tiny-1.0.tar.gz", sdist("tiny", before=before))
    one_lab.ask_for("tiny")
    assert one_lab.refusal().startswith("error: tiny-1.0-py3-none-any.whl: ")


@pytest.mark.network
@pytest.mark.slow
def test_an_archive_is_built_in_the_base(one_lab: Lab) -> None:
    # A wheel of a layer of its own is dropped once its layer is there, if an index has it.
    large = File(name=b"tiny.bin", content=os.urandom(5 << 20))
    body = packed("x-main", project("tiny", "1.0", large))
    url = served(one_lab.world, "main.tar.gz", body)
    one_lab.ask_for(f"tiny @ {url}")
    pin = one_lab.lock()["tiny"]
    place, _, digest = url.partition("#sha256=")
    assert pin.source == Source(kind="archive", place=place, address=digest)
    one_lab.build()
    assert (one_lab.world.store / "blobs" / "sha256" / pin.digest.hex).exists()


def git(*words: str, cwd: Path) -> str:
    identity = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        identity |= {f"GIT_{role}_NAME": "t", f"GIT_{role}_EMAIL": "t@example.org"}
    done = subprocess.run(
        ["git", *words],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **identity},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@dataclass(frozen=True)
class Repository:
    """A git repository, and where it is served as plain files."""

    tree: Path
    world: World

    @property
    def url(self) -> str:
        return f"{self.world.index.server.url}{self.world.index.prefix}/tiny.git"

    def commit(self, version: str) -> str:
        """Commit a version of the project, serve it, and return the commit."""
        for name, body in project("tiny", version).items():
            (self.tree / name).write_bytes(body)
        git("add", ".", cwd=self.tree)
        git("commit", "-q", "-m", version, cwd=self.tree)
        self.serve()
        return git("rev-parse", "HEAD", cwd=self.tree)

    def serve(self) -> None:
        git("update-server-info", cwd=self.tree)
        own = self.tree / ".git"
        for path in filter(lambda each: each.is_file(), own.rglob("*")):
            self.world.index.route(f"tiny.git/{path.relative_to(own)}", content(path.read_bytes()))


@pytest.fixture
def repository(world: World, tmp_path: Path) -> Repository:
    tree = tmp_path / "tree"
    tree.mkdir()
    git("init", "-q", "-b", "main", cwd=tree)
    return Repository(tree, world)


@pytest.mark.network
@pytest.mark.slow
def test_a_branch_is_locked_to_a_commit_until_it_is_upgraded(
    lab: Lab, repository: Repository
) -> None:
    first = repository.commit("1.0")
    lab.ask_for(f"tiny @ git+{repository.url}@main")
    pin = lab.lock()["tiny"]
    assert (pin.version, pin.source) == (
        "1.0",
        Source(kind="git", place=repository.url, address=first),
    )
    lab.build()
    second = repository.commit("2.0")
    lab.ask_for(f"tiny @ git+{repository.url}@main", "other")
    assert lab.lock()["tiny"] == pin
    outcome = lab.world.ds01("lock", "--upgrade-package", "tiny", "demo.toml", seconds=300)
    assert outcome.code == 0, outcome.err
    moved = locked(lab.world)["tiny"]
    assert moved.version == "2.0"
    assert moved.source == Source(kind="git", place=repository.url, address=second)


@pytest.mark.network
@pytest.mark.slow
def test_a_revision_is_a_tag_or_a_commit(one_lab: Lab, repository: Repository) -> None:
    first = repository.commit("1.0")
    git("tag", "-a", "v1", "-m", "v1", cwd=repository.tree)
    second = repository.commit("2.0")
    # What is called like a commit is no commit.
    git("tag", first, second, cwd=repository.tree)
    repository.serve()
    for revision in ("v1", first):
        one_lab.ask_for(f"tiny @ git+{repository.url}@{revision}")
        pin = one_lab.lock()["tiny"]
        assert pin.source == Source(kind="git", place=repository.url, address=first)
        assert pin.version == "1.0"
    one_lab.ask_for(f"tiny @ git+{repository.url}@nosuch")
    assert one_lab.refusal() == (
        "error: building the wheel of tiny: the repository has no commit, tag or branch 'nosuch'"
    )


@pytest.mark.network
@pytest.mark.slow
def test_a_base_without_git_is_named(
    world: World, stand_ins: StandIns, graph_engine: Engine
) -> None:
    host = place(graph_engine.kind)
    stand_ins.load("plain", host)
    lab = replace(furnished(world, stand_ins, host), image=stand_ins.reference("plain"))
    lab.ask_for(f"tiny @ git+{URL}.git")
    assert lab.refusal() == (
        "error: building the wheel of tiny: the base has no git, which it takes to get the source"
    )


@pytest.mark.network
@pytest.mark.slow
def test_a_build_that_prints_its_environment_shows_no_password(one_lab: Lab) -> None:
    world = secret_index(one_lab.world, "hunter2")
    url = world.index.url.replace("://", "://user:hunter2@")
    variables = {**world.variables, "DS01_INDEX_URL": url}
    lab = replace(one_lab, world=replace(world, variables=variables))
    before = "print(os.environ['UV_DEFAULT_INDEX'], flush=True); os._exit(1)"
    world.index.add("tiny-1.0.tar.gz", sdist("tiny", before=before))
    lab.ask_for("tiny")
    outcome = lab.world.ds01("lock", "demo.toml", seconds=300)
    assert outcome.code == 1, outcome.err
    assert any("user:****@" in line for line in outcome.complaint), outcome.err
    (log,) = lab.logs()
    assert "hunter2" not in outcome.err + log.read_text()
