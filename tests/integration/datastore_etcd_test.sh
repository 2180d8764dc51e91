#!/bin/sh
# Servers whose state lies in an etcd of somebody else: datastore_test.py on it.
cd "$(dirname "$0")" && exec python3 -B datastore_test.py etcd "$@"
