#!/bin/bash
# What `make check` runs, in order: quick lint, unit tests, fuzz corpora, integration tests. Adds the counts up and ends with
# what failed, told once more in a few lines each, and one line, "N passed, N failed, N skipped". Each integration test is a
# script that starts what it needs, cleans up after itself and ends with a line of the same shape; a name starting with '_' is
# a helper. They run side by side, LANES at a time, each with a network, mounts, processes and control groups of its own
# (apart.sh). Those with a line "# lane: NAME" take more of the machine than others: two of a lane run at a time at the most.
cd "$(dirname "$0")/.." || exit 1
mkdir -p build/check
: >build/check/failures
passed=0 failed=0 skipped=0
TIMEFORMAT='%U %S'

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
	{ time "$@" >"$log" 2>&1 </dev/null; } 2>"$log.cpu"
	rc=$?
	if [ $rc -eq 0 ]; then
		printf 'ok    %-44s %4ds, CPU %4ds\n' "$name" $((SECONDS - start)) "$(awk 'END { print int($1 + $2) }' "$log.cpu")"
	else
		printf 'FAIL  %-44s %4ds (exit %d, log %s)\n' "$name" $((SECONDS - start)) $rc "$log"
		tail -n 60 "$log" | sed 's/^/      /'
		{
			echo "FAIL  $name:"
			grep -aE 'FAILED|ERROR  |LINE  |^ *FAIL|not ok|rror:' "$log" | tail -n 12 | cut -c1-300 | sed 's/^/      /'
		} >>build/check/failures
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
lane_of() { sed -n '1,12s/^# lane: *//p' "$1" | head -n 1; }

# What is taken off the queue at once, a line each: a test, or half of a lane.
lanes() {
	local t lane
	for t in tests/integration/[!_]*; do
		[ -x "$t" ] && [ -f "$t" ] || continue
		lane=$(lane_of "$t")
		echo "${lane:-$t} $t"
	done | awk '
		$1 != $2 { $1 = $1 "/" seen[$1]++ % 2 }
		!($1 in tests) { order[++n] = $1 }
		{ tests[$1] = tests[$1] " " $2 }
		END { for (i = 1; i <= n; i++) print tests[order[i]] }'
}

# A worker takes lanes off the queue until it is empty. What a test's run() prints and counts goes to a file of its own.
worker() {
	local line t
	while line=$(flock build/check/queue.lock sh -c 'head -n 1 build/check/queue; sed -i 1d build/check/queue') && [ -n "$line" ]; do
		for t in $line; do
			(
				passed=0 failed=0 skipped=0
				run "${t#tests/}" timeout 900 tests/apart.sh "$t"
				echo "$passed $failed $skipped" >"build/check/${t##*/}.count"
			)
		done
	done
}

lanes >build/check/queue
rm -f build/check/*.count
for _ in $(seq "${LANES:-3}"); do worker & done
wait
for t in tests/integration/[!_]*; do
	[ -x "$t" ] && [ -f "$t" ] || continue
	if read -r p f s <"build/check/${t##*/}.count"; then
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	else
		failed=$((failed + 1))
	fi
done
cat build/check/failures
grep -ahE '^ *(SKIP|skip)' build/check/*.log | sort -u | sed 's/^/skip: /'
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
