#!/bin/bash
# install.sh on a machine of its own: from a local folder without any route to a network, a server that is Ready, a Deployment
# that the ingress serves by name, an upgrade under which pods run on, an agent's service, and after the uninstall the same files as before.
#
# The machine is a root in namespaces: its /usr is the host's, all else is made for it; INSTALL_ROOT=DIR takes a whole root, as
# debootstrap makes it (make check-bare). systemd can't run in it: a stand-in that records, starts and listens to the
# service does (_systemctl.py), so the unit file itself is read by it and not by systemd.
# lane: node
WITH_ADDONS=1
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "install.sh" "needs root"; finish; exit; }
needs kubectl curl busybox python3 nft containerd
in_namespace
machine_pid=
release=$T/release

# ---- a machine ----

new_root() { # folder
	local d
	mkdir -p "$1"
	mount -t tmpfs -o size=2g tmpfs "$1"
	mkdir -p "$1"/{usr,etc,proc,sys,dev,run,tmp,root,var/lib,var/log,var/tmp,var/cache,mnt}
	for d in bin sbin lib lib32 lib64 libx32; do [ -L "/$d" ] && cp -a "/$d" "$1/$d"; done
	cp -a /etc/. "$1/etc/"
	rm -rf "$1/etc/k3x" "$1"/etc/systemd/system/k3x*
	ln -s /run "$1/var/run"
}

mount_root() { # folder: what makes a tree of files a machine
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
	mount --rbind /sys "$1/sys"
	mount -t tmpfs tmpfs "$1/run"
	if [ -z "${INSTALL_ROOT:-}" ]; then
		mount --bind -o ro /usr "$1/usr"
		mount -o remount,bind,ro "$1/usr"
		mount -t tmpfs tmpfs "$1/usr/local"
		mkdir -p "$1"/usr/local/{bin,sbin,share,lib}
		cp -a "$(type -P containerd-shim-runc-v2)" "$1/usr/local/sbin/" 2>/dev/null
	fi
}

start_machine() { # folder: prints nothing; its first process is $machine_pid
	local root=$1 at
	mkdir -p "$root/mnt"
	# The root of a mount namespace of its own: a chroot would be left by what joins a container's namespaces.
	export INSTALL_ROOT
	export -f mount_root
	inside unshare --mount --pid --fork --kill-child --uts bash -c '
		mount --make-rprivate / && { mountpoint -q "$1" || mount --bind "$1" "$1"; } && cd "$1" && mount_root "$1" &&
			mkdir -p mnt/old && pivot_root . mnt/old && cd / && umount -l /mnt/old && rmdir /mnt/old && hostname machine &&
			touch /run/up && exec sleep 1000000' _ "$root" </dev/null >"$T/machine.log" 2>&1 &
	at=$!
	first_process() { # below a pid: it is the one that sleeps
		local p
		[ "$(cat "/proc/$1/comm")" = sleep ] && { machine_pid=$1; return 0; }
		for p in $(cat "/proc/$1/task/$1/children"); do first_process "$p" && return 0; done
		return 1
	}
	until first_process $at 2>/dev/null || ! kill -0 $at 2>/dev/null; do sleep 0.05; done
	[ -n "$machine_pid" ] || { bad "a machine starts" "$(cat "$T/machine.log")"; finish; exit 1; }
}

# Runs a command on it, as a login would: nothing of our environment.
on() { nsenter -t "$machine_pid" --mount --pid --uts --net --root --wd /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }

# All files of it, with what they are and how large; times aside.
files() {
	on find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run/systemctl -o -path /tmp \) -prune -o -printf '%y %m %u %p %l\n' | grep -v ' /root\| /run$' | sort
	on find /run -xdev -mindepth 1 \( -path /run/systemctl -o -path /run/up \) -prune -o -printf '%y %m %u %p\n' | sort
	on find /usr/local -xdev -printf '%y %m %u %p %l\n' | sort
}

