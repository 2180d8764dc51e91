#!/bin/bash
# make test-clients: fetches what `make deps` does not install, then runs clients_test.sh apart. @kubernetes/client-node comes by
# npm, where that is installed.
set -eu
cd "$(dirname "$0")/../.." || exit 1
b=$PWD/build/clients
mkdir -p "$b/node"
if type npm node >/dev/null 2>&1; then
	cp tests/clients/node/package.json tests/clients/node/clients.mjs "$b/node/"
	(cd "$b/node" && npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock)
fi
[ "${1:-}" = --build ] || exec tests/apart.sh tests/clients/clients_test.sh
