"""What ds01 is measured against is built as its authors would, and with nothing of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench import buildkit, image_base, peers
from bench.candidate import STATES, Candidate, State

TIERS: peers.Tiers = {"one": ("six==1.17.0",), "two": ("python-dateutil==2.9.0.post0", "six")}


def test_secrets_say_how_to_reach_packages_and_lie_in_no_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("certificates")
    variables = {
        "PIP_INDEX_URL": "https://user:it's@index.test/simple",
        "PIP_CERT": "/here/only.pem",
        "PIP_FIND_LINKS": "/here/only",
        "HTTPS_PROXY": "http://proxy.test",
        "HOME": "/root",
        "SSL_CERT_FILE": str(tmp_path / "own.pem"),
    }
    buildkit.write_secrets(tmp_path / "secrets", variables)
    settings = (tmp_path / "secrets/settings").read_text()
    assert settings.splitlines() == [
        "export HTTPS_PROXY='http://proxy.test'",
        "export PIP_INDEX_URL='https://user:it'\\''s@index.test/simple'",
        "export PIP_CERT=/run/secrets/ca",
        "export REQUESTS_CA_BUNDLE=/run/secrets/ca",
        "export SSL_CERT_FILE=/run/secrets/ca",
    ]
    assert (tmp_path / "secrets/ca").read_text() == "certificates"
    assert (tmp_path / "secrets/settings").stat().st_mode & 0o077 == 0


def test_dockerfiles_have_a_step_for_each_tier_and_mark_what_they_leave() -> None:
    for text in (peers.pip("b", TIERS), peers.uv("b", TIERS, "c"), peers.expert("b", TIERS, "c")):
        runs = [line for line in text.splitlines() if line.startswith("RUN")]
        assert len(runs) == 2
        assert all(buildkit.MARK in run and "id=settings" in run for run in runs)
    assert "'python-dateutil==2.9.0.post0' 'six'" in peers.uv("b", TIERS, "c")
    stages = [line for line in peers.expert("b", TIERS, "c").splitlines() if "FROM" in line]
    assert stages == ["FROM b AS one", "FROM b AS two", "FROM b"]


@pytest.mark.network
def test_locked_tiers_hold_each_package_once_and_none_of_the_base(tmp_path: Path) -> None:
    files = peers.locked({**TIERS, "three": ("Jinja2",)}, {"MarkupSafe": "3.0.2"}, tmp_path)
    names = {
        tier: [line.partition("=")[0] for line in text.splitlines() if not line.startswith(" ")]
        for tier, text in files.items()
    }
    assert names == {"one": ["six"], "two": ["python-dateutil"], "three": ["jinja2"]}
    assert "six==1.17.0 \\\n    --hash=sha256:" in files["one"]


def test_every_candidate_goes_first_in_turn_and_bounds_are_on_ds01() -> None:
    order = []

    def candidate(name: str, seconds: float) -> Candidate:
        def taken(state: State) -> float:
            order.append((state, name))
            return seconds

        return Candidate(name=name, seconds=taken)

    outcome = image_base.compare([candidate("ds01", 2.0), candidate("uv", 3.0)], 2)
    first = [(state, name) for state in STATES for name in ("ds01", "uv")]
    second = [(state, name) for state in STATES for name in ("uv", "ds01")]
    assert order == [*first, *second]
    assert [(v.name, v.value, v.met) for v in outcome.verdicts] == [
        ("uv / ds01, cold", 1.5, True),
        ("uv / ds01, warm", 1.5, True),
    ]


def test_without_ds01_there_is_nothing_to_judge() -> None:
    outcome = image_base.compare([Candidate(name="uv", seconds=lambda _: 1.0)], 1)
    assert not outcome.verdicts
    assert len(outcome.series) == len(STATES)


def test_a_machine_without_buildx_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LookupError, match="no docker buildx"):
        buildkit.builder("unix:///nowhere", tmp_path / "secrets", [Path("/nowhere/docker-buildx")])
