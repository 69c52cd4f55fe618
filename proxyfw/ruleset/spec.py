"""Rules as one line: specs of options such as ``map_local``, whose first character separates the parts."""

from __future__ import annotations

from typing import Any

from proxyfw.exceptions import FilterError, OptionsError


def split_spec(option: str, spec: str, form: str) -> tuple[str, ...]:
    """The parts of *spec*, cut at its first character; an optional filter at the front is "" if left out.

    *form* shows the parts, as ``/[filter/]url-regex/path``: as many as there are cuts in it. The last part
    may have the separator in it. Raises OptionsError that names *option*, the spec and the form.
    """
    optional = "[" in form
    most = form.replace("[", "").replace("]", "").count(form[0])
    parts = spec[1:].split(spec[0], most - 1) if spec else []
    if optional and len(parts) == most - 1:
        parts.insert(0, "")
    if len(parts) != most or not spec[:1].strip() or spec[:1].isalnum():
        raise OptionsError(
            f"{option}: {spec!r} is not a spec: write {form}; any character may stand for {form[0]}"
        )
    if parts[0]:
        check_filter(option, spec, parts[0])
    return tuple(parts)


def split_words(option: str, spec: str, words: str, first: str) -> dict[str, Any]:
    """The fields that *words*, ``value name=value name=value``, give; the value without a name is *first*.

    Numbers and true or false become what they are in YAML. Raises OptionsError that names *option* and the
    *spec* which they are a part of.
    """
    given: dict[str, Any] = {}
    bare: list[str] = []
    for word in words.split():
        name, equals, value = word.partition("=")
        if not equals:
            bare.append(word)
        elif name in given:
            raise OptionsError(f"{option}: {spec!r} says {name} twice")
        else:
            given[name] = _scalar(value)
    if bare and first in given:
        raise OptionsError(f"{option}: {spec!r} says {first} twice")
    return {first: " ".join(bare), **given} if bare else given


def _scalar(word: str) -> str | float | bool:
    """What *word* would be in YAML, as far as actions have such fields."""
    if word in ("true", "false"):
        return word == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            pass
    return word


def check_filter(option: str, spec: str, expression: str) -> None:
    """Raise OptionsError, naming *option* and *spec*, if *expression* is not a filter."""
    from proxyfw import flowfilter

    try:
        flowfilter.parse(expression)
    except FilterError as problem:
        raise OptionsError(f"{option}: the filter in {spec!r} cannot be read: {problem}") from None
