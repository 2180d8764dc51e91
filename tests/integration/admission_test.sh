#!/bin/sh
# Admission plugins by flag and by configuration: admission_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B admission_test.py "$@"
