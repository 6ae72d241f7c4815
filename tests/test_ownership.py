"""Whose a container is, whatever made it and whatever others write on theirs."""

from __future__ import annotations

import pytest

from ds01build.container import Identity
from ds01build.container.ownership import belongs, shown_name

ME = Identity(uid=1722830498, gid=1722830498, login="given.surname@example.org")


@pytest.mark.parametrize(
    ("name", "labels", "owner"),
    [
        ("thesis._.1722830498", {}, "me"),
        ("thesis._.1000", {}, "another"),
        ("thesis._.17228304981", {}, "another"),
        ("thesis", {}, "another"),
        ("thesis", {"ds01.uid": "1722830498:1722830498"}, "me"),
        ("thesis", {"ds01.uid": "1000:1722830498"}, "another"),
        ("thesis", {"ds01.uid": "1722830498"}, "me"),  # as other programs of a site write it
        ("thesis._.1722830498", {"ds01.uid": "1000"}, "another"),
        # ds01's own label is before what else anybody says.
        ("thesis._.1722830498", {"ds01.uid": "1000:1000"}, "another"),
        ("thesis._.1000", {"ds01.user": ME.login}, "another"),
        ("thesis._.1722830498", {"ds01.uid": "no number"}, "me"),
        ("x", {"ds01.user": ME.login}, "me"),
        ("x", {"ds01.user": "given.surname"}, "another"),
        ("x", {"aime.mlc.USER": ME.login}, "me"),
        ("x", {"aime.mlc.username": ME.login}, "me"),
        ("x", {"aime.mlc": ME.login}, "me"),
        ("x", {"ds01.user": "other", "aime.mlc.USER": ME.login}, "another"),
        ("x", {"devcontainer.local_folder": "/home/g/workspace/thesis"}, "me"),
        ("x", {"devcontainer.local_folder": "/home/g2/workspace/thesis"}, "another"),
        ("x", {"devcontainer.local_folder": "/home/g/../other/thesis"}, "another"),
        ("x", {"devcontainer.local_folder": "home/g/x"}, "another"),
        ("x._.1722830498", {"ds01.sandbox": "0/x/1/2/3"}, "another"),
    ],
)
def test_the_first_that_says_whose_a_container_is_decides(
    name: str, labels: dict[str, str], owner: str
) -> None:
    assert belongs(name, labels, ME, "/home/g") is (owner == "me")


def test_a_user_sees_names_without_his_uid() -> None:
    assert shown_name("thesis._.1722830498", ME.uid) == "thesis"
    assert shown_name("thesis._.1000", ME.uid) == "thesis._.1000"
    assert shown_name("vsc-thesis", ME.uid) == "vsc-thesis"
