#!/bin/sh
# Datastores behind TLS and a pooler: datastore_secure_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_secure_test.py "$@"
