#!/bin/bash
# What a newer program has written, or says, is refused by name and left as it is: the log, term and vote on the disk, and
# the greeting between servers. (The state's format, which its page checksums cover, is stamped in the store's unit tests;
# a real older program beside this one is `make upgrade-test FROM=REV`.)
. "$(dirname "$0")/_lib.sh"
. "$(dirname "$0")/_servers.sh"
needs kubectl python3
hosts s1

refused() { timeout 60 bash -c "$(declare -f at server_run address); $(declare -p prefix net T K3X no_addons server_flags); server_run $*" 2>&1; }
# stamp FILE OFFSET WAS IS: one character
stamp() {
	[ "$(dd if="$1" bs=1 skip="$2" count=1 status=none)" = "$3" ] && printf %s "$4" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
db=$T/s1/server/db

server_start s1 --cluster-init
check "a server is ready" wait_for 20 server_is_ready s1
check "it has an object" k s1 create configmap one

# ---- between servers ----
check_has "a newer greeting is turned away, and told why" "version 2 of the protocol between servers and this program knows 1: upgrade the older" \
	"$(at s1 python3 - "$T/s1/server/tls/etcd" "$(address s1)" <<'PY'
import socket, ssl, struct, sys
def crc32c(data):
    c = 0xffffffff
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.load_verify_locations(sys.argv[1] + "/peer-ca.crt")
context.load_cert_chain(sys.argv[1] + "/peer-server-client.crt", sys.argv[1] + "/peer-server-client.key")
s = context.wrap_socket(socket.create_connection((sys.argv[2], 2380), timeout=10))
hello = b"X3xpeer2" + struct.pack("<QQQQ", 1, 1, 2, 0) + b"https://10.99.0.9:2380"
s.sendall(struct.pack("<II", len(hello), crc32c(hello)) + hello)
answer = b""
while True:
    more = s.recv(4096)
    if not more:
        break
    answer += more
print(answer[8:].decode(errors="replace"))
PY
)"
check "and on the server" grep -q "speaks version 2 of the protocol" "$T/s1.log"
server_stop s1 TERM

# ---- on the disk ----
segment=$(find "$db/raft" -name 'log-*' | sort | tail -n 1)
sums() { sha256sum "$db"/raft/log-* "$db"/raft/meta-*; }
was=$(sums)
check "the log gets the form of a newer program" stamp "$segment" 4 1 2
stamped=$(sums)
check_has "which is refused" "has the form 2 of a newer program" "$(refused s1)"
check_is "and nothing of it is changed" "$stamped" "$(sums)"
stamp "$segment" 4 2 1
form=$(dd if="$segment" bs=1 skip=35 count=1 status=none) # of its first batch: packed or not
check "a batch in it, too" stamp "$segment" 35 "$form" Y
stamped=$(sums)
check_has "is refused" "has the form Y of a newer program" "$(refused s1)"
check_is "and stays" "$stamped" "$(sums)"
stamp "$segment" 35 Y "$form"
for i in 0 1; do [ -s "$db/raft/meta-$i" ] && stamp "$db/raft/meta-$i" 6 1 2; done
check_has "term and vote are refused" "term and vote have the form 2 of a newer program" "$(refused s1)"
for i in 0 1; do [ -s "$db/raft/meta-$i" ] && stamp "$db/raft/meta-$i" 6 2 1; done
check_is "all is as it was" "$was" "$(sums)"
server_start s1
check "the program that wrote it goes on" wait_for 20 server_is_ready s1
check "with what was there" k s1 get configmap one
server_stop s1 TERM
finish
