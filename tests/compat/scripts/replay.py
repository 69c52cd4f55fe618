from mitmproxy import ctx


def response(flow):
    if flow.is_replay == "request":
        return
    again = flow.copy()
    again.request.path = "/again"
    if "view" in ctx.master.commands.commands:
        ctx.master.commands.call("view.flows.duplicate", [again])
    ctx.master.commands.call("replay.client", [again])
