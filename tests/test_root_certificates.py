from __future__ import annotations

import base64
import hashlib
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import debs
import pytest
from debs import Row

from ds01build.errors import RejectedFile
from ds01build.layers.root import certificates
from ds01build.layers.root.keystore import keystore
from ds01build.layers.root.subject import der, subject_hash
from ds01build.layers.root.tree import Tree

if TYPE_CHECKING:
    from pathlib import Path

UTF8, PRINTABLE, IA5, BMP = 0x0C, 0x13, 0x16, 0x1E
COUNTRY, STATE, ORGANISATION, NAME = (bytes([0x55, 4, last]) for last in (6, 8, 10, 3))


def value(tag: int, content: bytes) -> bytes:
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content


def certificate(*attributes: tuple[bytes, int, str], encoding: str = "utf-8") -> bytes:
    """Return the parts of a certificate that count, with one attribute per name."""
    names = b"".join(
        value(0x31, value(0x30, value(6, kind) + value(tag, text.encode(encoding))))
        for kind, tag, text in attributes
    )
    return named(names)


def named(names: bytes) -> bytes:
    serial, empty = value(2, b"\1"), value(0x30, b"")
    signed = value(0xA0, value(2, b"\2")) + serial + empty * 3 + value(0x30, names) + empty
    return value(0x30, value(0x30, signed) + empty)


def pem(raw: bytes) -> bytes:
    body = base64.encodebytes(raw)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


ISRG = certificate(
    (COUNTRY, PRINTABLE, "US"),
    (ORGANISATION, PRINTABLE, "Internet Security Research Group"),
    (NAME, PRINTABLE, "ISRG Root X1"),
)


def test_a_known_subject_has_its_known_hash() -> None:
    assert subject_hash(ISRG) == "4042bcee"


def test_case_blanks_and_encoding_do_not_count() -> None:
    expected = subject_hash(certificate((NAME, UTF8, "Some Root")))
    assert subject_hash(certificate((NAME, PRINTABLE, "  sOME \t ROOT "))) == expected
    wide = certificate((NAME, BMP, "Some Root"), encoding="utf-16-be")
    assert subject_hash(wide) == expected


def test_the_order_within_a_set_does_not_count() -> None:
    one = value(0x30, value(6, NAME) + value(UTF8, b"x"))
    other = value(0x30, value(6, STATE) + value(UTF8, b"y"))
    hashes = {subject_hash(named(value(0x31, set_))) for set_ in (one + other, other + one)}
    assert len(hashes) == 1


@pytest.mark.parametrize(
    "raw", [b"", b"\x30", b"\x30\x05ab", ISRG[:-4], value(0x30, value(0x30, b"")), b"\x02\x01\x01"]
)
def test_what_is_no_certificate_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (any reading of such bytes may fail)
        subject_hash(raw)


def test_pem_is_read_with_text_around_it() -> None:
    assert der(b"Certificate:\n" + pem(ISRG) + b"tail") == ISRG
    with pytest.raises(ValueError, match="no PEM certificate"):
        der(b"nothing")


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
@pytest.mark.parametrize(
    "subject",
    [
        "/C=HU/O=NetLock Kft./CN=NetLock Arany (Class Gold) Főtanúsítvány",
        "/O=  A  b   C /CN=MiXeD case",
        "/CN=ŐRÖK Ősi Gyökér",
        "/C=DE+O=multi+OU=valued/CN=x",
        "/CN=" + "long " * 12 + "/emailAddress=ca@localhost",
    ],
)
def test_hashes_equal_those_of_openssl(subject: str, tmp_path: Path) -> None:
    made = tmp_path / "ca.pem"
    generate = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    options = ["-nodes", "-utf8", "-multivalue-rdn", "-subj", subject, "-keyout", "/dev/null"]
    subprocess.run([*generate, *options, "-out", made], check=True, capture_output=True)
    shown = ["openssl", "x509", "-in", str(made), "-noout", "-subject_hash"]
    expected = subprocess.run(shown, check=True, capture_output=True, text=True).stdout.strip()
    assert subject_hash(der(made.read_bytes())) == expected


def root(**names: bytes) -> Tree:
    rows = [
        Row(f"./usr/share/ca-certificates/mozilla/{name}.crt", content)
        for name, content in names.items()
    ]
    return Tree.of([debs.package("ca-certificates", rows)])


def test_the_bundle_and_links_are_made() -> None:
    tree = root(A_Root=pem(ISRG), B_Root=pem(certificate((NAME, UTF8, "b"))).rstrip())
    entries = list(certificates.entries(tree))
    links = debs.link_targets(entries)
    folder = "/usr/share/ca-certificates/mozilla"
    assert links["etc/ssl/certs/A_Root.pem"] == f"{folder}/A_Root.crt"
    assert links["etc/ssl/certs/4042bcee.0"] == "A_Root.pem"
    bundle = debs.text(entries, "etc/ssl/certs/ca-certificates.crt")
    assert bundle.count("BEGIN CERTIFICATE") == 2
    assert bundle.endswith("-----END CERTIFICATE-----\n")
    listed = debs.text(entries, "etc/ca-certificates.conf")
    assert listed == "mozilla/A_Root.crt\nmozilla/B_Root.crt\n"


def test_certificates_of_one_subject_are_numbered_and_equal_ones_linked_once() -> None:
    other = value(0x30, ISRG[2:-2] + value(0x30, b"\2\1\7"))  # another signature
    tree = root(A=pem(ISRG), B=pem(other), C=pem(ISRG))
    links = debs.link_targets(certificates.entries(tree))
    hashed = {path: to for path, to in links.items() if "4042bcee" in path}
    assert hashed == {"etc/ssl/certs/4042bcee.0": "A.pem", "etc/ssl/certs/4042bcee.1": "B.pem"}


def test_a_file_that_is_no_certificate_is_named() -> None:
    with pytest.raises(RejectedFile) as error:
        list(certificates.entries(root(A=b"nothing")))
    assert str(error.value) == (
        "/usr/share/ca-certificates/mozilla/A.crt: is no certificate (no PEM certificate)"
    )


def test_nothing_is_made_without_ca_certificates() -> None:
    assert list(certificates.entries(Tree.of([debs.package("other")]))) == []


def test_a_keystore_proves_itself_with_the_default_password() -> None:
    store = keystore({"usr/share/ca-certificates/mozilla/A_Root.crt": ISRG})
    assert struct.unpack(">III", store[:12]) == (0xFEEDFEED, 2, 1)
    assert b"debian:a_root.pem" in store
    assert ISRG in store
    salted = "changeit".encode("utf-16-be") + b"Mighty Aphrodite" + store[:-20]
    assert store[-20:] == hashlib.sha1(salted, usedforsecurity=False).digest()
