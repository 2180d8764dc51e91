#!/bin/sh
# Tokens that lie in Secrets: legacy_tokens_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B legacy_tokens_test.py "$@"
