#!/bin/sh
# Installs what k3x builds and tests with, from Debian packages only, on Debian 12 and 13.
#
# Nothing is done when nothing is missing, so that `make` may call this every time. Debian 12 lacks a few packages at
# the versions we need: libraft comes from bookworm-backports, llhttp, etcd, kubectl and moto (the tests' S3 server) from Debian 13, which is added
# as a source pinned so low that nothing else is ever taken from it. The Kubernetes API definitions are not installed
# but unpacked under build/deps/, because only the text in them is wanted and not the Go libraries they depend on.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
stamp="$root/build/deps/.stamp"
api_dir="$root/build/deps/k8s-api"

build_pkgs="gcc make pkg-config libc6-dev libcrypt-dev libuv1-dev libsqlite3-dev liblz4-dev libssl-dev libnghttp2-dev
  libprotobuf-c-dev protobuf-c-compiler libyaml-dev zlib1g-dev libmnl-dev libjansson-dev libcurl4-openssl-dev"
run_pkgs="tzdata containerd runc containernetworking-plugins nftables iproute2 conntrack kmod ca-certificates"
test_pkgs="libcmocka-dev busybox-static curl procps python3 sqlite3 openssl jq e2fsprogs util-linux mount lz4 python3-flask-cors
  bind9-dnsutils dnsmasq-base python3-kubernetes postgresql pgbouncer mariadb-server dbus-daemon wireguard-go wireguard-tools clang lld wasi-libc libclang-rt-dev-wasm32"
newer_pkgs="libllhttp-dev kubectl etcd-server etcd-client python3-moto"
raft_pkgs="libraft-dev"
k8s_pkgs="golang-k8s-api-dev golang-k8s-apimachinery-dev"

say() { printf 'deps: %s\n' "$*"; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

is_installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# A tool that a package would bring may already be there in another form (kubectl from its vendor, for example).
is_present() {
	case $1 in
	kubectl) command -v kubectl >/dev/null 2>&1 ;;
	*) is_installed "$1" ;;
	esac
}

missing_of() {
	for p in $1; do is_present "$p" || printf '%s ' "$p"; done
}

. /etc/os-release
# WebAssembly pods are tested with Debian 13's engine: there as it is, on Debian 12 out of a folder (wasm_root.sh).
[ "${VERSION_ID:-}" = 12 ] || test_pkgs="$test_pkgs libwasmedge0"
# Debian 13's static libcrypto was built with it.
[ "${VERSION_ID:-}" = 12 ] || build_pkgs="$build_pkgs libzstd-dev"
[ "${ID:-}" = debian ] || die "this is ${PRETTY_NAME:-an unknown system}; packages are only known for Debian 12 and 13"

add_sources() {
	[ "$VERSION_ID" = 12 ] || return 0
	[ -f /etc/apt/sources.list.d/k3x.list ] && return 0
	uri=$(sed -n 's/^URIs: *\([^ ]*\/debian\)$/\1/p; s/^deb \([^ ]*\/debian\) .*/\1/p' \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
	[ -n "$uri" ] || die "no Debian source found in /etc/apt/sources.list*; add one, then run make deps again"
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -f "$key" ] || die "$key is missing; apt-get install debian-archive-keyring"
	cat >/etc/apt/sources.list.d/k3x.list <<-LIST
	deb [signed-by=$key] $uri bookworm-backports main
	deb [signed-by=$key] $uri trixie main
	LIST
	cat >/etc/apt/preferences.d/k3x <<-PREF
	Package: *
	Pin: release n=trixie
	Pin-Priority: 90

	Package: *
	Pin: release n=bookworm-backports
	Pin-Priority: 95
	PREF
}

install_pkgs() { # target release or "", packages
	[ -n "$2" ] || return 0
	say "installing: $2"
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends ${1:+-t "$1"} $2 >"$root/build/deps/apt.log" 2>&1 ||
		{ tail -n 20 "$root/build/deps/apt.log" >&2; die "apt-get install failed (whole log: build/deps/apt.log)"; }
}

unpack_api() {
	[ -f "$api_dir/.done" ] && return 0
	say "unpacking the Kubernetes API definitions"
	rm -rf "$api_dir"
	mkdir -p "$api_dir/deb"
	# apt refuses to drop privileges into a folder it cannot enter; downloading as root is what is wanted here.
	for p in $k8s_pkgs; do
		v=$p
		[ "$VERSION_ID" = 12 ] && v="$p/trixie"
		(cd "$api_dir/deb" && apt-get download -q -o APT::Sandbox::User=root "$v" >/dev/null) || die "cannot download $p"
	done
	for d in "$api_dir"/deb/*.deb; do dpkg-deb -x "$d" "$api_dir"; done
	rm -rf "$api_dir/deb"
	touch "$api_dir/.done"
}

mkdir -p "$root/build/deps"
has_wasm_root() { [ "$VERSION_ID" != 12 ] || [ -f "$root/build/deps/wasm-root/.done" ]; }
[ -f "$stamp" ] && [ "$stamp" -nt "$0" ] && [ -f "$api_dir/.done" ] && has_wasm_root && [ -z "$(missing_of "$build_pkgs $run_pkgs $test_pkgs $newer_pkgs $raft_pkgs")" ] && exit 0

need=$(missing_of "$build_pkgs $run_pkgs $test_pkgs")
need_newer=$(missing_of "$newer_pkgs")
need_raft=$(missing_of "$raft_pkgs")
if [ -n "$need$need_newer$need_raft" ] || [ ! -f "$api_dir/.done" ]; then
	[ "$(id -u)" = 0 ] || die "missing packages ($need$need_newer$need_raft): run make deps as root"
	add_sources
	apt-get update -q >"$root/build/deps/apt.log" 2>&1 || { tail -n 5 "$root/build/deps/apt.log" >&2; die "apt-get update failed"; }
fi
# Services that packages would start are not wanted: k3x runs its own containerd, tests run their own etcd.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made_policy=1; fi
trap '[ -z "$made_policy" ] || rm -f $policy' EXIT
if [ "$VERSION_ID" = 12 ]; then
	install_pkgs "" "$need"
	install_pkgs bookworm-backports "$need_raft"
	for p in $need_newer; do install_pkgs "" "$p/trixie"; done
else
	install_pkgs "" "$need$need_newer$need_raft"
fi
unpack_api
if [ "$VERSION_ID" = 12 ]; then
	has_wasm_root || say "unpacking WasmEdge of Debian 13"
	"$root/tools/install/wasm_root.sh"
fi
touch "$stamp"
say "complete"
