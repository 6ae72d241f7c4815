from __future__ import annotations

from pathlib import Path

import pytest

from ds01build.configuration import Configuration, configure, store_path
from ds01build.errors import Ds01Error

HOME = Path("/home/someone")
SITE = ("site.toml", '[index]\ndefault = "https://site.example"\nfast = "https://fast.example"\n')
USER = (
    "user.toml",
    """
[index]
fast = "https://mine.example"
[apt]
mirror = "https://deb.example"
keyring = "/k.gpg"
""",
)


def test_an_empty_environment_gives_the_xdg_directories_of_the_home() -> None:
    assert configure({}, HOME) == Configuration(
        store=HOME / ".local/share/ds01/store",
        cache=HOME / ".cache/ds01",
        netrc=HOME / ".netrc",
    )


def test_xdg_variables_move_store_and_cache() -> None:
    found = configure({"XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c"}, HOME)
    assert (found.store, found.cache) == (Path("/d/ds01/store"), Path("/c/ds01"))


@pytest.mark.parametrize("value", ["", "relative", "./x"])
def test_an_xdg_variable_that_is_not_absolute_is_ignored(value: str) -> None:
    found = configure({"XDG_DATA_HOME": value, "XDG_CACHE_HOME": value}, HOME)
    assert (found.store, found.cache) == (HOME / ".local/share/ds01/store", HOME / ".cache/ds01")


def test_ds01_store_wins_over_xdg() -> None:
    assert configure({"DS01_STORE": "/s", "XDG_DATA_HOME": "/d"}, HOME).store == Path("/s")
    assert configure({"DS01_STORE": "", "XDG_DATA_HOME": "/d"}, HOME).store == Path("/d/ds01/store")


def test_read_only_stores_and_their_owners_are_lists_that_the_environment_replaces() -> None:
    text = '[store]\nread-only = ["/srv/a", "/srv/b"]\nowners = ["site", "1000"]\n'
    found = configure({}, HOME, [("site.toml", text)])
    assert found.read_only_stores == (Path("/srv/a"), Path("/srv/b"))
    assert found.store_owners == ("site", "1000")
    environment = {"DS01_STORE_RO": "/c:/d", "DS01_STORE_OWNERS": ""}
    found = configure(environment, HOME, [("site.toml", text)])
    assert (found.read_only_stores, found.store_owners) == ((Path("/c"), Path("/d")), ())


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ('"/a"', "site.toml: store.'read-only' is a list of strings"),
        ("[1]", "site.toml: store.'read-only' is a list of strings"),
        ('["/a:/b"]', "site.toml: store.'read-only': '/a:/b' is empty, or has a colon in it"),
        ('["a"]', "a read-only store has an absolute path, not 'a'"),
    ],
)
def test_a_list_of_stores_that_is_none_is_refused(value: str, problem: str) -> None:
    with pytest.raises(Ds01Error) as caught:
        configure({}, HOME, [("site.toml", f"[store]\nread-only = {value}\n")])
    assert str(caught.value) == problem


def test_the_store_is_found_alone_where_it_is_found_with_the_rest() -> None:
    for environment in ({}, {"DS01_STORE": "/s"}, {"XDG_DATA_HOME": "/d"}):
        assert store_path(environment, HOME) == configure(environment, HOME).store


