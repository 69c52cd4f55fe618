"""Filters as objects: called with a flow they say yes or no; printed they can be parsed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxyfw.filters import numbers
from proxyfw.filters.facts import Memo
from proxyfw.filters.operators import JSON, NUMERIC, Operator, Test
from proxyfw.filters.words import quoted
from proxyfw.flow import Flow

_NEGATED = {" matches ": " does not match ", " is ": " is not ", " has ": " does not have "}


class Filter:
    """A condition on flows: ``f(flow)`` is True or False, and raises nothing whatever the flow lacks.

    ``str(f)`` is an expression that parses to an equal filter; filters that print alike are equal.
    """

    __slots__ = ("_text", "test")
    test: Test

    def __init__(self, test: Test, text: str) -> None:
        self.test = test
        self._text = text

    def __call__(self, flow: Flow) -> bool:
        return self.test(flow, Memo())

    def describe(self) -> str:
        """The filter in English."""
        raise NotImplementedError

    def describe_inverse(self) -> str:
        """Its contrary in English."""
        return f"not ({self.describe()})"

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<Filter {self._text}>"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, Filter) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)


class Single(Filter):
    """One operator with its argument."""

    __slots__ = ("argument", "operator")

    def __init__(self, operator: Operator, argument: str) -> None:
        text = f"{operator.name} {quoted(argument)}" if operator.argument else operator.name
        super().__init__(operator.make(argument), text)
        self.operator = operator
        self.argument = argument

    def describe(self) -> str:
        return self.operator.english.replace("{}", self._spoken_argument())

    def describe_inverse(self) -> str:
        for verb, negated in _NEGATED.items():
            subject, found, rest = self.operator.english.partition(verb)
            if found:
                return f"{subject}{negated}{rest.replace('{}', self._spoken_argument())}"
        return super().describe_inverse()

    def _spoken_argument(self) -> str:
        if self.operator.argument in NUMERIC:
            return numbers.spoken(self.argument)
        return self.argument if self.operator.argument == JSON else repr(self.argument)


class Inverse(Filter):
    """Not."""

    __slots__ = ("inner",)

    def __init__(self, inner: Filter) -> None:
        holds = inner.test
        super().__init__(lambda flow, memo: not holds(flow, memo), f"!{_bracketed(inner, Several)}")
        self.inner = inner

    def describe(self) -> str:
        return self.inner.describe_inverse()

    def describe_inverse(self) -> str:
        return self.inner.describe()


class Several(Filter):
    """What connects filters; those inside that connect likewise are taken apart, as brackets mean nothing."""

    __slots__ = ("parts",)
    parts: tuple[Filter, ...]


class Both(Several):
    """And: all of several."""

    __slots__ = ()

    def __init__(self, parts: Iterable[Filter]) -> None:
        self.parts = tuple(_flat(parts, Both))
        tests = [part.test for part in self.parts]

        def test(flow: Flow, memo: Memo) -> bool:
            for holds in tests:  # noqa: SIM110 - all() costs three times as much
                if not holds(flow, memo):
                    return False
            return True

        super().__init__(test, " & ".join(_bracketed(part, Either) for part in self.parts))

    def describe(self) -> str:
        return _joined(" and ", self.parts)


class Either(Several):
    """Or: at least one of several."""

    __slots__ = ()

    def __init__(self, parts: Iterable[Filter]) -> None:
        self.parts = tuple(_flat(parts, Either))
        tests = [part.test for part in self.parts]

        def test(flow: Flow, memo: Memo) -> bool:
            for holds in tests:  # noqa: SIM110 - any() costs three times as much
                if holds(flow, memo):
                    return True
            return False

        super().__init__(test, " | ".join(map(str, self.parts)))

    def describe(self) -> str:
        return _joined(" or ", self.parts)


def _flat(parts: Iterable[Filter], kind: type[Several]) -> Iterator[Filter]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.parts
        else:
            yield part


def _bracketed(part: Filter, looser: type[Filter]) -> str:
    return f"({part})" if isinstance(part, looser) else str(part)


def _joined(word: str, parts: Iterable[Filter]) -> str:
    """The *parts* described, in brackets those that are connections themselves."""
    return word.join(f"({p.describe()})" if isinstance(p, Several) else p.describe() for p in parts)
