#!/bin/bash
# make deb: Debian packages of a binary, in build/out/ (DEB_DIR), as the release makes them too.
#
#     tools/install/deb.sh BINARY ARCHITECTURE      BINARY is stripped already, or is stripped when it is this machine's
#     DEB_MAINTAINER="Name <address>"               who stands in them (the commit's author)
#     SOURCE_DATE_EPOCH                             the time of files in them (that of the commit)
#
#     k3x-store    the binary, as /usr/bin/k3x-store, and a service that is off: a store that speaks etcd's API, by itself
#     k3x          a link to it, what a node needs (containerd, runc, ...), the services k3x and k3x-agent, which are off
#
# The services are off until someone says what the machine is to be: `systemctl enable --now k3x`, or k3x-agent after
# K3X_URL and K3X_TOKEN stand in /etc/default/k3x-agent. Their units are install.sh's own. An upgrade restarts what runs, and
# pods run on; removing stops k3x and all it started; purging removes the data too. dpkg-deb alone makes them; the same commit
# gives the same bytes. The manual pages and completions are printed by NATIVE, a binary that runs here (build/k3x).
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$1 architecture=$2
native=${NATIVE:-build/k3x}
out=${DEB_DIR:-build/out}
version=$(sed -n 's/^VERSION := //p' Makefile)
maintainer=${DEB_MAINTAINER:-$(git log -1 --format='%an <%ae>')}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
when=$(date -u -d "@$SOURCE_DATE_EPOCH" -R)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# ---- files ----

give() { install -D -m "$1" /dev/stdin "$2"; } # MODE PATH: what is read becomes the file

programs_of() { # PACKAGE FOLDER WORDS...: what the program itself prints
	local p=$1 at=$2/usr/share
	shift 2
	"$native" "$@" man | gzip -9n | give 644 "$at/man/man8/$p.8.gz"
	"$native" "$@" completion bash | give 644 "$at/bash-completion/completions/$p"
	"$native" "$@" completion zsh | give 644 "$at/zsh/vendor-completions/_$p"
	"$native" "$@" completion fish | give 644 "$at/fish/vendor_completions.d/$p.fish"
}

papers_of() { # PACKAGE FOLDER
	local at=$2/usr/share/doc/$1
	give 644 "$at/copyright" <<-TEXT
	Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
	Upstream-Name: k3x
	Comment: The sources carry no license yet: nothing is granted beyond what the law grants. Debian's libraries that are linked
	 into the binary are listed, with their versions, in the release's SBOM (k3x-ARCHITECTURE.spdx.json), and each stands under
	 its own terms, which lie in /usr/share/doc of its package.

	Files: *
	Copyright: $(date -u -d "@$SOURCE_DATE_EPOCH" +%Y) the authors of k3x
	License: none-yet
	 No license is granted yet.
	TEXT
	gzip -9n <<-TEXT | give 644 "$at/changelog.gz"
	k3x ($version) stable; urgency=medium

	  * Release $version.

	 -- $maintainer  $when
	TEXT
}

eval "$(sed -n '/^write_unit()/,/^}/p' tools/install/install.sh)"
# shellcheck disable=SC2034 # write_unit reads them
unit_of() { # FOLDER COMMAND NAME
	local unit_dir=$1/usr/lib/systemd/system command=$2 words_unit='' bin=/usr/bin env_file=/etc/k3x/$3.env unit
	unit=$unit_dir/$3.service
	write_unit
}

# ---- what dpkg runs ----

# systemd may not be there, or not run: then nothing is to be told.
prelude='#!/bin/sh
set -e
told() { [ ! -d /run/systemd/system ] || systemctl "$@"; }'

scripts_of() { # FOLDER REMOVE PURGE SERVICES...: shell that is run when the package goes, and when it is purged
	local at=$1/DEBIAN remove=$2 purge=$3
	shift 3
	give 755 "$at/postinst" <<-SH
	$prelude
	if [ "\$1" = configure ]; then
	    told daemon-reload
	    [ -z "\${2:-}" ] || told try-restart $*
	fi
	SH
	give 755 "$at/prerm" <<-SH
	$prelude
	if [ "\$1" = remove ]; then
	    for s in $*; do told disable --now "\$s" || true; done
	    $remove
	fi
	SH
	give 755 "$at/postrm" <<-SH
	$prelude
	told daemon-reload || true
	if [ "\$1" = purge ]; then
	    $purge
	fi
	SH
}

