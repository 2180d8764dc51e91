#!/bin/sh
# What nodes and pods use, and autoscaling by it: metrics_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B metrics_test.py "$@"
