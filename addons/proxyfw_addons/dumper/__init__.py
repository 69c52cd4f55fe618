"""Prints every flow on standard output when it is over: one line each, or with headers and bodies.

What comes from the network is escaped, so that no traffic can steer the terminal; a terminal that stands
still, or is gone, holds nobody up. Nothing is formatted while the option ``flow_detail`` is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

from proxyfw import ctx, hookimpl
from proxyfw.addonmanager import Loader
from proxyfw.flow import Flow
from proxyfw.http import HTTPFlow
from proxyfw.options import Options, parse_filter
from proxyfw.redaction import redacted

from .bodies import WHOLE, Bodies
from .detail import details
from .in_order import Place
from .look import DIM, PLAIN, Look
from .summary import line
from .terminal import Screen

ONE_LINE, HEADERS, CUT_BODIES = 1, 2, 3
_INDENT = "    "

screen = Screen()
"""One a process, as there is one standard output; several proxies may print on it."""

place = Place(screen.settle)


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
    loader.add_option(
        "dumper_default_contentview", str, "auto", "The content view for bodies; auto: the one that suits."
    )
    loader.add_option("dumper_filter", str | None, None, "Which flows are printed: a filter; unset: all.")


def configure(updated: Set[str]) -> None:
    """Refuse a filter that cannot be read."""
    if "dumper_filter" in updated:
        parse_filter("option dumper_filter", ctx.options.dumper_filter)


def running() -> None:
    """See that what others print comes in its place among the flows."""
    place.take()


@hookimpl(trylast=True)
def flow_end(flow: Flow) -> None:
    """Print the flow: after every other addon, so that it is what was sent."""
    options = ctx.options
    detail, wanted = options.flow_detail, options.dumper_filter
    if not detail or is_open_tunnel(flow) or (wanted and not _fits(wanted, flow)):
        return
    flow = redacted(flow)
    if detail == ONE_LINE:
        screen.put(line(flow, screen.look()) + "\n")
    else:
        lines = with_details(flow, wanted_bodies(options), screen.look())
        screen.put("\n".join(lines) + "\n")


def _fits(wanted: str, flow: Flow) -> bool:
    from proxyfw import flowfilter

    return flowfilter.match(wanted, flow)


def done() -> None:
    """See that all is printed, if the terminal lets us."""
    screen.drain(0.3)
    place.leave()


def is_open_tunnel(flow: Flow) -> bool:
    """Whether *flow* is only the CONNECT that other flows, or bytes nobody reads, went through."""
    if not isinstance(flow, HTTPFlow) or flow.request.method_bytes != b"CONNECT" or flow.error:
        return False
    return flow.response is not None and 200 <= flow.response.status_code < 300


def wanted_bodies(options: Options) -> Bodies | None:
    """How bodies are to be shown, if at all."""
    if options.flow_detail == HEADERS:
        return None
    limit = options.content_view_lines_cutoff if options.flow_detail == CUT_BODIES else WHOLE
    return Bodies(ctx.master.addons.contentviews, limit, options.dumper_default_contentview)


def with_details(flow: Flow, bodies: Bodies | None, look: Look = PLAIN) -> Iterator[str]:
    """The lines to print of *flow* where more than one is wanted."""
    yield line(flow, look._replace(width=None))
    for mark, text in details(flow, bodies):
        yield f"{_INDENT}{look.paint(mark, DIM)} {text}".rstrip(" ") if mark else ""
    yield ""
