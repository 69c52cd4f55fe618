"""Rules as one line: specs of options such as ``map_local``, whose first character separates the parts."""

from __future__ import annotations

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


def check_filter(option: str, spec: str, expression: str) -> None:
    """Raise OptionsError, naming *option* and *spec*, if *expression* is not a filter."""
    from proxyfw import flowfilter

    try:
        flowfilter.parse(expression)
    except FilterError as problem:
        raise OptionsError(f"{option}: the filter in {spec!r} cannot be read: {problem}") from None
