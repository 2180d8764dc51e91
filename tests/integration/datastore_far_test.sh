#!/bin/sh
# A server far from its etcd: datastore_far_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_far_test.py "$@"
