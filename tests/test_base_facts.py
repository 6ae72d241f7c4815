"""Facts of bases of every kind: which Python, where its packages lie, what else is there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from layered import Item, config, folder, hard, link, program, read

from ds01build.base import places as places_module
from ds01build.base.derive import derive, platform_of
from ds01build.base.facts import Account, Deb
from ds01build.base.stored import from_json, to_json
from ds01build.errors import Ds01Error
from ds01build.layers.root import target as root_target
from ds01build.target import Directory, Link

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ds01build.base.facts import BaseFacts, Distribution

GLIBC = b"\x7fELF GNU C Library (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36.\n\0"
LIBC = Item("usr/lib/x86_64-linux-gnu/libc.so.6", GLIBC)
STATUS = b"""\
Package: python3.11-minimal
Status: install ok installed
Maintainer: Someone <a@example.org>
Architecture: amd64
Version: 3.11.2-6+deb12u6
Depends: libpython3.11-minimal (= 3.11.2-6+deb12u6), libc6 (>= 2.34)
Description: minimal subset
 of the language
Conffiles:
 /etc/x 0123

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
SITE = "usr/local/lib/python3.11/dist-packages"
OLD = "usr/lib/python3/dist-packages"


def metadata(name: str, version: str, *lines: str) -> bytes:
    head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines]
    return "\n".join([*head, "", "Name: in the description", ""]).encode()


def installed(
    site: str, name: str, version: str, *lines: str, files: Iterable[str] = ()
) -> list[Item]:
    """Return a distribution of ``files``, relative to ``site``, with its RECORD."""
    info = f"{name}-{version}.dist-info"
    recorded = [*files, f"{info}/METADATA", f"{info}/RECORD"]
    return [
        Item(f"{site}/{info}/METADATA", metadata(name, version, *lines)),
        Item(f"{site}/{info}/RECORD", "".join(f"{each},,\n" for each in recorded).encode()),
        *(Item(f"{site}/{file}") for file in files if not file.startswith(("/", ".."))),
    ]


def debian(*more: Item) -> list[Item]:
    return [
        folder("usr/lib"),
        folder("usr/bin"),
        link("bin", "usr/bin"),
        link("lib", "usr/lib"),
        Item("etc/os-release", b'PRETTY_NAME="Debian 12"\nID=debian\nVERSION_CODENAME=bookworm\n'),
        LIBC,
        program("usr/bin/python3.11"),
        link("usr/bin/python3", "python3.11"),
        Item("usr/lib/python3.11/os.py"),
        Item("usr/lib/python3.11/EXTERNALLY-MANAGED"),
        Item("usr/lib/python3.11/sysconfig.py", b"    prefix_scheme = 'posix_local'"),
        Item("var/lib/dpkg/status", STATUS),
        folder("usr/local/share/man"),
        link("usr/local/man", "share/man"),
        folder(OLD),
        *more,
    ]


def plain(prefix: str, version: str, *more: Item) -> list[Item]:
    """Return an interpreter as its own ``make install`` leaves it."""
    short = version.rpartition(".")[0]
    return [
        LIBC,
        program(f"{prefix}/bin/python{short}"),
        link(f"{prefix}/bin/python3", f"python{short}"),
        Item(f"{prefix}/lib/python{short}/os.py"),
        Item(f"{prefix}/lib/python{short}/sysconfig.py", b"posix_prefix"),
        folder(f"{prefix}/lib/python{short}/site-packages"),
        *more,
    ]


def header(prefix: str, version: str) -> Item:
    short = version.rpartition(".")[0]
    text = f'#define PY_MAJOR_VERSION 3\n#define PY_VERSION          "{version}"\n'
    return Item(f"{prefix}/include/python{short}/patchlevel.h", text.encode())


def facts(items: Iterable[Item], **environment: str) -> BaseFacts:
    return derive(read(list(items)), config(environment))


def named(found: BaseFacts, name: str) -> Distribution:
    (one,) = [each for each in found.distributions if each.name == name]
    return one


def test_debian_has_the_target_of_ds01s_own_roots_but_for_what_is_as_every_directory() -> None:
    found = facts(debian())
    own = root_target("3.11.2")
    assert all(each == Directory(each.path) for each in own.directories)
    assert found.target == replace(own, directories=())
    assert found.interpreter is not None
    assert found.interpreter.externally_managed
    assert found.interpreter.directories == (f"/{OLD}",)
    assert found.manager == ""
    assert (found.distribution, found.codename, found.title) == ("debian", "bookworm", "Debian 12")
    assert found.glibc == (2, 36)
    assert found.debs == (
        Deb(name="python3.11-minimal", version="3.11.2-6+deb12u6", architecture="amd64"),
    )
    platform = platform_of(found)
    assert (platform.python, platform.glibc, platform.machine) == ("3.11.2", (2, 36), "x86_64")


