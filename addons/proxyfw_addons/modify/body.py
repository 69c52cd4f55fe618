"""Edits of bodies: what takes their place, what is substituted in text, patched in JSON, put into pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from proxyfw.http import Message
from proxyfw.rules import File, Hit

from .json_edits import check_operations, merged, patched
from .text import edit_text, write_text

NOT_GIVEN: Any = object()
"""Where JSON is asked for, None is null."""

_BYTE = r"\\(\\|x([0-9a-fA-F]{2}))"
_PLACES = {"head_start": r"<head(?:\s[^>]*)?>", "head_end": r"</head\s*>", "body_end": r"</body\s*>"}


@dataclass
class Substitution:
    """Something in the text of a body that is replaced."""

    regex: Annotated[
        str,
        "What is replaced: a regular expression; `.` means line ends, too, `(?i)` at its start any case.",
    ]
    replacement: Annotated[str | None, r"What it is replaced by; `\1` and `\g<name>` are its groups."] = None
    file: Annotated[File | None, "A file with the replacement, as it stands; read again each time."] = None
    count: Annotated[int, "How many are replaced at most; 0: all."] = 0

    def __post_init__(self) -> None:
        if (self.replacement is None) == (self.file is None):
            raise ValueError("give either replacement or file")
        try:
            self._find = re.compile(self.regex, re.DOTALL)
        except re.error as problem:
            raise ValueError(f"{self.regex!r} is not a regular expression: {problem}") from None
        self._template = re.sub(_BYTE, _escaped, self.replacement or "")
        try:
            self._find.sub(self._template, "")
        except (re.error, IndexError) as problem:
            text = self.replacement
            raise ValueError(
                rf"the replacement {text!r} cannot be read: {problem}; \\ is a backslash"
            ) from None

    def apply(self, message: Message) -> int:
        """Substitute in the body of *message*; how often. Raises ValueError, or OSError for its file."""
        replacement: str | Callable[[re.Match[str]], str] = self._template
        if self.file is not None:
            literal = self.file.read_text("utf-8", "surrogateescape")
            replacement = lambda match: literal  # noqa: E731
        number = 0

        def edit(text: str) -> str:
            nonlocal number
            text, number = self._find.subn(replacement, text, self.count)
            return text

        edit_text(message, edit)
        return number


def _escaped(found: re.Match[str]) -> str:
    r"""What templates of `re` do not know: ``\x41``."""
    character = chr(int(found[2], 16)) if found[2] else "\\"
    return r"\\" if character == "\\" else character


@dataclass
class Injection:
    """HTML that is put into a page."""

    html: Annotated[str | None, "The HTML."] = None
    file: Annotated[File | None, "A file with it, in UTF-8; read again each time."] = None
    at: Annotated[
        Literal["head_start", "head_end", "body_end"],
        "Behind `<head>`, before the first `</head>`, or before the last `</body>`.",
    ] = "head_end"

    def __post_init__(self) -> None:
        if (self.html is None) == (self.file is None):
            raise ValueError("give either html or file")

    @staticmethod
    def shorthand(value: object) -> dict[str, object]:
        """HTML alone goes to the end of the head."""
        return {"html": value}

    @staticmethod
    def shorthand_schema() -> dict[str, object]:
        """As JSON Schema."""
        return {"type": "string"}

    def apply(self, message: Message) -> bool:
        """Put it into the body of *message*, if that has the place for it. Raises as `Substitution.apply`."""
        html = self.html if self.file is None else self.file.read_text("utf-8")
        done = False

        def edit(text: str) -> str:
            nonlocal done
            place = self._place(text)
            done = place is not None
            return text if place is None else f"{text[:place]}{html}{text[place:]}"

        edit_text(message, edit)
        return done

    def _place(self, text: str) -> int | None:
        found = list(re.finditer(_PLACES[self.at], text, re.IGNORECASE))
        if not found:
            return None
        if self.at == "body_end":
            return found[-1].start()
        return found[0].start() if self.at == "head_end" else found[0].end()


@dataclass(kw_only=True)
class BodyEdits:
    """What becomes of a body, in this order: something takes its place, JSON is patched, text substituted."""

    body: Annotated[str | None, "Text that takes the place of the body."] = None
    json: Annotated[Any, "What takes the place of the body, as JSON."] = NOT_GIVEN
    file: Annotated[File | None, "A file that takes the place of the body; read again each time."] = None
    json_merge: Annotated[Any, "Merged into a JSON body; null removes (RFC 7396)."] = NOT_GIVEN
    json_patch: Annotated[
        list[dict[str, Any]],
        "Steps done to a JSON body, all or none: add, remove, replace, move, copy, test (RFC 6902).",
    ] = field(default_factory=list)
    substitute: Annotated[list[Substitution], "What is replaced in a body of text."] = field(
        default_factory=list
    )

    def __post_init__(self) -> None:
        if sum((self.body is not None, self.json is not NOT_GIVEN, self.file is not None)) > 1:
            raise ValueError("body, json and file each take the place of the body: give one of them")
        if self.json_patch:
            check_operations(self.json_patch)

    @property
    def replaces_body(self) -> bool:
        """Something else takes the place of the whole body."""
        return self.body is not None or self.json is not NOT_GIVEN or self.file is not None

    @property
    def edits_body(self) -> bool:
        """There is something to do with a body."""
        return self.replaces_body or self.patches_json or bool(self.substitute)

    @property
    def patches_json(self) -> bool:
        """Something is patched in a JSON body."""
        return self.json_merge is not NOT_GIVEN or bool(self.json_patch)

    def declare_json(self, message: Message) -> None:
        """If JSON takes the place of the body, say so."""
        if self.json is not NOT_GIVEN and "json" not in message.headers.get("content-type", ""):
            message.headers["content-type"] = "application/json"

    def edit_body(self, message: Message, hit: Hit) -> None:
        """Edit a body that is there whole. Raises ProxyfwError, ValueError or OSError if it cannot be."""
        if self.replaces_body:
            self._replace(message)
            hit.note("body: replaced")
        if message.raw_content:
            if self.patches_json:
                self._patch(message, hit)
            for substitution in self.substitute:
                hit.note(f"body: {substitution.apply(message)} of {substitution.regex} replaced")

    def _replace(self, message: Message) -> None:
        if self.file is not None:
            message.content = self.file.read_bytes()
        elif self.body is not None:
            write_text(message, self.body)
        else:
            write_text(message, _dumped(self.json))

    def _patch(self, message: Message, hit: Hit) -> None:
        try:
            document = message.json()
        except (ValueError, RecursionError):
            hit.note("body: left as it is: it is not JSON")
            return
        if self.json_merge is not NOT_GIVEN:
            document = merged(document, self.json_merge)
        if self.json_patch:
            document = patched(document, self.json_patch)
        write_text(message, _dumped(document))
        hit.note("body: JSON patched")


def _dumped(document: Any) -> str:
    import json  # not before there is a document

    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can only say in ASCII
        text = json.dumps(document, separators=(",", ":"))
    return text
