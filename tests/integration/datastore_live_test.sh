#!/bin/sh
# Moving a cluster that runs: datastore_live_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_live_test.py "$@"