def test_the_status_keeps_what_a_resolver_reads() -> None:
    assert facts(debian()).apt.status == (
        "Package: python3.11-minimal\nStatus: install ok installed\nArchitecture: amd64\n"
        "Depends: libpython3.11-minimal (= 3.11.2-6+deb12u6), libc6 (>= 2.34)\n"
        "Description: minimal subset\nMaintainer: Someone <a@example.org>\n"
        "Version: 3.11.2-6+deb12u6\n\n"
    )


def test_an_interpreter_of_its_own_prefix_has_plain_schemes() -> None:
    found = facts(
        [*plain("usr/local", "3.12.7", header("usr/local", "3.12.7")), *debian()],
        PATH="/usr/local/bin:/usr/bin",
    )
    assert found.target is not None
    assert found.target.interpreter == "/usr/local/bin/python3"
    assert found.target.version == "3.12.7"
    assert found.target.schemes.purelib == "/usr/local/lib/python3.12/site-packages"
    assert found.target.schemes.scripts == "/usr/local/bin"
    assert found.target.schemes.data == "/usr/local"
    assert found.target.schemes.headers == "/usr/local/include/python3.12"


def test_without_a_path_the_engines_own_is_searched() -> None:
    first = facts([*plain("usr/local", "3.12.7", header("usr/local", "3.12.7")), *debian()])
    assert first.interpreter is not None
    assert first.interpreter.path == "/usr/local/bin/python3"


def conda(owner: int = 1000) -> list[Item]:
    items = plain(
        "opt/conda",
        "3.11.9",
        Item("opt/conda/conda-meta/python-3.11.9-h955ad1f_0.json"),
        Item("opt/conda/conda-meta/python-dateutil-2.9.0-py_0.json"),
        Item("opt/conda/conda-meta/history"),
        folder("opt/conda/share/man"),
        link("opt/conda/man", "share/man"),
        *installed("opt/conda/lib/python3.11/site-packages", "numpy", "2.2.6"),
    )
    return [each._replace(owner=owner) for each in items]


def test_a_conda_prefix_behind_a_link_keeps_the_name_that_path_has() -> None:
    found = facts(
        [
            *conda(),
            folder("opt", 0o755),
            folder("opt/conda", 0o2775, 1000),
            link("env", "/opt/conda"),
        ],
        PATH="/env/bin",
    )
    assert found.manager == "conda"
    assert found.interpreter is not None
    assert found.interpreter.prefix == "/env"
    target = found.target
    assert target is not None
    assert (target.interpreter, target.version) == ("/env/bin/python3", "3.11.9")
    assert target.schemes.purelib == "/env/lib/python3.11/site-packages"
    assert target.links == (Link("env", "/opt/conda"), Link("opt/conda/man", "share/man"))
    assert Directory("opt/conda", 0o2775, 1000, 1000) in target.directories
    assert target.resolve("env/bin/x") == "opt/conda/bin/x"
    numpy = named(found, "numpy")
    assert numpy.is_held
    assert numpy.owns == ("opt/conda/lib/python3.11/site-packages/numpy-2.2.6.dist-info",)


def test_a_conda_prefix_of_another_owner_has_a_bounded_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = "opt/conda/lib/python3.11/site-packages"
    packages = [
        folder(f"{site}/{name}/{part}", owner=1000) for name in "abc" for part in ("x", "y", "z")
    ]
    marked = [Item(f"{site}/{name}/__init__.py") for name in "ab"]
    own = [folder(f"{site}/{name}", owner=1000) for name in ("a", "b", "c", "a-1.dist-info")]
    found = facts([*conda(), *packages, *marked, *own], PATH="/opt/conda/bin")
    assert found.target is not None
    below = {d.path.removeprefix(f"{site}/") for d in found.target.directories if d.path > site}
    below = {path for path in below if not path.startswith("opt")}
    assert below == {"a", "b", "c", "c/x", "c/y", "c/z"}
    monkeypatch.setattr(places_module, "MAX_PLACES", 3)
    fewer = facts([*conda(), *packages, *marked, *own], PATH="/opt/conda/bin")
    assert fewer.target is not None
    assert len(fewer.target.directories) + len(fewer.target.links) == 3


