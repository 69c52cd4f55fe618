"""Prints every flow on standard output when it is over: one line each, or with headers and bodies.

What comes from the network is escaped, so that no traffic can steer the terminal; a terminal that stands
still, or is gone, holds nobody up. Nothing is formatted while the option ``flow_detail`` is 0.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Set

from proxyfw import ctx, hookimpl
from proxyfw.addonmanager import Loader
from proxyfw.exceptions import FilterError, OptionsError
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow

from .detail import details
from .look import DIM, PLAIN, Look
from .summary import line
from .terminal import Screen

ONE_LINE, HEADERS, CUT_BODIES = 1, 2, 3
_INDENT = "    "

screen = Screen()
"""One a process, as there is one standard output; several proxies may print on it."""


def load(loader: Loader) -> None:
    """Declare the options."""
    loader.add_option(
        "flow_detail", int, 1,
        "What is printed of each flow: 0 nothing, 1 a line, 2 headers too, 3 bodies too, 4 whole bodies.",
        choices=range(5),
    )  # fmt: skip
    loader.add_option(
        "content_view_lines_cutoff", int, 512, "Lines of a body that are printed, unless it is wanted whole."
    )
    loader.add_option("dumper_filter", str | None, None, "Which flows are printed: a filter; unset: all.")


def configure(updated: Set[str]) -> None:
    """Refuse a filter that cannot be read."""
    if "dumper_filter" in updated and ctx.options.dumper_filter:
        from proxyfw import flowfilter  # only those who choose pay for the language

        try:
            flowfilter.parse(ctx.options.dumper_filter)
        except FilterError as problem:
            raise OptionsError(f"option dumper_filter: {problem}") from None


@hookimpl(trylast=True)
def flow_end(flow: Flow) -> None:
    """Print the flow: after every other addon, so that it is what was sent."""
    options = ctx.options
    detail, wanted = options.flow_detail, options.dumper_filter
    if not detail or is_open_tunnel(flow) or (wanted and not _fits(wanted, flow)):
        return
    if detail == ONE_LINE:
        screen.put(line(flow, screen.look()) + "\n")
    else:
        lines = with_details(flow, detail, options.content_view_lines_cutoff, screen.look())
        screen.put("\n".join(lines) + "\n")


def _fits(wanted: str, flow: Flow) -> bool:
    from proxyfw import flowfilter

    return flowfilter.match(wanted, flow)


def done() -> None:
    """See that all is printed, if the terminal lets us."""
    screen.drain(0.3)


def is_open_tunnel(flow: Flow) -> bool:
    """Whether *flow* is only the CONNECT that other flows, or bytes nobody reads, went through."""
    if not isinstance(flow, HTTPFlow) or flow.request.method_bytes != b"CONNECT" or flow.error:
        return False
    return flow.response is not None and 200 <= flow.response.status_code < 300


def with_details(flow: Flow, detail: int, cutoff: int, look: Look = PLAIN) -> Iterator[str]:
    """The lines to print of *flow* where more than one is wanted."""
    yield line(flow, look._replace(width=None))
    bodies = None if detail == HEADERS else cutoff if detail == CUT_BODIES else sys.maxsize
    for mark, text in details(flow, bodies):
        yield f"{_INDENT}{look.paint(mark, DIM)} {text}".rstrip(" ") if mark else ""
    yield ""
