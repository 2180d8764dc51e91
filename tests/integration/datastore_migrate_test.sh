#!/bin/sh
# Moving a cluster between datastores: datastore_migrate_test.py.
cd "$(dirname "$0")" && exec python3 -B datastore_migrate_test.py "$@"
