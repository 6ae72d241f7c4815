"""Rendered Dockerfiles: what they hold, byte for byte, and that no value can break out of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dockerfiles import base_config, full_lock, image_lock
from hypothesis import given
from hypothesis import strategies as st
from values import digest, file_pin, wheel_pin

from ds01build import graph
from ds01build.dockerfile import render, render_own, stages, words
from ds01build.errors import Ds01Error
from ds01build.labels import inherited, labels_of
from ds01build.lock import Lock, LockedDebian, LockedImage, LockedTier
from ds01build.pin import Source
from ds01build.recipe.settings import ImageSettings
from ds01build.target import Link

GOLDEN = Path(__file__).parent / "golden"

# What a recipe may hold: one line of printable text, in any script.
TEXTS = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=40) | st.sampled_from(
    ["<<EOF", '"]\\', "$HOME ${A:-b}", "`id`", "a\\", "'", '\\"', " ", "# syntax=x", "%2e", "--"]
)


def dockerfile(lock: Lock, user: str = "", labels: tuple[tuple[str, str], ...] = ()) -> str:
    return render(graph.of(lock), lock, base_config(user, labels)).dockerfile


def instructions(text: str) -> list[str]:
    """Return the instructions of a Dockerfile, continued lines joined, as its parser sees them."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", "").splitlines() if line.strip()]


def unquoted(text: str) -> str:
    """Return the word that a Dockerfile's word processor makes of a text in double quotes."""
    assert re.fullmatch(r'"(?:[^"\\$]|\\["\\$])*"', text)
    return re.sub(r'\\(["\\$])', r"\1", text[1:-1])


def labels(instruction: str) -> dict[str, str]:
    """Return the names of a LABEL, and their values in quotes."""
    word = r'"(?:[^"\\$]|\\["\\$])*"'
    assert re.fullmatch(rf"LABEL(?: +{word}={word})+", instruction)
    return {unquoted(name): value for name, value in re.findall(f"({word})=({word})", instruction)}


def test_a_dockerfile_is_the_same_byte_for_byte() -> None:
    rendered = render(graph.of(full_lock()), full_lock(), base_config())
    files = {name: content.decode() for name, content in rendered.files.items()}
    del files["install.py"]
    made = {"Dockerfile": rendered.dockerfile, **files}
    assert made == {name: (GOLDEN / "thesis-cv" / name).read_text() for name in made}


