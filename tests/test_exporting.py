"""Exports say what the lock says, once, in the same bytes; the tools of each format read them."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import tomli
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from exports import COMMIT, SHA256, facts, facts_of, locks, place_of, sourced
from hypothesis import given, settings
from packageurl import PackageURL
from packaging.pylock import Pylock
from packaging.requirements import Requirement
from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from values import a_lock, an_image_lock, wheel_pin

from ds01build.base.facts import BaseFacts, Deb
from ds01build.errors import Ds01Error
from ds01build.exporting import cyclonedx, devcontainer, pylock, requirements, spdx
from ds01build.exporting.contents import contents_of, held_by
from ds01build.lock import LockedDebian, LockedImage, Removed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ds01build.lock import Lock

CREATED = "1980-01-02T00:00:00Z"
SLOW_READERS = settings(max_examples=15)  # half a second for a document
WHEEL = "https://code.test/tool-1.0-py3-none-any.whl"
VALIDATOR = JsonStrictValidator(SchemaVersion.V1_6)


def as_pylock(lock: Lock, found: BaseFacts | None = None) -> str:
    return pylock.render(lock, held_by(lock, found), {pin: place_of(pin) for pin in lock.wheels})


def as_requirements(lock: Lock, found: BaseFacts | None = None) -> str:
    return requirements.render(lock, held_by(lock, found))


def as_spdx(lock: Lock, found: BaseFacts | None = None) -> str:
    return spdx.render(contents_of(lock, found), CREATED)


def as_cyclonedx(lock: Lock, found: BaseFacts | None = None) -> str:
    return cyclonedx.render(contents_of(lock, found), CREATED)


def as_devcontainer(lock: Lock, _: BaseFacts | None = None) -> str:
    return devcontainer.render(lock, f"ds01-1000/{lock.name}:latest", 1000, 1000)


FORMATS = [as_pylock, as_requirements, as_spdx, as_cyclonedx, as_devcontainer]


def over(lock: Lock, found: BaseFacts) -> BaseFacts | None:
    """Return the facts that a lock is exported with: a root of .debs has none."""
    return found if isinstance(lock.base, LockedImage) else None


def lines_of(text: str) -> list[Requirement]:
    """Return what pip reads of a requirements file, without the hashes."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}\Z", line) for line in lines)
    return [Requirement(line.partition(" --hash=")[0]) for line in lines]


@pytest.mark.parametrize("render", FORMATS)
def test_equal_locks_give_equal_bytes_in_whatever_order_their_pins_are(
    render: Callable[[Lock, BaseFacts | None], str],
) -> None:
    @settings(max_examples=30)
    @given(locks(), facts())
    def check(lock: Lock, found: BaseFacts) -> None:
        turned = replace(lock, wheels=lock.wheels[::-1], debs=lock.debs[::-1])
        one, other = render(lock, over(lock, found)), render(turned, over(lock, found))
        assert _without_digest(one, lock) == _without_digest(other, turned)
        assert render(lock, over(lock, found)) == one

    check()


def _without_digest(text: str, lock: Lock) -> str:
    """Leave out what is derived from the lock's digest, which is that of its tables in order."""
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
    return re.sub(uuid, "UUID", text.replace(str(lock.digest), "LOCK"))


@given(locks(), facts())
def test_every_wheel_is_in_a_pylock_once_with_its_hash(lock: Lock, found: BaseFacts) -> None:
    read = Pylock.from_dict(tomli.loads(as_pylock(lock, over(lock, found))))
    seen = Counter(
        (each.name, str(each.version), wheel.name, wheel.size, wheel.hashes["sha256"])
        for each in read.packages
        for wheel in each.wheels or ()
    )
    locked = {(p.name, p.version, p.file, p.size, p.digest.hex) for p in lock.wheels}
    assert seen == Counter(locked)
    assert str(read.requires_python) == "==3.11.*"
    (marker,) = read.environments or ()
    assert marker.evaluate(
        {
            "implementation_name": "cpython",
            "sys_platform": "linux",
            "platform_machine": "x86_64",
        }
    )
    known = {each.name for each in read.packages}
    needed = {one["name"] for each in read.packages for one in each.dependencies or ()}
    assert needed <= known


