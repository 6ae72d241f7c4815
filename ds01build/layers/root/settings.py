"""Files in /etc that postinsts copy or write the same way on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ds01build.layers.root import made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.layers.entry import Entry
    from ds01build.layers.root.tree import Tree

__all__ = ["entries"]

_COPIES = (  # package, from, to
    ("libc-bin", "usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
    ("openssh-server", "usr/share/openssh/sshd_config", "etc/ssh/sshd_config"),
    ("r-base-core", "usr/lib/R/etc/Renviron.ucf", "etc/R/Renviron"),
    ("readline-common", "usr/share/readline/inputrc", "etc/inputrc"),
)
_EMPTY = (  # package, path, mode
    ("java-common", "etc/.java/.systemPrefs/.system.lock", 0o644),
    ("java-common", "etc/.java/.systemPrefs/.systemRootModFile", 0o644),
    ("libpam-modules", "etc/environment", 0o644),
    ("libpam-modules", "etc/security/opasswd", 0o600),
    ("login", "etc/subgid", 0o644),
    ("login", "etc/subuid", 0o644),
    ("login", "var/log/faillog", 0o644),
)
_DIRECTORIES = (  # package, path
    ("r-base-core", "usr/local/lib/R"),
    ("r-base-core", "usr/local/lib/R/site-library"),
)
_GIT_LFS = """\
[filter "lfs"]
\tclean = git-lfs clean -- %f
\tsmudge = git-lfs smudge -- %f
\tprocess = git-lfs filter-process
\trequired = true
"""
_HOSTS = """\
127.0.0.1\tlocalhost
::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters

"""
_NETWORKS = """\
default\t\t0.0.0.0
loopback\t127.0.0.0
link-local\t169.254.0.0

"""
_TEXTS = (  # package, path, content
    ("git-lfs", "etc/gitconfig", _GIT_LFS),
    ("netbase", "etc/hosts", _HOSTS),
    ("netbase", "etc/networks", _NETWORKS),
    ("tzdata", "etc/timezone", "Etc/UTC\n"),
)
_SHELLS = "usr/share/debianutils/shells"
_SHELL_PACKAGES = {"tmux": "/usr/bin/tmux"}  # these call add-shell(8)
_SHELLS_HEAD = "# /etc/shells: valid login shells\n"


def entries(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the files of the packages that are there; none that a package itself ships."""
    for package, entry in _all(tree):
        if tree.has(package) and entry.path not in tree.stats:
            yield package, entry


def _all(tree: Tree) -> Iterator[tuple[str, Entry]]:
    for package, source, to in _COPIES:
        content = tree.kept(source)
        if content is not None:
            yield package, made.file(to, content)
    for package, path, mode in _EMPTY:
        yield package, made.file(path, b"", mode)
    for package, path in _DIRECTORIES:
        yield package, made.directory(path)
    for package, path, text in _TEXTS:
        yield package, made.file(path, text)
    yield "tzdata", made.link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")
    yield from _shells(tree)


def _shells(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """Yield the login shells of the packages, each at both of its paths, as update-shells(8)."""
    head, listed = tree.kept(_SHELLS), tree.kept_below(f"{_SHELLS}.d/")
    if head is None:
        return
    own = [line for line in head.decode(errors="replace").splitlines() if line.startswith("/")]
    added = [
        line for each in listed.values() for line in each.decode(errors="replace").splitlines()
    ]
    state: dict[str, None] = {}
    for shell in [*own, *(line for line in added if line.startswith("/"))]:
        state[shell] = None
        if not shell.startswith("/usr/"):
            state[f"/usr{shell}"] = None
    extra = [shell for package, shell in _SHELL_PACKAGES.items() if tree.has(package)]
    yield "debianutils", made.file("var/lib/shells.state", "".join(f"{s}\n" for s in state))
    content = _SHELLS_HEAD + "".join(f"{shell}\n" for shell in [*state, *extra])
    yield "debianutils", made.file("etc/shells", content)