control_of() { # PACKAGE FOLDER DEPENDS SUMMARY: the description's lines are read
	{
		cat <<-TEXT
		Package: $1
		Source: k3x
		Version: $version
		Architecture: $architecture
		Maintainer: $maintainer
		Installed-Size: $(du -sk --apparent-size "$2" | cut -f 1)
		$3
		Section: admin
		Priority: optional
		Description: $4
		TEXT
		fold -s -w 78 | sed 's/ *$//; s/^$/./; s/^/ /'
	} | give 644 "$2/DEBIAN/control"
}

# What lintian calls errors and is a decision of ours.
overrides_of() { # PACKAGE FOLDER: the lines are read
	give 644 "$2/usr/share/lintian/overrides/$1"
}

finish() { # PACKAGE FOLDER
	(cd "$2" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) | give 644 "$2/DEBIAN/md5sums"
	find "$2" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
	mkdir -p "$out"
	dpkg-deb --root-owner-group -Zxz --build "$2" "$out/$1_${version}_$architecture.deb" >/dev/null
	echo "$out/$1_${version}_$architecture.deb"
}

# ---- k3x-store ----

store() {
	local d=$work/store
	install -D -m 755 "$binary" "$d/usr/bin/k3x-store"
	[ "$architecture" != "$(dpkg --print-architecture)" ] || strip "$d/usr/bin/k3x-store"
	programs_of k3x-store "$d" store
	papers_of k3x-store "$d"
	install -D -m 644 tools/install/k3x-store.service "$d/usr/lib/systemd/system/k3x-store.service"
	scripts_of "$d" : 'rm -rf --one-file-system /var/lib/k3x-store /var/lib/private/k3x-store' k3x-store.service
	overrides_of k3x-store "$d" <<-'TEXT'
	# one binary that runs on any Debian from 12 on, whatever versions of its libraries are there
	k3x-store: embedded-library
	TEXT
	control_of k3x-store "$d" "Depends: libc6 (>= 2.36)
Recommends: ca-certificates
Suggests: libcurl4" "replicated key-value store that speaks etcd's v3 API" <<-'TEXT'
	A server of etcd's v3 API whose state lies in SQLite and is replicated by Raft, and the command that looks after it: snapshots,
	restores, members, checks.

	The same binary is k3x, a lightweight Kubernetes: see the package k3x.
	TEXT
	finish k3x-store "$d"
}

# ---- k3x ----

cluster() {
	local d=$work/k3x
	install -d "$d/usr/bin"
	ln -s k3x-store "$d/usr/bin/k3x"
	programs_of k3x "$d"
	papers_of k3x "$d"
	unit_of "$d" server k3x
	unit_of "$d" agent k3x-agent
	# While a binary that runs is still there: what it started is stopped, but not its data.
	scripts_of "$d" 'k3x killall >/dev/null || true' \
		'rm -rf --one-file-system /etc/k3x /run/k3x /var/lib/k3x /var/log/k3x.log /var/log/k3x.log.[0-9]*
	    grep -qF /var/lib/kubelet/pod-resources/kubelet.sock /proc/net/unix || rm -f /var/lib/kubelet/pod-resources/kubelet.sock
	    rmdir /var/lib/kubelet/device-plugins /var/lib/kubelet/pod-resources /var/lib/kubelet/plugins_registry /var/lib/kubelet 2>/dev/null || true' k3x.service k3x-agent.service
	control_of k3x "$d" "Depends: k3x-store (= $version), containerd, runc, containernetworking-plugins, nftables, iproute2, conntrack, kmod, tzdata, ca-certificates
Recommends: kubectl | kubernetes-client, zstd
Suggests: libcurl4, libpq5, libmariadb3, libwasmedge0" "lightweight Kubernetes" <<-'TEXT'
	A whole Kubernetes in one binary: API server, controllers, scheduler, kubelet, pod network, service proxy, DNS, ingress, load
	balancer, local storage and metrics, on a datastore that is replicated by Raft.

	The services are off at first: "systemctl enable --now k3x" makes this machine a cluster, and "k3x-agent", with K3X_URL and
	K3X_TOKEN in /etc/default/k3x-agent, makes it a node of one.
	TEXT
	finish k3x "$d"
}

store
cluster
