#!/bin/sh
# AuthenticationConfiguration and AuthorizationConfiguration files: authconfig_test.py with its folder as its home.
cd "$(dirname "$0")" && exec python3 -B authconfig_test.py "$@"
