#!/bin/sh
# Who is asking, told by others: authn_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B authn_test.py "$@"
