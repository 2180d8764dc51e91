#!/bin/sh
# Installs k3x as a service of this machine: systemd's or openrc's. For any POSIX shell, as root.
#
#     sh install.sh                                        a server, from the release this script lies in
#     K3X_URL=https://10.0.0.1:6443 K3X_TOKEN=... sh install.sh      an agent of that server's cluster
#     curl -sfL URL/install.sh | INSTALL_K3X_MIRROR=URL sh -         from a release that lies elsewhere
#     sh install.sh server --disable traefik               what stands here is what the service runs
#
# Variables, as k3s has them under its name:
#   K3X_*                          settings of the service, kept in its environment file. K3X_URL makes it an agent, and then
#                                  K3X_TOKEN or K3X_TOKEN_FILE is needed
#   INSTALL_K3X_MIRROR             where the release is: https://, http://, or a folder. Without it, the folder of this script.
#                                  It holds k3x-amd64, k3x-arm64, k3x-armhf and sha256sums.txt, or folders of that, by version
#   INSTALL_K3X_VERSION            the folder in it, like v0.1.0
#   INSTALL_K3X_PUBKEY             PEM file with the public key by which sha256sums.txt.sig must have signed sha256sums.txt
#   INSTALL_K3X_SKIP_DOWNLOAD=true use the binary that is in the binaries' folder already
#   INSTALL_K3X_SKIP_PACKAGES=true don't install what k3x needs of the system (containerd, runc, CNI plugins, nftables)
#   INSTALL_K3X_SKIP_ENABLE=true   neither enable nor start the service
#   INSTALL_K3X_SKIP_START=true    don't start it
#   INSTALL_K3X_FORCE_RESTART=true restart it even when nothing has changed
#   INSTALL_K3X_BIN_DIR            folder of binary, links and scripts (/usr/local/bin, or /opt/bin where that can't be written)
#   INSTALL_K3X_BIN_DIR_READ_ONLY=true   write nothing there; the binary must be there
#   INSTALL_K3X_SYSTEMD_DIR        folder of the unit and its environment (/etc/systemd/system)
#   INSTALL_K3X_EXEC               command and flags of the service, before this script's arguments
#   INSTALL_K3X_NAME               the service is called k3x-NAME (k3x for a server, k3x-agent for an agent)
#   INSTALL_K3X_TYPE               the unit's Type= (notify)
#   INSTALL_K3X_SYMLINK            links kubectl, crictl, ctr: skip makes none, force replaces what is there (those that are
#                                  in PATH already are left alone)
#
# What it installs is what uninstalling removes: k3x-uninstall.sh (k3x-agent-uninstall.sh) beside the binary.
set -eu

info() { printf '[INFO]  %s\n' "$*"; }
warn() { printf '[WARN]  %s\n' "$*" >&2; }
fatal() { printf '[ERROR] %s\n' "$*" >&2; exit 1; }

is_true() { [ "${1:-}" = true ] || [ "${1:-}" = 1 ]; }
has() { command -v "$1" >/dev/null 2>&1; }

# ---- what is asked for ----

refuse_unknown() {
	for name in $(env | sed -n 's/^\(INSTALL_K3X_[A-Z0-9_]*\)=.*/\1/p'); do
		case $name in
		INSTALL_K3X_MIRROR | INSTALL_K3X_VERSION | INSTALL_K3X_PUBKEY | INSTALL_K3X_SKIP_DOWNLOAD | INSTALL_K3X_SKIP_PACKAGES | \
			INSTALL_K3X_SKIP_ENABLE | INSTALL_K3X_SKIP_START | INSTALL_K3X_FORCE_RESTART | INSTALL_K3X_BIN_DIR | \
			INSTALL_K3X_BIN_DIR_READ_ONLY | INSTALL_K3X_SYSTEMD_DIR | INSTALL_K3X_EXEC | INSTALL_K3X_NAME | INSTALL_K3X_TYPE | \
			INSTALL_K3X_SYMLINK) ;;
		INSTALL_K3X_CHANNEL | INSTALL_K3X_CHANNEL_URL | INSTALL_K3X_COMMIT | INSTALL_K3X_PR | INSTALL_K3X_ARTIFACT_URL)
			fatal "$name: there are no channels and no builds to choose from: use INSTALL_K3X_MIRROR, with INSTALL_K3X_VERSION" ;;
		INSTALL_K3X_SELINUX_WARN | INSTALL_K3X_SKIP_SELINUX_RPM)
			fatal "$name: no SELinux policy is installed: leave it out" ;;
		*) fatal "$name is no variable of this script (see its first lines)" ;;
		esac
	done
	for name in $(env | sed -n 's/^\(\(INSTALL_\)\{0,1\}K3S_[A-Z0-9_]*\)=.*/\1/p'); do
		warn "$name is a variable of k3s, and not looked at: the name here is $(echo "$name" | sed 's/K3S/K3X/')"
	done
}

