from mitmproxy.coretypes import multidict
from mitmproxy.net.http import cookies, status_codes, url
from mitmproxy.net.http.headers import parse_content_type


def response(flow):
    kind = parse_content_type(flow.response.headers["content-type"])
    pairs = multidict.MultiDict(url.decode("a=1&b=2"))
    (cookie,) = cookies.parse_set_cookie_header("k=v; Path=/")
    flow.response.headers["helpers"] = " ".join(
        [kind[0], kind[2]["charset"], pairs["b"], cookie[0], str(status_codes.NOT_FOUND)]
    )
    flow.response.headers["parsed"] = str(url.parse(flow.request.url))
