"""The authority's files: made once, kept, a user's own accepted, every mistake named."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from proxyfw import certs
from proxyfw.certs import Authority, Cert, CertStore, Leaf
from proxyfw.exceptions import CertificateError


def rsa_authority() -> Authority:
    """What a user may bring: a root that an old tool made, without key usage or key identifiers."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old Root")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return Authority(Cert(builder.sign(key, hashes.SHA256())), key)


def intermediate() -> Authority:
    return Authority.create("Root", path_length=1).subordinate("Below")


AUTHORITIES: dict[str, Callable[[], Authority]] = {
    "generated": Authority.create,
    "intermediate": intermediate,
    "rsa": rsa_authority,
}


def identity(
    leaf: Leaf | Authority, encryption: BestAvailableEncryption | NoEncryption | None = None
) -> bytes:
    encryption = encryption or NoEncryption()
    key = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, encryption)
    return key + b"".join(cert.to_pem() for cert in (leaf.cert, *leaf.chain))


def unusual(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, extensions: list[x509.ExtensionType]) -> Cert:
    name = x509.Name(
        [x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\x0f", x509.name._ASN1Type.BitString)]
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2021, 1, 1))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Cert(builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()))


def test_authority_is_made_once_and_kept(tmp_path: Path) -> None:
    """5.3.60"""
    confdir = tmp_path / "new" / "proxyfw"
    first = CertStore.from_confdir(confdir)
    assert CertStore.from_confdir(confdir).ca.cert == first.ca.cert
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in confdir.iterdir()}
    assert modes == {
        "proxyfw-ca.pem": 0o600,
        "proxyfw-ca.p12": 0o600,
        "proxyfw-ca-cert.pem": 0o644,
        "proxyfw-ca-cert.cer": 0o644,
        "proxyfw-ca-cert.p12": 0o644,
    }
    assert stat.S_IMODE(confdir.stat().st_mode) == 0o700


def test_authority_has_the_shape_clients_ask_for() -> None:
    """5.3.60"""
    cert = Authority.create(organization="proxyfw").cert
    raw = cert.to_cryptography()
    constraints = raw.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    usage = raw.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value.key_cert_sign, usage.value.crl_sign) == (True, True, True)
    assert not usage.value.digital_signature
    assert raw.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert cert.notafter - cert.notbefore == timedelta(days=3652)


def test_files_for_clients_hold_the_certificate_and_no_key(tmp_path: Path) -> None:
    """5.3.60"""
    ca = CertStore.from_confdir(tmp_path).ca
    assert (tmp_path / "proxyfw-ca-cert.pem").read_bytes() == ca.cert.to_pem()
    assert (tmp_path / "proxyfw-ca-cert.cer").read_bytes() == ca.cert.to_pem()
    public = pkcs12.load_pkcs12((tmp_path / "proxyfw-ca-cert.p12").read_bytes(), None)
    assert public.key is None
    assert [entry.certificate for entry in public.additional_certs] == [ca.cert.to_cryptography()]
    private = pkcs12.load_pkcs12((tmp_path / "proxyfw-ca.p12").read_bytes(), None)
    assert private.key is not None
    assert private.cert is not None
    assert private.cert.certificate == ca.cert.to_cryptography()


def test_missing_file_for_clients_is_made_again(tmp_path: Path) -> None:
    """5.3.60"""
    CertStore.from_confdir(tmp_path)
    before = (tmp_path / "proxyfw-ca-cert.cer").stat().st_mtime_ns
    for name in ("proxyfw-ca-cert.pem", "proxyfw-ca.p12"):
        (tmp_path / name).unlink()
        CertStore.from_confdir(tmp_path)
        assert (tmp_path / name).exists()
    assert (tmp_path / "proxyfw-ca-cert.cer").stat().st_mtime_ns >= before