check_system() {
	[ "$(id -u)" = 0 ] || fatal "must be run as root: sudo sh install.sh"
	[ "$(uname -s)" = Linux ] || fatal "k3x runs on Linux"
	manager=
	if [ -d /run/systemd/system ]; then
		manager=systemd
	elif [ -x /sbin/openrc-run ] || has openrc-run; then
		manager=openrc
	elif has systemctl; then
		manager=systemd
	else
		fatal "neither systemd nor openrc is here to run the service; k3x server runs without them, too"
	fi
	case ${ARCH:-$(uname -m)} in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	arm*) arch=armhf ;;
	*) fatal "there is no k3x for $(uname -m): amd64, arm64 and armhf" ;;
	esac
}

# A word as the shell reads it back.
quote() { printf '%s' "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"; }
# A word as a unit's ExecStart= has it: in single quotes backslashes escape, % and $ stand for themselves twice.
quote_unit() { printf '%s' "$1" | sed "s/\\\\/\\\\\\\\/g; s/'/\\\\x27/g; s/%/%%/g; s/\\$/\$\$/g; 1s/^/'/; \$s/\$/'/"; }

choose() { # the service's words
	case ${1:-} in
	-* | '')
		command=server
		if [ -n "${K3X_URL:-}" ]; then
			[ -n "${K3X_TOKEN:-}${K3X_TOKEN_FILE:-}" ] || fatal "K3X_URL makes this an agent, which needs K3X_TOKEN or K3X_TOKEN_FILE too:" \
				"the text of /var/lib/k3x/server/token on a server"
			command=agent
		fi
		;;
	server | agent) command=$1; shift ;;
	*) fatal "\"$1\" is no service: server or agent, or a flag" ;;
	esac
	case ${K3X_URL:-https://} in https://*) ;; *) fatal "K3X_URL: \"$K3X_URL\" is not like https://10.0.0.1:6443" ;; esac

	name=k3x
	[ "$command" = server ] || name=k3x-$command
	[ -z "${INSTALL_K3X_NAME:-}" ] || name=k3x-$INSTALL_K3X_NAME
	case $name in *[!A-Za-z0-9_.@:-]*) fatal "INSTALL_K3X_NAME: \"$INSTALL_K3X_NAME\" has other characters than letters, digits, _.@:-" ;; esac

	bin=${INSTALL_K3X_BIN_DIR:-/usr/local/bin}
	if [ -z "${INSTALL_K3X_BIN_DIR:-}" ] && ! { mkdir -p "$bin" && touch "$bin/.k3x-try" && rm -f "$bin/.k3x-try"; } 2>/dev/null; then
		[ ! -d /opt/bin ] || bin=/opt/bin
	fi
	case $bin in /*) ;; *) fatal "INSTALL_K3X_BIN_DIR: \"$bin\" is not the whole path of a folder" ;; esac
	if [ $manager = systemd ]; then
		unit_dir=${INSTALL_K3X_SYSTEMD_DIR:-/etc/systemd/system}
		unit=$unit_dir/$name.service
		env_file=$unit.env
	else
		unit=/etc/init.d/$name
		env_file=/etc/k3x/$name.env
	fi
	uninstall=$bin/$name-uninstall.sh
	killall=$bin/k3x-killall.sh
	words=''
	words_unit=''
	for word; do
		words="$words $(quote "$word")"
		words_unit="$words_unit \\
	$(quote_unit "$word")"
	done
}

# ---- what the system has to have ----

missing() {
	for program in containerd containerd-shim-runc-v2 ctr runc nft ip awk; do has $program || printf '%s ' $program; done
	[ -x /usr/lib/cni/bridge ] || [ -x /opt/cni/bin/bridge ] || printf 'CNI-plugins '
}

packages() {
	is_true "${INSTALL_K3X_SKIP_PACKAGES:-}" && return
	lacks=$(missing)
	[ -n "$lacks" ] || return 0
	for deb in "$source"/packages/*.deb; do
		[ -e "$deb" ] || break
		has dpkg || break
		info "installing the packages in $source/packages"
		if ! dpkg --unpack "$source"/packages/*.deb >/dev/null || ! DEBIAN_FRONTEND=noninteractive dpkg --configure -a >/dev/null; then
			fatal "the packages in $source/packages can't be installed"
		fi
		lacks=$(missing)
		[ -n "$lacks" ] || return 0
		break
	done
	has apt-get || fatal "these are missing: $lacks-- install containerd, runc, the CNI plugins, nftables and iproute2, then run this again" \
		"(or INSTALL_K3X_SKIP_PACKAGES=true, with --container-runtime-endpoint)"
	info "installing what is missing: $lacks"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends containerd runc containernetworking-plugins \
		nftables iproute2 conntrack kmod ca-certificates >/dev/null 2>"$tmp/apt" || {
		cat "$tmp/apt" >&2
		fatal "these are missing, and apt-get can't install them: $lacks(without a network: put their .deb files into packages/ beside install.sh)"
	}
}

# ---- the binary ----

find_source() {
	source=${INSTALL_K3X_MIRROR:-}
	if [ -z "$source" ]; then
		here=$(dirname "$0")
		[ -f "$0" ] && [ -f "$here/sha256sums.txt" ] && source=$(cd "$here" && pwd)
	fi
	if is_true "${INSTALL_K3X_SKIP_DOWNLOAD:-}" || is_true "${INSTALL_K3X_BIN_DIR_READ_ONLY:-}"; then
		[ -x "$bin/k3x" ] || fatal "$bin/k3x is not there, or can't be run: put it there, or leave INSTALL_K3X_SKIP_DOWNLOAD out"
		skips_download=true
		return
	fi
	skips_download=
	[ -n "$source" ] || fatal "no release is known: say where one is with INSTALL_K3X_MIRROR (a URL or a folder), run the install.sh that lies" \
		"in one, or put the binary at $bin/k3x and say INSTALL_K3X_SKIP_DOWNLOAD=true"
	source=${source%/}${INSTALL_K3X_VERSION:+/$INSTALL_K3X_VERSION}
	case $source in
	http://* | https://*) ;;
	file://*) source=${source#file://} ;;
	/*) ;;
	*) fatal "INSTALL_K3X_MIRROR: \"$source\" is neither https://, http:// nor the whole path of a folder" ;;
	esac
}

fetch() { # file of the release, to
	case $source in
	/*)
		[ -f "$source/$1" ] || return 1
		cp "$source/$1" "$2"
		;;
	*)
		if has curl; then
			curl -sfL --retry 3 --connect-timeout 20 -o "$2" "$source/$1"
		elif has wget; then
			wget -q -T 20 -O "$2" "$source/$1"
		else
			fatal "neither curl nor wget is here to download $source/$1"
		fi
		;;
	esac
}

sum_of() { sha256sum "$1" | cut -d ' ' -f 1; }

check_signature() {
	[ -n "${INSTALL_K3X_PUBKEY:-}" ] || return 0
	[ -f "$INSTALL_K3X_PUBKEY" ] || fatal "INSTALL_K3X_PUBKEY: $INSTALL_K3X_PUBKEY is not there"
	has openssl || fatal "INSTALL_K3X_PUBKEY needs openssl"
	fetch sha256sums.txt.sig "$tmp/sig" || fatal "$source/sha256sums.txt.sig can't be had: the release is not signed, or not whole"
	openssl pkeyutl -verify -pubin -inkey "$INSTALL_K3X_PUBKEY" -rawin -in "$tmp/sums" -sigfile "$tmp/sig" >/dev/null 2>&1 ||
		fatal "$source/sha256sums.txt is not what the key in $INSTALL_K3X_PUBKEY has signed: don't use it"
	info "the signature of sha256sums.txt is good"
}

install_binary() {
	if [ -n "$skips_download" ]; then
		info "using $bin/k3x, which is there"
		return
	fi
	fetch sha256sums.txt "$tmp/sums" || fatal "$source/sha256sums.txt can't be had"
	check_signature
	want=$(sed -n "s/^\([0-9a-f]\{64\}\)  *\**k3x-$arch\$/\1/p" "$tmp/sums" | head -n 1)
	[ -n "$want" ] || fatal "$source/sha256sums.txt knows no k3x-$arch"
	if [ -x "$bin/k3x" ] && [ "$(sum_of "$bin/k3x")" = "$want" ]; then
		info "$bin/k3x is that of the release already"
		return
	fi
	info "installing $bin/k3x from $source"
	fetch "k3x-$arch" "$tmp/k3x" || fatal "$source/k3x-$arch can't be had"
	[ "$(sum_of "$tmp/k3x")" = "$want" ] || fatal "$source/k3x-$arch is not what sha256sums.txt says (a sum of $want, not $(sum_of "$tmp/k3x")): nothing is installed"
	chmod 755 "$tmp/k3x"
	"$tmp/k3x" --version >/dev/null || fatal "k3x-$arch does not run here: it needs a Linux with glibc 2.36 or newer"
	mkdir -p "$bin"
	cp "$tmp/k3x" "$bin/.k3x.new"
	chmod 755 "$bin/.k3x.new"
	mv "$bin/.k3x.new" "$bin/k3x" # a server that runs keeps its own file
	! has restorecon || restorecon "$bin/k3x" 2>/dev/null || true
}

link() { # name
	case ${INSTALL_K3X_SYMLINK:-} in
	skip) return ;;
	force) ;;
	'')
		if [ "$(readlink "$bin/$1" 2>/dev/null)" != k3x ] && has "$1"; then
			info "$1 is here already: $(command -v "$1"); no link is made"
			return
		fi
		;;
	*) fatal "INSTALL_K3X_SYMLINK is skip or force, not \"$INSTALL_K3X_SYMLINK\"" ;;
	esac
	ln -sfn k3x "$bin/$1"
}

# Completions and the manual page, beside a bin folder. Folders that are made for them are noted, to go with them.
make_folder() {
	todo=''
	folder=$1
	while [ ! -d "$folder" ]; do
		todo="$folder $todo"
		folder=${folder%/*}
	done
	for folder in $todo; do
		mkdir "$folder"
		made="$folder $made"
	done
}

install_share() {
	made=$(sed -n "s/^made='\(.*\)'$/\1/p" "$uninstall" 2>/dev/null || true)
	case $bin in */bin) share=${bin%/bin}/share ;; *) return 0 ;; esac
	make_folder "$share/bash-completion/completions"
	make_folder "$share/zsh/site-functions"
	make_folder "$share/fish/vendor_completions.d"
	make_folder "$share/man/man8"
	"$bin/k3x" completion bash >"$share/bash-completion/completions/k3x"
	"$bin/k3x" completion zsh >"$share/zsh/site-functions/_k3x"
	"$bin/k3x" completion fish >"$share/fish/vendor_completions.d/k3x.fish"
	"$bin/k3x" man >"$share/man/man8/k3x.8"
}