@given(locks(), facts())
def test_every_wheel_is_in_requirements_once_and_nothing_else_is(
    lock: Lock, found: BaseFacts
) -> None:
    text = as_requirements(lock, over(lock, found))
    read = Counter(str(each) for each in lines_of(text))
    assert read == Counter(str(pin) for pin in lock.wheels)
    assert all(text.count(f"--hash={pin.digest}") == 1 for pin in lock.wheels)


@SLOW_READERS
@given(locks(), facts())
def test_every_package_is_in_a_cyclonedx_document_once_and_the_document_is_valid(
    lock: Lock, found: BaseFacts
) -> None:
    text = as_cyclonedx(lock, over(lock, found))
    assert VALIDATOR.validate_str(text) is None
    components = json.loads(text)["components"]
    hashes = Counter(one["content"] for each in components for one in each.get("hashes", ()))
    assert hashes == Counter(_hashes(lock))
    every = [*components, *(one for each in components for one in each.get("components", ()))]
    check_purls([each["purl"] for each in every if "purl" in each])
    refs = Counter(each["bom-ref"] for each in every)
    assert max(refs.values(), default=1) == 1


@SLOW_READERS
@given(locks(), facts())
def test_every_package_is_in_an_spdx_document_once_and_the_document_is_valid(
    lock: Lock, found: BaseFacts
) -> None:
    document = json.loads(as_spdx(lock, over(lock, found)))
    check_spdx(document)
    sums = [one for each in document["packages"] for one in each.get("checksums", ())]
    assert Counter(one["checksumValue"] for one in sums) == Counter(_hashes(lock))
    references = [one for each in document["packages"] for one in each.get("externalRefs", ())]
    check_purls([one["referenceLocator"] for one in references])


def _hashes(lock: Lock) -> list[str]:
    base = [lock.base.manifest.hex] if isinstance(lock.base, LockedImage) else []
    wheels, debs = [pin.digest.hex for pin in lock.wheels], [pin.digest.hex for pin in lock.debs]
    return [*base, *wheels, *debs, *(pin.digest.hex for pin in lock.files)]


def check_spdx(document: dict[str, Any]) -> None:
    read = JsonLikeDictParser().parse(document)  # type: ignore[no-untyped-call]
    assert validate_full_spdx_document(read) == []


def check_purls(purls: list[str]) -> None:
    """Each names one package, and is written in the one canonical form."""
    assert [PackageURL.from_string(each).to_string() for each in purls] == purls
    assert len(set(purls)) == len(purls) or _are_shadowed(purls)


def _are_shadowed(purls: list[str]) -> bool:
    """Say whether none is there more often than once from the lock and once from the base."""
    return max(Counter(purls).values()) <= 2


@given(facts())
def test_whatever_a_base_holds_adds_no_requirement(found: BaseFacts) -> None:
    text = as_requirements(an_image_lock(), found)
    assert len(lines_of(text)) == len(an_image_lock().wheels)
    for name in held_by(an_image_lock(), found):
        assert f"# which has {name}\n" in text


def test_a_pylock_names_what_the_base_holds_and_not_what_is_replaced() -> None:
    lock = an_image_lock()
    found = facts_of(("torch", "2.8.0+cu126"), ("numpy", "1.26.4"))
    assert lock.removed[0].name == "numpy"
    base = tomli.loads(as_pylock(lock, found))["tool"]["ds01"]["base"]
    assert base == {
        "image": "docker.io/aimehub/pytorch-2.8.0-cuda12.6.3:latest",
        "manifest": str(_image(lock).manifest),
        "held": ["torch==2.8.0+cu126"],
    }
    assert "base" not in tomli.loads(as_pylock(a_lock()))["tool"]["ds01"]


