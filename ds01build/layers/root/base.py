"""The packages that a Debian root starts from."""

from __future__ import annotations

__all__ = ["BASE_PACKAGES"]

# Nothing depends on Essential packages by name (Debian policy 3.8), and apt's ?essential takes in
# apt and, through usrmerge, perl. So they are listed, as every release since 12 has them.
_ESSENTIAL = (
    *("base-files", "base-passwd", "bash", "bsdutils", "coreutils", "dash", "debianutils"),
    *("diffutils", "dpkg", "findutils", "grep", "gzip", "hostname", "init-system-helpers"),
    *("libc-bin", "login", "ncurses-base", "ncurses-bin", "perl-base", "sed", "sysvinit-utils"),
    *("tar", "util-linux"),
)

BASE_PACKAGES = (
    *_ESSENTIAL,
    "usr-is-merged",  # what "usrmerge | usr-is-merged" must mean: the other one needs perl
    "python3",
    "python3-pip",  # `pip` and `pip3` in the image
    "python3-venv",
    "python-is-python3",  # `python`
    "ca-certificates",  # TLS for pip, git and curl
    "tzdata",  # zoneinfo and pandas
    "libgomp1",  # wheels of scikit-learn, xgboost and lightgbm expect it
    "libstdc++6",  # every manylinux system has it (PEP 513): pyzmq, kiwisolver and others link it
    "netbase",  # /etc/services and /etc/protocols: getservbyname()
    "procps",  # ps, top, free
    "less",  # what git and man page with
)
