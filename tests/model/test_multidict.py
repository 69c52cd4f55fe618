"""Multi-dicts: order, duplicates, reductions, live views."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxyfw.model.cookies import CookieAttrs
from proxyfw.model.multidict import MultiDict, MultiDictView

pairs = st.lists(st.tuples(st.sampled_from(["a", "b", "A", ""]), st.text(max_size=3)), max_size=8)


def sample() -> MultiDict[str, str]:
    return MultiDict([("a", "1"), ("b", "2"), ("a", "3")])


def test_index_gives_the_first_value_and_get_all_gives_every_one() -> None:
    assert sample()["a"] == "1"
    assert sample().get_all("a") == ["1", "3"]
    assert sample().get_all("none") == []
    with pytest.raises(KeyError):
        sample()["none"]


def test_assignment_replaces_all_values_in_place() -> None:
    own = sample()
    own["a"] = "9"
    assert list(own.fields) == [("a", "9"), ("b", "2")]
    own["c"] = "4"
    assert own.fields[-1] == ("c", "4")


def test_set_all_appends_more_values_and_removes_surplus_ones() -> None:
    own = sample()
    own.set_all("a", ["7", "8", "9"])
    assert list(own.fields) == [("a", "7"), ("b", "2"), ("a", "8"), ("a", "9")]
    own.set_all("a", [])
    assert list(own.fields) == [("b", "2")]


def test_add_and_insert_keep_what_is_there() -> None:
    own = sample()
    own.add("a", "4")
    own.insert(0, "b", "0")
    assert own.fields == (("b", "0"), ("a", "1"), ("b", "2"), ("a", "3"), ("a", "4"))


def test_delete_removes_every_value_and_complains_about_none() -> None:
    own = sample()
    del own["a"]
    assert own.fields == (("b", "2"),)
    with pytest.raises(KeyError):
        del own["a"]


def test_views_show_keys_once_unless_multi() -> None:
    own = sample()
    assert list(own) == list(own.keys()) == ["a", "b"]
    assert list(own.keys(multi=True)) == ["a", "b", "a"]
    assert list(own.values()) == ["1", "2"]
    assert list(own.values(multi=True)) == ["1", "2", "3"]
    assert list(own.items(multi=True)) == list(own.fields)
    assert len(own) == len(own.items()) == 2
    assert len(own.items(multi=True)) == 3
    assert ("a", "3") in own.items(multi=True)
    assert ("a", "3") not in own.items()
    assert "2" in own.values()
    assert "a" in own.keys()  # noqa: SIM118  # the view itself is under test


def test_equality_is_of_pairs_and_order() -> None:
    assert sample() == sample().copy()
    assert sample() != MultiDict([("a", "1"), ("a", "3"), ("b", "2")])
    assert sample() != {"a": "1", "b": "2"}
    with pytest.raises(TypeError):
        hash(sample())


def test_repr_shows_all_pairs() -> None:
    assert repr(sample()) == "MultiDict['a': '1', 'b': '2', 'a': '3']"


def test_fields_can_be_assigned() -> None:
    own = sample()
    own.fields = iter([("x", "y")])
    assert own.fields == (("x", "y"),)


def test_copy_is_independent_and_of_the_same_kind() -> None:
    attrs = CookieAttrs([("Path", "/")])
    twin = attrs.copy()
    twin["path"] = "/x"
    assert type(twin) is CookieAttrs
    assert attrs["PATH"] == "/"


def test_view_reads_and_writes_through() -> None:
    stored: list[tuple[str, str]] = [("a", "1")]

    def store(new: Sequence[tuple[str, str]]) -> None:
        stored[:] = new

    view = MultiDictView(lambda: stored, store)
    view["b"] = "2"
    assert stored == [("a", "1"), ("b", "2")]
    stored.append(("a", "3"))
    assert view.get_all("a") == ["1", "3"]
    assert view.fields == (("a", "1"), ("b", "2"), ("a", "3"))
    view.fields = (("z", "0"),)
    assert stored == [("z", "0")]
    detached = view.copy()
    view.clear()
    assert stored == []
    assert detached["z"] == "0"


@given(pairs)
def test_mapping_and_pairs_agree(fields: list[tuple[str, str]]) -> None:
    own = MultiDict(fields)
    assert len(own) == len(list(own)) == len(dict(own)) == len({key for key, _ in fields})
    assert {key: own.get_all(key) for key in own} == {
        key: [value for name, value in fields if name == key] for key, _ in fields
    }


@given(pairs, st.sampled_from(["a", "b", ""]), st.lists(st.text(max_size=2), max_size=4))
def test_set_all_changes_one_key_only(fields: list[tuple[str, str]], key: str, values: list[str]) -> None:
    own = MultiDict(fields)
    own.set_all(key, values)
    assert own.get_all(key) == values
    assert [pair for pair in own.fields if pair[0] != key] == [pair for pair in fields if pair[0] != key]