# ---- what ends it ----

install_scripts() {
	cat >"$killall" <<-SCRIPT
	#!/bin/sh
	# Stops k3x on this machine with all that it started. Data stays.
	exec '$bin/k3x' killall "\$@"
	SCRIPT
	cat >"$uninstall" <<-SCRIPT
	#!/bin/sh
	# Stops $name and removes it from this machine, with its data. Written by install.sh.
	set -u
	[ "\$(id -u)" = 0 ] || { echo "must be run as root" >&2; exit 1; }
	bin='$bin' name='$name' unit='$unit' env_file='$env_file'
	made='$made'
	SCRIPT
	cat >>"$uninstall" <<-'SCRIPT'
	data=$(sed -n "s/^K3X_DATA_DIR=['\"]\{0,1\}\([^'\"]*\).*/\1/p" "$env_file" 2>/dev/null)
	data=${data:-/var/lib/k3x}
	case $unit in
	*.service)
		systemctl disable "$name" >/dev/null 2>&1
		systemctl stop "$name" >/dev/null 2>&1
		;;
	*)
		rc-update delete "$name" default >/dev/null 2>&1
		"$unit" stop >/dev/null 2>&1
		;;
	esac
	rm -f "$unit" "$env_file"
	case $unit in *.service) systemctl reset-failed "$name" >/dev/null 2>&1; systemctl daemon-reload >/dev/null 2>&1 ;; esac
	for other in /etc/systemd/system/k3x*.service "${unit%/*}"/k3x*.service /etc/init.d/k3x*; do
		[ -e "$other" ] || continue
		echo "$other is another service of k3x here: binary and data stay for it"
		rm -f "$0"
		exit 0
	done
	"$bin/k3x" killall
	[ "$data" = /var/lib/k3x ] || "$bin/k3x" killall --data-dir "$data"
	if grep -q " $data/" /proc/self/mountinfo; then
		echo "something is still mounted below $data: $(awk -v d="$data/" 'index($5, d) == 1 { print $5; exit }' /proc/self/mountinfo); end who uses it and run this again" >&2
		exit 1
	fi
	for link in kubectl crictl ctr k3x-store; do
		[ "$(readlink "$bin/$link" 2>/dev/null)" = k3x ] && rm -f "$bin/$link"
	done
	rm -rf /etc/k3x /run/k3x "$data"
	rm -f /var/log/k3x.log /var/log/k3x.log.[0-9]* "/var/log/$name.log" "/var/log/$name.log".[0-9]*
	rmdir /var/lib/cni/results /var/lib/cni/networks /var/lib/cni 2>/dev/null
	plugins=/var/lib/kubelet/device-plugins # where device plugins look for any kubelet
	[ ! -e "$plugins/k3x_checkpoint" ] || rm -f "$plugins/k3x_checkpoint" "$plugins/kubelet.sock"
	for folder in /var/lib/kubelet/pods /var/lib/kubelet/plugins/kubernetes.io; do # what is remembered of CSI volumes
		[ ! -d "$folder" ] || find "$folder" -xdev -depth \( -name vol_data.json -o -type l \) -delete -o -type d -empty -delete
	done
	asked=/var/lib/kubelet/pod-resources # where agents ask any kubelet; the socket of one that was killed is nobody's
	grep -qF "$asked/kubelet.sock" /proc/net/unix || rm -f "$asked/kubelet.sock"
	rmdir "$asked" "$plugins" /var/lib/kubelet/plugins_registry /var/lib/kubelet/plugins /var/lib/kubelet 2>/dev/null
	[ -n "$(ls -A /var/log/containers 2>/dev/null)" ] || rmdir /var/log/containers 2>/dev/null
	[ -n "$(ls -A /var/log/pods 2>/dev/null)" ] || rmdir /var/log/pods 2>/dev/null
	share=${bin%/bin}/share
	rm -f "$share/bash-completion/completions/k3x" "$share/zsh/site-functions/_k3x" "$share/fish/vendor_completions.d/k3x.fish" "$share/man/man8/k3x.8"
	for folder in $made; do rmdir "$folder" 2>/dev/null; done
	rm -f "$bin/k3x" "$bin/k3x-killall.sh" "$0"
	echo "$name is gone"
	SCRIPT
	chmod 755 "$killall" "$uninstall"
}