end_machine() {
	[ -n "$machine_pid" ] && kill -9 "$machine_pid" 2>/dev/null
	umount -l "$T/root" 2>/dev/null
}
trap 'end_machine; cleanup' EXIT

k() { inside "$(type -P kubectl)" --kubeconfig "$T/kubeconfig" --request-timeout=20s "$@"; }
take_kubeconfig() { on cat /etc/k3x/k3x.yaml >"$T/kubeconfig" 2>/dev/null && [ -s "$T/kubeconfig" ]; }
ready_nodes() { k get nodes --no-headers 2>/dev/null | grep -c ' Ready '; }
is_ready() { take_kubeconfig && [ "$(ready_nodes)" = "$1" ]; }
installs() { on "$@" sh /release/install.sh; }

# ---- a release in a folder ----

arch=$(case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) echo armhf ;; esac)
mkdir -p "$release"
install -m 755 -s "$(readlink -f "$K3X")" "$release/k3x-$arch"
cp "$root/tools/install/install.sh" "$release/"
(cd "$release" && sha256sum k3x-$arch >sha256sums.txt)
openssl genpkey -algorithm ed25519 -out "$T/key.pem" 2>/dev/null
openssl pkey -in "$T/key.pem" -pubout -out "$release/key.pub"
openssl pkeyutl -sign -inkey "$T/key.pem" -rawin -in "$release/sha256sums.txt" -out "$release/sha256sums.txt.sig"

machine_root=$T/root
if [ -n "${INSTALL_ROOT:-}" ]; then cp -a --reflink=auto "$INSTALL_ROOT" "$machine_root"; else new_root "$machine_root"; fi
cp -a "$release" "$machine_root/release"
start_machine "$machine_root"
on sh -c 'cat >/usr/local/sbin/systemctl' <"$root/tests/integration/_systemctl.py"
on chmod 755 /usr/local/sbin/systemctl
on mkdir -p /etc/init.d
files >"$T/before"

# ---- what is refused, and leaves nothing ----

check_has "without a release it says how to name one" "INSTALL_K3X_MIRROR" "$(on sh -c 'cp /release/install.sh /tmp/; sh /tmp/install.sh' 2>&1)"
check_has "a variable that is none is named" "INSTALL_K3X_BINDIR is no variable" "$(installs INSTALL_K3X_BINDIR=/x 2>&1)"
check_has "one of k3s without a meaning here says what to use" "INSTALL_K3X_MIRROR, with INSTALL_K3X_VERSION" "$(installs INSTALL_K3X_CHANNEL=stable 2>&1)"
check_has "an agent needs a token" "needs K3X_TOKEN" "$(installs K3X_URL=https://10.0.0.1:6443 2>&1)"
check_has "a URL has a form" "is not like https://" "$(installs K3X_URL=10.0.0.1 K3X_TOKEN=x 2>&1)"
check_has "a quote that is not closed is told" "is not closed" "$(installs INSTALL_K3X_EXEC="server '--disable" 2>&1)"
check_has "what is no service is told" "is no service" "$(installs INSTALL_K3X_EXEC="serve" 2>&1)"
on sh -c 'cp -r /release /tmp/bad; echo >>/tmp/bad/k3x-'$arch
check_has "a binary that has another sum is not installed" "is not what sha256sums.txt says" "$(on sh /tmp/bad/install.sh 2>&1)"
on sh -c 'cd /tmp/bad && sha256sum k3x-'$arch' >sha256sums.txt'
check_has "nor one whose sums somebody else made" "don't use it" "$(on INSTALL_K3X_PUBKEY=/release/key.pub sh /tmp/bad/install.sh 2>&1)"
check_has "a skipped download needs a binary" "is not there" "$(installs INSTALL_K3X_SKIP_DOWNLOAD=true 2>&1)"
on rm -rf /tmp/bad /tmp/install.sh
check "all of that has left nothing" diff "$T/before" <(files)

# ---- a server ----

