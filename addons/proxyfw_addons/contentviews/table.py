"""Which view suits which data: by content type, by first bytes, by where it came from."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from proxyfw.contentviews import Contentview, Metadata
from proxyfw.http import HTTPFlow, Request

Suits = Callable[[bytes, Metadata], float]
KIB = 1024
HALF = 512 * KIB
"""Bytes of the languages that are cut into tokens in Python: a second or two at most, if they are hostile."""
FITS, LIKELY, GUESS, FALLBACK = 1.0, 0.6, 0.4, 0.2


class BuiltIn(Contentview):
    """A view of this folder: the module of that name has ``prettify(data, metadata)``."""

    trusted = True

    def __init__(
        self,
        name: str,
        about: str,
        suits: Suits,
        syntax: str = "none",
        limit: float = KIB**2,
        module: str | None = None,
    ) -> None:
        self.name = name
        self.about = about
        self.suits = suits
        self.syntax_highlight = syntax
        self.limit = limit
        self.module = module or name

    def implementation(self) -> ModuleType:
        """The module that does it."""
        return import_module(f"{__package__}.{self.module}")

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        text: str = self.implementation().prettify(data, metadata)
        return text

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return self.suits(data, metadata)


def of_type(*types: str, suffix: str | None = None) -> Suits:
    """Data that is declared to be of one of *types*, or of any whose name ends so."""
    known = frozenset(types)

    def suits(data: bytes, metadata: Metadata) -> float:
        kind = metadata.content_type
        fits = kind in known or (kind and suffix and kind.endswith(suffix))
        return FITS if data and fits else 0

    return suits


def begins(*starts: bytes, types: Suits) -> Suits:
    """Data that begins so, or is declared to be of one of *types*."""

    def suits(data: bytes, metadata: Metadata) -> float:
        return types(data, metadata) or (LIKELY if data.startswith(starts) else 0)

    return suits


# Where the content type does not say it


_UNDECLARED = (None, "text/plain", "application/octet-stream")
_json = of_type(
    "application/json", "text/json", "application/x-ndjson", "application/ndjson", "application/jsonl",
    "application/jsonlines", "application/json-seq", "application/csp-report", "application/json-rpc",
    suffix="+json",
)  # fmt: skip
_JSON = re.compile(rb"""\s*+(?:\{\s*+["}]|\[\s*+[\]\[{"\d\-tfn])""")
_FORM = "application/x-www-form-urlencoded"


def json(data: bytes, metadata: Metadata) -> float:
    """JSON, also where it is not declared, or declared as a form, as some command lines do."""
    declared = _json(data, metadata)
    if (
        declared
        or metadata.content_type not in (*_UNDECLARED, _FORM)
        or data[-64:].rstrip()[-1:] not in b"}]"
    ):
        return declared
    return (FITS + GUESS if metadata.content_type == _FORM else GUESS) if _JSON.match(data, 0, 256) else 0


_markup = of_type(
    "text/html", "text/xml", "application/xml", "application/xhtml+xml", "image/svg+xml", suffix="+xml"
)
_MARKUP = re.compile(rb"\s*+<(?:!doctype|html|\?xml|svg)\b", re.IGNORECASE)


def markup(data: bytes, metadata: Metadata) -> float:
    """HTML and XML."""
    undeclared = metadata.content_type in _UNDECLARED
    return _markup(data, metadata) or (GUESS if undeclared and _MARKUP.match(data, 0, 256) else 0)


_GRAPHQL = re.compile(rb'"query"\s*+:\s*+"[^"]{0,300}?[{]')


def graphql(data: bytes, metadata: Metadata) -> float:
    """Queries, in JSON or bare; an answer to one is JSON like any other."""
    if metadata.content_type == "application/graphql" and data:
        return FITS
    is_query = isinstance(metadata.http_message, Request) and _json(data, metadata)
    return FITS + LIKELY if is_query and _GRAPHQL.search(data, 0, 64 * KIB) else 0


def query(data: bytes, metadata: Metadata) -> float:
    """The query of a request that has no body."""
    request = metadata.http_message
    return GUESS if not data and isinstance(request, Request) and "?" in request.path else 0


def dns(data: bytes, metadata: Metadata) -> float:
    """DNS messages, over HTTPS and where DNS is spoken."""
    if metadata.dns_message is not None:
        return FITS
    if metadata.content_type == "application/dns-message" and data:
        return FITS
    flow = metadata.flow
    address = flow.server_conn.address if flow and metadata.udp_message else None
    return LIKELY if address and address[1] in (53, 5353) else 0


def socket_io(data: bytes, metadata: Metadata) -> float:
    """Packets of Engine.IO, in WebSocket messages and polled."""
    if not data or not isinstance(metadata.flow, HTTPFlow):
        return 0
    path, _, arguments = metadata.flow.request.path.partition("?")
    known = "/socket.io/" in path or "/engine.io/" in path or "EIO=" in arguments
    return FITS + LIKELY if known and data[:1] in b"0123456789b" else 0


def binary(data: bytes, metadata: Metadata) -> float:
    """Anything that is not text."""
    message, sample = metadata.http_message, data[:KIB]
    declared = message is not None and "charset" in message.headers.get("content-type", "")
    text = metadata.decode(sample) if declared else sample.decode("utf-8", "replace")
    strange = sum(char == "\ufffd" or not (char.isprintable() or char in "\t\r\n") for char in text)
    return FALLBACK if "\0" in text or strange * 10 > len(text) else 0


_png_and_others = begins(
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a",
    types=of_type("image/x-icon", "image/vnd.microsoft.icon", "image/bmp"),
)  # fmt: skip


def image(data: bytes, metadata: Metadata) -> float:
    """Images whose head is understood; SVG is markup unless this view is asked for."""
    return _png_and_others(data, metadata) or (LIKELY if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else 0)


_zip = of_type(
    "application/zip", "application/x-zip-compressed", "application/java-archive",
    "application/vnd.android.package-archive",
)  # fmt: skip

VIEWS: tuple[BuiltIn, ...] = (
    BuiltIn("hex", "A hex dump.", binary, limit=16 * KIB**2, module="hexdump"),
    BuiltIn("json", "JSON, also one value a line; spelling and order are kept.", json, "json"),
    BuiltIn(
        "html", "HTML and XML, an element a line, however bad the markup.", markup, "xml", HALF, "markup"
    ),
    BuiltIn("css", "Style sheets, a declaration a line.", of_type("text/css"), "css", HALF, "style"),
    BuiltIn(
        "javascript",
        "JavaScript, a statement a line.",
        of_type(
            "application/javascript", "text/javascript", "application/x-javascript", "application/ecmascript"
        ),
        "javascript",
        HALF,
    ),
    BuiltIn("graphql", "A GraphQL query, its variables, its name.", graphql, "yaml"),
    BuiltIn("urlencoded", "The fields of a form.", of_type(_FORM), "yaml"),
    BuiltIn("query", "The query of a URL, where there is no body.", query, "yaml"),
    BuiltIn(
        "multipart",
        "The parts of a body, each in its own view.",
        lambda data, metadata: FITS if data and (metadata.content_type or "").startswith("multipart/") else 0,
    ),
    BuiltIn("image", "Format, size and what else the head of an image says.", image, "yaml", 32 * KIB**2),
    BuiltIn(
        "protobuf",
        "Protocol buffers, by number or, with descriptors, by name.",
        of_type(
            "application/x-protobuf",
            "application/protobuf",
            "application/x-google-protobuf",
            "application/vnd.google.protobuf",
            suffix="+protobuf",
        ),
        "yaml",
        256 * KIB,
    ),
    BuiltIn(
        "grpc",
        "The messages of gRPC and gRPC-Web, compressed or not.",
        lambda data, metadata: (
            FITS if data and (metadata.content_type or "").startswith("application/grpc") else 0
        ),
        "yaml",
        256 * KIB,
    ),
    BuiltIn(
        "msgpack",
        "MessagePack.",
        of_type("application/msgpack", "application/x-msgpack", "application/vnd.msgpack"),
        "yaml",
        256 * KIB,
        "messagepack",
    ),
    BuiltIn("dns", "DNS messages, as dig shows them.", dns, limit=64 * KIB),
    BuiltIn("socket.io", "Packets of Socket.IO and Engine.IO.", socket_io, module="socketio"),
    BuiltIn(
        "zip",
        "What is in a ZIP archive.",
        begins(b"PK\x03\x04", types=_zip),
        limit=32 * KIB**2,
        module="archive",
    ),
)
"""All of them, in the order of the documentation."""
