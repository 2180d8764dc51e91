#!/bin/sh
# A folder with packages of Debian 13 and all that they need, on Debian 12 or 13:
#
#     tools/install/debian13_root.sh DIR PACKAGE...
#
# They are downloaded and unpacked, not installed: apt is given folders of its own and an empty list of installed packages,
# so that it finds all that the packages need and touches nothing of the machine. DIR/.done says that all is there: the
# caller sets it once it has taken out what it does not want; a folder without it is made anew.
set -eu

dir=$1
shift
die() { printf 'debian13_root: %s\n' "$*" >&2; exit 1; }
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
apt-get update -q >"$apt/log" 2>&1 && apt-get install -y -q --download-only "$@" >>"$apt/log" 2>&1 ||
	{ tail -n 5 "$apt/log" >&2; die "cannot download $* of Debian 13"; }
rm -rf "$dir"
mkdir -p "$dir"
for d in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$d" "$dir"; done
