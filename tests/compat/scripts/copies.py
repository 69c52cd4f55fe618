from mitmproxy import flow as flows


def response(flow):
    flow.backup()
    flow.response.text = "changed"
    assert flow.modified()
    copy = flow.copy()
    state = flow.get_state()
    assert copy.id != flow.id
    assert flows.Flow.from_state(state).response.text == "changed"
    flow.revert()
    flow.response.headers["copy"] = copy.response.text