# ---- the service ----

# NAME='value', of the variables that are the service's.
write_environment() {
	mkdir -p "$(dirname "$env_file")"
	: >"$env_file.new"
	chmod 600 "$env_file.new"
	sh -c export | sed -n 's/^\(export\|declare -x\) //; /^K3X_[A-Z0-9_]*=/p; /^CONTAINERD_[A-Z0-9_]*=/p; /^\(HTTP\|HTTPS\|NO\|http\|https\|no\)_\(PROXY\|proxy\)=/p' >>"$env_file.new"
	mv "$env_file.new" "$env_file"
}

write_unit() {
	mkdir -p "$unit_dir"
	cat >"$unit" <<-UNIT
	[Unit]
	Description=k3x $command: lightweight Kubernetes
	Documentation=man:k3x(8)
	Wants=network-online.target
	After=network-online.target

	[Install]
	WantedBy=multi-user.target

	[Service]
	Type=${INSTALL_K3X_TYPE:-notify}
	NotifyAccess=main
	WatchdogSec=60
	EnvironmentFile=-/etc/default/%N
	EnvironmentFile=-/etc/sysconfig/%N
	EnvironmentFile=-$env_file
	# Pods run on while the service restarts.
	KillMode=process
	Delegate=yes
	LimitNOFILE=1048576
	LimitNPROC=infinity
	LimitCORE=infinity
	TasksMax=infinity
	TimeoutStartSec=0
	Restart=always
	RestartSec=5s
	ExecStartPre=-/sbin/modprobe -a br_netfilter overlay
	ExecStart=$bin/k3x $command$words_unit
	UNIT
	chmod 644 "$unit"
}

