#!/bin/sh
# Secrets encrypted by leave of a KMS plugin: kms_test.py with its folder as its home, and the plugin of kms_plugin.c.
cd "$(dirname "$0")/../.." && make -s build/release/tests/kms_plugin || exit 1
cd tests/integration && exec python3 -B kms_test.py "$@"
