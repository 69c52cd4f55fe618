"""The pytest plugin, as those who have installed proxyfw meet it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proxyfw.testing import LiveProxy, ProxyClient

pytest_plugins = ["pytester"]

INI = "[pytest]\nasyncio_mode=auto\nasyncio_default_fixture_loop_scope=function\n"
URL = "https://api.example/users"


@pytest.fixture
def project(proxy: LiveProxy, proxy_client: ProxyClient, pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with tests of somebody else.

    What a proxy imports is imported before: a run in this process would import it anew each time.
    """
    proxy.route().reply()
    proxy_client.get(URL)
    pytester.makeini(INI)
    return pytester


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    return project.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest", *args)


def test_those_who_do_not_use_it_do_not_pay() -> None:
    """Of proxyfw, pytest imports the plugin and nothing else."""
    code = (
        "import sys, pytest; before = set(sys.modules); import proxyfw.testkit.plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout == "['proxyfw', 'proxyfw.testkit', 'proxyfw.testkit.plugin']\n"


def test_strict_mode_names_requests_and_routes(project: pytest.Pytester) -> None:
    """Features 96."""
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.proxyfw(strict=True)
        def test_both(route, proxy_client):
            route("POST", "https://api.example/*").reply()
            answer = proxy_client.get("{URL}")
            assert answer.status_code == 503
            assert answer.text.endswith("routes, newest first:\\n  POST https://api.example/*, not used\\n")

        @pytest.mark.proxyfw(strict=True)
        def test_neither(route, proxy_client):
            route("GET").reply()
            route("POST", optional=True)
            proxy_client.get("{URL}")

        def test_lenient(route):
            route("GET").reply()
        """
    )
    result = run(project)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "proxyfw:",
            f"  no route is for GET {URL}",
            "  the route POST https://api.example/?, not used was not used".replace(", not used", ""),
            "*Captured proxyfw call*",
            "1 flow seen",
            f"  GET {URL} -> 503 Service Unavailable",
        ]
    )


@pytest.mark.parametrize("how", ["option", "ini"])
def test_strict_mode_for_all(project: pytest.Pytester, how: str) -> None:
    """Features 96: also where a handler declines, and for what is no HTTP."""
    project.makepyfile(
        f"""
        import socket
        import pytest

        def test_declined(route, proxy_client):
            route(handler=lambda flow: None)
            proxy_client.get("{URL}")

        def test_raw(proxy):
            with socket.create_connection((proxy.host, proxy.port), 5) as client:
                client.sendall(b"CONNECT mail.example:25 HTTP/1.1\\r\\nHost: mail.example:25\\r\\n\\r\\n")
                client.recv(1000)
                client.sendall(b"HELO me\\r\\n")
                with pytest.raises(ConnectionResetError):
                    client.recv(1000)

        @pytest.mark.proxyfw(strict=False)
        def test_excepted(route):
            route()
        """
    )
    if how == "ini":
        project.makeini(INI + "proxyfw_strict=true\n")
    result = run(project, *(["--proxyfw-strict"] if how == "option" else []))
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [f"  no route is for GET {URL}", "  no route is for a connection to mail.example:25"]
    )


def test_what_a_handler_raises_fails_the_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        def test_it(route, proxy_client):
            def handler(flow):
                assert flow.request.method == "POST"

            route(url="https://api.example/*", handler=handler)
            assert proxy_client.get("{URL}").status_code == 500
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"  the handler of any https://api.example/? failed for GET {URL}: AssertionError: *"]
    )


def test_a_failure_shows_what_the_proxy_has_seen(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        def test_it(route, proxy_client):
            route().reply(201)
            assert proxy_client.get("{URL}").status_code == 200
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Captured proxyfw call*", f"  GET {URL} -> 201 Created"])


@pytest.mark.parametrize("scope", ["function", "module", "session"])
def test_nothing_of_a_test_is_left_for_the_next(project: pytest.Pytester, scope: str) -> None:
    """Features 97: stored rules remain, routes, flows, addons, options and strictness do not."""
    project.makeini(INI + f"proxyfw_scope={scope}\n")
    project.makeconftest(
        f"""
        import pytest

        from dataclasses import dataclass
        from proxyfw import rules
        from proxyfw.http import Response

        @dataclass
        class Say(rules.Action):
            text: str = ""
            answers = True

            def request(self, flow, hit):
                flow.response = Response.make(200, self.text)

        class Saying:
            def load(self, loader):
                loader.add_action("say", Say)

        @pytest.fixture(scope="{scope}")
        def proxy_addons():
            return [Saying()]

        @pytest.fixture(scope="{scope}")
        def proxy_options():
            say = {{"type": "say", "text": "stored"}}
            return {{"rules": [{{"match": {{"host": "stored.example"}}, "action": say}}]}}
        """
    )
    project.makepyfile(
        """
        import pytest
        from proxyfw.http import Response

        class Marker:
            def response(self, flow):
                flow.response.headers["x-marker"] = "1"

        @pytest.mark.proxyfw(strict=True, body_size_limit="1k")
        def test_one(proxy, proxy_client):
            proxy.add_addon(Marker())
            proxy.route(url="http://stored.example/*").times(1).reply(text="the test's")
            answer = proxy_client.get("http://stored.example/")
            assert (answer.text, answer.headers["x-marker"]) == ("the test's", "1")
            assert proxy_client.get("http://stored.example/").text == "stored"
            assert proxy.proxy.options.body_size_limit

        def test_two(proxy, proxy_client, flow_log):
            answer = proxy_client.get("http://stored.example/")
            assert answer.text == "stored"
            assert answer.headers["x-marker"] is None
            assert len(flow_log) == 1
            assert not proxy.strict
            assert not proxy.proxy.options.body_size_limit
        """
    )
    run(project).assert_outcomes(passed=2)


def test_a_wider_scope_is_one_proxy_for_fixtures_of_that_scope(project: pytest.Pytester) -> None:
    project.makeini(INI + "proxyfw_scope=session\n")
    project.makepyfile(
        """
        import pytest

        @pytest.fixture(scope="session")
        def browser(proxy_server):
            return proxy_server.url

        @pytest.mark.parametrize("n", range(3))
        def test_it(n, browser, proxy, route, proxy_client):
            assert browser == proxy.url
            route().reply(text=str(n))
            assert proxy_client.get("https://api.example/").text == str(n)
        """
    )
    run(project).assert_outcomes(passed=3)


def test_mistakes_are_said_in_one_line(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.proxyfw(body_size_limit="lots")
        def test_value(proxy):
            pass

        @pytest.mark.proxyfw(stirct=True)
        def test_name(proxy):
            pass

        def test_route(route):
            route("GET", "/x", colour="red")
        """
    )
    result = run(project)
    result.assert_outcomes(errors=2, failed=1)
    for said in ("proxyfw: *body_size_limit*lots*", "proxyfw: *stirct*", "*colour: there is no 'colour'*"):
        result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*testkit/*")


def test_a_handler_that_never_ends_holds_nobody_up(project: pytest.Pytester) -> None:
    project.makepyfile(
        f"""
        import asyncio, threading, pytest

        async def forever(flow):
            await asyncio.Event().wait()

        @pytest.mark.parametrize("handler", [forever, lambda flow: threading.Event().wait()])
        def test_it(route, proxy_client, handler):
            route(handler=handler)
            with pytest.raises(TimeoutError):
                proxy_client.get("{URL}", timeout=0.1)
        """
    )
    run(project, "-W", "error::pytest.PytestUnraisableExceptionWarning").assert_outcomes(passed=2)


def test_a_scope_that_there_is_not(project: pytest.Pytester) -> None:
    project.makeini(INI + "proxyfw_scope=forever\n")
    result = project.runpytest_subprocess("-p", "no:cacheprovider", timeout=30)
    result.stderr.fnmatch_lines(["ERROR: proxyfw_scope: 'forever' is none of function, class, module, *"])


def test_workers_have_proxies_of_their_own(project: pytest.Pytester) -> None:
    """Features 94, with pytest-xdist."""
    pytest.importorskip("xdist")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(n, route, proxy_client):
            route().reply(text=str(n))
            assert proxy_client.get("https://api.example/").text == str(n)
        """
    )
    result = project.runpytest_subprocess("-n", "2", "-p", "no:hypothesispytest", timeout=50)
    result.assert_outcomes(passed=4)
