"""Rules that cannot do what they seem to say are found without traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from proxyfw.http import HTTPFlow
from proxyfw.rules import Action, Hit, RuleBook, lint


@dataclass
class Answer(Action):
    answers = True

    def request(self, flow: HTTPFlow, hit: Hit) -> None:
        """Nothing: it is never run here."""


@dataclass
class Edit(Answer):
    answers = False


@dataclass
class Late(Action):
    def response(self, flow: HTTPFlow, hit: Hit) -> None:
        """Nothing: it is never run here."""


def found(*rules: dict[str, Any]) -> list[str]:
    book = RuleBook()
    for kind in (Answer, Edit, Late):
        book.define(kind.__name__.lower(), kind)
    book.provide("test", book.read([{"name": f"r{index}", **rule} for index, rule in enumerate(rules)]))
    return lint(book)


@pytest.mark.parametrize(
    ("above", "below", "hidden"),
    [
        ({}, {}, True),
        ({}, {"host": "a", "method": "GET"}, True),
        ({"host": "*.a.test"}, {"host": "x.a.test"}, True),
        ({"host": "*.a.test"}, {"host": ["x.a.test", "y.*.a.test"]}, True),
        ({"host": "*.a.test"}, {"host": ["x.a.test", "b.test"]}, False),
        ({"host": "*.a.test"}, {}, False),
        ({"host": "a.test"}, {"host": "*"}, False),
        ({"url": "https://a/*"}, {"url": "https://a/b/*"}, True),
        ({"url": "/a/"}, {"url": "https://a/"}, False),
        ({"method": ["GET", "POST"]}, {"method": "GET"}, True),
        ({"method": "GET"}, {"method": ["GET", "POST"]}, False),
        ({"port": [80, 443]}, {"port": 80}, True),
        ({"headers": {"x": "1"}}, {"headers": {"x": "1", "y": "2"}}, True),
        ({"headers": {"x": "1"}}, {"headers": {"y": "2"}}, False),
        ({"query": {"x": None}}, {"query": {"x": None}}, True),
        ({"filter": "~m GET"}, {"filter": "~m GET", "host": "a"}, True),
        ({"filter": "~m GET"}, {}, False),
        ({"chance": 0.5}, {}, False),
        ({"json": None}, {}, False),
        ({"body": "x"}, {"body": "x"}, True),
    ],
)
def test_a_rule_behind_one_that_answers_all_it_is_for(
    above: dict[str, Any], below: dict[str, Any], hidden: bool
) -> None:
    """features 34."""
    said = found({"match": above, "action": "answer"}, {"match": below, "action": "edit"})
    expected = "r1 (rules[1]) can never run: r0 (rules[0]) answers everything before it that it is for"
    assert said == ([expected] if hidden else [])


def test_rules_that_do_not_answer_for_ever_or_act_elsewhere_hide_nothing() -> None:
    assert found({"action": "edit"}, {"action": "edit"}) == []
    assert found({"action": "answer", "times": 1}, {"action": "edit"}) == []
    assert found({"action": "answer", "enabled": False}, {"action": "edit"}) == []
    assert found({"action": "answer", "priority": 1}, {"action": "edit"}) == []
    assert found({"action": "answer"}, {"action": "late"}) == []


def test_a_dot_that_means_any_character() -> None:
    assert found({"match": {"host": "/^a.example$/"}, "action": "edit"}) == [
        r"r0 (rules[0]): the dot in /^a.example$/ stands for any character; write \. if you mean a dot"
    ]
    assert found({"match": {"host": [r"/a\.example/", "/.*x/", "a.b"]}, "action": "edit"}) == []