def test_files_for_clients_follow_a_replaced_authority(tmp_path: Path) -> None:
    """5.3.60: else users would install the certificate of an authority that is gone."""
    CertStore.from_confdir(tmp_path)
    own = Authority.create("Own")
    (tmp_path / "proxyfw-ca.pem").write_bytes(identity(own))
    CertStore.from_confdir(tmp_path)
    assert Cert.from_pem((tmp_path / "proxyfw-ca-cert.pem").read_bytes()) == own.cert
    public = pkcs12.load_pkcs12((tmp_path / "proxyfw-ca-cert.p12").read_bytes(), None)
    assert public.additional_certs[0].certificate == own.cert.to_cryptography()


def test_files_that_cannot_be_written_are_not_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    CertStore.from_confdir(tmp_path)
    (tmp_path / "proxyfw-ca-cert.pem").unlink()
    (tmp_path / "proxyfw-ca-cert.cer").unlink()
    (tmp_path / "proxyfw-ca-cert.cer").mkdir()
    CertStore.from_confdir(tmp_path)
    assert "cannot write copies of the CA certificate" in caplog.text
    assert not list(tmp_path.glob(".*"))


MAKE = """
import sys
from proxyfw.certs import CertStore
print(CertStore.from_confdir(sys.argv[1]).ca.cert.serial)
"""


def test_processes_that_start_together_agree_on_one_authority(tmp_path: Path) -> None:
    """5.3.60"""
    commands = [
        subprocess.Popen([sys.executable, "-c", MAKE, tmp_path / "c"], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    said = {process.communicate()[0] for process in commands}
    assert [process.returncode for process in commands] == [0] * 6
    assert said == {f"{CertStore.from_confdir(tmp_path / 'c').ca.cert.serial}\n".encode()}


def test_threads_that_start_together_agree_on_one_authority(tmp_path: Path) -> None:
    """5.3.60"""
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: CertStore.from_confdir(tmp_path), range(8)))
    assert len({store.ca.cert for store in stores}) == 1


@pytest.mark.parametrize("kind", AUTHORITIES)
def test_own_authority_is_accepted(kind: str, tmp_path: Path) -> None:
    """5.3.60"""
    own = AUTHORITIES[kind]()
    (tmp_path / "proxyfw-ca.pem").write_bytes(identity(own))
    (tmp_path / "proxyfw-ca.pem").chmod(0o600)
    store = CertStore.from_confdir(tmp_path)
    assert store.ca.cert == own.cert
    leaf = store.get("a.test")
    assert leaf.chain == own.sent
    leaf.cert.to_cryptography().verify_directly_issued_by(own.cert.to_cryptography())


def test_own_authority_may_be_anywhere_and_encrypted(tmp_path: Path) -> None:
    """5.3.60"""
    own = rsa_authority()
    path = tmp_path / "own.pem"
    path.write_bytes(identity(own, BestAvailableEncryption(b"open sesame")))
    path.chmod(0o600)
    assert CertStore.from_file(path, passphrase="open sesame").ca.cert == own.cert
    assert [file.name for file in tmp_path.iterdir()] == ["own.pem"]


def test_passphrase_protects_a_new_authority(tmp_path: Path) -> None:
    """5.3.60"""
    store = CertStore.from_confdir(tmp_path, passphrase="open sesame")
    assert b"ENCRYPTED PRIVATE KEY" in (tmp_path / "proxyfw-ca.pem").read_bytes()
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12((tmp_path / "proxyfw-ca.p12").read_bytes(), None)
    assert CertStore.from_confdir(tmp_path, passphrase="open sesame").ca.cert == store.ca.cert


def test_passphrase_that_is_not_needed_does_no_harm(tmp_path: Path) -> None:
    CertStore.from_confdir(tmp_path)
    assert CertStore.from_confdir(tmp_path, passphrase="surplus").ca.cert.is_ca


def test_certificate_before_key_and_curve_parameters_are_read(tmp_path: Path) -> None:
    own = Authority.create()
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    (tmp_path / "ca.pem").write_bytes(own.cert.to_pem() + parameters + identity(Leaf(own.cert, own.key))[:-1])
    assert CertStore.from_file(tmp_path / "ca.pem").ca.cert == own.cert