write_openrc() {
	log=/var/log/$name.log
	cat >"$unit" <<-SCRIPT
	#!/sbin/openrc-run
	description="k3x $command: lightweight Kubernetes"
	supervisor=supervise-daemon
	name='$name'
	command='$bin/k3x'
	command_args="$(printf '%s' "$command --log $log$words" | sed 's/[\\"$`]/\\&/g')"
	output_log=$log
	error_log=$log
	pidfile=/run/$name.pid
	respawn_delay=5
	respawn_max=0
	rc_ulimit="-n 1048576"

	depend() {
		after network-online
		want cgroups
	}

	start_pre() {
		modprobe -a br_netfilter overlay 2>/dev/null
		return 0
	}

	set -o allexport
	[ -f /etc/environment ] && . /etc/environment
	[ -f '$env_file' ] && . '$env_file'
	set +o allexport
	SCRIPT
	chmod 755 "$unit"
}

write_service() {
	umask 022
	write_environment
	if [ $manager = systemd ]; then write_unit; else write_openrc; fi
}

state_of_files() { sha256sum "$bin/k3x" "$unit" "$env_file" 2>/dev/null || true; }

start_service() {
	is_true "${INSTALL_K3X_SKIP_ENABLE:-}" && { info "$name is installed, not enabled"; return; }
	if [ $manager = systemd ]; then
		systemctl enable "$unit" >/dev/null 2>&1 || fatal "systemctl can't enable $unit"
		systemctl daemon-reload >/dev/null || fatal "systemctl can't read its units again"
	else
		rc-update add "$name" default >/dev/null || fatal "rc-update can't add $name"
	fi
	is_true "${INSTALL_K3X_SKIP_START:-}" && { info "$name is enabled, not started"; return; }
	if [ "$before" = "$(state_of_files)" ] && ! is_true "${INSTALL_K3X_FORCE_RESTART:-}" && is_running; then
		info "nothing has changed: $name runs on"
		return
	fi
	info "starting $name"
	if [ $manager = systemd ]; then
		systemctl restart "$name" || fatal "$name does not start: journalctl -u $name -n 50"
	else
		"$unit" restart || fatal "$name does not start: see /var/log/$name.log"
	fi
}

is_running() {
	if [ $manager = systemd ]; then systemctl is-active --quiet "$name"; else "$unit" status >/dev/null 2>&1; fi
}

# ---- all of it ----

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
refuse_unknown
check_system
# Words of INSTALL_K3X_EXEC may have quotes and backslashes, which xargs takes as a shell does; nothing is expanded.
given=$(for word; do printf '%s ' "$(quote "$word")"; done)
printf '%s\n' "${INSTALL_K3X_EXEC:-}" | xargs -r -n 1 printf '%s\n' >"$tmp/words" || fatal "INSTALL_K3X_EXEC: a quote in \"$INSTALL_K3X_EXEC\" is not closed"
words=$(while IFS= read -r word; do printf '%s ' "$(quote "$word")"; done <"$tmp/words")
eval "set -- $words $given"
choose "$@"
find_source
before=$(state_of_files)
packages
install_binary
if ! is_true "${INSTALL_K3X_BIN_DIR_READ_ONLY:-}"; then
	for tool in kubectl crictl ctr; do link $tool; done
	install_share
	install_scripts
fi
write_service
start_service
if [ "$command" = server ] && ! is_true "${INSTALL_K3X_SKIP_START:-}" && ! is_true "${INSTALL_K3X_SKIP_ENABLE:-}"; then
	info "k3x kubectl get nodes shows the cluster; agents join with K3X_URL=https://THIS-HOST:6443 and K3X_TOKEN from /var/lib/k3x/server/token"
fi
