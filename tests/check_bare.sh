#!/bin/bash
# make check-bare: both commands of the README in bare Debian roots, as a newcomer would type them after `git clone`.
#
#     tests/check_bare.sh [bookworm] [trixie]      default: both; BARE=DIR keeps the roots there (/var/tmp/k3x-bare)
#
# For each release a root is made with debootstrap and this repository cloned into it. `make deps` runs with the machine's
# network, because it needs a package mirror; `make up` and `make check` in namespaces of their own (network, mounts, processes,
# host name), so that nothing of the machine is touched and whatever they leave ends with them. Before that, install.sh is tried on
# another root of the release, as users have it. Takes half an hour a release.
set -u
cd "$(dirname "$0")/.." || exit 1
here=$PWD
bare=${BARE:-/var/tmp/k3x-bare}
releases=${*:-bookworm trixie}
failed=0

[ "$(id -u)" = 0 ] || { echo "check-bare: must be run as root" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y -q --no-install-recommends debootstrap >/dev/null || exit 1
mirror=$(sed -n 's/^URIs: *\([^ ]*\/debian\)\/*$/\1/p; s/^deb \(\[[^]]*\] \)*\([^ ]*\/debian\)\/* .*/\2/p' \
	/etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
[ -n "$mirror" ] || { echo "check-bare: no Debian mirror found in /etc/apt" >&2; exit 1; }

make_root() { # release
	local root=$bare/$1
	[ -e "$root/.made" ] && return 0
	rm -rf "$root"
	mkdir -p "$bare"
	debootstrap --variant=minbase --include=git,make,ca-certificates,iproute2 "$1" "$root" "$mirror" >"$bare/$1.debootstrap.log" 2>&1 || {
		tail -n 5 "$bare/$1.debootstrap.log"
		return 1
	}
	echo "deb $mirror $1 main" >"$root/etc/apt/sources.list"
	for f in /etc/apt/apt.conf.d/*proxy* /etc/apt/auth.conf.d/*; do [ -e "$f" ] && install -D "$f" "$root$f"; done
	touch "$root/.made"
}

# in_root ROOT [--apart] COMMAND: with /proc, /dev and /sys; --apart: with a network and a host name of its own too. The root is
# that of the mount namespace, not a chroot's: what joins a container's namespaces would otherwise see the machine's files.
in_root() {
	local root=$1 apart=
	shift
	[ "$1" = --apart ] && { apart="--net --uts"; shift; }
	# shellcheck disable=SC2086
	unshare --mount --pid --fork --kill-child $apart bash -c '
		root=$1
		mount --bind "$root" "$root" && cd "$root" || exit 1
		mount -t proc proc proc && mount --rbind /dev dev && mount --rbind /sys sys && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp || exit 1
		if [ -n "$2" ]; then
			hostname bare && ip link set lo up && ip link add uplink type bridge && ip addr add 192.168.178.1/24 dev uplink &&
				ip link set uplink up && ip route add default via 192.168.178.254 dev uplink onlink || exit 1
		fi
		mkdir -p tmp/old && pivot_root . tmp/old && cd / && umount -l /tmp/old && rmdir /tmp/old || exit 1
		exec /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 bash -c "$3"
	' _ "$root" "$apart" "$1"
}

# A root as a user has it, without compilers: what k3x needs of Debian, and python3 for what stands in for systemctl.
install_on() { # release
	local root=$bare/$1-install f
	if [ ! -e "$root/.made" ]; then
		rm -rf "$root"
		debootstrap --variant=minbase --include=containerd,runc,containernetworking-plugins,nftables,iproute2,conntrack,kmod,ca-certificates,curl,python3 \
			"$1" "$root" "$mirror" || return 1
		touch "$root/.made"
	fi
	make --no-print-directory all && INSTALL_ROOT=$root tests/apart.sh tests/integration/install_test.sh
}

step() { # name, log, command...
	local name=$1 log=$2 start=$SECONDS
	shift 2
	if "$@" >"$log" 2>&1 </dev/null; then
		printf 'ok    %-32s %4ds\n' "$name" $((SECONDS - start))
	else
		printf 'FAIL  %-32s %4ds (log %s)\n' "$name" $((SECONDS - start)) "$log"
		tail -n 30 "$log" | sed 's/^/      /'
		failed=$((failed + 1))
		return 1
	fi
}

for release in $releases; do
	root=$bare/$release
	step "$release: a bare root" "$bare.$release.log" make_root "$release" || continue
	rm -rf "$root/root/k3x"
	git clone -q "$here" "$root/root/k3x" || exit 1
	cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
	step "$release: make deps" "$bare/$release.deps.log" in_root "$root" 'cd /root/k3x && make deps' || continue
	step "$release: install.sh on a root of its own" "$bare/$release.install.log" install_on "$release"
	step "$release: make up" "$bare/$release.up.log" in_root "$root" --apart 'cd /root/k3x && make up && make down'
	step "$release: make check" "$bare/$release.check.log" in_root "$root" --apart 'cd /root/k3x && make check'
	tail -n 1 "$bare/$release.check.log"
done
[ $failed -eq 0 ]
