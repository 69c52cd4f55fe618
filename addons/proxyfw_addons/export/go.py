"""A program in Go with net/http, which sorts fields by name."""

from __future__ import annotations

from .bytewise import quoted
from .sent import Sent

_PROGRAM = """\
package main

import (
	"fmt"
	"io"
	"net/http"%(strings)s
)

func main() {
	request, err := http.NewRequest(%(method)s, %(url)s, %(body)s)
	if err != nil {
		panic(err)
	}
%(fields)s	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, Proxy: http.ProxyFromEnvironment},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(response.Status, response.Header)
	fmt.Println(string(body))
}
"""


def snippet(sent: Sent) -> str:
    """The program."""
    host = [] if sent.host is None else [f"\trequest.Host = {quoted(sent.host)}\n"]
    values: dict[str, list[str]] = {}
    for name, value in sent.fields:
        key = "User-Agent" if name.lower() == "user-agent" else name  # else Go sends its own, too
        values.setdefault(key, []).append(quoted(value))
    if sent.lacks("user-agent"):
        values["User-Agent"] = ['""']  # so that Go sends none
    fields = [
        f"\trequest.Header[{quoted(name.encode())}] = []string{{{', '.join(found)}}}\n"
        for name, found in values.items()
    ]
    return _PROGRAM % {
        "strings": '\n\t"strings"' if sent.body else "",
        "method": quoted(sent.method.encode()),
        "url": quoted(sent.url.encode()),
        "body": f"strings.NewReader({quoted(sent.body)})" if sent.body else "nil",
        "fields": "".join([*host, *fields]),
    }
