"""Which tests run: slow ones on demand, those of the network where there is one."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import companies
import pytest
from hypothesis import settings
from images import Gallery

# What an example may take depends on what else a machine does.
settings.register_profile("ds01", deadline=None)
settings.load_profile("ds01")

GALLERY = pytest.StashKey[Gallery]()
DIRECTORY = pytest.StashKey["tempfile.TemporaryDirectory[str]"]()
UNREACHABLE = pytest.StashKey[str]()  # why packages can't be had, empty where they can


# A shell that starts the tests in the background makes them deaf to what some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run tests marked slow, as CI=true does")
    parser.addoption("--exhaustive", action="store_true", help="run all tests; some take minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # of several processes: work is handed out in this order
        items.sort(key=lambda item: companies.rank(item.nodeid))
    left = {"exhaustive": "exhaustive: runs with --exhaustive"}
    if not config.getoption("--slow") and os.environ.get("CI") != "true":
        left["slow"] = "slow: runs with --slow, or where CI=true"
    for item in items if not config.getoption("--exhaustive") else ():
        for mark, reason in left.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    return companies.scheduler(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip before any fixture asks the network for something."""
    skipped = any(item.iter_markers("skip"))
    if item.get_closest_marker("network") and not skipped:
        stash = item.config.stash
        if UNREACHABLE not in stash:
            stash[UNREACHABLE] = _gallery(item.config).probe()
        if stash[UNREACHABLE]:
            pytest.skip(f"packages can't be reached: {stash[UNREACHABLE]}")


def pytest_unconfigure(config: pytest.Config) -> None:
    if DIRECTORY in config.stash:
        config.stash[DIRECTORY].cleanup()


def _gallery(config: pytest.Config) -> Gallery:
    if GALLERY not in config.stash:
        config.stash[DIRECTORY] = tempfile.TemporaryDirectory(prefix="ds01-tests-")
        config.stash[GALLERY] = Gallery(Path(config.stash[DIRECTORY].name))
    return config.stash[GALLERY]


@pytest.fixture(scope="session")
def gallery(pytestconfig: pytest.Config) -> Gallery:
    return _gallery(pytestconfig)
