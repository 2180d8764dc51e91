#!/bin/bash
# Volumes of an nfs server, with a real kubelet and containerd. Few kernels that run tests have an nfs client, so mount(8) finds
# a helper of ours where it looks for one, in this test's own mounts: it notes how it was called and lays a folder of this test
# at the place, or hangs, as it does for a server that does not answer. Inline and by a claim, options, an IPv6 server,
# sub-paths, groups; a node that has no helper; a server that hangs beside pods that do not care, and at the node's end; the
# server killed; nothing left, and nothing of the server's files gone.
# lane: node
[ "$(id -u)" != 0 ] || [ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare --mount "$0" "$@" # what it lays over /usr/sbin is nobody else's
. "$(dirname "$0")/_lib.sh"
[ "$(id -u)" = 0 ] || { skip "nfs" "needs root"; finish; exit; }
[ ! -e /sbin/mount.nfs ] || { skip "nfs" "this machine has a mount.nfs of its own"; finish; exit; }

in_namespace
mkdir -p "$T/data/agent/images" "$T/export/data/sub" "$T/export/data/dir" "$T/helper"
busybox_image box:1 "$T/data/agent/images/box.tar" sh
echo kept >"$T/export/data/file"
chmod 777 "$T/export/data"
touch "$T/calls"
cat >"$T/helper/mount.nfs" <<EOF
#!/bin/sh
echo "\$*" >>$T/calls
case \$1 in gone:*) while [ ! -e $T/back ]; do sleep 0.2; done; echo "mount.nfs: Connection timed out" >&2; exit 32 ;; esac
[ "\$1" != odd:/ ] || { echo "mount.nfs: access denied by server while mounting odd:/" >&2; exit 32; }
mount --bind "$T/export\${1##*:}" "\$2" || exit
case "\$*" in *-o*ro*) mount -o remount,bind,ro "\$2" ;; esac
EOF
chmod +x "$T/helper/mount.nfs"

field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
gone() { ! kubectl get "$1"; }
mounts() { grep -c "kubernetes.io~nfs" /proc/self/mountinfo; }
calls() { grep -cF -- "$1" "$T/calls"; }
called() { grep -qF -- "$1" "$T/calls"; }
logs_have() { kubectl logs "$1" 2>/dev/null | grep -q "$2"; }
event_has() { kubectl get events --field-selector "involvedObject.name=$1,reason=FailedMount" -o 'jsonpath={.items[*].message}' | grep -qF -- "$2"; }
server() { start_server 17781 --node-name node1 --kubelet-port 17786 --disable-scheduler || { finish; exit 1; }; }
pod() { # name, volume, script, more of the mount, more of the spec
	kubectl create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1}
		spec: {nodeName: node1, terminationGracePeriodSeconds: 1, restartPolicy: Never, ${5:+$5,} volumes: [{name: data, $2}],
		 containers: [{name: c, image: 'box:1', command: [sh, -c, '$3; sleep 1000'], volumeMounts: [{name: data, mountPath: /data${4:+, $4}}]}]}
	YAML
}
dir() { echo "$T/data/agent/kubelet/pods/$(field "pod/$1" .metadata.uid)/volumes/kubernetes.io~nfs/$2"; }

server
wait_is "the node becomes Ready" 60 node/node1 '.status.conditions[?(@.type=="Ready")].status' True
check "there is an account" wait_for 20 kubectl get serviceaccount default

# ---- a node without the helper, and then with it ----
pod one 'nfs: {server: nas.example, path: /data}' 'cat /data/file; echo new >/data/new' '' 'securityContext: {fsGroup: 4711}'
check "a node that has no helper says what is to be installed" wait_for 20 event_has one 'mount -t nfs needs /sbin/mount.nfs, which this node does not have: install the package nfs-common'
check "where mount looks there is one now" mount -t overlay -o "lowerdir=$T/helper:/usr/sbin" helper /usr/sbin
wait_is "then the pod runs" 40 pod/one .status.phase Running
check_is "mount got the server, the place and no options" "nas.example:/data $(dir one data)" "$(sed 's/ -o rw$//' "$T/calls")"
check "the pod reads" wait_for 10 logs_have one kept
check "and writes" wait_for 10 test -s "$T/export/data/new"
check_is "its group is not given the server's files" 0 "$(stat -c %g "$T/export/data/file")"

