"""config.yaml and the environment: read with places, kept waiting, saved without losing what is there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from proxyfw import config
from proxyfw.exceptions import OptionsError
from proxyfw.options import Duration, Options, Size

TEXT = """\
# For the office.
listen_port: 8081   # not 8080

mode:
    - regular
    # the second
    - "socks5"
cut: "5m"
later: {a: 1}   # of another addon
"""


@pytest.fixture
def options() -> Options:
    options = Options()
    options.add_option("listen_port", int | None, None, "")
    options.add_option("mode", Sequence[str], ["regular"], "")
    options.add_option("cut", Size, "1m", "")
    options.add_option("wait", Duration, 30, "")
    options.add_option("rules", list[dict[str, Any]], [], "")
    options.add_option("on", bool, False, "")
    return options


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_file_sets_options_and_what_is_not_declared_waits(options: Options, file: Path) -> None:
    config.load(options, file)
    assert (options.listen_port, options.mode, options.cut) == (8081, ["regular", "socks5"], 5 * 2**20)
    assert options.deferred == ["later"]
    options.check_deferred()
    options.add_option("later", dict, {}, "")
    assert options.later == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listen_port: x", "1:1: option listen_port must be int or None, not 'x'"),
        ("\non: true\ncut: 5x", "3:1: option cut: '5x' is not a size"),
        ("mode: regular", "1:1: option mode must be sequence of str, not 'regular'"),
        ("rules:\n- a: 1\n- 2", r"1:1: option rules\[1\] must be a mapping, not 2"),
        ("rules: [{since: 2012-01-01}]", r"1:1: option rules\[0\]\.since is date 2012-01-01: write it in q"),
        ("on: true\nmode: [", "2:8: while parsing a flow node: expected the node content"),
        ("on: true\non: false", "2:1: .*found duplicate key"),
        ("- on", "1:1: it must be names of options with their values"),
        ("just text", "1:1: it must be names of options"),
        ("1: 2", "1:1: 1 is not the name of an option"),
        ("rules: " + "[" * 100 + "]" * 100, "1:1: option rules.* is nested more than 64 levels deep"),
        ("on: *x", "1:5: found undefined alias"),
    ],
)
def test_errors_name_file_line_and_column(options: Options, file: Path, text: str, message: str) -> None:
    before = options.snapshot()
    file.write_text(text)
    with pytest.raises(OptionsError, match=rf"config\.yaml:{message}"):
        config.load(options, file)
    assert options.snapshot() is before


def test_a_wrong_value_that_has_waited_names_its_place(file: Path) -> None:
    options = Options()
    config.load(options, file)
    with pytest.raises(OptionsError, match=r"config\.yaml:9:1: option later must be int, not \{'a': 1\}"):
        options.add_option("later", int, 0, "")


def test_files_that_cannot_be_read(options: Options, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"mode: \xff")
    with pytest.raises(OptionsError, match="latin cannot be read: it is not UTF-8"):
        config.load(options, tmp_path / "latin")
    with pytest.raises(OptionsError, match="cannot be read: Is a directory"):
        config.load(options, tmp_path)


def test_either_name_is_found_but_not_both(tmp_path: Path) -> None:
    assert config.find(tmp_path) is None
    (tmp_path / "config.yml").touch()
    assert config.find(str(tmp_path)) == tmp_path / "config.yml"
    (tmp_path / "config.yaml").touch()
    with pytest.raises(OptionsError, match=r"config\.yaml and config\.yml are both there: keep one"):
        config.find(tmp_path)


def test_variables_set_options(options: Options) -> None:
    given = config.environment(
        {
            "PROXYFW_LISTEN_PORT": "1", "PROXYFW_MODE": '["socks5", "regular@1"]', "PROXYFW_CUT": "",
            "PROXYFW_RULES": '[{"a": 1}, {"b": 2}]', "PROXYFW_ON": "yes",
            "PROXYFW_LOOP": "asyncio", "HOME": "/",
        }
    )  # fmt: skip
    assert set(given) == {"listen_port", "mode", "rules", "on"}
    options.give(given)
    assert (options.listen_port, options.mode, options.on) == (1, ["socks5", "regular@1"], True)
    assert options.rules == [{"a": 1}, {"b": 2}]
    options.give(config.environment({"PROXYFW_MODE": "[a-z]+\n\nx"}))
    assert options.mode == ["[a-z]+", "x"]
    with pytest.raises(OptionsError, match=r"^PROXYFW_LISTEN_PORT: option listen_port must be int or None"):
        options.give(config.environment({"PROXYFW_LISTEN_PORT": "x"}))


# Saving


def test_saving_keeps_comments_order_and_what_nobody_knows(options: Options, file: Path) -> None:
    config.load(options, file)
    options.update(listen_port=9, wait="200ms", rules=[{"a": 1}])
    config.save(options, file)
    assert file.read_text() == TEXT.replace("8081  ", "9     ") + "wait: 200ms\nrules:\n    - a: 1\n"
    again = Options()
    config.load(again, file)
    for name in options:
        option = options.option(name)
        again.add_option(name, option.typespec, option.default, "")
    assert again.items() == options.items()


def test_what_has_not_changed_is_written_as_it_was(options: Options, file: Path) -> None:
    config.load(options, file)
    options.cut = 5 * 2**20
    config.save(options, file)
    assert file.read_text() == TEXT


def test_a_default_replaces_the_value_in_the_file(options: Options, file: Path) -> None:
    config.save(options, file)
    assert 'cut: "1m"\n' in file.read_text()
    assert "wait" not in file.read_text()


def test_some_are_saved_alone(options: Options, file: Path) -> None:
    options.update(listen_port=9, on=True)
    config.save(options, file, ["on"])
    assert file.read_text() == TEXT + "on: true\n"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "on: true\n"),
        ("# only this\n\n# and this", "# only this\n\n# and this\non: true\n"),
        ("x: 1", "x: 1\non: true\n"),
        ("mode:\n- a\n- b\n", "mode:\n- a\n- b\non: true\n"),
        ("mode:\n  - a # one\n\n# end\n", "mode:\n  - a # one\n\n# end\non: true\n"),
        ("{x: 1}", "{x: 1, on: true}\n"),
    ],
)
def test_the_style_of_the_file_stays(options: Options, file: Path, text: str, after: str) -> None:
    file.write_text(text)
    options.on = True
    config.save(options, file, ["on"])
    assert file.read_text() == after


def test_a_new_file_is_private_an_old_one_keeps_its_mode_and_a_link_stays(
    options: Options, tmp_path: Path
) -> None:
    options.on = True
    new = tmp_path / "new" / "config.yaml"
    config.save(options, new)
    assert new.stat().st_mode & 0o777 == 0o600
    new.chmod(0o640)
    link = tmp_path / "config.yaml"
    link.symlink_to(new)
    options.wait = 7
    config.save(options, link)
    assert link.is_symlink()
    assert new.read_text() == "on: true\nwait: 7s\n"
    assert new.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in new.parent.iterdir()] == ["config.yaml"]


def test_a_failed_save_leaves_the_old_file(
    options: Options, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    options.on = True
    with pytest.raises(OptionsError, match=r"config\.yaml cannot be written: No space left on device"):
        config.save(options, file)
    assert file.read_text() == TEXT
    assert [path.name for path in file.parent.iterdir()] == ["config.yaml"]


def test_a_broken_file_is_not_written_over(options: Options, file: Path) -> None:
    file.write_text("mode: [")
    with pytest.raises(OptionsError, match=r"config\.yaml:1:8"):
        config.save(options, file)
    assert file.read_text() == "mode: ["