mkdir -p "$T/images"
on mkdir -p /tmp/images
start_s=$EPOCHREALTIME
out=$(installs INSTALL_K3X_PUBKEY=/release/key.pub K3X_TOKEN='a$(odd)%token' INSTALL_K3X_EXEC="server --tls-san 'one.test' --node-label tier=a" 2>&1)
check_is "it installs" 0 $?
check_has "the signature was looked at" "signature of sha256sums.txt is good" "$out"
check "the node is Ready" wait_for 30 is_ready 1
[ $failed = 0 ] || { echo "$out"; on tail -n 30 /run/systemctl/k3x.log; finish; exit 1; }
ready_s=$(awk -v a="$start_s" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", b - a }')
echo "install to Ready: $ready_s s"
[ -z "${INSTALL_FIGURES:-}" ] || echo "$ready_s" >"$INSTALL_FIGURES"
check_has "it told the manager that it is ready" "READY=1" "$(on cat /run/systemctl/k3x.messages)"
check "and feeds its watchdog" wait_for 30 sh -c "nsenter -t $machine_pid --mount --root grep -q WATCHDOG=1 /run/systemctl/k3x.messages"
check_is "its environment is nobody else's" "600" "$(on stat -c %a /etc/systemd/system/k3x.service.env)"
check_has "and came through as it was" 'K3X_TOKEN=a$(odd)%token' "$(on sh -c 'tr "\0" "\n" </proc/$(cat /run/systemctl/k3x.pid)/environ')"
check_has "flags of INSTALL_K3X_EXEC are the service's" "one.test" "$(on sh -c 'tr "\0" " " </proc/$(cat /run/systemctl/k3x.pid)/cmdline')"
check_is "the node has its label" "machine" "$(k get nodes -l tier=a -o jsonpath='{.items[*].metadata.name}')"
check_has "it is enabled" "k3x.service" "$(on ls /etc/systemd/system/multi-user.target.wants)"
complete() { on bash --norc -c '. /usr/local/share/bash-completion/completions/k3x; COMP_WORDS=('"$1"'); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _k3x; echo "${COMPREPLY[*]}"' 2>&1; }
check_is "commands are completed" "check-config" "$(complete 'k3x che')"
check_is "those of a group" "rotate rotate-ca" "$(complete 'k3x certificate rot')"
check_is "and flags" "--write-kubeconfig --write-kubeconfig-mode --write-kubeconfig-group" "$(complete 'k3x server --write')"
check_has "the manual page is there" "write\\-kubeconfig\\-group" "$(on cat /usr/local/share/man/man8/k3x.8)"
check_has "a second run changes nothing" "nothing has changed" "$(installs INSTALL_K3X_PUBKEY=/release/key.pub K3X_TOKEN='a$(odd)%token' INSTALL_K3X_EXEC="server --tls-san 'one.test' --node-label tier=a" 2>&1)"
if on sh -c 'command -v kubectl' | grep -qv /usr/local; then
	check_has "kubectl, of k3x, knows where the cluster is" "machine" "$(on k3x kubectl get nodes 2>&1)"
else
	check_has "without a kubectl it says how to get one" "there is no kubectl in PATH" "$(on k3x kubectl get nodes 2>&1)"
fi

busybox_image busybox:local "$T/images/busybox.tar"
gzip -9 "$T/images/busybox.tar"
on sh -c 'cat >/var/lib/k3x/agent/images/busybox.tar.gz' <"$T/images/busybox.tar.gz"
k create -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: "busybox:local", command: [sh, -c, "mkdir /w; echo it is served >/w/index.html; exec busybox httpd -f -h /w -p 80"]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec: {rules: [{host: web.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
YAML
is_served() { [ "$(inside curl -sf -m 5 --resolve web.test:80:192.168.177.1 http://web.test/)" = "it is served" ]; }
check "a Deployment is served through the ingress by name" wait_for 90 is_served || true
is_served || { k get pods -A -o wide; k get events -A | tail -n 20; on tail -n 30 /run/systemctl/k3x.log; }

pins() { on ctr -a /run/k3x/containerd/containerd.sock -n k8s.io images ls | grep pinned; }
check_has "the image of the packed archive is pinned" "docker.io/library/busybox:local" "$(pins)"
check_has "as that of the binary itself" "system" "$(pins)"

# ---- an upgrade: another binary, and the same pods ----

started_at() { k get pods -l app=web -o jsonpath='{.items[*].status.containerStatuses[*].containerID} {.items[*].status.containerStatuses[*].restartCount}'; }
had=$(started_at) pid=$(on cat /run/systemctl/k3x.pid)
on sh -c "printf 'x' >>/release/k3x-$arch; cd /release; sha256sum k3x-$arch >sha256sums.txt"
check_has "another binary is installed" "installing /usr/local/bin/k3x" "$(installs K3X_TOKEN='a$(odd)%token' INSTALL_K3X_EXEC="server --tls-san 'one.test' --node-label tier=a" 2>&1)"
check "the server is another process" test "$pid" != "$(on cat /run/systemctl/k3x.pid)"
check "it is Ready again" wait_for 30 is_ready 1
check_is "and the pods are the same" "$had" "$(started_at)"
check "served as before" wait_for 20 is_served

# ---- a newer version, and back: the release of another number, while the service is asked all the time ----

other_version() { on "/release/k3x-$arch" --version | cut -d' ' -f3; }
version=$(other_version)
newer=$(sed 's/[0-9]*$/9/' <<<"$version") # as long, so that it can be written over the old one
on cp "/release/k3x-$arch" /tmp/older
on sh -c "sed 's/${version//./\\.}/$newer/g' /tmp/older >/release/k3x-$arch; cd /release; sha256sum k3x-$arch >sha256sums.txt"
check_is "there is a release of another number" "$newer" "$(other_version)"
web=$(k get service web -o jsonpath='{.spec.clusterIP}')
served_inside() { [ "$(inside curl -sSf -m 5 "http://$web/" 2>"$T/curl.err")" = "it is served" ]; }
check "the service answers" wait_for 20 served_inside
: >"$T/missed"
says() { # of the pod and its endpoint, for who reads of a failure
	k get pod -l app=web -o 'jsonpath={range .items[*]}{.status.podIP}{range .status.conditions[*]} {.type}={.status} {.lastTransitionTime}{end}{"\n"}{end}'
	k get endpointslice -l kubernetes.io/service-name=web -o 'jsonpath={range .items[*]}{.endpoints[*].addresses} {.endpoints[*].conditions}{"\n"}{end}'
} 2>&1
(while [ ! -e "$T/asked" ]; do served_inside || { echo "$(date +%T) $(cat "$T/curl.err")"; says; } >>"$T/missed"; echo >>"$T/asks"; sleep 0.1; done) &
asker=$!
# moves NUMBER WHAT: install.sh has put the binary of that number there
moves() {
	pid=$(on cat /run/systemctl/k3x.pid)
	k create configmap "before-$2" >/dev/null
	check_has "$2: install.sh puts the other binary there" "installing /usr/local/bin/k3x" "$(installs K3X_TOKEN='a$(odd)%token' INSTALL_K3X_EXEC="server --tls-san 'one.test' --node-label tier=a" 2>&1)"
	check "$2: the server is another process" test "$pid" != "$(on cat /run/systemctl/k3x.pid)"
	check_is "$2: of the other number" "$1" "$(on k3x --version | cut -d' ' -f3)"
	check "$2: it is Ready again" wait_for 40 is_ready 1
	check_is "$2: the pods are the same, never restarted" "$had" "$(started_at)"
	check "$2: what was there is there" k get configmap "before-$2"
	addons_are() { [ "$(k -n kube-system get pods -o 'jsonpath={range .items[?(@.status.phase=="Running")]}{.spec.containers[0].image}{"\n"}{end}' | grep -c "k3x/system:$1$")" -ge 3 ]; }
	check "$2: add-ons run of that number" wait_for 60 addons_are "$1"
	check "$2: new pods run" wait_for 40 sh -c "nsenter --net=/run/netns/$netns $(type -P kubectl) --kubeconfig $T/kubeconfig get pod in-$2 -o jsonpath='{.status.phase}' | grep -q Running || { nsenter --net=/run/netns/$netns $(type -P kubectl) --kubeconfig $T/kubeconfig run in-$2 --image=busybox:local --image-pull-policy=Never --command -- sleep 1000; false; }"
	check "$2: served through the ingress" wait_for 40 is_served
}
moves "$newer" upgrade
on sh -c "cp /tmp/older /release/k3x-$arch; cd /release; sha256sum k3x-$arch >sha256sums.txt"
moves "$version" downgrade
k get configmap before-upgrade >/dev/null 2>&1 && ok "what was there before both is there" || bad "what was there before both is there"
touch "$T/asked"
wait $asker
check_is "the service was there all the time, asked $(wc -l <"$T/asks") times" "" "$(cat "$T/missed")"
on rm -f /tmp/older

# ---- the end ----

uids=$(k get pods -A -o 'jsonpath={range .items[*]}{.metadata.uid}{"\n"}{end}')
check "it has cgroups" sh -c "find /sys/fs/cgroup -type d -path '*/kubepods*' | grep -qF '$uids'"
check "the uninstall runs" on k3x-uninstall.sh
check_is "no process is left" "" "$(on sh -c 'for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done' 2>/dev/null | grep -E 'containerd|k3x server' )"
check_is "no link" "" "$(inside ip -o link | grep -E 'cni0|flannel|veth')"
check_is "no table" "" "$(inside nft list tables | grep k3x)"
check_is "no cgroup" "" "$(find /sys/fs/cgroup -type d -path '*/kubepods*' | grep -F "$uids" | head -n 3)"
check "and no file: all is as before" diff "$T/before" <(files)
check_has "systemd was told" "disable k3x" "$(on cat /run/systemctl/calls)"

# ---- an agent: its service, which is not started here ----

check "an agent installs" installs K3X_URL=https://10.0.0.1:6443 K3X_TOKEN=secret INSTALL_K3X_SKIP_START=true
check_has "its service runs the agent" "ExecStart=/usr/local/bin/k3x agent" "$(on cat /etc/systemd/system/k3x-agent.service)"
check_has "told where the server is" "K3X_URL='https://10.0.0.1:6443'" "$(on cat /etc/systemd/system/k3x-agent.service.env)"
check "beside a server" installs INSTALL_K3X_SKIP_START=true
check_has "of two the first to go leaves the binary" "another service of k3x" "$(on k3x-uninstall.sh 2>&1)"
check "and the last goes with all" on k3x-agent-uninstall.sh
check "no file is left" diff "$T/before" <(files)

# ---- without systemd's unit: openrc's script is one that a shell can read ----

on sh -c 'printf "#!/bin/sh\nexit 0\n" >/usr/local/sbin/openrc-run; chmod 755 /usr/local/sbin/openrc-run; printf "#!/bin/sh\nexit 0\n" >/usr/local/sbin/rc-update; chmod 755 /usr/local/sbin/rc-update' 2>/dev/null &&
	{
		check "openrc: it installs" installs INSTALL_K3X_SKIP_START=true INSTALL_K3X_EXEC="server --node-label 'a=b'"
		check "its script is a shell's" on sh -n /etc/init.d/k3x
		check_is "with the words as they were given" "server --log /var/log/k3x.log --node-label a=b" \
			"$(on sh -c 'set +u; . /etc/init.d/k3x; eval "set -- $command_args"; echo "$*"')"
		check "and goes again" on k3x-uninstall.sh
		on rm -f /usr/local/sbin/openrc-run /usr/local/sbin/rc-update
		check "without a file left" diff "$T/before" <(files)
	}
finish