def test_the_order_of_hashes_does_not_matter() -> None:
    code = (
        "from dockerfiles import base_config, full_lock; from ds01build import graph, dockerfile;"
        "print(dockerfile.render(graph.of(full_lock()), full_lock(), base_config()))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(GOLDEN.parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1


def test_a_base_of_debs_has_no_dockerfile() -> None:
    lock = replace(image_lock(), base=LockedDebian(suite="bookworm", architecture="amd64"))
    with pytest.raises(Ds01Error) as caught:
        dockerfile(lock)
    assert str(caught.value) == (
        "thesis-cv has no base image that a Dockerfile could start from: its base is made from "
        ".debs"
    )
    assert caught.value.hint == 'name an image in [base]: image = "debian:bookworm-slim"'


@given(words=st.lists(TEXTS, max_size=4))
def test_a_command_reaches_the_kernel_as_it_was_written(words: list[str]) -> None:
    lock = image_lock(image=ImageSettings(entrypoint=tuple(words), cmd=tuple(words)))
    entrypoint, cmd = instructions(dockerfile(lock))[-2:]
    assert json.loads(entrypoint.removeprefix("ENTRYPOINT ")) == words
    assert json.loads(cmd.removeprefix("CMD ")) == words
    assert "<<" not in entrypoint


@given(value=TEXTS)
def test_a_value_is_one_word_of_one_instruction(value: str) -> None:
    image = ImageSettings(env=(("A", value),), labels=(("b", value),), workdir=f"/{value}")
    env, workdir, label = instructions(dockerfile(image_lock(image=image)))[-3:]
    assert unquoted(env.removeprefix("ENV A=")) == value
    assert unquoted(workdir.removeprefix("WORKDIR ")) == f"/{value}"
    assert unquoted(labels(label)["b"]) == value


def test_labels_are_those_of_a_native_image_and_none_of_an_earlier_ds01() -> None:
    theirs = {
        "ds01.name": "base",
        "ds01.tier.python": "sha256:1",
        "ds01.tier.jupyter": "sha256:2",
        "ds01.x\n": "3",
        "org.example": "4",
        "org.opencontainers.image.title": "base",
    }
    lock = full_lock()
    own = labels_of(lock, graph.of(lock))
    (label,) = (
        line
        for line in instructions(dockerfile(lock, labels=tuple(theirs.items())))
        if line.startswith("LABEL")
    )
    made = {name: unquoted(value) for name, value in labels(label).items()}
    assert made == {**own, "ds01.tier.python": ""}
    assert own["ds01.name"] == own["org.opencontainers.image.title"] == lock.name
    assert inherited(theirs.items()).keys() == {"org.example", "org.opencontainers.image.title"}


@given(command=TEXTS.filter(str.strip), request=TEXTS)
def test_a_tier_adds_no_instruction_but_its_own(command: str, request: str) -> None:
    def made(text: str, asked: str) -> list[str]:
        run = LockedTier(name="r", kind="run", commands=(text,))
        apt = LockedTier(name="s", kind="apt", requests=(asked,))
        python = LockedTier(name="p", kind="python", requests=(asked,))
        return instructions(dockerfile(image_lock(run, apt, python)))

    plain, hostile = made("true", "a"), made(command, request)
    assert [line.split(" ", 1)[0] for line in plain] == [line.split(" ", 1)[0] for line in hostile]
    runs = [line.removeprefix("RUN ") for line in hostile if "-euc" in line and "apt" not in line]
    assert ["/bin/sh", "-euc", "--", command] in [json.loads(line) for line in runs]


@given(text=st.text(max_size=200))
def test_a_comment_stays_a_comment(text: str) -> None:
    assert all(line.startswith("# ") for line in words.comment(text).splitlines())


@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\u2028", "\u202e"])
def test_control_characters_are_refused(character: str) -> None:
    lock = image_lock(image=ImageSettings(env=(("A", f"a{character}RUN id"),)))
    with pytest.raises(Ds01Error) as caught:
        dockerfile(lock)
    assert str(caught.value) == (
        "thesis-cv cannot be written as a Dockerfile: contains the character "
        f"U+{ord(character):04X}"
    )


def test_no_name_of_a_declared_file_is_a_pattern_or_leaves_the_context() -> None:
    pin = replace(file_pin("/etc/a $B"), source="../x*/[a] ?\\..")
    lock = replace(image_lock(LockedTier(name="config", kind="files")), files=(pin,))
    (declared,) = render(graph.of(lock), lock, base_config()).declared
    assert re.fullmatch(r"files/[0-9a-f]{16}-0644-[A-Za-z0-9._-]+", declared.name)
    (copy,) = [line for line in instructions(dockerfile(lock)) if line.startswith("COPY")]
    assert json.loads(copy.removeprefix("COPY ")) == [declared.name, r"/etc/a \$B"]


def _python(name: str, *after: str) -> LockedTier:
    return LockedTier(name=name, kind="python", after=after)


def _run(name: str, *after: str, command: str = "true") -> LockedTier:
    return LockedTier(name=name, kind="run", after=after, commands=(command,))


def _keys(lock: Lock) -> dict[str, str]:
    return {stage.name: str(stage.key) for stage in stages(graph.of(lock), lock)}


def test_a_changed_python_tier_changes_its_stage_and_the_last_one() -> None:
    tiers = (_python("one"), _python("two"), LockedTier(name="sys", kind="apt"), _run("r", "two"))
    before = image_lock(*tiers)
    changed = tuple(
        replace(pin, digest=digest("other")) if pin.name == "a-one" else pin
        for pin in before.wheels
    )
    old, new = _keys(before), _keys(replace(before, wheels=changed))
    assert [name for name in old if old[name] != new[name]] == ["tier-one", "image"]


def test_a_stage_of_the_trunk_changes_with_all_that_it_stands_on() -> None:
    # The second command needs nothing of the first, but its stage holds what that has done.
    first = image_lock(_run("r1", command="a"), _run("r2"))
    second = image_lock(_run("r1", command="b"), _run("r2"))
    alone = image_lock(_run("r2"))
    keys = {_keys(lock)["tier-r2"] for lock in (first, second, alone)}
    assert len(keys) == 3


def test_the_trunk_inherits_the_configuration_of_the_base_and_wheels_do_not() -> None:
    lock = image_lock(_python("one"), _run("r"))
    assert isinstance(lock.base, LockedImage)
    other = replace(lock, base=replace(lock.base, config=digest("other")))
    old, new = _keys(lock), _keys(other)
    assert [name for name in old if old[name] != new[name]] == ["base", "tier-r", "image"]


def test_a_command_sees_the_tiers_that_it_needs_and_no_other_is_copied_twice() -> None:
    text = dockerfile(image_lock(_python("one"), _python("two"), _run("r", "one")))
    lines = instructions(text)
    run = lines.index('RUN ["/bin/sh", "-euc", "--", "true"]')
    copies = [place for place, line in enumerate(lines) if line.startswith("COPY --from")]
    assert [lines[place].split()[1] for place in copies] == ["--from=tier-one", "--from=tier-two"]
    assert copies[0] < run < copies[1]


def test_what_the_engine_has_is_taken_by_its_name_there() -> None:
    lock = image_lock(_python("one"), _python("two"))
    made = {stage.name: stage for stage in stages(graph.of(lock), lock)}
    names = {made["tier-one"].key: "here/one:a", made["base"].key: "here/base:b"}
    own = render_own(graph.of(lock), lock, base_config(), names).dockerfile
    assert "FROM here/one:a AS tier-one\n" in own
    assert "FROM here/base:b AS base\n" in own
    assert "FROM base AS tier-two\n" in own
    assert own.count("--find-links=/ds01/wheels") == 1
    assert "here/" not in dockerfile(lock)


def test_who_the_base_runs_as_runs_the_image() -> None:
    lines = instructions(dockerfile(image_lock(_python("one"), _run("r")), user="jovyan"))
    assert lines.count("USER 0") == 2
    assert lines[-1] == 'USER "jovyan"'
    other = image_lock(_run("r"), image=ImageSettings(user="1000"))
    assert instructions(dockerfile(other, user="jovyan"))[-1] == 'USER "1000"'
    assert "USER" not in dockerfile(image_lock(_python("one")))


def test_wheels_are_copied_to_where_the_links_of_the_base_lead() -> None:
    lock = image_lock(_python("one"))
    assert lock.target is not None
    linked = replace(lock.target, links=(Link("usr/local", "../opt/python"),))
    text = dockerfile(replace(lock, target=linked))
    assert 'COPY --from=tier-one ["/ds01/root/opt/python/", "/opt/python/"]\n' in text
    schemes = replace(lock.target.schemes, scripts="/home/bin", headers="/usr/include")
    text = dockerfile(replace(lock, target=replace(lock.target, schemes=schemes)))
    copied = re.findall(r'COPY --from=tier-one \["/ds01/root(.*)/", "(.*)/"\]', text)
    assert copied == [(path, path) for path in ("/home/bin", "/usr/include", "/usr/local")]
    nothing = replace(lock.target, schemes=replace(lock.target.schemes, data="/"))
    with pytest.raises(Ds01Error, match="nothing may be copied there"):
        dockerfile(replace(lock, target=nothing))


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("python", "python"),
        ("python:3.12-slim", "python"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("localhost:5000/a/b:1", "localhost:5000/a/b"),
        (f"a/b:1@{digest('other')}", "a/b"),
    ],
)
def test_the_base_is_named_by_its_digest(reference: str, name: str) -> None:
    lock = image_lock()
    assert isinstance(lock.base, LockedImage)
    renamed = replace(lock, base=replace(lock.base, reference=reference))
    assert f"\nFROM {name}@{digest('manifest')} AS base\n" in dockerfile(renamed)


