"""The options `modify_headers` and `modify_body`: specs of one line, as rules.

Each spec is for requests and for responses; its filter decides, and sees a response only where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxyfw.exceptions import OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow, Message
from proxyfw.rules import Action, File, Hit, Match, Rule, keep_original, split_spec

from .actions import ModifyRequest, ModifyResponse
from .body import Substitution
from .head import check_field, check_name, set_field

_HEADERS_FORM = "/[filter/]name/[@]value"
_BODY_FORM = "/[filter/]regex/[@]replacement"


@dataclass(frozen=True)
class HeaderSpec:
    """One of `modify_headers`: without a value the field is only removed."""

    name: str
    value: str | Path
    meant: Callable[[Flow], bool]

    @property
    def text(self) -> str:
        """The value as it is now. Raises OSError if it is in a file that cannot be read."""
        return self.value if isinstance(self.value, str) else self.value.read_text("utf-8").strip()


@dataclass
class ModifyHeaders(Action):
    """All of `modify_headers`: what they name is removed first, then they are added."""

    specs: Sequence[HeaderSpec]

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Modify the request."""
        self._modify(flow, flow.request, hit)

    def responseheaders(self, flow: HTTPFlow, hit: Hit) -> None:
        """Modify the response."""
        if flow.response is not None:
            self._modify(flow, flow.response, hit)

    def _modify(self, flow: HTTPFlow, message: Message, hit: Hit) -> None:
        specs = [spec for spec in self.specs if spec.meant(flow)]
        if not specs:
            return
        keep_original(flow)
        added = [(spec.name, text) for spec in specs if (text := spec.text)]
        for spec in specs:
            message.headers.pop(spec.name, None)
        for name, text in added:
            if name.lower() == "host":
                set_field(message, name, [text])
            else:
                message.headers.add(name, text)
        hit.note(f"headers: {', '.join(spec.name for spec in specs)}")


def header_rules(specs: Sequence[str]) -> Iterator[Rule]:
    """The one rule that *specs* are together. Raises OptionsError."""
    action = ModifyHeaders([_header(spec) for spec in specs])
    yield Rule("modify_headers", Match(), (action,), place="modify_headers")


def body_rules(specs: Sequence[str]) -> Iterator[Rule]:
    """The rules that *specs* are: one for requests and one for responses each. Raises OptionsError."""
    for index, spec in enumerate(specs):
        expression, regex, replacement = split_spec("modify_body", spec, _BODY_FORM)
        file = _file("modify_body", spec, replacement)
        try:
            text = None if file else replacement
            substitution = Substitution(regex, text, File(file) if file else None)
        except ValueError as problem:
            raise OptionsError(f"modify_body: {spec!r}: {problem}") from None
        match, name = _match(expression), f"modify_body[{index}]"
        for action in (ModifyRequest(substitute=[substitution]), ModifyResponse(substitute=[substitution])):
            side = "request" if isinstance(action, ModifyRequest) else "response"
            yield Rule(f"{name} {side}", match, (action,), place=name)


def _header(spec: str) -> HeaderSpec:
    expression, name, value = split_spec("modify_headers", spec, _HEADERS_FORM)
    file = _file("modify_headers", spec, value)
    try:
        check_name(name)
        if value:
            check_field(name, [] if file else [value])
    except ValueError as problem:
        raise OptionsError(f"modify_headers: {spec!r}: {problem}") from None
    return HeaderSpec(name, file or value, _meant(expression))


def _file(option: str, spec: str, value: str) -> Path | None:
    """The file that *value* names, if it begins with an ``@``."""
    if not value.startswith("@"):
        return None
    path = Path(value[1:]).expanduser().absolute()
    if not path.is_file():
        raise OptionsError(f"{option}: there is no file {str(path)!r}, which {spec!r} names")
    return path


def _meant(expression: str) -> Callable[[Flow], bool]:
    if not expression:
        return lambda flow: True
    from proxyfw import flowfilter  # not before there is a filter: it is not small

    return flowfilter.parse(expression)


def _match(expression: str) -> Match:
    condition: Any = _meant(expression) if expression else None
    return Match(filter=condition)
