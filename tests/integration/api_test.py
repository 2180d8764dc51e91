#!/usr/bin/env python3
"""The API as clients see it: a server without node, scheduler and controllers, driven over HTTPS and by kubectl.

Usage: api_test.py [PART OF A CASE'S NAME]. Starts and stops its own server; exit status 0 when every case passed."""

import sys

import harness
from harness import Server

server = Server(port=17310)
api = None


def setup():
    global api
    server.start()
    api = server.admin()
    new_namespace("t")


def new_namespace(name):
    api.post("/api/v1/namespaces", {"metadata": {"name": name}}).want(201)
    api.post(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}}).want(201)
    return f"/api/v1/namespaces/{name}"


def teardown():
    server.remove()


if __name__ == "__main__":
    sys.modules["api_test"] = sys.modules["__main__"]
    import api_cases_objects  # noqa: F401  each registers its cases
    import api_cases_watch  # noqa: F401
    import api_cases_patch  # noqa: F401
    import api_cases_policy  # noqa: F401
    import api_cases_front  # noqa: F401
    import api_cases_hostile  # noqa: F401
    import api_cases_wire  # noqa: F401
    import api_cases_kubectl  # noqa: F401
    import api_cases_process  # noqa: F401
    harness.leave(harness.run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
