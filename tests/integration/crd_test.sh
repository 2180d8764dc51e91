#!/bin/sh
# CustomResourceDefinitions and custom resources: crd_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B crd_test.py "$@"