def test_key_that_others_may_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """5.3.60"""
    CertStore.from_confdir(tmp_path)
    assert not caplog.records
    (tmp_path / "proxyfw-ca.pem").chmod(0o640)
    CertStore.from_confdir(tmp_path)
    assert f"chmod 600 {tmp_path / 'proxyfw-ca.pem'}" in caplog.text


def not_an_authority() -> bytes:
    return identity(certs.self_signed(["a.test"]))


def mismatched() -> bytes:
    return identity(Authority(Authority.create().cert, Authority.create().key))


def expired() -> bytes:
    return identity(Authority.create(clock=lambda: 0.0))


def without_signing() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    made = Authority.create().cert.to_cryptography()
    builder = x509.CertificateBuilder().subject_name(made.subject).issuer_name(made.subject)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(made.not_valid_before_utc).not_valid_after(made.not_valid_after_utc)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    usage = Authority.create().issue(["a.test"]).cert.to_cryptography().extensions
    builder = builder.add_extension(usage.get_extension_for_class(x509.KeyUsage).value, critical=True)
    return identity(Authority(Cert(builder.sign(key, hashes.SHA256())), key))


def encrypted() -> bytes:
    return identity(Authority.create(), BestAvailableEncryption(b"right"))


def of_other_kind() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem + unusual(key, []).to_pem()


MISTAKES: list[tuple[str, Callable[[], bytes], str | None, str]] = [
    ("no authority", not_an_authority, None, "not one of an authority"),
    ("mismatch", mismatched, None, "do not belong together"),
    ("expired", expired, None, "expired on 1979"),
    ("no keyCertSign", without_signing, None, "keyCertSign"),
    ("no passphrase", encrypted, None, "is encrypted; give its passphrase"),
    ("wrong passphrase", encrypted, "wrong", "passphrase does not fit"),
    ("no key", lambda: Authority.create().cert.to_pem(), None, "no private key"),
    (
        "no certificate",
        lambda: identity(Authority.create()).partition(b"-----BEGIN CERT")[0],
        None,
        "no certificate",
    ),
    (
        "damaged key",
        lambda: identity(Authority.create()).replace(b"\nM", b"\nX", 1),
        None,
        "cannot read the private key",
    ),
    (
        "damaged certificate",
        lambda: identity(Authority.create()).replace(b"CERTIFICATE-----\nM", b"CERTIFICATE-----\nX"),
        None,
        "cannot read the certificates",
    ),
    ("Ed25519", of_other_kind, None, "neither RSA nor EC"),
    ("empty", bytes, None, "no private key"),
]


@pytest.mark.parametrize(
    ("make", "passphrase", "fault"), [row[1:] for row in MISTAKES], ids=[row[0] for row in MISTAKES]
)
def test_authority_that_cannot_be_used_is_refused(
    make: Callable[[], bytes], passphrase: str | None, fault: str, tmp_path: Path
) -> None:
    """5.3.60: at the start, by file and reason."""
    path = tmp_path / "proxyfw-ca.pem"
    path.write_bytes(make())
    path.chmod(0o600)
    with pytest.raises(CertificateError, match=fault) as caught:
        CertStore.from_confdir(tmp_path, passphrase=passphrase)
    assert str(path) in str(caught.value)


def test_paths_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"none\.pem: No such file"):
        CertStore.from_file(tmp_path / "none.pem")
    with pytest.raises(CertificateError, match="Is a directory"):
        CertStore.from_file(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match=r"file: File exists; make the directory writable"):
        CertStore.from_confdir(tmp_path / "file")


@pytest.mark.parametrize("form", certs.FORMATS)
def test_export_gives_the_certificate_only(form: str) -> None:
    store = CertStore(Authority.create())
    data = store.export(form)
    raw = store.ca.cert.to_cryptography()
    if form == "p12":
        assert pkcs12.load_pkcs12(data, None).additional_certs[0].certificate == raw
    elif form == "der":
        assert x509.load_der_x509_certificate(data) == raw
    else:
        assert x509.load_pem_x509_certificate(data) == raw
    assert b"PRIVATE" not in data


def test_export_refuses_other_formats() -> None:
    with pytest.raises(CertificateError, match="pem, cer, der, p12"):
        CertStore(Authority.create()).export("jks")
