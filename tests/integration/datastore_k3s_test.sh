#!/bin/sh
# Taking over a k3s server's cluster: datastore_k3s_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_k3s_test.py "$@"
