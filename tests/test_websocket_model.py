"""WebSocket messages and connections as records."""

from __future__ import annotations

import pytest

from proxyfw import flow as flows
from proxyfw.exceptions import ProxyfwError
from proxyfw.websocket import Opcode, WebSocketData, WebSocketMessage


def test_text_messages_are_read_and_written_as_text() -> None:
    message = WebSocketMessage(Opcode.TEXT, True, "é".encode(), 1.0)
    assert message.is_text
    assert message.text == "é"
    message.text = "ü"
    assert message.content == "ü".encode()


def test_binary_messages_have_no_text() -> None:
    message = WebSocketMessage(2, False, b"\xff")
    assert message.type is Opcode.BINARY
    assert not message.is_text
    with pytest.raises(AttributeError, match="a binary message has no text"):
        _ = message.text
    with pytest.raises(AttributeError, match="look at is_text"):
        message.text = "x"


@pytest.mark.parametrize("drop", [WebSocketMessage.drop, WebSocketMessage.kill])
def test_messages_can_be_dropped(drop: object) -> None:
    assert callable(drop)
    message = WebSocketMessage(1, True, b"")
    assert not message.dropped
    drop(message)
    assert message.dropped


def test_content_is_bytes_and_type_an_opcode(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="must be bytes, not 'text'; encode text first"):
        WebSocketMessage(1, True, "text")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="3 is not a valid Opcode"):
        WebSocketMessage(3, True, b"")
    monkeypatch.setattr(flows, "clock", lambda: 5.0)
    assert WebSocketMessage(1, True, b"").timestamp == 5.0


def test_state_round_trip() -> None:
    data = WebSocketData()
    data.messages = [WebSocketMessage(1, True, b"a", 1.0), WebSocketMessage(2, False, b"b", 2.0, True, True)]
    data.closed_by_client, data.close_code, data.close_reason, data.timestamp_end = True, 1000, "bye", 3.0
    state = data.get_state()
    assert WebSocketData.from_state(state).get_state() == state == data.copy().get_state()
    assert state["messages"][1] == [2, False, b"b", 2.0, True, True]


def test_copies_share_no_message() -> None:
    data = WebSocketData()
    data.messages = [WebSocketMessage(1, True, b"a")]
    data.copy().messages[0].content = b"b"
    assert data.messages[0].content == b"a"


def test_repr() -> None:
    assert repr(WebSocketMessage(1, True, b"ab")) == "<WebSocketMessage -> text 2 bytes>"
    assert repr(WebSocketMessage(2, False, b"")) == "<WebSocketMessage <- binary 0 bytes>"
    assert repr(WebSocketData()) == "<WebSocketData 0 messages>"


def test_only_the_latest_messages_are_kept_and_the_others_counted() -> None:
    data = WebSocketData()
    for number in range(100):
        data.keep(WebSocketMessage(2, True, bytes([number]) * 800), 10_000)
        assert data.messages[-1].content[0] == number
        assert len(data.messages) <= 10
        assert data.forgotten + len(data.messages) == number + 1
    data.keep(WebSocketMessage(2, True, bytes(50_000)), 10_000)
    assert [len(message.content) for message in data.messages] == [50_000]
    assert data.copy().forgotten == 100


class _Injector:
    def __init__(self) -> None:
        self.messages: list[WebSocketMessage] = []

    def inject(self, message: WebSocketMessage) -> None:
        self.messages.append(message)


def test_injected_messages_look_as_if_the_other_side_had_sent_them() -> None:
    data, injector = WebSocketData(), _Injector()
    data.injector = injector
    data.inject(True, "é")
    data.inject(False, b"\xff")
    data.inject(False, b"text", is_text=True)
    assert [(m.from_client, m.content, m.is_text, m.injected) for m in injector.messages] == [
        (False, "é".encode(), True, True),
        (True, b"\xff", False, True),
        (True, b"text", True, True),
    ]
    with pytest.raises(UnicodeDecodeError):
        data.inject(True, b"\xff", is_text=True)
    assert data.copy().injector is None


def test_nothing_can_be_injected_into_a_record() -> None:
    with pytest.raises(ProxyfwError, match="closed"):
        WebSocketData().inject(True, b"a")