def test_the_index_of_uv_and_pip_is_taken_unless_ds01_has_its_own() -> None:
    variables = ["DS01_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
    environment = {name: f"https://{number}.example" for number, name in enumerate(variables)}
    for number, name in enumerate(variables):
        assert configure(environment, HOME).indexes == {"default": f"https://{number}.example"}
        del environment[name]
    assert configure(environment, HOME).indexes == {}


def test_later_files_win_and_the_environment_wins_over_files() -> None:
    found = configure({}, HOME, [SITE, USER])
    assert found.indexes == {"default": "https://site.example", "fast": "https://mine.example"}
    assert (found.apt_mirror, found.apt_keyring) == ("https://deb.example", "/k.gpg")
    assert configure({}, HOME, [USER, SITE]).indexes["fast"] == "https://fast.example"
    environment = {
        "DS01_INDEX_URL": "https://env.example",
        "DS01_APT_MIRROR": "https://envdeb.example",
        "DS01_APT_KEYRING": "/e.gpg",
    }
    found = configure(environment, HOME, [SITE, USER])
    assert found.indexes["default"] == "https://env.example"
    assert (found.apt_mirror, found.apt_keyring) == ("https://envdeb.example", "/e.gpg")


def test_registries_are_named_by_host_in_files_or_the_environment() -> None:
    text = '[registry]\nplain = "lab:5000 Other.example"\nmirrors = "mirror.example"\n'
    found = configure({}, HOME, [("c.toml", text)])
    assert found.plain_registries == ("lab:5000", "other.example")
    assert found.registry_mirrors == ("mirror.example",)
    environment = {"DS01_PLAIN_REGISTRIES": "lab:1", "DS01_REGISTRY_MIRRORS": "a.example b.example"}
    found = configure(environment, HOME, [("c.toml", text)])
    assert found.plain_registries == ("lab:1",)
    assert found.registry_mirrors == ("a.example", "b.example")
    with pytest.raises(Ds01Error) as caught:
        configure({"DS01_PLAIN_REGISTRIES": "http://u:hunter2@lab"}, HOME)
    assert str(caught.value) == (
        "DS01_PLAIN_REGISTRIES is not the host of a registry, such as registry.example.org:5000"
    )


def test_tools_see_certificates_and_proxies_and_nothing_else() -> None:
    passed = {"SSL_CERT_FILE": "/c.pem", "https_proxy": "http://p.example", "NO_PROXY": "x"}
    secret = {"AWS_SECRET_ACCESS_KEY": "k", "PATH": "/bin", "HOME": "/h", "UV_INDEX": "u"}
    assert configure({**passed, **secret}, HOME).environment == passed


def test_netrc_can_be_elsewhere() -> None:
    assert configure({"NETRC": "/n"}, HOME).netrc == Path("/n")


def test_what_may_hold_credentials_is_not_shown() -> None:
    text = '[index]\ndefault = "https://user:hunter2@x.example"\n'
    environment = {
        "DS01_APT_MIRROR": "https://u:hunter2@d.example",
        "HTTPS_PROXY": "http://u:hunter2@p.example",
    }
    assert "hunter2" not in repr(configure(environment, HOME, [("c.toml", text)]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[index", "c.toml: not TOML: "),
        (
            "[indexes]\n",
            "c.toml: 'indexes': unknown table; there are [index], [apt], [registry], [engine]",
        ),
        (
            "index = 5\n",
            "c.toml: 'index': unknown table; there are [index], [apt], [registry], [engine]",
        ),
        ("[apt]\nmiror = ''", "c.toml: apt.'miror': unknown key; there are mirror, keyring"),
        (
            "[registry]\ninsecure = ''",
            "c.toml: registry.'insecure': unknown key; ",
        ),
        ("[registry]\nplain = 'a /b'", "c.toml: registry.plain is not the host of a registry"),
        ("[registry]\nplain = ['a']", "c.toml: registry: every value is a string"),
        ("[apt]\nmirror = 5\n", "c.toml: apt: every value is a string"),
        ('"\\u001b[31m" = 1\n', r"c.toml: '\x1b[31m': unknown table"),
    ],
)
def test_a_file_that_is_not_valid_is_an_error_that_names_it(text: str, problem: str) -> None:
    with pytest.raises(Ds01Error) as caught:
        configure({}, HOME, [("c.toml", text)])
    assert str(caught.value).startswith(problem)
    assert caught.value.exit_code == 1


def test_a_url_that_cannot_be_read_is_named_by_its_place_alone() -> None:
    for environment, files, place in (
        ({"PIP_INDEX_URL": "https://u:hunter2@[x"}, [], "PIP_INDEX_URL"),
        ({"DS01_APT_MIRROR": "https://a.example https://u:hunter2@[x"}, [], "DS01_APT_MIRROR"),
        ({}, [("c.toml", '[index]\nfast = "https://u:hunter2@[x"')], "c.toml: index.'fast'"),
        ({}, [("c.toml", '[apt]\nmirror = "https://u:hunter2@[x"')], "c.toml: apt.'mirror'"),
    ):
        with pytest.raises(Ds01Error) as caught:
            configure(environment, HOME, files)
        assert str(caught.value).startswith(f"{place} is ")
        assert "hunter2" not in str(caught.value)