def _image(lock: Lock) -> LockedImage:
    assert isinstance(lock.base, LockedImage)
    return lock.base


def test_bills_of_materials_list_what_the_base_has_but_not_what_tiers_took_away() -> None:
    kept = Deb(name="libc6", version="2.36-9", architecture="amd64")
    foreign = Deb(name="git", version="1:1.9-1", architecture="i386")
    old = Deb(name="git", version="1:1.9-1", architecture="amd64")
    found = facts_of(("torch", "2.8.0"), ("numpy", "1.26.4"), debs=(kept, old, foreign))
    made = contents_of(an_image_lock(), found)
    assert [each.purl for each in made.inherited] == [
        "pkg:pypi/torch@2.8.0",
        "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=bookworm",
        "pkg:deb/debian/git@1:1.9-1?arch=i386&distro=bookworm",
    ]


def test_what_is_there_twice_is_listed_once_and_no_two_things_have_one_name() -> None:
    one, other = facts_of(("six", "1.0")), facts_of(("six", "1.0"), ("libstdc", "1"))
    twice = replace(one, distributions=(*one.distributions, *other.distributions))
    debs = tuple(
        Deb(name=name, version="1", architecture="amd64") for name in ("lib+a", "lib-a", "libstdc")
    )
    made = contents_of(an_image_lock(), replace(twice, debs=debs))
    assert [each.name for each in made.inherited] == ["six", "libstdc", "lib+a", "lib-a", "libstdc"]
    assert made.base is not None
    # six is also among the lock's wheels, in the same version.
    refs = [each.ref for each in (made.base, *made.own, *made.inherited)]
    assert len(set(refs)) == len(refs)
    assert all(re.fullmatch(r"[A-Za-z0-9.-]+", ref) for ref in refs)
    check_spdx(json.loads(spdx.render(made, CREATED)))
    assert VALIDATOR.validate_str(cyclonedx.render(made, CREATED)) is None


def test_spdx_relates_image_base_tiers_and_needs() -> None:
    document = json.loads(as_spdx(an_image_lock(), facts_of(("torch", "2.8.0"))))
    names = {each["SPDXID"]: each["name"] for each in document["packages"]}
    names[document["SPDXID"]] = "document"
    base = _image(an_image_lock()).reference
    rows = {
        (names[row["spdxElementId"]], row["relationshipType"], names[row["relatedSpdxElement"]])
        for row in document["relationships"]
    }
    assert rows == {
        ("document", "DESCRIBES", "thesis-cv"),
        ("thesis-cv", "DESCENDANT_OF", base),
        (base, "CONTAINS", "torch"),
        *(
            ("thesis-cv", "CONTAINS", name)
            for name in ("ffmpeg", "git", "numpy", "pandas", "six", "/tmp/motd")
        ),
        ("pandas", "DEPENDS_ON", "numpy"),
        ("pandas", "DEPENDS_ON", "six"),
    }
    (image,) = (each for each in document["packages"] if each["name"] == "thesis-cv")
    assert image["comment"] == "What the commands of these tiers bring is not listed: models"


def test_cyclonedx_puts_the_bases_packages_into_the_base_and_says_what_is_unknown() -> None:
    document = json.loads(as_cyclonedx(an_image_lock(), facts_of(("torch", "2.8.0"))))
    base = document["components"][0]
    assert [each["name"] for each in base["components"]] == ["torch"]
    assert document["compositions"] == [{"aggregate": "incomplete", "assemblies": ["image"]}]
    whole = json.loads(as_cyclonedx(a_lock()))
    assert "compositions" not in whole
    needs = {row["ref"]: row["dependsOn"] for row in whole["dependencies"]}
    ref = {each["name"]: each["bom-ref"] for each in whole["components"]}
    assert needs[ref["pandas"]] == [ref["numpy"], ref["six"]]
    assert set(needs["image"]) == set(ref.values())


