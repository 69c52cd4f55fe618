"""What a content view is, in both styles, and what it is told about the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Union

from proxyfw.flow import Flow
from proxyfw.http import Message
from proxyfw.model.charset import guess, parse_media_type
from proxyfw.viewing.safety import one_line

if TYPE_CHECKING:
    from proxyfw.dns import DNSMessage
    from proxyfw.tcp import TCPMessage
    from proxyfw.udp import UDPMessage
    from proxyfw.websocket import WebSocketMessage

RAW = "raw"
LIMIT = 1024**2
"""Bytes of data that a view is given unless its `Contentview.limit` says otherwise."""
MOST_RAW = 16 * 1024**2
"""Bytes that are shown raw, at most: what is more is for a file, not for the eye."""
_LONG_LINE = 4 * 80
"""Bytes that are enough for a line where only some lines are shown."""

AnyMessage = Union[Message, "TCPMessage", "UDPMessage", "WebSocketMessage", "DNSMessage"]
SyntaxHighlight = str
"""What the text is, for those who colour it: css, javascript, json, xml, yaml, none or error."""
TViewLine = list[tuple[str, str]]
TViewResult = tuple[str, Iterable[TViewLine]]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known about the data: of the five messages, the one that it is of, if it is of any.

    `content_type` is the media type alone, in lower case. `lines` is the number of lines that will be shown,
    if that is not all: a view may make more, but need not.
    """

    flow: Flow | None = None
    content_type: str | None = None
    http_message: Message | None = None
    tcp_message: TCPMessage | None = None
    udp_message: UDPMessage | None = None
    websocket_message: WebSocketMessage | None = None
    dns_message: DNSMessage | None = None
    lines: int | None = None

    def decode(self, data: bytes) -> str:
        """*data* as text, in the charset that the message declares or lets guess, else UTF-8.

        Bytes that are not in it are given as ``\\x80``.
        """
        declared = self.http_message.headers.get("content-type", "") if self.http_message else ""
        charset = guess(declared, data)
        if charset == "latin-1" and "charset" not in declared.lower():
            charset = "utf-8"
        try:
            return data.decode(charset)
        except (LookupError, ValueError):
            return data.decode("utf-8", "backslashreplace")


class Contentview:
    """A way to lay out data. Subclass it, and hand an instance, or the class, to `add`.

    `name` is what it is asked for by, the name of the class unless it says otherwise. It is given at most
    `limit` bytes, one MiB by default; more is shown raw. A `trusted` view ends soon whatever it is given, so
    nobody watches over it; any other runs in a thread of its own and is given up after a second.
    """

    name: str = ""
    syntax_highlight: SyntaxHighlight = "none"
    limit: float = LIMIT
    trusted: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = cls.__name__.removesuffix("Contentview").removesuffix("View").lower()

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """*data* as text. Any exception says that it cannot be: its message is shown, with the data raw."""
        raise NotImplementedError(f"{type(self).__name__} needs a method prettify(self, data, metadata)")

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """How well this view suits *data*: the highest above 0 is chosen; 1 is a fitting content type."""
        return 0


class View:
    """A view in the older style: when called it returns a description and lines of (style, text)."""

    name: str = ""
    content_types: ClassVar[list[str]] = []

    def __call__(
        self,
        data: bytes,
        *,
        content_type: str | None = None,
        flow: Flow | None = None,
        http_message: Message | None = None,
        **unknown_metadata: Any,
    ) -> TViewResult | None:
        """What to show, or None if this view has nothing to show of *data*."""
        raise NotImplementedError(f"{type(self).__name__} needs a method __call__(self, data, **metadata)")

    def render_priority(
        self,
        data: bytes,
        *,
        content_type: str | None = None,
        flow: Flow | None = None,
        http_message: Message | None = None,
        **unknown_metadata: Any,
    ) -> float:
        """As that of `Contentview`."""
        return float(content_type in self.content_types)


class Raw(Contentview):
    """The data as text, as it is."""

    name = RAW
    limit = float("inf")
    trusted = True

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        wanted = MOST_RAW if metadata.lines is None else 4 + metadata.lines * _LONG_LINE
        return metadata.decode(data[: min(wanted, MOST_RAW)])

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return 0.1


def data_of(message: AnyMessage) -> tuple[bytes | None, str]:
    """What *message* carries, decoded, or None; and what is wrong with it, if anything."""
    if not isinstance(message, Message):
        return getattr(message, "content", b""), ""
    try:
        data, problem = message.get_content(), ""
    except ValueError as undecodable:
        data, problem = message.raw_content, one_line(str(undecodable))
    if data is None:
        return None, "streamed, not kept"
    return data, problem


def metadata_of(message: AnyMessage, flow: Flow | None = None, lines: int | None = None) -> Metadata:
    """The `Metadata` for the data of *message*."""
    if isinstance(message, Message):
        kind = parse_media_type(message.headers.get("content-type", ""))[0]
        return Metadata(flow=flow, lines=lines, content_type=kind or None, http_message=message)
    kinds = (_KINDS.get(kind.__name__) for kind in type(message).__mro__)
    facts: dict[str, Any] = {name: message for name in kinds if name}
    return Metadata(flow=flow, lines=lines, **facts)


_KINDS = {
    "TCPMessage": "tcp_message",
    "UDPMessage": "udp_message",
    "WebSocketMessage": "websocket_message",
    "DNSMessage": "dns_message",
}
