"""The machine's network, as containers need to know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Site"]

_PROXIES = frozenset({"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"})
_CA_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What programs need to get out of this machine's network; it stays out of layers.

    ``proxies`` are variables such as https_proxy, in lower case; their values may be secret.
    """

    certificates: bytes = field(default=b"", repr=False)  # PEM, all that are trusted
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)

    def environment(self, directory: str) -> dict[str, str]:
        """Return the variables, with the certificates at ``directory``/ca.pem."""
        proxies = {name: value for name, value in self.proxies.items() if name in _PROXIES}
        bundle = dict.fromkeys(_CA_VARIABLES, f"{directory}/ca.pem") if self.certificates else {}
        return {**proxies, **{name.upper(): value for name, value in proxies.items()}, **bundle}
