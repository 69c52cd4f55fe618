"""What is secret: which names, where, and what looks like one; and the list that is there without asking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_plus

from proxyfw.rules import Pattern

from .documents import Documents
from .kinds import JsonPath, Mark, Secret
from .texts import without_cards, without_tokens

HEADERS = (
    "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "X-Auth-Token",
    "X-Access-Token", "X-Csrf-Token", "X-Xsrf-Token", "X-Amz-Security-Token", "Api-Key", "X-Goog-Api-Key",
    "X-Vault-Token", "Private-Token",
)  # fmt: skip
NAMES = (
    "password", "passwd", "pwd", "passphrase", "secret", "client_secret", "client_assertion", "token",
    "access_token", "refresh_token", "id_token", "auth_token", "session_token", "csrf_token", "api_key",
    "apikey", "api-key", "apiKey", "access_key", "accessToken", "refreshToken", "idToken", "clientSecret",
    "private_key", "privateKey", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token",
    "X-Goog-Signature", "cvv", "cvc", "otp",
)  # fmt: skip
"""Of parameters, fields of forms and JSON."""
PARAMETERS = (*NAMES, "sig", "signature", "auth", "code_verifier")

_BEGINS = frozenset("{[")
_GUARD = re.compile(r"[\ufeff\s]*(?:\)\]\}'?,?\s*|while\s*\(1\);\s*|for\s*\(;;\);\s*)?")
"""What stands before JSON so that no page can load it as a script."""
_EVENT = re.compile(r"^(data:[ \t]*)([{\[].*)$", re.MULTILINE)
_PARAMETER = re.compile(r"([?&;#]|\A)([\w.\[\]%~+-]+)=([^&\s\"'<>#;]+)")
_PAIR = re.compile(r"([?&;]|\A)([^?&;=]+)=((?:(?!;[\w.\[\]%~+-]+=)[^&])+)")
_ELEMENT = re.compile(r"(<(?:[\w.-]+:)?([\w.-]+)(?:\s[^<>]*)?>)([^<>]+)(?=</)")
_FIELD = re.compile(r"^([ \t<>]*)([\w-]+)(:[ \t]*)(\S.*?)(\r?)$", re.MULTILINE)
_SCHEME = re.compile(
    r"((?:basic|bearer|digest|dpop|hawk|hoba|mutual|negotiate|ntlm|scram-[\w-]+|token|vapid|apikey|aws4-[\w-]+)\s+)"
    r"(.+)",
    re.IGNORECASE | re.DOTALL,
)


class Names:
    """Patterns of names, the plain ones of which are looked up."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        given = list(patterns)
        self._plain = {pattern.literal for pattern in given if pattern.literal is not None}
        self._others = [pattern for pattern in given if pattern.literal is None]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._plain or any(pattern(name) for pattern in self._others)

    def __bool__(self) -> bool:
        return bool(self._plain or self._others)