def test_the_base_is_named_by_the_digest_of_its_manifest() -> None:
    base = _image(an_image_lock())
    assert contents_of(an_image_lock(), None).base == replace(
        contents_of(an_image_lock(), None).base or pytest.fail("no base"),
        purl=f"pkg:oci/pytorch-2.8.0-cuda12.6.3@{base.manifest}?arch=amd64"
        "&repository_url=docker.io/aimehub/pytorch-2.8.0-cuda12.6.3&tag=latest",
    )


def test_serial_numbers_follow_the_lock_and_the_time() -> None:
    other = replace(a_lock(), wheels=a_lock().wheels[1:])

    def numbers(lock: Lock, created: str = CREATED) -> tuple[str, str]:
        made = contents_of(lock, None)
        return (
            json.loads(spdx.render(made, created))["documentNamespace"],
            json.loads(cyclonedx.render(made, created))["serialNumber"],
        )

    seen = [numbers(a_lock()), numbers(other), numbers(a_lock(), "2026-01-01T00:00:00Z")]
    assert len({one for pair in seen for one in pair}) == 6
    assert numbers(a_lock()) == seen[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            "url",
            {
                "archive": {
                    "url": WHEEL,
                    "size": 1000,
                    "hashes": {"sha256": wheel_pin("tool").digest.hex},
                }
            },
        ),
        (
            "archive",
            {
                "archive": {
                    "url": "https://code.test/a.tar.gz",
                    "hashes": {"sha256": SHA256},
                }
            },
        ),
        (
            "git",
            {
                "vcs": {
                    "type": "git",
                    "url": "https://code.test/team/tool",
                    "commit-id": COMMIT,
                }
            },
        ),
    ],
)
def test_a_pylock_has_the_source_of_what_no_index_offers(
    kind: str, expected: dict[str, Any]
) -> None:
    lock = replace(a_lock(), wheels=(sourced("tool", kind),))
    assert pylock.offered(lock) == ()
    document = tomli.loads(pylock.render(lock, (), {}))
    Pylock.from_dict(document)
    (package,) = document["packages"]
    assert {name: package[name] for name in expected} == expected
    assert "wheels" not in package


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (
            "url",
            f"tool @ {WHEEL} --hash={wheel_pin('tool').digest}",
        ),
        ("archive", f"tool @ https://code.test/a.tar.gz --hash=sha256:{SHA256}"),
        ("sdist", f"tool==1.0 --hash=sha256:{SHA256}"),
    ],
)
def test_requirements_have_the_source_of_what_no_index_offers(kind: str, line: str) -> None:
    text = as_requirements(replace(a_lock(), wheels=(sourced("tool", kind),)))
    assert text.splitlines()[-1] == line
    assert len(lines_of(text)) == 1


@pytest.mark.parametrize("kind", ["url", "archive", "git", "sdist"])
def test_bills_of_materials_say_where_a_package_is_from(kind: str) -> None:
    lock = replace(a_lock(), wheels=(sourced("tool", kind),))
    check_spdx(json.loads(as_spdx(lock)))
    assert VALIDATOR.validate_str(as_cyclonedx(lock)) is None
    (tool,) = (each for each in contents_of(lock, None).own if each.name == "tool")
    check_purls([tool.purl])
    (said,) = (each for each in json.loads(as_spdx(lock))["packages"] if each["name"] == "tool")
    place = {
        "url": WHEEL,
        "archive": "https://code.test/a.tar.gz",
        "git": f"git+https://code.test/team/tool@{COMMIT}",
        "sdist": "NOASSERTION",
    }
    assert said["downloadLocation"] == place[kind]
    assert said["comment"] == ("tier work" if kind == "url" else "tier work, built from its source")


