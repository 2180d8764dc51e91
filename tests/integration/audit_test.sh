#!/bin/sh
# What is audited of real requests: audit_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B audit_test.py "$@"
