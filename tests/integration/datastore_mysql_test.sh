#!/bin/sh
# Servers whose state lies in a database: datastore_test.py on mysql.
cd "$(dirname "$0")" && exec python3 -B datastore_test.py mysql "$@"
