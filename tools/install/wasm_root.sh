#!/bin/sh
# A folder with WasmEdge and the libraries that it needs, for machines whose own Debian has no libwasmedge0:
#
#     tools/install/wasm_root.sh [DIR]        default: build/deps/wasm-root; then: k3x server --wasm --wasm-root DIR
#
# Packages of Debian 13, unpacked and not installed (debian13_root.sh). k3x starts its zygote with the loader and the C
# library in there. Nothing is done when the folder is complete.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/../../build/deps/wasm-root}
[ -f "$dir/.done" ] && exit 0
"$here/debian13_root.sh" "$dir" libwasmedge0
# Of what was unpacked, only libraries are wanted.
rm -rf "$dir/usr/share" "$dir/etc" "$dir/var" "$dir/usr/sbin" "$dir/sbin"
touch "$dir/.done"
