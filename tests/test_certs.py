"""Which certificate a host is shown: generated once, renewed in time, the user's own first."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from proxyfw import connection
from proxyfw.certs import Authority, CertStore, Leaf
from proxyfw.exceptions import CertificateError

DAY = 86400


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def issue(name: str) -> Leaf:
    return Authority.create("Root", path_length=1).subordinate("Below").issue([name])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> CertStore:
    return CertStore(Authority.create(clock=clock), capacity=3)


def test_second_look_mints_nothing(store: CertStore) -> None:
    """5.3.59"""
    leaf = store.get("a.test", ("b.test",), "Org")
    assert store.get("a.test", ("b.test",), "Org") is leaf
    assert leaf.cert.altnames == ["a.test", "b.test"]
    assert leaf.cert.organization == "Org"
    assert leaf.chain == (store.ca.cert,)
    assert len({leaf, store.get("a.test")}) == 2


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns every microsecond, so that a race is lost where one can be."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("hasty_threads")
def test_concurrent_first_looks_mint_once(store: CertStore) -> None:
    """5.3.59"""
    barrier = threading.Barrier(16)

    def look(_: int) -> Leaf:
        barrier.wait()
        return store.get("a.test")

    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(look, range(16)))) == 1


def test_least_recently_used_leaf_goes_first(store: CertStore) -> None:
    """5.3.59"""
    leaves = {name: store.get(name) for name in ("a.test", "b.test", "c.test")}
    assert store.get("a.test") is leaves["a.test"]
    store.get("d.test")
    assert store.get("a.test") is leaves["a.test"]
    assert store.get("b.test") is not leaves["b.test"]


def test_leaf_is_made_again_a_day_before_it_expires(store: CertStore, clock: Clock) -> None:
    leaf = store.get("a.test")
    clock.now = leaf.cert.notafter.timestamp() - DAY - 1
    assert store.get("a.test") is leaf
    clock.now += 2
    renewed = store.get("a.test")
    assert renewed is not leaf
    assert renewed.cert.notafter > leaf.cert.notafter


def test_last_day_of_an_authority_mints_once(store: CertStore, clock: Clock) -> None:
    clock.now = store.ca.cert.notafter.timestamp() - 60
    leaf = store.get("a.test")
    assert store.get("a.test") is leaf
    clock.now += 120
    with pytest.raises(CertificateError, match="expired"):
        store.get("a.test")


def test_leaves_share_a_key_that_is_not_the_authoritys(store: CertStore) -> None:
    first, second = store.get("a.test"), store.get("b.test")
    assert first.key is second.key
    assert first.key is not store.ca.key
    assert first.cert.serial != second.cert.serial


def test_client_without_server_name_gets_the_address(store: CertStore) -> None:
    """5.3.62"""
    assert store.get("192.0.2.1").cert.altnames == ["192.0.2.1"]
    assert store.get(None, ("192.0.2.2", "::1")).cert.altnames == ["192.0.2.2", "::1"]
    assert store.get(None).cert.altnames == ["localhost"]


def custom(directory: Path, name: str) -> str:
    path = directory / f"{name.replace('*', '_')}.pem"
    path.write_bytes(issue(name).to_pem())
    return str(path)


def test_own_leaf_is_chosen_by_the_closest_name(store: CertStore, tmp_path: Path) -> None:
    """5.3.61"""
    specs = ["exact.example.com", "*.example.com", "*.deep.example.com", "*", "192.0.2.1"]
    leaves = {name: store.add_custom(f"{name}={custom(tmp_path, name)}") for name in specs if name != "*"}
    assert store.get("other.test").cert.issuer == store.ca.cert.subject
    leaves["*"] = store.add_custom(custom(tmp_path, "default.test"))
    expected = {
        "exact.example.com": "exact.example.com",
        "EXACT.example.com": "exact.example.com",
        "www.example.com": "*.example.com",
        "a.b.example.com": "*.example.com",
        "a.deep.example.com": "*.deep.example.com",
        "example.com": "*",
        "other.test": "*",
        "192.0.2.1": "192.0.2.1",
    }
    assert {host: store.get(host) for host in expected} == {
        host: leaves[name] for host, name in expected.items()
    }
    assert store.get(None, ("www.example.com",)) is leaves["*.example.com"]


def test_own_leaf_comes_with_its_chain(store: CertStore, tmp_path: Path) -> None:
    """5.3.61"""
    own = issue("a.test")
    (tmp_path / "own.pem").write_bytes(own.to_pem())
    store.add_custom(f"a.test={tmp_path / 'own.pem'}")
    leaf = store.get("a.test")
    assert (leaf.cert, leaf.chain) == (own.cert, own.chain)
    assert [cert.cn for cert in leaf.chain] == ["Below", "Root"]


def test_own_leaf_replaces_a_generated_one_at_once(store: CertStore, tmp_path: Path) -> None:
    """5.3.61"""
    store.get("a.test")
    leaf = store.add_custom(f"a.test={custom(tmp_path, 'a.test')}")
    assert store.get("a.test") is leaf


def test_own_leaf_may_be_encrypted(store: CertStore, tmp_path: Path) -> None:
    """5.3.61"""
    leaf = Authority.create().issue(["a.test"])
    protection = BestAvailableEncryption(b"open sesame")
    key = leaf.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, protection)
    (tmp_path / "own.pem").write_bytes(key + leaf.cert.to_pem())
    with pytest.raises(CertificateError, match="passphrase"):
        store.add_custom(str(tmp_path / "own.pem"))
    assert store.add_custom(str(tmp_path / "own.pem"), "open sesame").cert == leaf.cert


def test_own_leaf_whose_key_does_not_fit_is_refused(store: CertStore, tmp_path: Path) -> None:
    """5.3.60, 5.3.61"""
    (tmp_path / "own.pem").write_bytes(Leaf(issue("a.test").cert, issue("a.test").key).to_pem())
    with pytest.raises(CertificateError, match=r"own\.pem do not belong together"):
        store.add_custom(f"a.test={tmp_path / 'own.pem'}")


@pytest.mark.parametrize("spec", ["", "a.test=", "a.*.test=x.pem", "**=x.pem", "a b=x.pem"])
def test_own_leaf_needs_a_domain_and_a_path(store: CertStore, spec: str) -> None:
    with pytest.raises(CertificateError):
        store.add_custom(spec)


def test_equals_sign_in_a_path_is_no_domain(store: CertStore, tmp_path: Path) -> None:
    path = tmp_path / "a=b.pem"
    os.rename(custom(tmp_path, "a.test"), path)
    assert store.add_custom(str(path)) is store.get("anything.test")


def test_own_leaf_of_doubtful_use_is_warned_of(
    store: CertStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """5.3.61"""
    with caplog.at_level(logging.WARNING):
        ca = Authority.create()
        old = ca.issue(
            ["a.test"],
            not_before=datetime(1970, 1, 1, tzinfo=UTC),
            not_after=datetime(1979, 1, 1, tzinfo=UTC),
        )
        for name, leaf in (("ca.pem", Leaf(ca.cert, ca.key)), ("old.pem", old)):
            (tmp_path / name).write_bytes(leaf.to_pem())
            store.add_custom(str(tmp_path / name))
    assert f"{tmp_path / 'ca.pem'} holds an authority's certificate" in caplog.text
    assert f"{tmp_path / 'old.pem'} expired on 1979" in caplog.text


def test_saved_connections_give_their_certificates_back() -> None:
    leaf = Authority.create().issue(["a.test"])
    server = connection.Server(address=("a.test", 443))
    server.certificate_list = (leaf.cert, *leaf.chain)
    assert connection.Server.from_state(server.get_state()).certificate_list == server.certificate_list
