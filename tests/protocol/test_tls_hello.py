"""The ClientHello as real clients send it, as hostile ones might, in any records; alerts and records."""

from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest

from proxyfw.certs import Authority
from proxyfw.exceptions import ProtocolError
from proxyfw.protocol import tls
from proxyfw.protocol.tls import read_client_hello

GREASE = 0x0A0A


def vector(data: bytes, width: int = 2) -> bytes:
    return len(data).to_bytes(width, "big") + data


def extension(kind: int, body: bytes) -> bytes:
    return struct.pack(">H", kind) + vector(body)


def server_name(*names: bytes, kind: int = 0) -> bytes:
    return extension(0, vector(b"".join(bytes([kind]) + vector(name) for name in names)))


def alpn(*protocols: bytes) -> bytes:
    return extension(16, vector(b"".join(vector(protocol, 1) for protocol in protocols)))


def body(
    extensions: bytes | None = b"",
    *,
    session: bytes = b"",
    suites: bytes = b"\x13\x01\x13\x02",
    compression: bytes = b"\x00",
) -> bytes:
    parts = [b"\x03\x03", bytes(32), vector(session, 1), vector(suites), vector(compression, 1)]
    return b"".join(parts) + (b"" if extensions is None else vector(extensions))


def message(content: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + vector(content, 3)


def record(fragment: bytes, kind: int = 22, version: bytes = b"\x03\x01") -> bytes:
    return bytes([kind]) + version + vector(fragment)


def records(data: bytes, size: int) -> bytes:
    """*data* in records of *size* bytes."""
    return b"".join(record(data[at : at + size]) for at in range(0, len(data), size))


def hello(extensions: bytes | None = b"") -> bytes:
    return record(message(body(extensions)))


def from_python(
    sni: str | None = "example.com", protocols: list[str] | None = None, newest: ssl.TLSVersion | None = None
) -> bytes:
    """What Python's own TLS client sends first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(protocols)
    if newest:
        context.maximum_version = newest
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=sni).do_handshake()
    return outgoing.read()


def test_hello_of_a_modern_client() -> None:
    raw = from_python("Example.COM", ["h2", "http/1.1"])
    found = read_client_hello(raw)
    assert found is not None
    assert found.raw == raw
    assert found.sni == "example.com"
    assert list(found.alpn_protocols) == [b"h2", b"http/1.1"]
    assert list(found.versions) == [0x0304, 0x0303]
    assert 0x1301 in found.cipher_suites
    assert {0, 10, 13, 16, 43, 51} <= {kind for kind, _ in found.extensions}


def test_hello_of_an_older_client() -> None:
    """5.3.69: a client that stops at TLS 1.2 names its version in the old field only."""
    found = read_client_hello(from_python(protocols=["http/1.1"], newest=ssl.TLSVersion.TLSv1_2))
    assert found is not None
    assert list(found.versions) == [0x0303]
    assert list(found.alpn_protocols) == [b"http/1.1"]


def test_hello_without_server_name_and_alpn() -> None:
    """5.3.62"""
    found = read_client_hello(from_python(sni=None))
    assert found is not None
    assert found.sni is None
    assert list(found.alpn_protocols) == []


def test_hello_without_extensions() -> None:
    found = read_client_hello(hello(None))
    assert found is not None
    assert (list(found.extensions), found.sni, list(found.versions)) == ([], None, [0x0303])


@pytest.mark.skipif(not shutil.which("openssl"), reason="the openssl command is not installed")
def test_hello_of_openssl() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        command = [
            "openssl",
            "s_client",
            "-connect",
            address,
            "-servername",
            "a.test",
            "-alpn",
            "h2,http/1.1",
        ]
        client = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        connection, _ = listener.accept()
        data = b""
        while (found := read_client_hello(data)) is None:
            data += connection.recv(65536)
        connection.close()
        client.wait()
    assert found.sni == "a.test"
    assert list(found.alpn_protocols) == [b"h2", b"http/1.1"]


def post_quantum() -> bytes:
    """Shaped like a browser's: GREASE everywhere, and a hybrid key share of 1216 bytes."""
    share = struct.pack(">H", GREASE) + vector(b"\x00") + struct.pack(">H", 0x11EC) + vector(bytes(1216))
    extensions = [
        extension(GREASE, b""),
        server_name(b"pq.example.com"),
        alpn(b"\x0a\x0a", b"h2"),
        extension(43, vector(struct.pack(">3H", GREASE, 0x0304, 0x0303), 1)),
        extension(51, vector(share)),
        extension(0xFE0D, bytes(220)),
        extension(GREASE + 0x1010, b"\x00"),
    ]
    suites = struct.pack(">3H", GREASE, 0x1301, 0xC02B)
    return message(body(b"".join(extensions), session=bytes(32), suites=suites))


def test_post_quantum_hello_keeps_its_grease() -> None:
    """5.3.65"""
    found = read_client_hello(record(post_quantum()))
    assert found is not None
    assert found.sni == "pq.example.com"
    assert list(found.alpn_protocols) == [b"\x0a\x0a", b"h2"]
    assert list(found.cipher_suites) == [GREASE, 0x1301, 0xC02B]
    assert list(found.versions) == [GREASE, 0x0304, 0x0303]
    assert [kind for kind, _ in found.extensions] == [GREASE, 0, 16, 43, 51, 0xFE0D, 0x1A1A]


@pytest.mark.parametrize("size", [1, 2, 5, 100, 1459, 16384])
def test_hello_in_many_records_and_segments(size: int) -> None:
    """5.3.65"""
    data = records(post_quantum(), size)
    assert all(read_client_hello(data[:end]) is None for end in range(200))
    assert read_client_hello(data[:-1]) is None
    found = read_client_hello(data)
    assert found is not None
    assert found.raw == data
    assert found.sni == "pq.example.com"


def test_bytes_after_the_hello_are_left_alone() -> None:
    """Early data follows in records of its own (RFC 8446 section 4.2.10)."""
    early = record(b"\x01", kind=20) + record(b"secret", kind=23)
    found = read_client_hello(bytearray(hello() + early))
    assert found is not None
    assert found.raw == hello()
    assert isinstance(found.raw, bytes)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"EXAMPLE.com.", "example.com"),
        (b"under_score.example.com", "under_score.example.com"),
        (b"192.0.2.1", "192.0.2.1"),
        (b"xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_server_name_is_lower_case_without_trailing_dot(sent: bytes, read: str) -> None:
    found = read_client_hello(hello(server_name(sent)))
    assert found is not None
    assert found.sni == read


def test_first_host_name_counts() -> None:
    found = read_client_hello(hello(server_name(b"a.test", b"b.test")))
    assert found is not None
    assert found.sni == "a.test"


def test_server_name_of_another_kind_is_no_host_name() -> None:
    found = read_client_hello(hello(server_name(b"\xff\xfe", kind=9)))
    assert found is not None
    assert found.sni is None


MALFORMED: list[tuple[bytes, str]] = [
    (b"GET / HTTP/1.1\r\n", "not a TLS record: it begins with 47 45 54 20 2f"),
    (record(b"\x02\x28", kind=21), "record of type 21"),
    (record(message(b"", kind=2)), "message of type 2 where"),
    (record(b""), "record of 0 bytes"),
    (record(b"\x01" + bytes(16384)), "record of 16385 bytes"),
    (b"\x16\x03\x01\xff\xff", "record of 65535 bytes; 18432"),
    (record(b"\x01\x01\x00\x00"), "larger than 65536 bytes"),
    (records(message(bytes(60000)), 9), "larger than 65536 bytes"),
    (record(message(body()) + b"\x00"), "stray bytes behind the ClientHello"),
    (record(message(body())[:20]) + record(b"\x00", kind=23), "record of type 23"),
    (record(message(b"")), "ends within the version"),
    (record(message(b"\x03\x03" + bytes(9))), "ends within the random"),
    (record(message(body(session=bytes(33)))), "session id of more than 32"),
    (record(message(body(suites=b""))), "the cipher suites of 0 bytes"),
    (record(message(body(suites=b"\x13\x01\x13"))), "the cipher suites are cut in half"),
    (record(message(body(compression=b""))), "the compression methods of 0 bytes"),
    (record(message(body(None) + b"\x00\x09")), "ends within the extensions"),
    (record(message(body() + b"\x00")), "1 stray bytes after the extensions"),
    (hello(b"\x00"), "ends within an extension type"),
    (hello(b"\x00\x05\x00\x09abc"), "ends within an extension"),
    (hello(extension(5, b"") * 2), "an extension is sent twice"),
    (hello(server_name(b"a.test") + server_name(b"b.test")), "an extension is sent twice"),
    (hello(extension(0, b"")), "ends within the server name"),
    (hello(extension(0, vector(b""))), "the server name of 0 bytes"),
    (hello(server_name(b"")), "the server name of 0 bytes"),
    (hello(server_name(b".")), "not a host name"),
    (hello(server_name(b"a.test\x00.evil.test")), "not a host name"),
    (hello(server_name("bücher".encode())), "not a host name"),
    (hello(server_name(b"a" * 256)), "not a host name"),
    (hello(extension(0, vector(b"\x00\x00\x01a") + b"x")), "stray bytes after the server name"),
    (hello(alpn()), "the ALPN list of 0 bytes"),
    (hello(alpn(b"h2", b"")), "an ALPN protocol of 0 bytes"),
    (hello(extension(16, vector(b"\x02h2") + b"x")), "stray bytes after the ALPN list"),
    (hello(extension(43, b"\x00")), "the supported versions of 0 bytes"),
    (hello(extension(43, b"\x03\x03\x04\x03")), "the supported versions are cut in half"),
    (hello(extension(43, b"\x02\x03\x04\x03")), "stray bytes after the supported versions"),
]


@pytest.mark.parametrize(("data", "reason"), MALFORMED, ids=[reason for _, reason in MALFORMED])
def test_malformed_hello_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        read_client_hello(data)


def test_oversized_hello_is_refused_before_it_is_received() -> None:
    with pytest.raises(ProtocolError, match="larger than 65536"):
        read_client_hello(record(message(bytes(70000))[:16384])[:10])


# Detection, records, alerts


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", None),
        (b"\x16", None),
        (b"\x16\x03", None),
        (b"\x16\x03\x01", True),
        (b"\x16\x03\x03\x00", True),
        (b"\x16\x03\x05", False),
        (b"\x16\x02", False),
        (b"\x15\x03\x01", False),
        (b"G", False),
        (b"\x80\x2e\x01\x03\x01", False),
    ],
)
def test_start_of_tls_is_told_from_anything_else(data: bytes, answer: bool | None) -> None:
    """The last one is an SSLv2-compatible hello."""
    assert tls.starts_like_tls(data) is answer


