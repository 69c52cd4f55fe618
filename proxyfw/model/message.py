"""What requests and responses share: version, headers, a body that is decoded when read, trailers, times."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Self

from proxyfw.model import charset, encoding
from proxyfw.model.headers import Headers, HeaderSource, RawField, Text, to_bytes, to_str

Chunks = bytes | Iterable[bytes]
Stream = bool | Callable[[bytes], Chunks | Awaitable[Chunks]]
"""False: buffer the body. True: pass it on as it comes. A function: pass on what it makes of each chunk;
it is called with ``b""`` once, at the end. In an addon's own answer, if `raw_content` is None, what it gives
then is the whole body; an iterator is asked for one part after the other, while they are sent."""


class Message:
    """A request or a response.

    `raw_content` is the body as sent, still encoded: None if it is not available (streamed, lost), ``b""``
    if it is empty. `stream` decides how the body travels, see `Stream`; set it in the headers hook.
    `truncated` says that the record of the body was cut, never what was forwarded. `version_bytes` is the
    slot behind `http_version`, for those who handle many messages.
    """

    __slots__ = (
        "__weakref__",
        "_headers",
        "_raw_content",
        "_trailers",
        "stream",
        "timestamp_end",
        "timestamp_start",
        "truncated",
        "version_bytes",
    )
    # What is saved and copied as it is: the name in the state, and the slot.
    _facts: tuple[tuple[str, str], ...] = (
        ("http_version", "version_bytes"),
        ("content", "_raw_content"),
        ("timestamp_start", "timestamp_start"),
        ("timestamp_end", "timestamp_end"),
        ("truncated", "truncated"),
    )
    version_bytes: bytes
    timestamp_start: float
    timestamp_end: float | None
    stream: Stream
    truncated: bool
    _headers: Headers
    _raw_content: bytes | None
    _trailers: Headers | None

    @property
    def http_version(self) -> str:
        """``HTTP/1.0``, ``HTTP/1.1``, ``HTTP/2.0`` or ``HTTP/3``."""
        return to_str(self.version_bytes)

    @http_version.setter
    def http_version(self, version: Text) -> None:
        self.version_bytes = to_bytes(version, "http_version")

    @property
    def is_http10(self) -> bool:
        """The version is HTTP/1.0."""
        return self.version_bytes == b"HTTP/1.0"

    @property
    def is_http11(self) -> bool:
        """The version is HTTP/1.1."""
        return self.version_bytes == b"HTTP/1.1"

    @property
    def is_http2(self) -> bool:
        """The version is HTTP/2, however it is written."""
        return self.version_bytes in (b"HTTP/2.0", b"HTTP/2")

    @property
    def is_http3(self) -> bool:
        """The version is HTTP/3, however it is written."""
        return self.version_bytes in (b"HTTP/3", b"HTTP/3.0")

    @property
    def headers(self) -> Headers:
        """The header fields; a mapping or pairs may be assigned."""
        return self._headers

    @headers.setter
    def headers(self, headers: HeaderSource) -> None:
        self._headers = headers if isinstance(headers, Headers) else Headers.of(headers)

    @property
    def trailers(self) -> Headers | None:
        """The fields after the body, or None. RFC 9110 section 6.5."""
        return self._trailers

    @trailers.setter
    def trailers(self, trailers: HeaderSource | None) -> None:
        self._trailers = (
            trailers if trailers is None or isinstance(trailers, Headers) else Headers.of(trailers)
        )

    @property
    def raw_content(self) -> bytes | None:
        """The body as sent; assigning it leaves the headers alone."""
        return self._raw_content

    @raw_content.setter
    def raw_content(self, content: bytes | None) -> None:
        self._raw_content = None if content is None else checked_content(content)

    @property
    def content(self) -> bytes | None:
        """The body without its Content-Encoding; raises ValueError if it is not in that encoding.

        More than 128 MiB are not decoded, which is a ValueError, too: tell `get_content` another limit.
        Assigning encodes again and updates Content-Length.
        """
        return self.get_content()

    @content.setter
    def content(self, content: bytes | None) -> None:
        self.set_content(content)

    @property
    def text(self) -> str | None:
        """`content` as text in the charset declared or guessed; raises ValueError if it is not in it."""
        return self.get_text()

    @text.setter
    def text(self, text: str | None) -> None:
        self.set_text(text)

    def get_content(self, strict: bool = True, limit: int = encoding.DECODED_LIMIT) -> bytes | None:
        """The decoded body. Unless *strict*, a body that cannot be decoded is given as it is.

        One that decodes to more than *limit* bytes (128 MiB unless given) counts as such.
        """
        raw = self._raw_content
        coding = self._headers.get("content-encoding")
        if raw is None or not coding:
            return raw
        try:
            return encoding.decode(raw, coding, partial=self.truncated, limit=limit)
        except ValueError:
            if strict:
                raise
            return raw

    def set_content(self, content: bytes | None) -> None:
        """Replace the body, encoded as Content-Encoding says; an encoding we cannot write is removed.

        Content-Length follows unless the message is chunked. The same content again changes nothing.
        """
        if content is None:
            self._raw_content = None
        elif not self._says(checked_content(content)):
            self._raw_content = self._encoded(content)
            self.truncated = False
            self._update_length()

    def get_text(self, strict: bool = True) -> str | None:
        """The body as text. Unless *strict*, what cannot be decoded becomes surrogates."""
        content = self.get_content(strict)
        if content is None:
            return None
        name = charset.guess(self._headers.get("content-type", ""), content)
        try:
            return content.decode(name)
        except (LookupError, ValueError) as error:
            if strict:
                raise ValueError(f"body is not text in {name!r}: {error}") from error
            return to_str(content)

    def set_text(self, text: str | None) -> None:
        """Replace the body by *text*, in the charset in use or, if that lacks a character, in UTF-8."""
        if text is None:
            self.set_content(None)
            return
        if not isinstance(text, str):
            raise TypeError(f"text must be str or None, not {type(text).__name__}; for bytes set content")
        declared = self._headers.get("content-type", "")
        content = charset.encode(text, declared, self.get_content(strict=False) or b"")
        if content is None:
            self._headers["content-type"] = charset.with_charset(declared, "utf-8")
            content = to_bytes(text)
        self.set_content(content)

    def json(self, **options: Any) -> Any:
        """The body read as JSON; *options* go to `json.loads`.

        Raises TypeError if the content is not available, ValueError if it is not JSON.
        """
        content = self.get_content(strict=False)
        if content is None:
            raise TypeError("the content of this message is not available, so there is no JSON to read")
        import json  # most programs that read JSON have it; the proxy alone does without

        return json.loads(content, **options)

    def decode(self, strict: bool = True) -> None:
        """Undo the Content-Encoding and remove the header. Raises ValueError, if *strict*, when it cannot."""
        content = self.get_content(strict)
        self._headers.pop("content-encoding", None)
        self.set_content(content)

    def encode(self, coding: str) -> None:
        """Encode the body, as it is now, with *coding*. Raises ValueError if that is not supported."""
        content = self._raw_content
        encoded = encoding.encode(content or b"", coding)
        self._headers["content-encoding"] = coding
        if content is not None:
            self._raw_content = encoded
            self._update_length()

    def copy(self) -> Self:
        """An equal message that shares nothing that can be edited."""
        new = type(self).__new__(type(self))
        new._assign(self)
        return new

    def copy_into(self, other: Self | None) -> Self:
        """*other* made equal to this message; a copy if there is no other."""
        if other is None:
            return self.copy()
        other._assign(self)
        return other

    def get_state(self) -> dict[str, Any]:
        """The message as plain data; `stream` is of this process only."""
        state = {name: getattr(self, slot) for name, slot in self._facts}
        state["headers"] = self._headers.get_state()
        state["trailers"] = self._trailers.get_state() if self._trailers is not None else None
        return state

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `get_state` gave."""
        for name, slot in self._facts:
            setattr(self, slot, state[name])
        self._headers = Headers.from_state(state["headers"])
        self._trailers = Headers.from_state(state["trailers"]) if state["trailers"] is not None else None
        self.stream = False

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """A message from what `get_state` gave."""
        message = cls.__new__(cls)
        message.set_state(state)
        return message

    def _assign(self, other: Self) -> None:
        for _, slot in self._facts:
            setattr(self, slot, getattr(other, slot))
        self._headers = other._headers.copy()
        self._trailers = other._trailers.copy() if other._trailers is not None else None
        self.stream = other.stream

    def _says(self, content: bytes) -> bool:
        """A body that is not changed keeps its bytes and its framing (in an answer to HEAD, for one)."""
        if content and "content-length" not in self._headers and "transfer-encoding" not in self._headers:
            return False
        try:
            return self.get_content() == content
        except ValueError:
            return False

    def _encoded(self, content: bytes) -> bytes:
        coding = self._headers.get("content-encoding")
        if coding:
            try:
                return encoding.encode(content, coding)
            except ValueError:
                del self._headers["content-encoding"]
        return content

    def _update_length(self) -> None:
        if "transfer-encoding" in self._headers:
            return
        if self._raw_content or "content-length" in self._headers or self._declares_empty():
            self._headers["content-length"] = b"%d" % len(self._raw_content or b"")

    def _fill(self, content: Text) -> None:
        """Give a new message its first *content*."""
        if isinstance(content, str):
            self.set_text(content)
        elif isinstance(content, bytes):
            self._raw_content = self._encoded(content)
            self._update_length()
        else:
            raise TypeError(f"content must be str or bytes, not {type(content).__name__}: {content!r}")

    def _declares_empty(self) -> bool:
        """Whether an empty body is announced as such. RFC 9110 section 8.6."""
        raise NotImplementedError


def checked_content(content: bytes) -> bytes:
    """*content* itself. Raises TypeError unless it is bytes."""
    if isinstance(content, bytes):
        return content
    raise TypeError(f"content must be bytes or None, not {type(content).__name__}; for str set text")


def checked_headers(fields: Headers | Iterable[RawField]) -> Headers:
    """*fields* as headers, without a copy if they are."""
    return fields if isinstance(fields, Headers) else Headers(fields)
