"""Cookie and Set-Cookie headers as pairs and attributes, read the way user agents read them. RFC 6265.

Quotes are part of a value, as in section 5.2; cookies nobody edits keep their bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from proxyfw.model import dates
from proxyfw.model.multidict import MultiDict
from proxyfw.model.pieces import respell

Pair = tuple[str, str]


class CookieAttrs(MultiDict[str, str | None]):
    """Attributes of a Set-Cookie: case-insensitive, the last of a name counts, a flag's value is None.

    ``CookieAttrs([("Path", "/"), ("HttpOnly", None)])``. RFC 6265 section 5.2.
    """

    __slots__ = ()

    @staticmethod
    def _normal(key: str) -> str:
        return key.lower()

    @staticmethod
    def _reduce(values: list[str | None]) -> str | None:
        return values[-1]


SetCookie = tuple[str, CookieAttrs]
_Frozen = tuple[str, str, tuple[tuple[str, str | None], ...]]


def parse_cookies(headers: Iterable[str]) -> list[Pair]:
    """The cookies of all Cookie *headers*, in order; one without ``=`` has an empty name."""
    return [_read_pair(piece) for header in headers for piece in _pieces(header)]


def edit_cookies(headers: Iterable[str], cookies: Sequence[Pair]) -> str:
    """One Cookie header that says *cookies*; ``""`` if there are none."""
    old = [piece for header in headers for piece in _pieces(header)]
    return "; ".join(respell(old, _read_pair, _write_pair, [(name, value) for name, value in cookies]))


def parse_set_cookies(headers: Iterable[str]) -> list[tuple[str, SetCookie]]:
    """Each Set-Cookie header as ``(name, (value, attributes))``."""
    return [_thawed(_read_set_cookie(header)) for header in headers]


def edit_set_cookies(headers: Iterable[str], cookies: Iterable[tuple[str, SetCookie]]) -> list[str]:
    """Set-Cookie headers that say *cookies*. Raises TypeError for a value that is not (value, attributes)."""
    return respell(headers, _read_set_cookie, _write_set_cookie, [_frozen(*cookie) for cookie in cookies])


def refresh(header: str, delta: float) -> str:
    """A Set-Cookie header whose expiry, if it has a readable one, is *delta* seconds later."""
    name, value, attrs = _read_set_cookie(header)
    moved = tuple(
        (key, dates.moved(text, delta) if text and key.lower() == "expires" else text) for key, text in attrs
    )
    return header if moved == attrs else _write_set_cookie((name, value, moved))


def _pieces(header: str) -> list[str]:
    return [piece for part in header.split(";") if (piece := part.strip())]


def _read_pair(piece: str) -> Pair:
    name, equals, value = piece.partition("=")
    return (name.strip(), value.strip()) if equals else ("", piece.strip())


def _write_pair(pair: Pair) -> str:
    name, value = pair
    return f"{name}={value}" if name or "=" in value else value


def _read_set_cookie(header: str) -> _Frozen:
    cookie, _, rest = header.partition(";")
    name, value = _read_pair(cookie)
    attrs = [piece.partition("=") for piece in _pieces(rest)]
    return name, value, tuple((key.strip(), text.strip() if equals else None) for key, equals, text in attrs)


def _write_set_cookie(cookie: _Frozen) -> str:
    name, value, attrs = cookie
    pieces = [key if text is None else f"{key}={text}" for key, text in attrs]
    return "; ".join([_write_pair((name, value)), *pieces])


def _thawed(cookie: _Frozen) -> tuple[str, SetCookie]:
    name, value, attrs = cookie
    return name, (value, CookieAttrs(attrs))


def _frozen(name: str, cookie: SetCookie) -> _Frozen:
    if not isinstance(cookie, (tuple, list)) or len(cookie) != 2:
        raise TypeError(f"cookie {name!r} of a response must be (value, attributes), not {cookie!r}")
    value, attrs = cookie
    pairs = attrs.fields if isinstance(attrs, MultiDict) else _attribute_pairs(attrs)
    return name, value, tuple(pairs)


def _attribute_pairs(
    attrs: Mapping[str, str | None] | Iterable[tuple[str, str | None]],
) -> Iterable[tuple[str, str | None]]:
    pairs = attrs.items() if isinstance(attrs, Mapping) else attrs
    return [(name, value) for name, value in pairs]
