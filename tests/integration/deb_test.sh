#!/bin/bash
# Debian packages on a machine of its own: this root with an overlay over it, in which dpkg really installs, upgrades, removes and
# purges them. systemd does not run there; a stand-in writes down what it is told.
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "Debian packages" "needs root"; finish; exit; }
needs dpkg-deb python3
machine=$T/machine
trap 'umount -R "$machine" "$T/over" 2>/dev/null; cleanup' EXIT
build_debs() { # FOLDER [VERSION]
	if [ -n "${2:-}" ]; then
		mkdir -p "$T/tree" && cp -a "$root/Makefile" "$T/tree/" && mkdir -p "$T/tree/tools" && cp -a "$root/tools/install" "$T/tree/tools/"
		sed -i "s/^VERSION := .*/VERSION := $2/" "$T/tree/Makefile"
		NATIVE="$K3X" DEB_DIR="$1" DEB_MAINTAINER="A <a@example.org>" SOURCE_DATE_EPOCH=1700000000 "$T/tree/tools/install/deb.sh" "$K3X" "$arch" >/dev/null
	else
		NATIVE="$K3X" DEB_DIR="$1" DEB_MAINTAINER="A <a@example.org>" SOURCE_DATE_EPOCH=1700000000 "$root/tools/install/deb.sh" "$K3X" "$arch" >/dev/null
	fi
}
arch=$(dpkg --print-architecture)
check "packages are built" build_debs "$T/one"
check "again" build_debs "$T/two"
check "byte for byte the same" diff -r "$T/one" "$T/two"
check "a newer one too" build_debs "$T/newer" 99.1
version=$(sed -n 's/^VERSION := //p' "$root/Makefile")
k3x=$T/one/k3x_${version}_$arch.deb store=$T/one/k3x-store_${version}_$arch.deb
check_is "one needs the other, of the same version" "k3x-store (= $version)" "$(dpkg-deb -f "$k3x" Depends | cut -d, -f1)"
check_is "the other needs a C library alone" "libc6 (>= 2.36)" "$(dpkg-deb -f "$store" Depends)"

# ---- a machine ----
mkdir -p "$T/over" "$machine"
mount -t tmpfs tmpfs "$T/over"
mkdir -p "$T"/over/{up,work}
mount -t overlay overlay -o "lowerdir=/,upperdir=$T/over/up,workdir=$T/over/work" "$machine"
mount -t tmpfs tmpfs "$machine/run"
rm -rf "$machine/etc/k3x" "$machine/var/lib/k3x" "$machine"/etc/systemd/system/k3x*
mount --bind /dev "$machine/dev"
mkdir -p "$machine/run/systemd/system" "$machine/usr/local/bin" "$machine/pkg"
cp "$T"/one/*.deb "$T"/newer/*.deb "$machine/pkg/"
printf '#!/bin/sh\necho "$*" >>/run/told\n' >"$machine/usr/local/bin/systemctl"
chmod 755 "$machine/usr/local/bin/systemctl"
# What the packages need is the business of dpkg's dependencies, which are not looked at here. Processes of its own: `k3x killall` is
# run when they go.
on() {
	unshare --pid --fork --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root LANG=C DEBIAN_FRONTEND=noninteractive "$@"' "$machine" "$@"
}
install_debs() { on dpkg --force-depends -i "/pkg/k3x-store_$1_$arch.deb" "/pkg/k3x_$1_$arch.deb" >"$T/dpkg.log" 2>&1; }
# What was written in this machine and is there: others write in the root below while this runs, so that is not looked at.
files() {
	(cd "$T/over/up" && find usr etc var/lib -path var/lib/dpkg -prune -o ! -type c -print) | LC_ALL=C sort | while read -r file; do
		[ -e "/$file" ] || echo "$file"
	done
}
told() { sort -u "$machine/run/told" 2>/dev/null | paste -sd'|'; rm -f "$machine/run/told"; }

files >"$T/before"
check "dpkg installs them" install_debs "$version"
check_is "systemd is told that there are units, and starts none" daemon-reload "$(told)"
check_has "k3x runs" "k3x version $version" "$(on k3x --version)"
check_has "k3x-store too" "k3x-store: run and look after" "$(on k3x-store --help 2>&1)"
check_is "both are one file" k3x-store "$(readlink "$machine/usr/bin/k3x")"
check_is "the unit runs it" "ExecStart=/usr/bin/k3x server" "$(grep ^ExecStart= "$machine/usr/lib/systemd/system/k3x.service")"
check_is "an agent's too" "ExecStart=/usr/bin/k3x agent" "$(grep ^ExecStart= "$machine/usr/lib/systemd/system/k3x-agent.service")"
check "manual pages are there" test -s "$machine/usr/share/man/man8/k3x.8.gz" -a -s "$machine/usr/share/man/man8/k3x-store.8.gz"
check_is "every file has its sum" "" "$(on dpkg --verify k3x k3x-store)"

# ---- upgrade, remove, purge ----
mkdir -p "$machine"/var/lib/k3x/server "$machine/etc/k3x" "$machine/var/lib/k3x-store"
echo state >"$machine/var/lib/k3x/server/state"
check "an upgrade" install_debs 99.1
check_is "restarts what runs" "daemon-reload|try-restart k3x-store.service|try-restart k3x.service k3x-agent.service" "$(told)"
check_is "and is there" 99.1 "$(on dpkg-query -W -f '${Version}' k3x)"
check "going back" install_debs "$version"
told >/dev/null
check "they are removed" on dpkg -r k3x k3x-store
check_is "services are stopped" "daemon-reload|disable --now k3x-agent.service|disable --now k3x-store.service|disable --now k3x.service|stop k3x-agent.service|stop k3x.service" "$(told)"
check_is "the state stays" state "$(cat "$machine/var/lib/k3x/server/state")"
check "they are purged" on dpkg -P k3x k3x-store
rm -f "$machine/run/told"
files >"$T/after"
check_is "nothing is left" "" "$(diff "$T/before" "$T/after")"
finish
