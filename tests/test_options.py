"""Options: types, defaults, text, atomic changes (5.6.101), deferred values, declarations that collide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

import pytest

from proxyfw.exceptions import AddonError, OptionsError
from proxyfw.options import Options, format_size, parse_size


@pytest.fixture
def options() -> Options:
    options = Options()
    options.add_option("listen_port", Optional[int], 8080, "port")  # noqa: UP045 - the spelling of older scripts
    options.add_option("listen_host", str, "127.0.0.1", "host")
    options.add_option("server", bool, True, "serve")
    options.add_option("delay", float, 0.0, "seconds")
    options.add_option("mode", Sequence[str], ["regular"], "modes")
    options.add_option("strategy", str, "lazy", "when to dial", choices=["lazy", "eager"])
    options.add_option("flag", bool | None, None, "three states")
    return options


def test_values_are_plain_attributes(options: Options) -> None:
    assert options.listen_port == 8080
    assert options.mode == ["regular"]
    assert "mode" in options
    assert "nonsense" not in options
    assert list(options) == options.keys()
    assert dict(options.items())["server"] is True


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("listen_port", 1, 1),
        ("listen_port", None, None),
        ("delay", 2, 2.0),
        ("mode", ("a", "b"), ["a", "b"]),
        ("mode", [], []),
        ("strategy", "eager", "eager"),
        ("flag", False, False),
    ],
)
def test_good_values(options: Options, name: str, value: Any, stored: Any) -> None:
    setattr(options, name, value)
    assert getattr(options, name) == stored
    assert type(getattr(options, name)) is type(stored)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("listen_port", "80", "listen_port must be int or None, not '80'"),
        ("listen_port", True, "listen_port must be int or None, not True"),
        ("server", 1, "server must be bool, not 1"),
        ("server", None, "server must be bool, not None"),
        ("mode", "regular", "mode must be sequence of str, not 'regular'"),
        ("mode", [1], "mode must be sequence of str, not 1"),
        ("strategy", "never", "strategy must be one of lazy, eager, not 'never'"),
    ],
)
def test_wrong_values_change_nothing(options: Options, name: str, value: Any, message: str) -> None:
    before = options.items()
    with pytest.raises(OptionsError, match=message):
        options.update(**{"listen_host": "other", name: value})
    assert options.items() == before


def test_5_6_101_an_unknown_name_is_an_error_naming_the_nearest(options: Options) -> None:
    with pytest.raises(OptionsError, match=r"unknown option 'listen_prot'; did you mean 'listen_port'\?"):
        options.update(listen_prot=1)
    with pytest.raises(OptionsError, match="did you mean 'mode'"):
        _ = options.moed
    with pytest.raises(OptionsError, match=r"unknown option 'zzz'$"):
        options.set("zzz=1")
    assert not hasattr(options, "listen_prot")
    with pytest.raises(AttributeError):
        _ = options.__wrapped__


def test_5_6_101_a_refused_change_is_rolled_back_and_everyone_told_again(options: Options) -> None:
    heard: list[tuple[str, Any, set[str]]] = []

    def first(updated: set[str]) -> None:
        heard.append(("first", options.listen_port, updated))

    def second(updated: set[str]) -> None:
        heard.append(("second", options.listen_port, updated))
        if options.listen_port == 1:
            raise OptionsError("port 1 is taken")

    options.subscribe(first)
    options.subscribe(second)
    with pytest.raises(OptionsError, match="port 1 is taken"):
        options.update(listen_port=1, listen_host="::")
    changed = {"listen_port", "listen_host"}
    assert heard == [
        ("first", 1, changed), ("second", 1, changed), ("first", 8080, changed), ("second", 8080, changed),
    ]  # fmt: skip
    assert options.listen_host == "127.0.0.1"


def test_a_subscriber_that_refuses_the_old_values_too_does_not_hide_the_first_error(options: Options) -> None:
    def refuse(updated: set[str]) -> None:
        raise OptionsError(f"no {options.listen_port}")

    options.subscribe(refuse)
    with pytest.raises(OptionsError, match="no 1"):
        options.listen_port = 1
    assert options.listen_port == 8080


def test_subscribers_hear_only_of_real_changes(options: Options) -> None:
    heard: list[set[str]] = []
    options.subscribe(heard.append)
    options.update(listen_port=8080, mode=["regular"])
    assert heard == []
    options.update(listen_port=8080, mode=["socks5"])
    assert heard == [{"mode"}]


@pytest.mark.parametrize(
    ("specs", "name", "value"),
    [
        (["listen_port=1"], "listen_port", 1),
        (["listen_port=1", "listen_port=2"], "listen_port", 2),
        (["listen_port="], "listen_port", None),
        (["listen_port"], "listen_port", None),
        (["listen_host=a=b"], "listen_host", "a=b"),
        (["listen_host="], "listen_host", ""),
        (["server=false"], "server", False),
        (["server=OFF"], "server", False),
        (["server=toggle"], "server", False),
        (["server"], "server", True),
        (["flag=toggle"], "flag", True),
        (["flag=yes"], "flag", True),
        (["flag=no", "flag="], "flag", None),
        (["delay=1.5"], "delay", 1.5),
        (["mode=a", "mode=b"], "mode", ["a", "b"]),
        (["mode="], "mode", []),
        (["mode"], "mode", []),
        (["strategy=eager"], "strategy", "eager"),
    ],
)
def test_text(options: Options, specs: list[str], name: str, value: Any) -> None:
    options.set(*specs)
    assert getattr(options, name) == value


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("listen_port=x", "listen_port must be int or None, not 'x'"),
        ("server=maybe", "server must be true or false, not 'maybe'"),
        ("server=", "server must be true or false, not ''"),
        ("listen_host", "listen_host needs a value"),
        ("delay=", "delay must be float, not ''"),
        ("strategy=never", "strategy must be one of"),
    ],
)
def test_wrong_text_changes_nothing(options: Options, spec: str, message: str) -> None:
    with pytest.raises(OptionsError, match=message):
        options.set("mode=other", spec)
    assert options.mode == ["regular"]


def test_values_wait_for_options_that_are_declared_later(options: Options) -> None:
    options.set("later=1", "later=2", "listen_port=3", defer=True)
    options.update_defer(typed=[" x"], listen_host="h")
    assert (options.deferred, options.listen_port, options.listen_host) == (["later", "typed"], 3, "h")
    with pytest.raises(OptionsError, match=r"unknown option 'later'.*; unknown option 'typed'"):
        options.check_deferred()
    options.add_option("later", int, 0, "")
    options.add_option("typed", Sequence[str], [], "")
    assert (options.later, options.typed) == (2, [" x"])
    options.check_deferred()


def test_a_deferred_value_of_the_wrong_type_is_the_users_error(options: Options) -> None:
    options.set("later=x", defer=True)
    with pytest.raises(OptionsError, match="later must be int, not 'x'"):
        options.add_option("later", int, 0, "")
    assert "later" not in options


def test_constructor_values_wait_as_well() -> None:
    options = Options(listen_port=1)
    options.add_option("listen_port", int, 8080, "")
    assert options.listen_port == 1
    assert repr(options) == "Options(listen_port=1)"


def test_defaults_can_be_asked_for_and_restored(options: Options) -> None:
    options.update(listen_port=1, mode=["a"])
    assert options.has_changed("mode")
    assert not options.has_changed("server")
    assert options.default("mode") == ["regular"]
    options.reset("mode")
    assert (options.mode, options.listen_port) == (["regular"], 1)
    options.reset()
    assert options.listen_port == 8080
    with pytest.raises(OptionsError, match="unknown option"):
        options.default("modes")


def test_changing_a_read_sequence_does_not_change_the_default(options: Options) -> None:
    options.mode.append("x")
    assert options.default("mode") == ["regular"]
    assert options.mode == ["regular"]


def test_what_was_declared_can_be_looked_at(options: Options) -> None:
    options.add_option("mine", int, 3, "my option", source="addon")
    assert [option.name for option in options.options_of("addon")] == ["mine"]
    option = options.option("strategy")
    assert (option.default, option.help, option.choices) == ("lazy", "when to dial", ("lazy", "eager"))
    assert option.source == "proxyfw"


def test_the_same_declaration_twice_is_fine_another_one_names_both_owners(options: Options) -> None:
    options.add_option("mine", Optional[int], 3, "", source="one")  # noqa: UP045
    options.mine = 4
    options.add_option("mine", int | None, 3, "other help", source="two")
    assert options.mine == 4
    with pytest.raises(AddonError, match="'mine' is declared by one and, differently, by two"):
        options.add_option("mine", str, "", "", source="two")


def test_an_addon_may_declare_its_own_option_anew(options: Options) -> None:
    options.add_option("mine", int, 3, "", source="one")
    options.add_option("mine", int, 4, "", source="one")
    assert options.mine == 4
    options.mine = 7
    options.add_option("mine", int, 5, "", source="one")
    assert options.mine == 7
    options.add_option("mine", str, "x", "", source="one")
    assert options.mine == "x"


def test_options_of_a_removed_addon_stay_readable_and_may_be_taken_over(options: Options) -> None:
    options.add_option("mine", int, 3, "", source="one")
    options.release("one")
    assert options.mine == 3
    assert options.option("mine").source is None
    options.add_option("mine", str, "x", "", source="two")
    assert options.mine == "x"


@pytest.mark.parametrize(
    ("name", "typespec", "default", "message"),
    [
        ("update", int, 1, "'update' cannot be the name"),
        ("_x", int, 1, "'_x' cannot be the name"),
        ("not a name", int, 1, "cannot be the name"),
        ("x", bytes, b"", "option 'x' of me: <class 'bytes'> cannot be the type of an option: use bool, int"),
        ("x", ["a"], [], "cannot be the type of an option"),
        ("x", Union[int, str], 1, "cannot be the type of an option"),  # noqa: UP007
        ("x", Sequence[Sequence[str]], [], "cannot be the type of an option"),
        ("x", int, "1", "me: the default is wrong: option x must be int, not '1'"),
    ],
)
def test_declarations_that_cannot_be(
    options: Options, name: str, typespec: Any, default: Any, message: str
) -> None:
    with pytest.raises(AddonError, match=message):
        options.add_option(name, typespec, default, "", source="me")
    assert name not in options


def test_a_failed_transaction_leaves_nothing(options: Options) -> None:
    def fail() -> None:
        with options.transaction():
            options.add_option("later", int, 0, "")
            options.listen_port = 1
            raise RuntimeError

    options.set("later=1", defer=True)
    with pytest.raises(RuntimeError):
        fail()
    assert "later" not in options
    assert not hasattr(options, "later")
    assert (options.deferred, options.listen_port) == (["later"], 8080)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("512", 512),
        ("512b", 512),
        ("64k", 65536),
        ("5M", 5 * 2**20),
        ("1.5g", 3 * 2**29),
        ("1tb", 2**40),
        (" 2 KiB", 2048),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "-1", "5x", "nan", "inf", "1kk", "1mk", "1e400"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(OptionsError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0b"),
        (1023, "1023b"),
        (1024, "1k"),
        (1536, "1.5k"),
        (5 * 2**20, "5m"),
        (2**30, "1g"),
        (2**40, "1t"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert format_size(size) == text
    assert parse_size(text) == size
