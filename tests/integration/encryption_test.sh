#!/bin/sh
# Secrets at rest on one server: encryption_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B encryption_test.py "$@"
