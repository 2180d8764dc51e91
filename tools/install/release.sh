#!/bin/bash
# make release: what is given to people, in build/out/ (RELEASE_DIR): the binary for each architecture, stripped; a tarball of each
# with manual pages and completions; Debian packages; install.sh; an SBOM; sums of all of it, signed when there is a key.
#
#     tools/install/release.sh [amd64] [arm64] [armhf]     default: all three
#     RELEASE_KEY=key.pem      an ed25519 key (openssl genpkey -algorithm ed25519), with which sha256sums.txt is signed
#     SOURCE_DATE_EPOCH        the time of files in the tarball (that of the commit)
#     RELEASE_ROOT=DIR         where the root with the compilers lies (/var/tmp/k3x-release/root)
#     RELEASE_SRC=src          folder in it where the trees lie: any other one has to give the same bytes
#     RELEASE_TESTS=1          unit tests of each architecture too, under qemu for those that are not this machine's
#
# All is built in a Debian 12 root of its own, made by debootstrap, with Debian's cross compilers and the libraries of the other
# architectures beside each other: nothing of the machine is touched, and nothing of it gets into the binaries. They need glibc
# 2.36. The same commit gives the same bytes: paths are those of the root, times those of the commit, orders are sorted.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD
out=${RELEASE_DIR:-$here/build/out}
root=${RELEASE_ROOT:-/var/tmp/k3x-release/root}
src=${RELEASE_SRC:-src}
architectures=${*:-amd64 arm64 armhf}
commit=$(git rev-parse HEAD) # of which all is made, whatever happens to the tree meanwhile
version=$(sed -n 's/^VERSION := //p' Makefile)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct "$commit")}

die() { echo "release: $*" >&2; exit 1; }
say() { echo "release: $*"; }
[ "$(id -u)" = 0 ] || die "must be run as root: it makes a root of its own"

triplet_of() {
	case $1 in
	amd64) echo x86_64-linux-gnu ;;
	arm64) echo aarch64-linux-gnu ;;
	armhf) echo arm-linux-gnueabihf ;;
	*) die "\"$1\" is none of amd64, arm64, armhf" ;;
	esac
}

# ---- the root ----

libraries="libcrypt-dev libuv1-dev libsqlite3-dev liblz4-dev libssl-dev libnghttp2-dev libprotobuf-c-dev libyaml-dev zlib1g-dev
	libmnl-dev libjansson-dev libcurl4-openssl-dev libcmocka-dev"

# The libraries that are in the binary: what LIBS in the Makefile links statically.
linked="libraft-dev libnghttp2-dev libsqlite3-dev libprotobuf-c-dev libyaml-dev libjansson-dev liblz4-dev libssl-dev zlib1g-dev libcrypt-dev
	libuv1-dev"

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
	SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"; }

of_all() { for a in amd64 arm64 armhf; do for l in $1; do printf '%s:%s%s ' "$l" "$a" "${2:-}"; done; done; }

