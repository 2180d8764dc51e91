#!/bin/bash
# make test-clients: builds what needs more than `make deps` installs, then runs clients_test.sh apart.
#
# Go and client-go are packages of Debian 13, unpacked below build/deps/ (500 MB) and not installed: Go is linked to no library,
# so that it runs on Debian 12 too. The first build compiles client-go, which takes minutes; the cache is kept there.
# @kubernetes/client-node comes by npm, where that is installed.
set -eu
cd "$(dirname "$0")/../.." || exit 1
b=$PWD/build/clients
deps=$PWD/build/deps
root=$deps/go-root
mkdir -p "$b/node"

if [ ! -f "$root/.done" ]; then
	tools/install/debian13_root.sh "$deps/go-all" golang-1.24-go golang-k8s-client-go-dev
	rm -rf "$root"
	mkdir -p "$root/usr/lib" "$root/usr/share"
	mv "$deps/go-all/usr/lib/go-1.24" "$root/usr/lib/"
	mv "$deps/go-all/usr/share/go-1.24" "$deps/go-all/usr/share/gocode" "$root/usr/share/"
	rm -rf "$deps/go-all"
	touch "$root/.done"
fi
export GO111MODULE=off GOTOOLCHAIN=local GOROOT=$root/usr/lib/go-1.24 GOPATH=$root/usr/share/gocode GOCACHE=$deps/go-cache CGO_ENABLED=0
(cd tests/clients/go && "$GOROOT/bin/go" build -o "$b/clients" .)

if type npm node >/dev/null 2>&1; then
	cp tests/clients/node/package.json tests/clients/node/clients.mjs "$b/node/"
	(cd "$b/node" && npm install --silent --no-audit --no-fund --ignore-scripts --no-package-lock)
fi
[ "${1:-}" = --build ] || exec tests/apart.sh tests/clients/clients_test.sh
