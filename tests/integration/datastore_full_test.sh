#!/bin/sh
# A datastore whose disk is full: datastore_full_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_full_test.py "$@"
