#!/bin/sh
# Certificates on request: csr_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B csr_test.py "$@"
