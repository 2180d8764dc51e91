#!/bin/sh
# A folder with WasmEdge and the libraries that it needs, for machines whose own Debian has no libwasmedge0:
#
#     tools/install/wasm_root.sh [DIR]        default: build/deps/wasm-root; then: k3x server --wasm --wasm-root DIR
#
# Packages of Debian 13 are downloaded and unpacked, not installed: apt is given folders of its own and an empty list of
# installed packages, so that it finds all that the library needs and touches nothing of the machine. k3x starts its
# zygote with the loader and the C library in there. Nothing is done when the folder is complete.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$root/build/deps/wasm-root}
[ -f "$dir/.done" ] && exit 0

die() { printf 'wasm_root: %s\n' "$*" >&2; exit 1; }
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$key" ] || die "$key is missing; apt-get install debian-archive-keyring"
uri=$(sed -n 's/^URIs: *\([^ ]*\/debian\)$/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\/debian\) .*/\2/p' \
	/etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
[ -n "$uri" ] || die "no Debian source found in /etc/apt/sources.list*; add one"

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state"
: >"$apt/status"
echo "deb [signed-by=$key] $uri trixie main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::State "$apt/state";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
CONF
export APT_CONFIG="$apt/apt.conf"
apt-get update -q >"$apt/log" 2>&1 && apt-get install -y -q --download-only libwasmedge0 >>"$apt/log" 2>&1 ||
	{ tail -n 5 "$apt/log" >&2; die "cannot download libwasmedge0 of Debian 13"; }
rm -rf "$dir"
mkdir -p "$dir"
for d in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$d" "$dir"; done
# Of what was unpacked, only libraries are wanted.
rm -rf "$dir/usr/share" "$dir/etc" "$dir/var" "$dir/usr/sbin" "$dir/sbin"
touch "$dir/.done"
