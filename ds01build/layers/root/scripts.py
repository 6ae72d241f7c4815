"""What maintainer scripts would do that is not done here, as words for plans and docs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from ds01build.layers.root import refused, shell
from ds01build.layers.root.alternatives import unread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ds01build.layers.deb import DebFacts

__all__ = ["ScriptNote", "unreproduced"]

Verdict = Literal["known", "unknown", "refused"]

_BYTECODE = "no bytecode is compiled"
_SERVICES = "no service is enabled or started"
_FILES = "its own files and directories are not set up"
_TEX = "TeX's file database, formats and font maps are not built (fmtutil-sys --all)"
_CATALOGUES = "XML and SGML catalogues are not registered"
_ICONS = "no icon cache is built"
_FONTS = "no font index is built"

# Commands by the trace that they would have left. The last part of their path counts.
_TRACES: dict[str, str] = {
    **dict.fromkeys(("py3compile", "pypy3compile", "pycompile", "py_compile.py"), _BYTECODE),
    **dict.fromkeys(("update-rc.d", "invoke-rc.d", "systemctl", "service"), _SERVICES),
    **dict.fromkeys(("deb-systemd-helper", "deb-systemd-invoke"), _SERVICES),
    **dict.fromkeys(("chgrp", "chmod", "chown", "cp", "dpkg-statoverride", "install"), _FILES),
    **dict.fromkeys(("ln", "mkdir", "mv", "systemd-tmpfiles", "touch", "ucf"), _FILES),
    **dict.fromkeys(("fmtutil", "mktexlsr", "mtxrun", "tl-paper", "update-fmtutil"), _TEX),
    **dict.fromkeys(("update-language", "update-texmf", "update-texmf-config"), _TEX),
    **dict.fromkeys(("update-updmap", "updmap-sys"), _TEX),
    **dict.fromkeys(("update-catalog", "update-xmlcatalog"), _CATALOGUES),
    **dict.fromkeys(("gtk-update-icon-cache", "update-icon-caches"), _ICONS),
    **dict.fromkeys(("update-fonts-alias", "update-fonts-dir", "update-fonts-scale"), _FONTS),
    "apparmor_parser": "no AppArmor profile is loaded",
    "emacs-install": "Emacs Lisp is not compiled",
    "emacs-package-install": "Emacs Lisp is not compiled",
    "fc-cache": _FONTS,
    "gdk-pixbuf-query-loaders": "image loaders are not registered (gdk-pixbuf-query-loaders)",
    "gio-querymodules": "GIO modules are not registered",
    "glib-compile-schemas": "settings schemas are not compiled (glib-compile-schemas)",
    "gtk-query-immodules-3.0": "input methods are not registered",
    "libgvc6-config-update": "Graphviz finds no plug-ins (dot -c)",
    "locale-gen": "no locale is generated (locale-gen); C.UTF-8 is there",
    "setcap": "no file capability is set",
    "ssh-keygen": "no host key is generated (ssh-keygen -A)",
    "update-binfmts": "no binary format is registered",
    "update-gsfontmap": "Ghostscript's font map is not built (update-gsfontmap)",
    "update-info-dir": "the index of Info pages is not built",
    "update-mime": "no mailcap is written",
    "update-mime-database": "the MIME database is not built (update-mime-database)",
}
_COMPUTED = "some alternatives are computed by the script"

# What leaves no trace on a first installation, or a trace that this package makes.
_SILENT = frozenset(
    """
    $ * . : [ [[ ]] } abort-deconfigure abort-remove abort-upgrade addgroup add-shell adduser alias
    apt-key arch awk basename break case cat cd chroot cmp command configure continue cut date
    dbus-send dbus-uuidgen deb-systemd-user declare diff dirname done dpkg dpkg-divert
    dpkg-maintscript-helper dpkg-query dpkg-trigger echo egrep elif else error esac eval exec exit
    export expr false fgrep fi find for function getcap getent grep head hostname
    id in ischroot java journalctl keytool kill ldconfig let local ls md5sum mktemp mountpoint nscd
    pam-auth-update pidof print printf ps pwd read readlink readonly realpath reload restorecon
    return rm rmdir runuser sed seq set setpriv setup_colors sha1sum sha256sum shadowconfig shift
    sleep sort stat start-stop-daemon sync systemd-machine-id-setup systemd-sysusers systemd tail
    tee telinit test tr trap triggered true type ucfr umask uname uniq unset
    update-alternatives update-ca-certificates update-grub update-initramfs update-menus
    update-passwd update-shells wait warning wc which xargs
    """.split()  # noqa: SIM905 (a table of words)
)
_SILENT_PATTERN = re.compile(r"db_[a-z]+|[\w\[\]$]+\+?=.*|\d+|.*\.(rtupdate|rtinstall)|-.*")

# The rules of this package make all else that these do; compared with roots that dpkg configured.
_REPRODUCED = frozenset(
    """
    base-files base-passwd bash ca-certificates ca-certificates-java coreutils cron dash
    debconf debian-archive-keyring debianutils dpkg git git-lfs init-system-helpers
    java-common less libc-bin libc6 libgcrypt20 libgssapi-krb5-2 libpam-modules libpam-runtime
    libpam-systemd libpam0g libpython3-stdlib login mawk mysql-common mariadb-common netbase
    openssh-client openssl passwd perl perl-base procps python3 python3-minimal r-base-core
    readline-common sudo tar tmux tzdata usr-is-merged util-linux util-linux-extra
    """.split()  # noqa: SIM905 (a table of words)
)
_SHELL = re.compile(r"#!\s*(/usr)?/bin/(ba|da)?sh\b")
_PYTHON = re.compile(r"(lib)?python3\.\d+(-(minimal|stdlib|venv))?")
_COMMON = frozenset({_BYTECODE, _SERVICES})


class ScriptNote(NamedTuple):
    """What one package's scripts would do that is not done.

    ``known`` is what ds01 can put in words, ``unknown`` has commands that it knows nothing of,
    ``refused`` must not be in a root at all.
    """

    package: str
    missing: tuple[str, ...]
    verdict: Verdict


def unreproduced(facts: Iterable[DebFacts]) -> tuple[ScriptNote, ...]:
    """Return a note for each package whose scripts are not wholly reproduced, by name."""
    notes = (_note(deb) for deb in sorted(facts, key=lambda deb: deb.name))
    return tuple(note for note in notes if note.missing)


def _note(deb: DebFacts) -> ScriptNote:
    why = refused.reason(deb.name)
    if why:
        return ScriptNote(deb.name, (why,), "refused")
    script = deb.scripts.get("postinst", "")
    if "postinst" in deb.scripts and not _SHELL.match(script):
        return ScriptNote(deb.name, ("its postinst is no shell script",), "unknown")
    missing = set(_missing(script))
    if deb.name in _REPRODUCED or _PYTHON.fullmatch(deb.name):
        missing &= _COMMON
    verdict: Verdict = "unknown" if any(text.startswith("runs ") for text in missing) else "known"
    return ScriptNote(deb.name, tuple(sorted(missing)), verdict)


def _missing(script: str) -> Iterator[str]:
    own = shell.functions(script)
    if unread(script):
        yield _COMPUTED
    for words in shell.commands(script):
        command = words[0].rpartition("/")[2]
        trace = _TRACES.get(command, "")
        if trace:
            yield trace
        elif any(word.endswith("/py_compile.py") for word in words):
            yield _BYTECODE
        elif not (command in own or command in _SILENT or _SILENT_PATTERN.fullmatch(command)):
            yield f"runs {command!r:.60}"
