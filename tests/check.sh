#!/bin/bash
# What `make check` runs, in order: quick lint, unit tests, fuzz corpora, integration tests. Adds the counts up and ends with
# one line, "N passed, N failed, N skipped". Each integration test is a script that starts what it needs, cleans up after
# itself and ends with a line of the same shape; a name starting with '_' is a helper.
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/check
passed=0 failed=0 skipped=0

take() { # log, exit code: adds the counts of its last summary line
	local line
	line=$(grep -aE '[0-9]+ passed, [0-9]+ failed' "$1" | tail -n 1)
	if [ -z "$line" ]; then
		failed=$((failed + 1))
		return
	fi
	local p f s
	p=$(grep -oE '[0-9]+ passed' <<<"$line" | grep -oE '[0-9]+')
	f=$(grep -oE '[0-9]+ failed' <<<"$line" | grep -oE '[0-9]+')
	s=$(grep -oE '[0-9]+ skipped' <<<"$line" | grep -oE '[0-9]+')
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
	[ "$2" -eq 0 ] || [ "$f" -gt 0 ] || failed=$((failed + 1))
}

run() { # name, command...
	local name=$1 log="build/check/${1//\//-}.log" start=$SECONDS rc
	shift
	"$@" >"$log" 2>&1 </dev/null
	rc=$?
	if [ $rc -eq 0 ]; then
		printf 'ok    %-44s %4ds\n' "$name" $((SECONDS - start))
	else
		printf 'FAIL  %-44s %4ds (exit %d, log %s)\n' "$name" $((SECONDS - start)) $rc "$log"
		tail -n 60 "$log" | sed 's/^/      /'
	fi
	take "$log" $rc
}

one() { # name, command...: counts as one test
	local name=$1
	shift
	run "$name" bash -c '"$@"; rc=$?; [ $rc -eq 0 ] && echo "1 passed, 0 failed" || echo "0 passed, 1 failed"; exit $rc' _ "$@"
}

one build make --no-print-directory -j"$(nproc)" all
[ $failed -eq 0 ] || { echo "$passed passed, $failed failed, $skipped skipped"; exit 1; }
one lint-quick make --no-print-directory lint-quick
run unit make --no-print-directory -j"$(nproc)" test-unit
run fuzz-corpus make --no-print-directory -j"$(nproc)" fuzz-corpus
for t in tests/integration/[!_]*; do
	[ -x "$t" ] && [ -f "$t" ] && run "${t#tests/}" timeout 900 "$t"
done
grep -ahE '^ *(SKIP|skip)' build/check/*.log | sort -u | sed 's/^/skip: /'
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
