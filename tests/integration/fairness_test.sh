#!/bin/sh
# API Priority and Fairness: fairness_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B fairness_test.py "$@"