def test_whole_records_are_counted_when_their_last_byte_comes() -> None:
    first, second = record(b"abc", kind=23), record(b"", kind=23)
    records = tls.Records()
    assert [records.completed_by(piece) for piece in (first, first[:4], first[4:-1], first[-1:])] == [
        1,
        0,
        0,
        1,
    ]
    assert records.completed_by(first + second + first[:6]) == 2
    assert records.completed_by(first[6:] + second + second[:2]) == 2
    assert records.completed_by(second[2:]) == 1


@pytest.mark.parametrize(
    ("code", "name", "rejects"),
    [
        (48, "unknown_ca", True),
        (46, "certificate_unknown", True),
        (42, "bad_certificate", True),
        (70, "protocol_version", False),
        (40, "handshake_failure", False),
        (200, "alert_200", False),
    ],
)
def test_alert_tells_why_a_client_left(code: int, name: str, rejects: bool) -> None:
    """5.3.63"""
    alert = tls.read_alert(record(bytes([2, code]), kind=21) + b"more")
    assert alert == tls.Alert(name)
    assert alert.rejects_certificate is rejects


def test_close_notify_is_a_warning() -> None:
    """5.3.70"""
    assert tls.read_alert(record(b"\x01\x00", kind=21)) == tls.Alert("close_notify", fatal=False)


