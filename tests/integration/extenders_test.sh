#!/bin/sh
# Extenders of the scheduler: extenders_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B extenders_test.py "$@"
