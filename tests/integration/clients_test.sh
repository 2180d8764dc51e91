#!/bin/sh
# The API as python3-kubernetes uses it: clients_test.py, with its folder as its home. Programs of client-go and of
# @kubernetes/client-node are in tests/clients/ (make test-clients).
cd "$(dirname "$0")" && exec /usr/bin/python3 -B clients_test.py "$@"
