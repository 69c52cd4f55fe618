"""Play a server that does not exist yet: GET lists users, POST adds one.

Run:  proxyfw -s examples/mock_api.py
See:  curl -x http://127.0.0.1:8080 http://api.example/users
      curl -x http://127.0.0.1:8080 http://api.example/users -d '{"name": "Ada"}'
      The second prints the new user, and the first lists her from then on.
"""

import json

from proxyfw import http

users = [{"id": 1, "name": "Grace"}]


def request(flow: http.HTTPFlow) -> None:
    if flow.request.pretty_host != "api.example":
        return
    if flow.request.path != "/users":
        flow.response = http.Response.make(404)
    elif flow.request.method == "POST":
        users.append({"id": len(users) + 1, "name": flow.request.json()["name"]})
        flow.response = as_json(201, users[-1])
    else:
        flow.response = as_json(200, users)


def as_json(status: int, value: object) -> http.Response:
    return http.Response.make(status, json.dumps(value) + "\n", {"Content-Type": "application/json"})
