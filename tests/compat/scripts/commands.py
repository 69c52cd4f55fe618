import typing
from collections.abc import Sequence

import mitmproxy.types
from mitmproxy import command, ctx, exceptions, flow


class Commands:
    def __init__(self):
        self.num = 0

    @command.command("my.inc")
    def inc(self) -> None:
        self.num += 1
        ctx.log.info(f"num = {self.num}")

    @command.command("my.urls")
    def urls(self, flows: Sequence[flow.Flow], path: mitmproxy.types.Path) -> typing.Sequence[str]:
        if not flows:
            raise exceptions.CommandError("none")
        return [f"{path}: {each.request.url}" for each in flows if hasattr(each, "request")]

    def response(self, f):
        ctx.master.commands.call("my.inc")
        f.response.headers["urls"] = ",".join(ctx.master.commands.call("my.urls", [f], "there"))


addons = [Commands()]
