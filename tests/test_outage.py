"""Errors of containers that reach nobody, and what is said of them."""

from __future__ import annotations

import pytest

from ds01build.engine.outage import about, advice, advised
from ds01build.errors import Ds01Error, RejectedFile, Unavailable

HOST = "if this machine gets there itself: export DS01_ENGINE_NETWORK=host"
OWN = "a tier gets a network with: network = true"
# As these tools say it: apt, curl, git, pip, uv, wget, and an engine.
NO_WAY = (
    "E: Failed to fetch (URL)  Temporary failure resolving 'mirror.example.org'",
    "curl: (6) Could not resolve host: example.org",
    "fatal: unable to access 'https://example.org/': Could not resolve host: example.org",
    "NewConnectionError: [Errno -3] Temporary failure in name resolution",
    "NewConnectionError: [Errno 101] Network is unreachable",
    "dns error: failed to lookup address information: Name or service not known",
    "wget: unable to resolve host address 'example.org': No route to host",
)
NEAR = (
    "curl: (7) Failed to connect to 10.0.0.1 port 3128: Connection refused",
    "E: Could not connect to mirror:80 (10.0.0.1), connection timed out",
    "failed to create endpoint ds01-1 on network bridge: could not find bridge docker0",
)


@pytest.mark.parametrize("printed", NO_WAY)
def test_who_finds_no_way_out_is_told_of_another_network(printed: str) -> None:
    assert (advice("none", printed), advice("bridge", printed)) == (OWN, HOST)


@pytest.mark.parametrize("printed", NEAR)
def test_what_only_the_machine_reaches_is_told_where_there_is_a_bridge(printed: str) -> None:
    assert (advice("none", printed), advice("bridge", printed)) == ("", HOST)


@pytest.mark.parametrize("network", ["none", "bridge", "host", ""])
def test_what_no_network_would_help_is_left_alone(network: str) -> None:
    assert advice(network, "error: command 'gcc' failed: No such file or directory") == ""
    assert advice(network, "failed to resolve reference: tls: not a TLS handshake") == ""
    assert all(advice("host", printed) == advice("", printed) == "" for printed in NO_WAY)


def test_advice_comes_after_the_hint_that_there_is() -> None:
    with pytest.raises(Unavailable) as caught, advised("bridge"):
        raise Unavailable(NO_WAY[0], hint="check the network")
    assert (caught.value.message, caught.value.hint) == (NO_WAY[0], f"check the network; {HOST}")
    with pytest.raises(Unavailable) as caught, advised("host"):
        raise Unavailable(NO_WAY[0])
    assert caught.value.hint == ""


def test_an_error_is_about_something_and_keeps_its_class() -> None:
    for kind in (Ds01Error, Unavailable):
        with pytest.raises(kind) as caught, about("work"):
            raise kind("it broke", hint="less log")
        assert type(caught.value) is kind
        assert (caught.value.message, caught.value.hint) == ("work: it broke", "less log")
    with pytest.raises(RejectedFile, match=r"^x: is odd$"), about("work"):
        raise RejectedFile(name="x", problem="is odd")
