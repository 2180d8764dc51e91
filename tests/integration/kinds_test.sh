#!/bin/sh
# What kinds demand where the server has a part in it: kinds_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B kinds_test.py "$@"
