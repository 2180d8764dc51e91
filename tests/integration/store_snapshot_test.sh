#!/bin/bash
# Snapshots through the API, restored and checked offline; damage and foreign snapshots refused; hashes.
. "$(dirname "$0")/_lib.sh"
export ETCDCTL_ENDPOINTS=http://127.0.0.1:17579 ETCDCTL_COMMAND_TIMEOUT=3s ETCDCTL_API=3
needs etcdctl

serve() { # data-dir
	"$K3X" store serve --name m1 --data-dir "$1" --listen-client-urls $ETCDCTL_ENDPOINTS --advertise-client-urls $ETCDCTL_ENDPOINTS </dev/null >>"$T/store.log" 2>&1 &
	server_pid=$!
	wait_for 10 etcdctl member list
}
hash_of() { etcdctl endpoint hashkv "$@" -w json | sed -E 's/.*"hash":([0-9]+).*/\1/'; }
store() { "$K3X" store "$@"; }

serve "$T/store" && ok "serves" || bad "serves" "$(tail -n 3 "$T/store.log")"
for i in $(seq 30); do etcdctl put "k/$((i % 7))" "v$i" >/dev/null; done
head -c 500000 /dev/urandom | base64 -w0 >"$T/value"
etcdctl put big <"$T/value" >/dev/null
etcdctl del k/3 >/dev/null
lease=$(etcdctl lease grant 1000 | cut -d' ' -f2)
etcdctl put leased x --lease "$lease" >/dev/null
hash=$(hash_of)
check_has "hashkv" '"hash":' "$(etcdctl endpoint hashkv -w json)"
old=$(hash_of --rev 20)
check_is "the hash at a revision does not change with later ones" "$old" "$(etcdctl put later x >/dev/null; hash_of --rev 20)"
etcdctl del later >/dev/null
check "etcdctl snapshot save" etcdctl snapshot save "$T/one.snap"
check_has "snapshot status" "sha256" "$(store snapshot status "$T/one.snap")"
check_has "snapshot status as JSON" '"keys":8,' "$(store snapshot status "$T/one.snap" -o json)"
file=$T/$(printf 'a "quoted" \\ name of \xff.snap')
check_has "a file's name is quoted in JSON" '"file":"'"$T"'/a \"quoted\" \\ name of '$'\xef\xbf\xbd''.snap",' \
	"$(store snapshot save "$file" -o json --endpoints $ETCDCTL_ENDPOINTS)"
