"""Asks registries as who the user is there (distribution's token and basic authentication)."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode, urlsplit

from ds01build.errors import RejectedFile, Unavailable
from ds01build.http.answer import Absent, Interrupted, Refused, check_kind, check_status
from ds01build.http.session import Request, basic
from ds01build.http.settings import is_near
from ds01build.location import origin, redact
from ds01build.reference import DEFAULT_REGISTRY
from ds01build.registry.document import limited, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ds01build.http.asking import Answer
    from ds01build.http.session import Session
    from ds01build.registry.credentials import Login

__all__ = ["Access", "Logins", "Place"]

_API = f"registry-1.{DEFAULT_REGISTRY}"  # where that registry itself answers
_BLOB = re.compile(
    r"https?://(?P<host>[^/@]+)/v2/(?P<repository>[a-z0-9._/-]+)/blobs/sha256:[0-9a-f]{64}"
)
_TOKEN = re.compile(r"[!-~]{1,65536}")
_TOKEN_LIMIT = 128 * 1024  # bytes of an answer with a token
_SCHEMES = re.compile(r"(?:^|,)\s*(Basic|Bearer)(?=\s)", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]{1,32})="([^"\\]{0,4096})"', re.IGNORECASE)
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_ASKS_FOR_LOGIN = (_UNAUTHORIZED, _FORBIDDEN)


class Logins(Protocol):
    """Knows who a user is to registries."""

    def of(self, registry: str, repository: str) -> Login | None:
        """Return the login for a repository, None for nobody in particular."""


@dataclass(frozen=True, slots=True)
class Place:
    """A repository in a registry, or in a mirror of one."""

    registry: str  # host and port
    repository: str


@dataclass(frozen=True, slots=True)
class Access:
    """A session in which registries are asked with tokens, which are kept in memory only."""

    session: Session
    logins: Logins
    tokens: dict[Place, str] = field(default_factory=dict, repr=False)
    bases: dict[str, str] = field(default_factory=dict)  # URL by registry
    asking: threading.Lock = field(default_factory=threading.Lock)

    def url(self, place: Place, path: str) -> str:
        """Return the URL of what ``path`` names in a repository.

        Raises Interrupted and Refused where that takes asking the registry, and it doesn't answer.
        """
        if place.registry not in self.bases:
            self.bases[place.registry] = self._base(place.registry)
        return f"{self.bases[place.registry]}/v2/{place.repository}/{path}"

    def probe(self, registry: str) -> str:
        """Return the command that shows whether a registry answers at all."""
        host = _API if registry == DEFAULT_REGISTRY else registry
        return f"curl -I {self.bases.get(registry, f'https://{host}')}/v2/"

    def place_of(self, url: str) -> Place | None:
        """Return the repository of the URL of a blob, None for any other URL."""
        match = _BLOB.fullmatch(url)
        if match is None:
            return None
        registry = DEFAULT_REGISTRY if match["host"] == _API else match["host"]
        return Place(registry, match["repository"])

    @contextlib.contextmanager
    def ask(
        self, place: Place, url: str, headers: Mapping[str, str], method: str = "GET"
    ) -> Iterator[Answer]:
        """Give the answer to a request in a repository; a refused token is renewed once.

        Raises Unavailable where the registry wants another login, Interrupted and Refused.
        """
        known = self.tokens.get(place, "")
        with contextlib.ExitStack() as stack:
            request = Request(url=url, method=method, headers=headers, authorization=known)
            answer = stack.enter_context(self.session.ask(request))
            if answer.status == _UNAUTHORIZED:
                challenge = answer.header("WWW-Authenticate")
                stack.close()
                renewed = self._authorization(place, challenge, known)
                request = Request(url=url, method=method, headers=headers, authorization=renewed)
                answer = stack.enter_context(self.session.ask(request))
            if answer.status in _ASKS_FOR_LOGIN:
                raise _no_access(place, answer.status)
            check_kind(answer)
            yield answer

    def _base(self, registry: str) -> str:
        """Return the scheme and host of a registry.

        One that may be plain is tried with TLS first, as Docker does; a certificate that is not
        trusted does not make it plain.
        """
        host = _API if registry == DEFAULT_REGISTRY else registry
        plain = f"http://{host}"
        try:
            may_be_plain = is_near(plain) or origin(plain) in self.session.settings.plain
        except ValueError as error:
            raise Refused(str(error)) from error
        if may_be_plain:
            try:
                with self.session.ask(Request(url=f"https://{host}/v2/")):
                    pass
            except Interrupted:
                return plain
        return f"https://{host}"

    def _authorization(self, place: Place, challenge: str, refused: str) -> str:
        """Return what to show in place of what was ``refused``. One thread asks for all."""
        with self.asking:
            known = self.tokens.get(place, "")
            if known != refused:
                return known
            login = self.logins.of(place.registry, place.repository)
            self.tokens[place] = self._answer_to(challenge, place, login)
            return self.tokens[place]

    def _answer_to(self, challenge: str, place: Place, login: Login | None) -> str:
        schemes = {match[1].lower(): match.end() for match in _SCHEMES.finditer(challenge)}
        if "bearer" in schemes:
            parameters = dict(_PARAMETER.findall(challenge[schemes["bearer"] :]))
            return f"Bearer {self._token(parameters, place, login)}"
        if "basic" in schemes and login is not None and not login.identity:
            return basic((login.user, login.password))
        raise _no_access(place, _UNAUTHORIZED)

    def _token(self, parameters: Mapping[str, str], place: Place, login: Login | None) -> str:
        """Ask the server that a registry trusts for a token that lets read one repository."""
        realm = parameters.get("realm", "")
        self._check_realm(realm, place)
        fields = {"service": parameters.get("service", "")}
        fields["scope"] = f"repository:{place.repository}:pull"
        request = _token_request(realm, fields, login)
        with self.session.ask(request) as answer:
            if answer.status in _ASKS_FOR_LOGIN:
                raise _no_access(place, answer.status)
            try:
                check_status(answer)
            except Absent as error:
                raise Refused(f"{redact(realm)} has no tokens: {error}") from error
            check_kind(answer)
            name = f"what {redact(realm)} answered"
            chunks = iter(lambda: answer.read(_TOKEN_LIMIT), b"")
            document = parse(limited(chunks, _TOKEN_LIMIT, name), name)
        token = document.text("token") or document.text("access_token")
        if not _TOKEN.fullmatch(token):
            raise RejectedFile(name=document.name, problem="no token")
        return token

    def _check_realm(self, realm: str, place: Place) -> None:
        """Check that a password may go there: https, or plain where its registry may be."""
        try:
            is_as_near = is_near(f"http://{place.registry}") and is_near(realm)
            may_be_plain = is_as_near or origin(realm) in self.session.settings.plain
        except ValueError as error:
            raise Refused(f"{place.registry} wants tokens from {error}") from error
        allowed = ("https", "http") if may_be_plain else ("https",)
        if urlsplit(realm).scheme not in allowed:
            raise Refused(f"{place.registry} wants tokens from {redact(realm)}, which is not https")


def _token_request(realm: str, fields: dict[str, str], login: Login | None) -> Request:
    if login is not None and login.identity:
        form = {"grant_type": "refresh_token", "client_id": "ds01", **fields}
        body = urlencode({**form, "refresh_token": login.identity}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return Request(url=realm, method="POST", headers=kind, body=body)
    shown = basic((login.user, login.password)) if login is not None else ""
    mark = "&" if urlsplit(realm).query else "?"
    return Request(url=f"{realm}{mark}{urlencode(fields)}", authorization=shown)


def _no_access(place: Place, status: int) -> Unavailable:
    return Unavailable(
        f"{place.registry} does not let you read {place.repository} ({status}): "
        "it needs another login, or the image does not exist",
        hint=f"docker login {place.registry}",
    )
