"""The types of options: sizes, durations, literals, sequences and nested data; what readers are given."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any, Literal, Optional

import pytest

from proxyfw.exceptions import AddonError, OptionsError
from proxyfw.options import Data, Duration, Options, Size


def declared(typespec: Any, default: Any) -> Options:
    options = Options()
    options.add_option("x", typespec, default, "")
    return options


@pytest.mark.parametrize(
    ("typespec", "default", "texts", "value"),
    [
        (Size, 0, ["5m"], 5 * 2**20),
        (Size | None, "1k", [""], None),
        (Duration, 1, ["1.5s"], 1.5),
        (Duration, 1, ["200ms"], 0.2),
        (Duration, 1, ["2m"], 120),
        (Duration, 1, ["1h 30m"], 5400),
        (Duration, 1, ["7"], 7),
        (Sequence[int], [], ["1", "2"], [1, 2]),
        (list[float], (), ["1", "2.5"], [1.0, 2.5]),
        (tuple[str, ...], [], ["a", "b"], ["a", "b"]),
        (Sequence[Size], [], ["1k", "2"], [1024, 2]),
        (Sequence[bool], [], ["on", "off"], [True, False]),
        (Literal["a", "b"], "a", ["b"], "b"),
        (Literal[1, 2], 1, ["2"], 2),
        (Optional[Literal["a"]], "a", [""], None),  # noqa: UP045 - the spelling of older scripts
        (Sequence[Literal["a", "b"]], [], ["b", "a"], ["b", "a"]),
        (Sequence[str] | None, None, ["a"], ["a"]),
        (dict, {}, ['{"a": [1, {"b": null}]}'], {"a": [1, {"b": None}]}),
        (dict[str, Any], {}, ["{a: b, 404: x}"], {"a": "b", 404: "x"}),
        (list, [], ["[1, a]", "c"], [1, "a", "c"]),
        (list[dict[str, Any]], [], ["{a: 1}", "[{b: 2}, {c: 3}]"], [{"a": 1}, {"b": 2}, {"c": 3}]),
        (Sequence[Data], [], ["1", "a: b"], [1, {"a": "b"}]),
        (Data, None, ["true"], True),
        (Any, None, ["no words but text"], "no words but text"),
    ],
)
def test_types_are_read_from_text(typespec: Any, default: Any, texts: list[str], value: Any) -> None:
    options = declared(typespec, default)
    options.set(*(f"x={text}" for text in texts))
    assert options.x == value
    again = declared(typespec, default)
    again.x = options.x
    assert again.x == value
    assert json.loads(json.dumps(again.plain_value("x"))) is not None or value is None


@pytest.mark.parametrize(
    ("typespec", "default", "text", "message"),
    [
        (Size, 0, "5x", "option x: '5x' is not a size: write a number of bytes, or 64k, 5m, 1g"),
        (Duration, 1, "soon", "option x: 'soon' is not a time: write seconds, or 200ms, 1.5s, 2m"),
        (Duration, 1, "-1", "option x: '-1' is not a time: it is below zero or without end"),
        (Duration, 1, "inf", "is not a time"),
        (Sequence[int], [], "a", "option x must be sequence of int, not 'a'"),
        (Literal["a", "b"], "a", "c", "option x must be one of a, b, not 'c'"),
        (Sequence[Literal["a"]], [], "c", "option x must be one of a, not 'c'"),
        (dict, {}, "[1]", r"option x must be mapping, not \[1\]"),
        (dict, {}, "{", "option x must be mapping, as JSON or YAML: line 1, column 2: "),
        (list[dict[str, Any]], [], "1", r"option x\[0\] must be a mapping, not 1"),
        (Data, None, "{a: [1, 2012-01-01]}", r"option x\.a\[1\] is date 2012-01-01: write it in quotes"),
        (Data, None, "{1.5: a}", r"option x has the key 1\.5: write it in quotes"),
        (Data, None, "[" * 100 + "]" * 100, "nested more than 64 levels deep"),
        (Data, None, "[" * 100_000, "nested too deeply"),
        (Data, None, "&a [*a]", "option x"),
    ],
)
def test_text_that_means_nothing(typespec: Any, default: Any, text: str, message: str) -> None:
    options = declared(typespec, default)
    before = options.snapshot()
    with pytest.raises(OptionsError, match=message):
        options.set(f"x={text}")
    assert options.snapshot() is before


@pytest.mark.parametrize(
    ("typespec", "default", "value", "message"),
    [
        (Size, 0, -1, "-1 is not a size: it is below zero"),
        (Size, 0, 1.5, "must be size, not 1.5"),
        (Size, 0, True, "must be size, not True"),
        (Duration, 0, float("nan"), "is not a time"),
        (Duration, 0, [], "must be duration"),
        (dict, {}, {"a": {1, 2}}, r"option x\.a cannot be set \{1, 2\}"),
        (list, [], ["a", b"b"], r"option x\[1\] cannot be bytes b'b'"),
    ],
)
def test_values_of_the_wrong_type(typespec: Any, default: Any, value: Any, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        declared(typespec, default).x = value


@pytest.mark.parametrize(
    "typespec",
    [bytes, set[str], int | str, Sequence[Sequence[str]], Sequence[int | None], dict[int, str],
     Literal["a", 1], tuple[int, str], "str", 3, {"a": 1}, object],
)  # fmt: skip
def test_types_that_no_option_has(typespec: Any) -> None:
    message = "option 'x' of me: .* cannot be the type of an option: use bool, int, float, str, Size"
    with pytest.raises(AddonError, match=message):
        Options().add_option("x", typespec, None, "", source="me")


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (Size(0), "0"), (Size(1000), "1000"), (Size("64k"), "64k"), (Size("1.5m"), "1536k"),
        (Duration(0), "0s"), (Duration("200ms"), "200ms"), (Duration(1.5), "1.5s"), (Duration(90), "90s"),
        (Duration(120), "2m"), (Duration(86400), "1d"), (Duration(0.0005), "0.5ms"),
        (Duration(2.25), "2.25s"),
    ],
)  # fmt: skip
def test_quantities_say_their_unit_and_mean_the_same_again(quantity: Size | Duration, text: str) -> None:
    assert str(quantity) == f"{quantity}" == text
    assert type(quantity)(text) == quantity
    assert copy.copy(quantity) == quantity


# What readers are given


def test_a_sequence_is_the_readers_own_as_scripts_expect() -> None:
    """Scripts append to what they have read and assign it, add lists to it, compare it with lists."""
    options = declared(Sequence[str], ["a"])
    heard: list[set[str]] = []
    options.subscribe(heard.append)
    read = options.x
    read.append("b")
    assert options.x == ["a"]
    options.x = read
    options.x = options.x + ["c"]  # noqa: RUF005 - as scripts write it
    read.clear()
    assert options.x == ["a", "b", "c"]
    assert heard == [{"x"}, {"x"}]
    assert options.items() == [("x", ["a", "b", "c"])]


def test_nested_data_is_copied_in_and_out() -> None:
    options = declared(dict, {"a": []})
    given = {"a": [{"b": 1}]}
    options.x = given
    given["a"].append({"b": 2})
    options.x["a"].append(3)
    assert options.x == {"a": [{"b": 1}]}
    assert options.default("x") == {"a": []}


def test_data_that_is_equal_but_not_the_same_is_a_change() -> None:
    options = declared(Data, 1)
    options.x = True
    assert options.x is True
    assert options.has_changed("x")


def test_a_snapshot_never_changes() -> None:
    options = declared(dict, {"a": [1]})
    options.add_option("hosts", Sequence[str], ["a"], "")
    options.add_option("port", int, 1, "")
    before = options.snapshot()
    assert options.snapshot() is before
    options.update(x={"a": [2]}, hosts=["b"], port=2)
    now = options.snapshot()
    assert (before.port, before.hosts, before.x) == (1, ("a",), {"a": (1,)})
    assert (now.port, now.hosts, now.x) == (2, ("b",), {"a": (2,)})
    with pytest.raises(AttributeError, match="a snapshot cannot be changed: set port"):
        before.port = 3
    with pytest.raises(TypeError):
        before.x["a"] = 3
    with pytest.raises(OptionsError, match="did you mean 'hosts'"):
        _ = before.host


# Flags


def test_flags_are_kept_and_released_with_their_addon() -> None:
    options = Options()
    options.add_option("mock", str, "", "", flag="--mock", short="-M", source="one")
    assert options.option("mock").flags == ("-M", "--mock")
    options.add_option("mock", str, "", "", flag="--mock", short="-M", source="one")
    options.release("one")
    options.add_option("other", str, "", "", flag="--mock", source="two")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"flag": "--mock"}, "flag --mock of option 'x' of two is taken by option 'mock' of one"),
        ({"short": "-M"}, "flag -M of option 'x' of two is taken by option 'mock' of one"),
        ({"flag": "--mode"}, "flag --mode of option 'x' of two is taken by the command line itself"),
        ({"flag": "mock"}, "option 'x' of two: 'mock' is not a flag such as --my-flag"),
        ({"flag": "--Mock_it"}, "'--Mock_it' is not a flag such as --my-flag"),
        ({"short": "-mm"}, "'-mm' is not a flag such as -M"),
    ],
)
def test_flags_that_cannot_be(flags: dict[str, str], message: str) -> None:
    options = Options()
    options.add_option("mock", str, "", "", flag="--mock", short="-M", source="one")
    with pytest.raises(AddonError, match=message):
        options.add_option("x", str, "", "", source="two", **flags)
    assert "x" not in options


# Subscribers


def test_a_subscriber_may_choose_its_options() -> None:
    options = declared(int, 1)
    options.add_option("y", int, 1, "")
    heard: list[tuple[Options, set[str]]] = []
    options.subscribe(lambda options, updated: heard.append((options, updated)), ["x"])
    options.y = 2
    options.update(x=2, y=3)
    assert heard == [(options, {"x"})]
    with pytest.raises(OptionsError, match="unknown option 'z'"):
        options.subscribe(print, ["z"])


def test_what_a_subscriber_changed_meanwhile_is_undone_as_well() -> None:
    options = declared(int, 1)
    options.add_option("derived", int, 10, "")

    def derive(updated: set[str]) -> None:
        if "x" in updated:
            options.derived = options.x * 10

    def refuse(updated: set[str]) -> None:
        if options.x == 2:
            raise OptionsError("not two")

    options.subscribe(derive)
    options.subscribe(refuse)
    with pytest.raises(OptionsError, match="not two"):
        options.x = 2
    assert (options.x, options.derived) == (1, 10)
