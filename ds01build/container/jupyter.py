"""Jupyter in a container: what its user's home says of it, and where it listens.

Every container has these files, also one whose image lacks Jupyter: who installs it by hand is not
without a token, and nothing has to be looked for before a container is made.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from ds01build.container.identity import HomeFile
from ds01build.container.payload import JUPYTER, WORKSPACE

if TYPE_CHECKING:
    from ds01build.container.specification import Wish

__all__ = ["DATA", "DIRECTORY", "KERNELS", "LOG", "TOKEN", "files", "kernel_name", "listens"]

# Below the user's home.
DIRECTORY = ".jupyter"
TOKEN = f"{DIRECTORY}/token"
LOG = f"{DIRECTORY}/lab.log"
DATA = ".local/share/jupyter"
KERNELS = f"{DATA}/kernels"

_LONGEST = 64  # characters of a kernel's name, which is a directory's, too
_HEAD = """\
# Made with this container, and gone with it. Your own settings go below these, or into
# jupyter_server_config.json beside this file, which has the last word.

import secrets
from pathlib import Path

from jupyter_server import version_info

# A server without a token is everybody's on this machine: an empty file means another one.
token = Path(__file__).with_name("token").read_text().strip() or secrets.token_hex(32)
(c.IdentityProvider if version_info[0] > 1 else c.ServerApp).token = token
"""


def kernel_name(project: str) -> str:
    """Return a project's name as Jupyter takes it for a kernel: ``[a-z0-9-]``, never empty."""
    plain = re.sub(r"[^a-z0-9]+", "-", project.lower())
    return plain.strip("-")[:_LONGEST].strip("-") or "project"


def listens(wish: Wish) -> tuple[str, int]:
    """Return the address and the port, in the container, that Jupyter is to listen on; 0 for any.

    On the network of this machine, or where nobody asked for a port, only this machine reaches it.
    The port of a container with a network of its own is published on this machine alone.
    """
    if wish.network == "bridge" and wish.port:
        return "0.0.0.0", JUPYTER  # noqa: S104 (of its own network)
    return "127.0.0.1", wish.port


def files(wish: Wish, token: str) -> tuple[HomeFile, ...]:
    """Return what a user's home gets so that his Jupyter is safe and has his project's name.

    Only TOKEN has the token.
    """
    title = wish.project or wish.name
    kernel = kernel_name(title)
    spec = {
        # Jupyter puts the Python that it runs with in the place of this one.
        "argv": ["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": title,
        "language": "python",
        "metadata": {"debugger": True},
    }
    return (
        HomeFile(path=TOKEN, content=f"{token}\n".encode()),
        HomeFile(
            path=f"{DIRECTORY}/jupyter_server_config.py", content=_settings(wish, kernel).encode()
        ),
        HomeFile(
            path=f"{KERNELS}/{kernel}/kernel.json",
            content=f"{json.dumps(spec, indent=1)}\n".encode(),
        ),
    )


def _settings(wish: Wish, kernel: str) -> str:
    """Return the configuration, a Python file that Jupyter executes with its settings as ``c``."""
    address, port = listens(wish)
    settings: dict[str, object] = {
        "ServerApp.ip": address,
        # A page that a browser shows may not reach it by another name (DNS rebinding).
        "ServerApp.allow_remote_access": False,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,  # root in here is root outside, who starts his own
        "ServerApp.root_dir": WORKSPACE,
        "MultiKernelManager.default_kernel_name": kernel,
    }
    if port:  # and no other where that is taken
        settings |= {"ServerApp.port": port, "ServerApp.port_retries": 0}
    return _HEAD + "".join(f"c.{name} = {value!r}\n" for name, value in settings.items())
