"""The grammar of modes: what each spec means, and what is said about a wrong one."""

from __future__ import annotations

import pytest

from proxyfw.core.modes import Mode, Target, parse_all
from proxyfw.exceptions import OptionsError


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        ("regular", Mode("regular")),
        ("regular@8081", Mode("regular", port=8081)),
        ("regular@localhost:8081", Mode("regular", host="localhost", port=8081)),
        ("regular@:8081", Mode("regular", host="", port=8081)),
        ("socks5@[::1]:0", Mode("socks5", host="::1", port=0)),
        ("transparent", Mode("transparent")),
        ("upstream:http://proxy:3128", Mode("upstream", Target("http", "proxy", 3128))),
        ("upstream:https://proxy/", Mode("upstream", Target("https", "proxy", 443))),
        ("upstream:proxy", Mode("upstream", Target("http", "proxy", 80))),
        ("upstream:socks5h://[::1]", Mode("upstream", Target("socks5h", "::1", 1080))),
        ("upstream:http://u:p@proxy:3128", Mode("upstream", Target("http", "proxy", 3128, "u:p"))),
        ("upstream:http://u:p%40w@proxy:3128", Mode("upstream", Target("http", "proxy", 3128, "u:p@w"))),
        ("upstream:http://u:p@w@[::1]@81", Mode("upstream", Target("http", "::1", 80, "u:p@w"), port=81)),
        ("upstream:http://proxy:3128@8081", Mode("upstream", Target("http", "proxy", 3128), port=8081)),
        ("upstream:http://u:1@proxy:31", Mode("upstream", Target("http", "proxy", 31, "u:1"))),
        ("reverse:http://[::1]:80@127.0.0.1:1", Mode("reverse", Target("http", "::1", 80), "127.0.0.1", 1)),
        ("reverse:example.com", Mode("reverse", Target("https", "example.com", 443))),
        ("reverse:tcp://example.com:25", Mode("reverse", Target("tcp", "example.com", 25))),
        ("reverse:tls://example.com:993", Mode("reverse", Target("tls", "example.com", 993))),
    ],
)  # fmt: skip
def test_specs(spec: str, mode: Mode) -> None:
    """5.2.51: IPv6 literals are bracketed."""
    assert Mode.parse(spec) == mode


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("", "not of the form"),
        ("regular:", "not of the form"),
        ("regular:8080", "takes nothing after a colon"),
        ("regulr", "'regulr' is not one of regular, upstream"),
        ("regular@http", "write @port"),
        ("regular@99999", "99999 is not a port"),
        ("regular@::1:80", "write @port"),
        ("reverse", "needs a target like reverse:https://example.com:443"),
        ("reverse:ftp://x", "reverse:ftp is not one of reverse:https"),
        ("reverse:tcp://x", "needs a port"),
        ("reverse:http://x/path", "needs a target"),
        ("reverse:http://::1", "needs a target"),
        ("reverse:http://u:p@x", "upstream_auth"),
        ("upstream:http://u@proxy", "user:password"),
    ],
)
def test_wrong_specs_say_what_is_wrong(spec: str, complaint: str) -> None:
    with pytest.raises(OptionsError, match=complaint):
        Mode.parse(spec)


def test_passwords_are_not_repeated_in_errors_and_names() -> None:
    with pytest.raises(OptionsError) as caught:
        parse_all(["upstream:http://u:secret@proxy:1@2", "upstream:http://u:secret@proxy:1@2"])
    assert "secret" not in str(caught.value)
    with pytest.raises(OptionsError) as caught:
        Mode.parse("upstream:http://u:secret@proxy:1/path")
    assert "secret" not in str(caught.value)
    mode = Mode.parse("upstream:http://u:secret@proxy:1")
    assert str(mode) == "upstream:http://u@proxy:1"
    assert "secret" not in repr(mode)


def test_default_ports() -> None:
    assert [m.address("h", None)[1] for m in parse_all(["regular", "socks5"])] == [8080, 1080]
    assert Mode.parse("socks5").address("h", 9) == ("h", 9)
    assert Mode.parse("socks5@8").address("h", 9) == ("h", 8)
    assert Mode.parse("socks5@x:8").address("h", 9) == ("x", 8)


def test_two_modes_on_one_address_are_refused() -> None:
    """5.2.54."""
    with pytest.raises(OptionsError, match=r"transparent and regular both listen on port 8080.*@8081"):
        parse_all(["regular", "transparent"])
    with pytest.raises(OptionsError, match="both listen on port 9"):
        parse_all(["regular", "socks5"], "", 9)
    assert len(parse_all(["regular@0", "regular@0", "socks5@0"])) == 3


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        (Target("https", "example.com", 443), "example.com"),
        (Target("http", "example.com", 443), "example.com:443"),
        (Target("http", "::1", 80), "[::1]"),
        (Target("https", "::1", 8443), "[::1]:8443"),
    ],
)
def test_authority(target: Target, authority: str) -> None:
    assert target.authority == authority