def test_a_virtual_environment_has_its_own_prefix_and_its_homes_version() -> None:
    base = [*plain("usr/local", "3.12.7", header("usr/local", "3.12.7"))]
    venv = [
        link("venv/bin/python3", "/usr/local/bin/python3"),
        Item("venv/pyvenv.cfg", b"home = /usr/local/bin\ninclude-system-site-packages = true\n"),
        folder("venv/lib/python3.12/site-packages"),
    ]
    found = facts([*base, *venv], PATH="/venv/bin:/usr/local/bin")
    assert found.interpreter is not None
    assert found.interpreter.prefix == "/venv"
    assert found.interpreter.version == "3.12.7"
    assert found.interpreter.directories == (
        "/venv/lib/python3.12/site-packages",
        "/usr/local/lib/python3.12/site-packages",
    )
    assert found.target is not None
    assert found.target.schemes.headers == "/venv/include/site/python3.12"
    assert found.target.schemes.scripts == "/venv/bin"
    alone = [replace_content(each, b"home = /usr/local/bin\n") for each in venv]
    found = facts([*base, *alone], PATH="/venv/bin")
    assert found.interpreter is not None
    assert found.interpreter.directories == ("/venv/lib/python3.12/site-packages",)


def replace_content(item: Item, content: bytes) -> Item:
    return item._replace(content=content) if item.path.endswith("pyvenv.cfg") else item


def test_a_venv_of_debians_python_is_not_laid_out_as_debian() -> None:
    venv = [
        link("venv/bin/python3", "/usr/bin/python3"),
        Item("venv/pyvenv.cfg", b"home = /usr/bin\n"),
        folder("venv/lib/python3.11/site-packages"),
    ]
    found = facts([*debian(), *venv], PATH="/venv/bin:/usr/bin")
    assert found.target is not None
    assert found.target.schemes.purelib == "/venv/lib/python3.11/site-packages"
    assert found.interpreter is not None
    assert not found.interpreter.externally_managed


@pytest.mark.parametrize(
    ("more", "version"),
    [
        ([header("opt/py", "3.12.1")], "3.12.1"),
        ([header("opt/py", "3.12.0rc2")], "3.12.0rc2"),
        ([Item("opt/py/conda-meta/python-3.12.4-h1_0_cpython.json")], "3.12.4"),
        ([program("opt/py/bin/python3.12", b"\x7fELF\x00\x003.12.5\x00")], "3.12.5"),
        ([program("opt/py/bin/python3.12", b"\x003.12.5+\x00")], "3.12.5"),
        ([Item("opt/py/lib/libpython3.12.so.1.0", b"\x003.12.6\x00\x003.9.1\x00")], "3.12.6"),
        ([Item("opt/py/lib/libpython3.12.so.1.0", b"\x003.12.6\x00\x003.12.7\x00")], ""),
        ([header("opt/py", "3.11.1")._replace(path="opt/py/include/python3.12/patchlevel.h")], ""),
        ([], ""),
    ],
)
def test_the_version_is_found_to_the_patch_level(more: list[Item], version: str) -> None:
    found = facts([*plain("opt/py", "3.12.99"), *more], PATH="/opt/py/bin")
    assert found.interpreter is not None
    assert found.interpreter.version == version


def test_a_debs_version_counts_for_slash_usr_alone() -> None:
    found = facts([*debian(), *plain("opt/py", "3.11.99")], PATH="/opt/py/bin")
    assert found.interpreter is not None
    assert found.interpreter.version == ""


def test_another_debian_python_is_found_as_deadsnakes_has_it() -> None:
    status = STATUS.replace(b"3.11.2-6+deb12u6", b"3.12.11-1+jammy1").replace(b"3.11", b"3.12")
    moved = [each._replace(path=each.path.replace("3.11", "3.12")) for each in debian()]
    items = [each for each in moved if each.path not in {"var/lib/dpkg/status", "usr/bin/python3"}]
    items += [
        link("usr/local/bin/python", "/usr/bin/python3.12"),
        Item("var/lib/dpkg/status", status),
    ]
    found = facts(items)
    assert found.target is not None
    assert (found.target.interpreter, found.target.version) == ("/usr/local/bin/python", "3.12.11")
    assert found.target.schemes.purelib == "/usr/local/lib/python3.12/dist-packages"


