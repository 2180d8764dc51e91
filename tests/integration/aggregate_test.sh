#!/bin/sh
# Aggregated API servers: aggregate_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B aggregate_test.py "$@"
