"""Plain data read into dataclasses, and the same as JSON Schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from proxyfw.options import Duration, Size
from proxyfw.rules import Chance, File, Rate
from proxyfw.ruleset.shape import Problem, ShapeError, read, schema, spoken


@dataclass
class Inner:
    a: int = 0


@dataclass
class Outer:
    """Something to read."""

    status: Annotated[int, "Its status."]
    text: str = ""
    flag: bool = False
    share: float = 0.5
    names: list[str] = field(default_factory=list)
    headers: dict[str, str | list[str] | None] = field(default_factory=dict)
    kind: Literal["fast", "slow"] = "fast"
    wait: Duration | None = None
    size: Size = Size(0)  # noqa: RUF009 - cannot be changed
    rate: Rate | None = None
    chance: Chance = Chance(1)  # noqa: RUF009 - cannot be changed
    file: File | None = None
    inner: Inner | None = None
    either: Literal["none"] | Inner = "none"
    anything: Any = None
    counted: int = field(default=7, init=False)

    def __post_init__(self) -> None:
        if self.status == 99:
            raise ValueError("99 is not a status")
        if self.status == 98:
            raise ShapeError([Problem(("status",), "98 is none either")])


def test_everything_is_read() -> None:
    outer = read(
        Outer,
        {
            "status": 200, "text": 5, "flag": True, "share": 1, "names": "one",
            "headers": {"a": "b", "c": ["d"], 5: None},
            "kind": "slow", "wait": "1.5s", "size": "2k", "rate": "8kbit", "chance": "10%", "file": "x/y",
            "inner": {"a": 1}, "either": {"a": 2}, "anything": {"x": [1, {"y": None}]},
        },
        base=Path("/base"),
    )  # fmt: skip
    assert outer == Outer(
        200, "5", True, 1.0, ["one"], {"a": "b", "c": ["d"], "5": None}, "slow", Duration(1.5), Size(2048),
        Rate(8000), Chance(0.1), File(Path("/base/x/y")), Inner(1), Inner(2), {"x": [1, {"y": None}]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("data", "problems"),
    [
        ({}, ["status is missing"]),
        (5, ["must be a mapping with status"]),
        ({"status": "x"}, ["status: must be a whole number, not 'x'"]),
        ({"status": True}, ["status: must be a whole number, not True"]),
        ({"status": 1, "statsu": 1}, ["statsu: there is no 'statsu' here; did you mean status?"]),
        ({"status": 1, "counted": 1}, ["counted: there is no 'counted' here"]),
        ({"status": 1, "text": 1.5}, ["text: must be text, not 1.5: write '1.5', in quotes"]),
        ({"status": 1, "flag": "yes"}, ["flag: must be true or false, not 'yes'"]),
        (
            {"status": 1, "names": ["a", None, 1.5]},
            ["names[1]: must be text, not nothing", "names[2]: must be"],
        ),
        ({"status": 1, "headers": {"x": 1.5}}, ["headers.x: must be text or a list of text, not 1.5"]),
        ({"status": 1, "headers": {"x": ["a", 1.5]}}, ["headers.x[1]: must be text"]),
        ({"status": 1, "headers": []}, ["headers: must be a mapping of names to"]),
        ({"status": 1, "kind": "warp"}, ["kind: must be one of fast, slow, not 'warp'"]),
        (
            {"status": 1, "wait": 300},
            ["wait: 300 is no duration: write it with its unit, as 300ms, 1.5s or 2m"],
        ),
        ({"status": 1, "wait": "300"}, ["wait: '300' is no duration"]),
        ({"status": 1, "size": -1}, ["size: -1 is no size"]),
        ({"status": 1, "rate": "5"}, ["rate: '5' is no rate: write it with its unit"]),
        ({"status": 1, "rate": 5}, ["rate: 5 is no rate"]),
        ({"status": 1, "chance": 1.5}, ["chance: 1.5 is no chance"]),
        ({"status": 1, "chance": True}, ["chance: True is no chance"]),
        ({"status": 1, "file": 5}, ["file: must be a file, not 5"]),
        ({"status": 1, "either": {"b": 1}}, ["either.b: there is no 'b' here"]),
        ({"status": 99}, ["99 is not a status"]),
        ({"status": 98}, ["status: 98 is none either"]),
        ({"status": "x", "kind": "y", "inner": {"a": "z"}}, ["status: ", "kind: ", "inner.a: "]),
    ],
)
def test_all_that_is_wrong_is_said_with_its_path(data: object, problems: list[str]) -> None:
    with pytest.raises(ShapeError) as caught:
        read(Outer, data)
    said = [f"{spoken(problem.where)}{problem.message}" for problem in caught.value.problems]
    assert len(said) == len(problems), said
    for text, beginning in zip(sorted(said), sorted(problems), strict=True):
        assert text.startswith(beginning)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("280kbit", 280e3), ("1.5 mbit/s", 1.5e6), ("35KiB", 35 * 8192), ("1MB", 8e6), ("64kib", 64 * 8192)],
)
def test_rates_are_bits_a_second(text: str, bits: float) -> None:
    assert Rate.read(text) == bits


def test_nothing_takes_no_duration() -> None:
    assert read(Duration, 0) == Duration(0)
    assert read(Duration, Duration(2)) == Duration(2)


def test_objects_of_their_class_are_taken_as_they_are() -> None:
    inner = Inner(3)
    assert read(Outer, {"status": 1, "inner": inner}).inner is inner


def test_the_schema_says_the_same() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    described = schema(Outer)
    jsonschema.Draft202012Validator.check_schema(described)
    valid = jsonschema.Draft202012Validator(described).is_valid
    assert valid(
        {"status": 1, "wait": "5s", "rate": "1mbit", "chance": "5%", "size": "2k", "headers": {"a": None}}
    )
    assert not valid({})
    assert not valid({"status": 1, "wait": 5})
    assert not valid({"status": 1, "zz": 5})
    assert not valid({"status": 1, "kind": "zz"})
    assert not valid({"status": 1, "rate": "5"})
    assert described["properties"]["status"]["description"] == "Its status."
    assert "counted" not in described["properties"]
    json.dumps(described)