def test_what_a_format_cannot_hold_is_refused_with_one_that_can() -> None:
    git = replace(a_lock(), wheels=(sourced("tool", "git"),))
    with pytest.raises(Ds01Error, match=r"tool==1\.0 is from git, which pip cannot check") as told:
        as_requirements(git)
    assert told.value.hint == "ds01 export --format pylock RECIPE"
    sdist = replace(a_lock(), wheels=(sourced("tool", "sdist"),))
    with pytest.raises(Ds01Error, match=r"tool==1.0 was built from tool-1.0.tar.gz") as told:
        as_pylock(sdist)
    assert told.value.hint == "ds01 export --format requirements RECIPE"
    with pytest.raises(Ds01Error, match=r"no package index offers numpy==1\.0") as told:
        pylock.render(a_lock(), (), {})
    assert told.value.hint == "ds01 lock --upgrade-package numpy RECIPE"


@pytest.mark.parametrize("render", [as_pylock, as_requirements])
def test_without_python_there_is_no_python_lock(render: Callable[[Lock], str]) -> None:
    with pytest.raises(Ds01Error, match="thesis-cv has no Python"):
        render(replace(a_lock(), target=None, wheels=()))


def test_nothing_of_the_machine_or_the_settings_is_in_an_export() -> None:
    secret = replace(
        a_lock().image, env=(("TOKEN", "s3cret"),), labels=(("note", '"\n${localEnv:TOKEN}'),)
    )
    lock = replace(a_lock(), image=secret)
    for render in FORMATS:
        text = render(lock, None)
        assert "s3cret" not in text
        assert "localEnv" not in text


def test_a_devcontainer_runs_the_built_image_as_who_exported_it() -> None:
    lock = replace(a_lock(), image=replace(a_lock().image, user="", ports=("53/udp", "8888/tcp")))
    assert json.loads(as_devcontainer(lock)) == {
        "name": "thesis-cv",
        "image": "ds01-1000/thesis-cv:latest",
        "workspaceMount": "type=bind,source=${localWorkspaceFolder},target=/workspace",
        "workspaceFolder": "/workspace",
        "containerUser": "1000:1000",
        "remoteUser": "1000:1000",
        "containerEnv": {"HOME": "/tmp/home"},
        "updateRemoteUserUID": False,
        "forwardPorts": [8888],
        "customizations": {
            "vscode": {"settings": {"python.defaultInterpreterPath": "/usr/bin/python3.11"}}
        },
    }


def test_a_devcontainer_keeps_the_recipes_user_and_gives_root_none() -> None:
    own = json.loads(as_devcontainer(replace(a_lock(), image=replace(a_lock().image, user="app"))))
    assert own["remoteUser"] == "app"
    assert "containerUser" not in own
    plain = replace(a_lock(), image=replace(a_lock().image, user=""))
    as_root = json.loads(devcontainer.render(plain, "x", 0, 0))
    assert not {"remoteUser", "containerUser", "containerEnv"} & as_root.keys()


def test_a_devcontainer_expands_no_variable_that_a_base_names() -> None:
    lock = a_lock()
    assert lock.target is not None
    odd = replace(lock, target=replace(lock.target, interpreter="/opt/${localEnv:TOKEN}/python"))
    assert "TOKEN" not in as_devcontainer(odd)


def test_removed_distributions_need_name_and_version_to_be_gone() -> None:
    lock = replace(an_image_lock(), removed=(Removed(name="numpy", version="1.0", paths=("x",)),))
    assert held_by(lock, facts_of(("numpy", "1.26.4"))) == ("numpy==1.26.4",)


def test_debs_of_a_root_are_debians_of_that_release() -> None:
    (git, _) = (each for each in contents_of(a_lock(), None).own if each.kind == "deb")
    assert isinstance(a_lock().base, LockedDebian)
    assert git.purl == "pkg:deb/debian/git@1.0-1?arch=amd64&distro=bookworm"
