#!/bin/sh
# Server-side apply and managedFields: apply_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B apply_test.py "$@"
