"""SOCKS 5: any split of the same bytes gives the same events; any bytes raise only our errors."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from proxyfw.exceptions import ProtocolError
from proxyfw.protocol.socks import LOGIN, NO_LOGIN, Asking, Greeting, Listening, Login

hosts = st.one_of(
    st.ip_addresses().map(str), st.from_regex(r"[a-z]([a-z0-9-]{0,20}\.){1,3}[a-z]{2,5}", fullmatch=True)
)
ports = st.integers(0, 65535)
logins = st.tuples(st.text("ab:é", min_size=1, max_size=9), st.text("xy@", min_size=1, max_size=9))
cuts = st.lists(st.integers(0, 600), max_size=12)


def pieces(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(edge, len(data)) for edge in at), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


def heard(parts: list[bytes]) -> list[object]:
    """Everything a proxy learns from *parts*, and what it does not read."""
    codec, events = Listening(), list[object]()
    for part in parts:
        try:
            event = codec.receive(part)
            while event is not None:
                events.append(event)
                if isinstance(event, Greeting):
                    codec.choose(LOGIN if LOGIN in event.methods else NO_LOGIN)
                elif isinstance(event, Login):
                    codec.judge(True)
                event = codec.receive(b"")
        except ProtocolError as e:
            return [*events, str(e)]
    return [*events, codec.unread]


def said(parts: list[bytes], codec: Asking) -> tuple[bytes, object]:
    out = codec.begin()
    for part in parts:
        try:
            out += codec.receive(part)
        except ProtocolError as e:
            return b"", str(e)  # a proxy that answers before it is asked gets no reply or half of one
    return out, (codec.done, codec.unread)


@given(hosts, ports, st.none() | logins, st.binary(max_size=20), cuts, cuts)
def test_both_roles_understand_each_other_however_bytes_are_cut(
    host: str, port: int, login: tuple[str, str] | None, more: bytes, at: list[int], also_at: list[int]
) -> None:
    client, server = Asking((host, port), login), Listening()
    said_by_client, said_by_server = client.begin(), b""
    sent, answered = said_by_client, b""
    while not client.done:
        event = server.receive(sent)
        if isinstance(event, Greeting):
            answered = server.choose(LOGIN if login else NO_LOGIN)
        elif isinstance(event, Login):
            assert (event.username, event.password) == login
            answered = server.judge(True)
        else:
            assert event
            assert (event.host, event.port) == (host, port)
            answered = server.reply(0, (host, port))  # type: ignore[arg-type]
        said_by_server += answered
        sent = client.receive(answered)
        said_by_client += sent
    whole = heard([said_by_client + more])
    assert whole[-1] == more
    assert heard(pieces(said_by_client + more, at)) == whole
    answers = said_by_server + more
    expected = said([answers], Asking((host, port), login))
    assert expected == (said_by_client, (True, more))
    assert said(pieces(answers, also_at), Asking((host, port), login)) == expected


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x05\x01\x00", b"\x05\x01\x02", b"\x05\x00\x05\x00"]),
    cuts,
)
def test_any_bytes_however_cut(data: bytes, prefix: bytes, at: list[int]) -> None:
    data = prefix + data
    assert heard(pieces(data, at)) == heard([data])
    assert said(pieces(data, at), Asking(("a.example", 1), ("u", "p"))) == said(
        [data], Asking(("a.example", 1), ("u", "p"))
    )