rm -f "$file"
revision=$(etcdctl get x -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')
hash=$(hash_of)
check "check of a directory that is served" store check "$T/store"
etcdctl compact 25 >/dev/null
compacted=$(hash_of)
check_is "compaction in steps gives one hash" "$compacted" "$(sleep 0.5; hash_of)"
[ "$compacted" != "$hash" ] && ok "and another than before" || bad "and another than before"
check_has "restore over a served directory is refused" "in use by process" "$(store snapshot restore "$T/one.snap" --data-dir "$T/store" --replace 2>&1)"
stop_server KILL
check "check after a kill" store check "$T/store"

check_has "restore over data is refused" "holds data" "$(store snapshot restore "$T/one.snap" --data-dir "$T/store" 2>&1)"
check "restore" store snapshot restore "$T/one.snap" --data-dir "$T/two"
cp "$T/two/state.db" "$T/two.before"
check "and it is sound in full" store check "$T/two"
serve "$T/two"
check_is "the same hash" "$hash" "$(hash_of)"
check_is "the same revision" "$revision" "$(etcdctl get x -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')"
check_is "the value" "$(cat "$T/value")" "$(etcdctl get big --print-value-only)"
check_is "an old revision" v8 "$(etcdctl get k/1 --rev 10 --print-value-only)"
check_has "the lease" "$lease" "$(etcdctl lease list)"
stop_server TERM
check "restore with a bumped revision" store snapshot restore "$T/one.snap" --data-dir "$T/three" --bump-revision 1000000 --mark-compacted
serve "$T/three"
check_is "the bumped revision" $((revision + 1000000)) "$(etcdctl get x -w json | sed 's/.*"revision":\([0-9]*\).*/\1/')"
check_has "history counts as compacted" "has been compacted" "$(etcdctl get k/1 --rev 10 2>&1)"
check_is "keys are there" v29 "$(etcdctl get k/1 --print-value-only)"
stop_server TERM
check "and it is sound" store check "$T/three"

cp "$T/one.snap" "$T/flipped.snap"
printf '\377\000\377' | dd of="$T/flipped.snap" bs=1 seek=20000 conv=notrunc status=none
check_has "a changed snapshot is refused" "is damaged" "$(store snapshot restore "$T/flipped.snap" --data-dir "$T/four" 2>&1)"
head -c 40000 "$T/one.snap" >"$T/cut.snap"
check_has "a cut snapshot is refused" "not a whole snapshot" "$(store snapshot restore "$T/cut.snap" --data-dir "$T/four" 2>&1)"
check_has "a foreign cluster's is refused" "another cluster" "$(store snapshot restore "$T/one.snap" --data-dir "$T/four" --cluster-id 0123456789abcdef 2>&1)"
mkdir "$T/foreign" && echo 0123456789abcdef >"$T/foreign/cluster"
check_has "and one that is foreign to the directory" "another cluster" "$(store snapshot restore "$T/one.snap" --data-dir "$T/foreign" 2>&1)"
check_has "a cut one out of a pipe, too" "not a whole snapshot" "$(store snapshot restore - --data-dir "$T/four" 2>&1 <"$T/cut.snap")"
check_has "and a changed one" "is damaged" "$(cat "$T/flipped.snap" | store snapshot restore - --data-dir "$T/four" 2>&1)"
check_is "the directory that was there holds what it did" cluster "$(ls "$T/foreign" | grep -v lock)"
[ -e "$T/four" ] && bad "nothing was touched" || ok "nothing was touched"
restore_piped() { cat "$T/one.snap" | store snapshot restore - --data-dir "$T/piped"; }
check "restore out of a pipe" restore_piped
check "makes the same" cmp "$T/two.before" "$T/piped/state.db"
check "replace" store snapshot restore "$T/one.snap" --data-dir "$T/three" --replace
[ -e "$T/three/state.db.before-restore" ] && ok "what was there is kept" || bad "what was there is kept"

# ---- a folder of them ----
mkdir "$T/folder"
cp "$T/one.snap" "$T/folder/a.snap"
serve "$T/three"
for n in b c d; do
	etcdctl put "of/$n" x >/dev/null
	check "save $n" store snapshot save "$T/folder/$n.snap"
done
check_has "save says whose it is" "cluster $(cat "$T/three/cluster")" "$(store snapshot save "$T/folder/d.snap")"
check_has "nobody there leaves nothing behind" "refused" "$(store snapshot save "$T/folder/e.snap" --endpoints http://127.0.0.1:9 2>&1)"
check_is "not even a part" "" "$(ls "$T/folder" | grep '^e')"
stop_server TERM
echo "no snapshot" >"$T/folder/README"
check_is "snapshot ls, newest first" "d.snap c.snap b.snap a.snap" "$(store snapshot ls "$T/folder" | awk 'NR > 1 { print $1 }' | paste -sd' ')"
check_has "as JSON" '"state":"sound"' "$(store snapshot ls "$T/folder" -o json)"
cp "$T/flipped.snap" "$T/folder/z.snap"
check_has "a damaged one is told" "DAMAGED" "$(store snapshot ls "$T/folder" 2>/dev/null)"
check_is "by the exit code too" 7 "$(store snapshot ls "$T/folder" >/dev/null 2>&1; echo $?)"
check_has "prune --dry-run" "would remove c.snap" "$(store snapshot prune "$T/folder" --keep 1 --dry-run)"
check_is "removes nothing" 5 "$(ls "$T/folder"/*.snap | wc -l)"
check_has "nothing is old" "0 of 5" "$(store snapshot prune "$T/folder" --keep 1 --older-than 1h)"
check "prune" store snapshot prune "$T/folder" --keep 2
check_is "keeps the newest of each cluster, and what is none" "README a.snap c.snap d.snap z.snap" "$(ls "$T/folder" | sort | paste -sd' ')"
touch -d '3 days ago' "$T/folder/z.snap"
check "damaged ones when asked" store snapshot prune "$T/folder" --older-than 0s --damaged
check_is "the newest sound one of a cluster stays" "README a.snap d.snap" "$(ls "$T/folder" | sort | paste -sd' ')"

check_is "sql" 8 "$(store sql "$T/two" 'SELECT count(*) FROM cur WHERE version > 0' | tail -n 1)"
check_is "sql on a snapshot, as JSON" '{"n":"8"}' "$(store sql "$T/one.snap" 'SELECT keys AS n FROM meta' -o json)"
check_has "sql does not write" "only reading" "$(store sql "$T/three" 'DELETE FROM cur' 2>&1)"
python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1]); c.execute("DELETE FROM block WHERE id = (SELECT max(id) FROM block)"); c.commit()' "$T/three/state.db"
check_has "check finds that another program wrote" "rotten" "$(store check "$T/three" 2>&1)"
# The checksums of its pages are made right, so that what was written is all that is wrong.
python3 -c 'import struct, sys
table = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    table.append(n)
def crc(data, c=0):
    c ^= 0xffffffff
    for b in data:
        c = c >> 8 ^ table[(c ^ b) & 255]
    return c ^ 0xffffffff
def page_sum(number, body):
    first, turns = crc(struct.pack("<Q", number)), len(body) // 32 * 32
    sums = [crc(b"".join(body[at:at + 8] for at in range(i * 8, turns, 32)), first) for i in range(4)]
    sums[0] = crc(body[turns:], sums[0])
    return crc(struct.pack("<4I", *sums))
with open(sys.argv[1], "r+b") as f:
    data = f.read()
    for at in range(0, len(data), 4096):
        body = data[at:at + 4088]
        f.seek(at + 4088)
        f.write(struct.pack("<I", page_sum(at // 4096 + 1, body)) + b"k3x1")' "$T/three/state.db"
check_has "check finds a missing version" "newest version is in the log" "$(store check "$T/three" 2>&1)"
finish
