#!/bin/sh
# The API's integration test: api_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B api_test.py "$@"