@pytest.mark.parametrize(
    "data", [b"", record(b"\x02\x30", kind=21)[:-1], record(b"\x02\x30", kind=22), record(bytes(26), kind=21)]
)
def test_what_is_no_plain_alert_is_none(data: bytes) -> None:
    assert tls.read_alert(data) is None


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("tlsv1 alert unknown ca", "unknown_ca"),
        ("sslv3 alert certificate unknown", "certificate_unknown"),
        ("ssl/tls alert bad certificate", "bad_certificate"),
        ("tlsv13 alert certificate required", "certificate_required"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "protocol_version"),
    ],
)
def test_alert_is_recognised_in_errors_of_openssl(reason: str, name: str) -> None:
    """5.3.63"""
    assert tls.alert_from_openssl(reason) == tls.Alert(name)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_that_does_not_trust_us_is_recognised(newest: ssl.TLSVersion, tmp_path: Path) -> None:
    """5.3.63: as the server learns of it, during the handshake or with TLS 1.3 after it."""
    (tmp_path / "leaf.pem").write_bytes(Authority.create().issue(["a.test"]).to_pem())
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "leaf.pem")
    serving.maximum_version = newest
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(up, down, server_side=True)
    client = ssl.create_default_context().wrap_bio(down, up, server_hostname="a.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError):
        client.do_handshake()
    with pytest.raises(ssl.SSLError) as caught:
        server.read()
    assert tls.alert_from_openssl(caught.value.reason) == tls.Alert("unknown_ca")


@pytest.mark.parametrize("reason", ["", "unexpected eof while reading", "tlsv1 alert something new"])
def test_other_errors_of_openssl_are_no_alerts(reason: str) -> None:
    assert tls.alert_from_openssl(reason) is None
