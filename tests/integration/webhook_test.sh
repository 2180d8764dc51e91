#!/bin/sh
# Admission webhooks: webhook_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B webhook_test.py "$@"