def test_wheels_are_pinned_by_their_hashes() -> None:
    wheel = replace(wheel_pin("torch", version="2.8.0+cu126", tier="one"), index="torch")
    lock = image_lock(_python("one"), wheels=(wheel, wheel_pin("a", tier="one")))
    assert render(graph.of(lock), lock, base_config()).files["requirements/one.txt"].decode() == (
        "# one: 2 wheels, locked by ds01\n"
        f"a==1.0 --hash={digest('a 1.0')}\n"
        "# from the index 'torch'\n"
        f"torch==2.8.0+cu126 --hash={digest('torch 2.8.0+cu126')}\n"
    )


def test_a_wheel_that_no_index_has_is_found_by_its_url_or_refused() -> None:
    url = "https://a.example/x-1.0-py3-none-any.whl"
    wheel = replace(wheel_pin("x", tier="one"), source=Source(kind="url", place=url))
    lock = image_lock(_python("one"), wheels=(wheel,))
    assert render(graph.of(lock), lock, base_config()).files["requirements/one.txt"].decode() == (
        f"# one: 1 wheels, locked by ds01\nx @ {url} --hash={digest('x 1.0')}\n"
    )
    built = replace(wheel, source=Source(kind="sdist", place="x-1.0.zip", address="0" * 64))
    lock = image_lock(_python("one"), wheels=(built,))
    with pytest.raises(Ds01Error) as caught:
        render(graph.of(lock), lock, base_config())
    assert str(caught.value) == (
        "x==1.0 was built from its source: no index has its wheel, and a Dockerfile cannot install "
        "it"
    )
    own = render_own(graph.of(lock), lock, base_config(), {}).files["requirements/one.txt"].decode()
    assert own.endswith(f"\nx==1.0 --hash={digest('x 1.0')}\n")