def test_distributions_are_held_where_tiers_install_and_preferences_elsewhere() -> None:
    found = facts(
        debian(
            *installed(SITE, "torch", "2.8.0+cu126", "Requires-Dist: numpy", "Provides-Extra: opt"),
            *installed(OLD, "numpy", "1.24.2"),
            *installed("extra", "mine", "1"),
            Item(f"{OLD}/PyYAML-6.0.egg-info", metadata("PyYAML", "6.0")),
            Item(f"{OLD}/old-1.egg-info/PKG-INFO", metadata("old_name", "2004d-junk!")),
            Item(f"{OLD}/broken-1.dist-info/other"),
            Item(
                "var/lib/dpkg/info/python3-yaml:amd64.list",
                f"/.\n/usr\n/{OLD}/PyYAML-6.0.egg-info\n".encode(),
            ),
        ),
        PYTHONPATH="/extra:relative:/absent",
    )
    held = {each.name: each.is_held for each in found.distributions}
    assert held == {"torch": True, "mine": True, "numpy": False, "pyyaml": False, "old-name": False}
    torch = named(found, "torch")
    assert (torch.version, torch.requires, torch.extras) == ("2.8.0+cu126", ("numpy",), ("opt",))
    assert named(found, "pyyaml").owner == "python3-yaml"
    assert named(found, "old-name").version == "2004d-junk!"
    assert found.interpreter is not None
    assert found.interpreter.directories == ("/extra", f"/{SITE}", f"/{OLD}")


def test_a_distribution_owns_directories_of_its_own_and_single_files_of_shared_ones() -> None:
    files = ["ns/a/x.py", "ns/a/y/z.py", "a.py", "both.txt", "../../../bin/a"]
    found = facts(
        debian(
            *installed(SITE, "a", "1", files=files),
            *installed(SITE, "b", "1", files=["ns/b.py", "both.txt", "b/in.py"]),
            Item("usr/local/bin/a"),
            Item(f"{SITE}/ns/a/__pycache__/x.cpython-311.pyc"),
            Item(f"{SITE}/__pycache__/a.cpython-311.pyc"),
            Item(f"{SITE}/__pycache__/other.cpython-311.pyc"),
            Item(f"{SITE}/b/foreign.txt"),
        )
    )
    assert named(found, "a").owns == (
        "usr/local/bin/a",
        f"{SITE}/__pycache__/a.cpython-311.pyc",
        f"{SITE}/a-1.dist-info",
        f"{SITE}/a.py",
        f"{SITE}/ns/a",
    )
    assert named(found, "b").owns == (
        f"{SITE}/b-1.dist-info",
        f"{SITE}/b/in.py",
        f"{SITE}/ns/b.py",
    )


@pytest.mark.parametrize(
    "outside", ["/etc/passwd", "../../../../../etc/passwd", "../../../../../../../etc/passwd", '"']
)
def test_a_record_that_names_files_outside_owns_nothing(outside: str) -> None:
    items = installed(SITE, "a", "1", files=["a.py", outside])
    found = facts(debian(*items[:3], Item("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")))
    assert named(found, "a").owns == ()
    assert found.users == (Account(name="root", number=0),)


def test_no_python_another_python_and_no_glibc_are_named() -> None:
    none = facts([LIBC])
    assert none.interpreter is None
    assert none.target is None
    with pytest.raises(Ds01Error) as caught:
        platform_of(none)
    assert (
        str(caught.value) == "the base has no Python: neither python3 nor python is along its PATH"
    )
    assert caught.value.hint == (
        'take a base with Python, or in [base]: debian = "bookworm", packages = ["python3"]'
    )
    pypy = [LIBC, program("usr/bin/pypy3"), link("usr/bin/python3", "pypy3")]
    with pytest.raises(Ds01Error, match="the base's /usr/bin/python3 is not a CPython 3 that ds01"):
        platform_of(facts([*pypy, Item("usr/lib/pypy3.10/os.py")]))
    musl = [each for each in debian() if each != LIBC]
    with pytest.raises(Ds01Error, match="the base has no glibc"):
        platform_of(facts([*musl, Item("lib/ld-musl-x86_64.so.1")]))
    other = derive(read(debian()), config({}, architecture="s390x"))
    with pytest.raises(Ds01Error, match="the base is for 's390x'; ds01 builds for amd64, arm64"):
        platform_of(other)


