from mitmproxy import ctx


class Late:
    def response(self, flow):
        flow.response.headers["late"] = "1"


def running():
    ctx.master.addons.add(Late())
    ctx.options.update(stream_large_bodies="2m", showhost=True)
    ctx.options.showhost = False
    assert ctx.master.options is ctx.options
    assert ctx.master.addons.get("late") is not None
    assert ctx.master.addons.get("nothing") is None


def response(flow):
    flow.response.headers["size"] = str(ctx.options.stream_large_bodies)
