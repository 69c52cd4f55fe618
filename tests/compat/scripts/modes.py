from mitmproxy.proxy.mode_specs import ProxyMode, RegularMode, ReverseMode


def response(flow):
    assert isinstance(flow.client_conn.proxy_mode, RegularMode)
    assert not isinstance(flow.client_conn.proxy_mode, ReverseMode)
    flow.response.headers["mode"] = ProxyMode.parse("reverse:http://x:81@8090").data
    mode = flow.client_conn.proxy_mode
    flow.response.headers["came"] = f"{mode.type_name} {mode.full_spec}"