def test_a_python_that_is_no_program_is_passed_over() -> None:
    found = facts([folder("usr/local/bin/python3"), Item("usr/sbin/python3"), *debian()])
    assert found.interpreter is not None
    assert found.interpreter.path == "/usr/bin/python3"
    loop = [link("usr/local/bin/python3", "python3"), link("usr/local/sbin/python3", "nowhere")]
    again = facts([*loop, *debian()])
    assert again.interpreter == found.interpreter


def test_cuda_is_that_of_the_variable_the_toolkit_or_the_wheel() -> None:
    toolkit = [
        link("usr/local/cuda", "cuda-12.4"),
        Item("usr/local/cuda-12.4/version.json", b'{"cuda": {"version": "12.4.1"}}'),
    ]
    wheel = installed(SITE, "nvidia-cuda-runtime-cu12", "12.8.90")
    require = "cuda>=12.6 brand=tesla,driver>=470"
    both = facts(debian(*toolkit, *wheel), CUDA_VERSION="12.6.3", NVIDIA_REQUIRE_CUDA=require)
    assert (both.cuda, both.driver) == ("12.6.3", require)
    assert facts(debian(*toolkit, *wheel)).cuda == "12.4.1"
    assert facts(debian(*wheel)).cuda == "12.8.90"
    assert facts(debian()).cuda == ""


def test_apt_has_the_sources_keyrings_and_preferences_of_the_base() -> None:
    found = facts(
        debian(
            Item("etc/apt/sources.list", b"# nothing\n"),
            Item("etc/apt/sources.list.d/a.sources", b"Types: deb\n"),
            Item("etc/apt/sources.list.d/a.save", b"deb x\n"),
            Item("etc/apt/preferences.d/pin", b"Package: *\n"),
            Item("usr/share/keyrings/a.gpg", b"\x99\x01"),
            link("etc/apt/trusted.gpg.d/b.gpg", "/usr/share/keyrings/a.gpg"),
        )
    )
    assert found.apt.sources == (
        ("/etc/apt/sources.list", "# nothing\n"),
        ("/etc/apt/sources.list.d/a.sources", "Types: deb\n"),
    )
    assert found.apt.preferences == (("/etc/apt/preferences.d/pin", "Package: *\n"),)
    assert found.apt.keyrings == (
        ("/etc/apt/trusted.gpg.d/b.gpg", "mQE="),
        ("/usr/share/keyrings/a.gpg", "mQE="),
    )


def test_a_base_without_a_package_manager_has_its_debs_in_single_files() -> None:
    stanza = b"Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n"
    found = facts(
        [
            Item("var/lib/dpkg/status.d/libc6", stanza),
            Item("var/lib/dpkg/status.d/libc6.md5sums", b"0  x\n"),
        ]
    )
    assert found.debs == (Deb(name="libc6", version="2.36-9", architecture="amd64"),)


def test_the_way_of_any_file_is_known() -> None:
    moved = [link("var/run", "/run"), folder("run", 0o711)]
    found = facts(debian(folder("tmp", 0o1777), folder("srv", 0o700, 7), *moved))
    assert {Directory("run", 0o711), Directory("tmp", 0o1777)} <= set(found.directories)
    assert Link("var/run", "/run") in found.links


def test_facts_survive_json_and_nothing_else_does() -> None:
    found = facts(debian(*installed(SITE, "a", "1", "Requires-Dist: b")), CUDA_VERSION="12.1")
    stored = json.loads(json.dumps(to_json(found)))
    assert from_json(stored) == found
    absent: list[object] = [None, [], {}]
    for damaged in (*absent, {**stored, "schema": 0}, {"schema": stored["schema"]}):
        assert from_json(damaged) is None
    for key in stored["facts"]:
        for value in (["x"], {"x": 1}, 7.5):
            assert from_json({**stored, "facts": {**stored["facts"], key: value}}) is None
        assert (
            from_json({**stored, "facts": {k: v for k, v in stored["facts"].items() if k != key}})
            is None
        )


def test_hard_linked_files_of_conda_are_read() -> None:
    site = "opt/conda/lib/python3.11/site-packages/a-1.dist-info/METADATA"
    cached = "opt/conda/pkgs/a-1/site-packages/a-1.dist-info/METADATA"
    items = [Item(site, metadata("a", "1")), hard(cached, site)]
    assert named(facts([*conda(), *items], PATH="/opt/conda/bin"), "a").is_held
    items = [Item(cached, metadata("a", "1")), hard(site, cached)]
    assert named(facts([*conda(), *items], PATH="/opt/conda/bin"), "a").is_held