# ---- options, claims, addresses, sub-paths ----
kubectl create -f - >/dev/null <<-YAML
	apiVersion: v1
	kind: PersistentVolume
	metadata: {name: pv-nfs}
	spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], storageClassName: "", mountOptions: [soft, nfsvers=4.1], claimRef: {namespace: default, name: shared},
	 nfs: {server: "fd00::1", path: /data}}
	---
	apiVersion: v1
	kind: PersistentVolumeClaim
	metadata: {name: shared}
	spec: {storageClassName: "", accessModes: [ReadWriteMany], volumeName: pv-nfs, resources: {requests: {storage: 1Gi}}}
YAML
wait_is "a claim is bound" 20 pvc/shared .status.phase Bound
pod two 'persistentVolumeClaim: {claimName: shared, readOnly: true}' 'cat /data/file; touch /data/no || echo refused'
wait_is "its pod runs" 40 pod/two .status.phase Running
check_has "mounted by the volume's name, an address of six in brackets" "[fd00::1]:/data $(dir two pv-nfs) " "$(tail -n 1 "$T/calls")"
check_has "with its options, and read-only, in order" "nfsvers=4.1" "$(tail -n 1 "$T/calls")"
check_has "and read-only" "ro" "$(tail -n 1 "$T/calls" | tr , '\n' | grep -x '.*ro')"
check "what it writes is refused" wait_for 10 logs_have two refused
pod three 'nfs: {server: nas.example, path: /data}' 'echo within >/data/file' 'subPath: dir/made'
wait_is "a pod with a sub-path runs" 40 pod/three .status.phase Running
check "which is in the volume" wait_for 10 test -s "$T/export/data/dir/made/file"

# ---- what a server refuses; one that is away ----
pod odd 'nfs: {server: odd, path: /}' true
check "what mount says is told, as upstream tells it" wait_for 20 event_has odd 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32
Mounting command: mount
Mounting arguments: -t nfs odd:/ '
check "with its own words" event_has odd 'access denied by server while mounting odd:/'
kubectl delete pod odd --wait=false >/dev/null
pod away 'nfs: {server: gone, path: /data}' true
pod away2 'nfs: {server: gone, path: /data}' true
pod away3 'nfs: {server: gone, path: /data}' true
both() { [ "$(calls gone:/data)" -ge 3 ]; }
check "three pods wait for a server that is away" wait_for 20 both
pod beside 'nfs: {server: nas.example, path: /data}' true
wait_is "others come" 40 pod/beside .status.phase Running
kubectl delete pod beside --wait=false >/dev/null
check "and go" wait_for 30 gone pod/beside
kubectl delete pod away3 --wait=false >/dev/null
check "one that waits goes without waiting for its server" wait_for 15 gone pod/away3

# ---- killed, and stopped, while it waits ----
before=$(calls nas.example)
stop_server KILL
server
wait_is "after a kill what is mounted is taken as it is" 60 pod/one .status.phase Running
same() { [ "$(calls gone:/data)" -ge 5 ]; }
check "what was not is tried again" wait_for 60 same
check_is "and nothing twice" "$before" "$(calls nas.example)"
check_is "no container was started anew" 0 "$(field pod/one '.status.containerStatuses[0].restartCount')"
began=$SECONDS
stop_server TERM
check "the node ends without waiting for a server" [ $((SECONDS - began)) -lt 10 ]
touch "$T/back"
server
check "a mount that failed in the end is told" wait_for 60 event_has away 'mount.nfs: Connection timed out'

# ---- the end ----
files=$(cd "$T/export" && find . | sort)
kubectl delete pod one two three away away2 --wait=false >/dev/null
for p in one two three away away2; do check "$p goes" wait_for 60 gone "pod/$p"; done
none() { [ "$(mounts)" = 0 ]; }
check "nothing is mounted" wait_for 20 none
check_is "no file of the server's is gone" "$files" "$(cd "$T/export" && find . | sort)"
pod last 'nfs: {server: nas.example, path: /data}' true
wait_is "one more" 40 pod/last .status.phase Running
stop_server TERM
check_is "which is mounted still when the node has ended" 1 "$(mounts)"
check "until killall" inside env K3X_DATA_DIR="$T/data" K3X_STATE_DIR="$T/data/agent/run" "$K3X" killall
check_is "takes it down" 0 "$(mounts)"
check_is "and the files stay" "$files" "$(cd "$T/export" && find . | sort)"
umount /usr/sbin
finish