make_root() {
	[ -e "$root/.made" ] && return
	local mirror f a
	command -v debootstrap >/dev/null || apt-get install -y -q --no-install-recommends debootstrap >/dev/null
	mirror=$(sed -n 's/^URIs: *\([^ ]*\/debian\)\/*$/\1/p; s/^deb \(\[[^]]*\] \)*\([^ ]*\/debian\)\/* .*/\2/p' \
		/etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1 || true)
	[ -n "$mirror" ] || die "no Debian mirror found in /etc/apt"
	say "making a root with the compilers in $root"
	rm -rf "$root"
	mkdir -p "$root"
	{
		debootstrap --variant=minbase --include=ca-certificates,make,gcc,pkg-config bookworm "$root" "$mirror"
		for f in /etc/apt/apt.conf.d/*proxy* /etc/apt/auth.conf.d/*; do [ -e "$f" ] && install -D "$f" "$root$f"; done
		printf 'deb %s bookworm main\ndeb %s bookworm-backports main\ndeb %s trixie main\n' "$mirror" "$mirror" "$mirror" >"$root/etc/apt/sources.list"
		printf 'Package: *\nPin: release n=trixie\nPin-Priority: 90\n\nPackage: *\nPin: release n=bookworm-backports\nPin-Priority: 95\n' >"$root/etc/apt/preferences.d/k3x"
		cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
		echo "127.0.0.1 localhost" >"$root/etc/hosts"
		inside dpkg --add-architecture arm64
		inside dpkg --add-architecture armhf
		inside apt-get update -q
		# shellcheck disable=SC2046
		inside apt-get install -y -q --no-install-recommends crossbuild-essential-arm64 crossbuild-essential-armhf libc6-dev protobuf-c-compiler nftables iproute2 \
			qemu-user $(of_all "$libraries")
		# shellcheck disable=SC2046
		inside apt-get install -y -q --no-install-recommends -t bookworm-backports $(of_all libraft-dev)
		# Debian has no llhttp of several architectures beside each other: only the library itself is wanted.
		for a in amd64 arm64 armhf; do
			mkdir -p "$root/tmp/llhttp-$a"
			inside sh -c "cd /tmp/llhttp-$a && apt-get download -q -o APT::Sandbox::User=root libllhttp-dev:$a/trixie && dpkg-deb -x *.deb ."
			cp "$root/tmp/llhttp-$a/usr/lib/$(triplet_of "$a")/libllhttp.a" "$root/usr/lib/$(triplet_of "$a")/"
			mkdir -p "$root/usr/include"
			cp -r "$root/tmp/llhttp-$a/usr/include/." "$root/usr/include/"
			(cd "$root/tmp/llhttp-$a" && ls ./*.deb) | sed 's/.*libllhttp-dev_//; s/_[^_]*$//; s/%3a/:/' >"$root/usr/share/llhttp.version"
			rm -rf "$root/tmp/llhttp-$a"
		done
	} >"$root.log" 2>&1 || { tail -n 20 "$root.log" >&2; die "the root can't be made (whole log: $root.log)"; }
	touch "$root/.made"
}

# ---- building ----

# The commit's files, in a folder of the root for each architecture, whose path is in no binary.
lay_out() { # architecture
	local tree=$root/$src/$1
	mkdir -p "$tree/build/deps"
	find "$tree" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	git archive --format=tar "$commit" | tar -x -C "$tree" --no-same-owner
	[ -d build/deps/k8s-api ] || die "build/deps/k8s-api is not there: make deps"
	rm -rf "$tree/build/deps/k8s-api"
	cp -a build/deps/k8s-api "$tree/build/deps/"
}

make_in() { # architecture, goals...
	local tree=/$src/$1 cross
	cross=$(triplet_of "$1")-
	shift
	inside env ${UNIT_RUN:+UNIT_RUN="$UNIT_RUN" UNIT_SECONDS=900} make --no-print-directory -C "$tree" -j"$(nproc)" CROSS="$cross" HOSTCC=x86_64-linux-gnu-gcc "$@"
}

build() { # architecture
	say "building for $1"
	lay_out "$1"
	rm -rf "$root/$src/$1/build/release" "$root/$src/$1/build/gen" # what was built from another commit, by other times
	make_in "$1" all >"$out/.$1.log" 2>&1 ||
		{ grep -A8 -E 'error|Error' "$out/.$1.log" | head -n 60 >&2; die "the build for $1 failed (whole log: $out/.$1.log)"; }
	inside "$(triplet_of "$1")-strip" -o "/$src/$1/build/k3x.stripped" "/$src/$1/build/release/k3x"
	install -m 755 "$root/$src/$1/build/k3x.stripped" "$out/k3x-$1"
	touch -d "@$SOURCE_DATE_EPOCH" "$out/k3x-$1"
}

run_of() { # architecture: what runs its programs here
	case $1 in
	"$(dpkg --print-architecture)") ;;
	amd64) echo qemu-x86_64 ;;
	arm64) echo qemu-aarch64 ;;
	armhf) echo qemu-arm ;;
	esac
}

tests() { # architecture
	local rc=0
	say "unit tests for $1"
	mount -t proc proc "$root/proc"
	UNIT_RUN=$(run_of "$1") make_in "$1" test-unit >"$out/.$1.tests.log" 2>&1 || rc=1
	umount -l "$root/proc"
	tail -n 1 "$out/.$1.tests.log"
	[ $rc -eq 0 ] || die "unit tests for $1 fail (whole log: $out/.$1.tests.log)"
}

# ---- what is beside the binaries ----

native() { # a binary that runs here
	[ "$(dpkg --print-architecture)" = amd64 ] && [ -x "$out/k3x-amd64" ] && echo "$out/k3x-amd64" || echo "$here/build/k3x"
}

pages() { # the manual pages and completions: they are the same for all
	local native
	native=$(native)
	rm -rf "$out/.share"
	mkdir -p "$out/.share/man/man8" "$out/.share/bash-completion/completions" "$out/.share/zsh/site-functions" "$out/.share/fish/vendor_completions.d"
	"$native" man >"$out/.share/man/man8/k3x.8"
	"$native" store man >"$out/.share/man/man8/k3x-store.8"
	for p in k3x k3x-store; do
		local words=completion
		[ $p = k3x ] || words="store completion"
		# shellcheck disable=SC2086
		"$native" $words bash >"$out/.share/bash-completion/completions/$p"
		# shellcheck disable=SC2086
		"$native" $words zsh >"$out/.share/zsh/site-functions/_$p"
		# shellcheck disable=SC2086
		"$native" $words fish >"$out/.share/fish/vendor_completions.d/$p.fish"
	done
}

tarball() { # architecture
	local name=k3x-$version-linux-$1
	local stage=$out/.stage
	rm -rf "$stage"
	mkdir -p "$stage/$name/bin"
	cp "$out/k3x-$1" "$stage/$name/bin/k3x"
	ln -s k3x "$stage/$name/bin/k3x-store"
	cp -r "$out/.share" "$stage/$name/share"
	cp README.md docs/install.md docs/k3s.md "$stage/$name/" 2>/dev/null || true
	tar --sort=name --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --mtime="@$SOURCE_DATE_EPOCH" -C "$stage" -c "$name" | gzip -9n >"$out/$name.tar.gz"
	rm -rf "$stage"
}

# What is linked into the binary, as Debian has it, and what it was made from: SPDX 2.3 in JSON. Names and versions of Debian's
# packages need no quoting.
sbom() { # architecture
	local p sum when
	sum=$(sha256sum "$out/k3x-$1" | cut -d ' ' -f 1)
	when=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
	{
		for p in $linked; do
			# shellcheck disable=SC2016
			inside dpkg-query -W -f '${Package} ${Version} ${source:Package} ${source:Version}\n' "$p:$1"
		done
		v=$(cat "$root/usr/share/llhttp.version")
		echo "libllhttp-dev $v node-undici $v"
	} | LC_ALL=C sort | awk -v arch="$1" -v version="$version" -v sum="$sum" -v when="$when" -v commit="$commit" '
		BEGIN {
			printf "{\n  \"spdxVersion\": \"SPDX-2.3\",\n  \"dataLicense\": \"CC0-1.0\",\n  \"SPDXID\": \"SPDXRef-DOCUMENT\",\n"
			printf "  \"name\": \"k3x-%s-%s\",\n  \"documentNamespace\": \"https://spdx.org/spdxdocs/k3x-%s-%s-%s\",\n", version, arch, version, arch, sum
			printf "  \"creationInfo\": {\"created\": \"%s\", \"creators\": [\"Tool: k3x-release.sh\"]},\n  \"packages\": [\n", when
			printf "    {\"SPDXID\": \"SPDXRef-k3x\", \"name\": \"k3x\", \"versionInfo\": \"%s\", \"packageFileName\": \"k3x-%s\", \"downloadLocation\": \"NOASSERTION\", ", version, arch
			printf "\"filesAnalyzed\": false, \"checksums\": [{\"algorithm\": \"SHA256\", \"checksumValue\": \"%s\"}], \"sourceInfo\": \"commit %s\", ", sum, commit
			printf "\"licenseConcluded\": \"NOASSERTION\", \"licenseDeclared\": \"NOASSERTION\", \"copyrightText\": \"NOASSERTION\"}"
		}
		{
			printf ",\n    {\"SPDXID\": \"SPDXRef-%s\", \"name\": \"%s\", \"versionInfo\": \"%s\", \"supplier\": \"Organization: Debian\", ", $1, $1, $2
			printf "\"downloadLocation\": \"NOASSERTION\", \"filesAnalyzed\": false, \"sourceInfo\": \"built from %s %s\", ", $3, $4
			printf "\"licenseConcluded\": \"NOASSERTION\", \"licenseDeclared\": \"NOASSERTION\", \"copyrightText\": \"NOASSERTION\", "
			printf "\"externalRefs\": [{\"referenceCategory\": \"PACKAGE-MANAGER\", \"referenceType\": \"purl\", \"referenceLocator\": \"pkg:deb/debian/%s@%s?arch=%s\"}]}", $1, $2, arch
			parts[++n] = $1
		}
		END {
			printf "\n  ],\n  \"relationships\": [\n    {\"spdxElementId\": \"SPDXRef-DOCUMENT\", \"relationshipType\": \"DESCRIBES\", \"relatedSpdxElement\": \"SPDXRef-k3x\"}"
			for (i = 1; i <= n; i++)
				printf ",\n    {\"spdxElementId\": \"SPDXRef-k3x\", \"relationshipType\": \"STATIC_LINK\", \"relatedSpdxElement\": \"SPDXRef-%s\"}", parts[i]
			printf "\n  ]\n}\n"
		}' >"$out/k3x-$1.spdx.json"
}

packages() { # architecture
	NATIVE=$(native) DEB_DIR=$out tools/install/deb.sh "$out/k3x-$1" "$1" >/dev/null
}

sums() {
	cp tools/install/install.sh "$out/install.sh"
	(cd "$out" && LC_ALL=C sha256sum -- k3x-* k3x_* install.sh >sha256sums.txt)
	rm -f "$out/sha256sums.txt.sig"
	if [ -n "${RELEASE_KEY:-}" ]; then
		openssl pkeyutl -sign -inkey "$RELEASE_KEY" -rawin -in "$out/sha256sums.txt" -out "$out/sha256sums.txt.sig"
		openssl pkey -in "$RELEASE_KEY" -pubout -out "$out/release.pub"
	else
		say "not signed: RELEASE_KEY names no key"
	fi
}

for a in $architectures; do triplet_of "$a" >/dev/null; done
make_root
rm -rf "$out"
mkdir -p "$out"
for a in $architectures; do build "$a"; done
[ -z "${RELEASE_TESTS:-}" ] || for a in $architectures; do tests "$a"; done
pages
for a in $architectures; do
	tarball "$a"
	packages "$a"
	sbom "$a"
done
sums
rm -rf "$out/.share"
for a in $architectures; do say "$(stat -c '%n %s bytes' "$out/k3x-$a" | sed 's|.*/||')"; done