class Recipe:
    """What is to be taken out, and how the parts of a flow look without it; *mark* stands in its place."""

    def __init__(
        self,
        headers: Iterable[Pattern] = (),
        query: Iterable[Pattern] = (),
        json: Sequence[JsonPath] = (),
        body: Sequence[Secret] = (),
        cards: bool = False,
        tokens: bool = False,
    ) -> None:
        self.headers = Names(headers)
        self.query = Names(query)
        self._documents = Documents(json, cards)
        self._has_paths = bool(json)
        self._secrets = tuple(body)
        self._cards = cards
        self._tokens = tokens
        self.reads_bodies = bool(json or body or cards or tokens or self.query)

    def document(self, text: str, mark: Mark) -> str:
        """The body or message *text*, which may be JSON, JSON lines, or events with JSON, without secrets."""
        size = len(found[0]) if (found := _GUARD.match(text)) else 0
        start, rest = text[:size], text[size:]
        if rest[:1] in _BEGINS:
            new = self._document(rest, mark) or self._lines(rest, mark)
            return start + (self._broken(rest, mark) if new is None else new)
        if self._has_paths and "data:" in text:
            text = _EVENT.sub(lambda found: found[1] + self.document(found[2], mark), text)
        return self.text(self._documents.in_text(text, mark), mark)

    def _document(self, text: str, mark: Mark) -> str | None:
        new = self._documents(text, mark, lambda value: self.text(value, mark))
        return None if new is None else self._without_secrets(new, mark)

    def _lines(self, text: str, mark: Mark) -> str | None:
        """*text* if it is a document a line, of which the last may be cut; else None."""
        *lines, last = text.split("\n")
        new = [self._document(line, mark) if line.strip() else line for line in lines]
        whole = [line for line in new if line is not None]
        if not lines or len(whole) < len(new):
            return None
        end = self._document(last, mark) if last.strip() else last
        return "\n".join([*whole, self._broken(last, mark) if end is None else end])

    def _broken(self, text: str, mark: Mark) -> str:
        """*text* that is JSON, but broken or cut, so that nobody knows where paths lead."""
        if not self._documents.only_by_name:
            return mark(text)
        return self.text(self._documents.in_text(text, mark, broken=True), mark)

    def text(self, text: str, mark: Mark) -> str:
        """*text* that may have URLs in it, without what looks like a secret and without secret parameters."""
        if self.query and "=" in text:
            text = _PARAMETER.sub(lambda found: self._parameter(found, mark), text)
        if self.query and "</" in text:
            text = _ELEMENT.sub(lambda found: self._element(found, mark), text)
        if self._tokens:
            text = without_tokens(text, mark)
        if self._cards:
            text = without_cards(text, mark)
        return self._without_secrets(text, mark)

    def _without_secrets(self, text: str, mark: Mark) -> str:
        for secret in self._secrets:
            text = secret.taken_out(text, mark)
        return text

    def pairs(self, text: str, mark: Mark) -> str:
        """*text* that is nothing but a path or a form: its values may have anything in them."""
        if self.query and "=" in text:
            text = _PAIR.sub(lambda found: self._parameter(found, mark), text)
        return self.text(text, mark)

    def names(self, name: str) -> bool:
        """Whether a parameter or field called *name*, as ``user[password]``, is secret."""
        return name in self.query or re.split(r"[\[.]", name.rstrip("]"))[-1] in self.query

    def _parameter(self, found: re.Match[str], mark: Mark) -> str:
        before, name, value = found.groups()
        return f"{before}{name}={mark(unquote_plus(value))}" if self.names(unquote_plus(name)) else found[0]

    def _element(self, found: re.Match[str], mark: Mark) -> str:
        return f"{found[1]}{mark(found[3])}" if self.names(found[2]) else found[0]

    def header(self, name: str, value: str, mark: Mark) -> str:
        """The value of a header field without secrets: kept are names of cookies, and schemes."""
        if name not in self.headers:
            return self.text(value, mark)
        lower = name.lower()
        if lower == "cookie":
            return "; ".join(_cookie(each, mark) for each in value.split("; "))
        if lower == "set-cookie":
            cookie, semicolon, attributes = value.partition(";")
            return _cookie(cookie, mark) + semicolon + attributes
        scheme = _SCHEME.fullmatch(value) if "authorization" in lower else None
        return f"{scheme[1]}{mark(scheme[2])}" if scheme else mark(value)

    def line(self, text: str, mark: Mark) -> str:
        """*text* for people, a line of a log for one, that may have anything of a flow in it."""
        if self.headers and ":" in text:
            text = _FIELD.sub(lambda found: self._field(found, mark), text)
        return self.text(self._documents.in_text(text, mark), mark)

    def _field(self, found: re.Match[str], mark: Mark) -> str:
        before, name, colon, value, end = found.groups()
        return (
            f"{before}{name}{colon}{self.header(name, value, mark)}{end}"
            if name in self.headers
            else found[0]
        )


def _cookie(text: str, mark: Mark) -> str:
    name, equals, value = text.partition("=")
    return f"{name}={mark(value)}" if equals else mark(text)


def standard() -> Recipe:
    """What is secret unless somebody says otherwise."""
    return Recipe(
        headers=map(Pattern, HEADERS),
        query=map(Pattern, PARAMETERS),
        json=[JsonPath(f"$..{name}") for name in NAMES],
        cards=True,
        tokens=True,
    )
