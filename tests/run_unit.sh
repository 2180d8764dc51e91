#!/bin/sh
# Runs unit test programs, as many at a time as there are cores, and adds up what cmocka says. Prints the whole output of
# those that fail, after all that passed: a reader of the last lines sees what went wrong. UNIT_RUN names a program
# that runs them, like qemu-arm, and UNIT_SECONDS how long one may take.
out=$(mktemp -d "${TMPDIR:-/tmp}/k3x-unit-XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
export out
printf '%s\n' "$@" | xargs -P "$(nproc)" -I '{}' sh -c '
	log=$out/$(echo "{}" | tr / _)
	timeout "${UNIT_SECONDS:-300}" ${UNIT_RUN:-} "{}" >"$log" 2>&1
	echo $? >"$log.rc"'
passed=0 failed=0 skipped=0
failures=$out/failures
: >"$failures"
for t in "$@"; do
	log=$out/$(echo "$t" | tr / _)
	rc=$(cat "$log.rc")
	p=$(grep -ac '^\[       OK \]' "$log")
	f=$(sed -n 's/.*\[  FAILED  \] .*: *\([0-9]*\) test(s), listed below.*/\1/p' "$log" | tail -n 1)
	s=$(grep -ac '^\[  SKIPPED \]' "$log")
	[ -n "$f" ] || f=0
	[ "$rc" -eq 0 ] || [ "$f" -gt 0 ] || f=1 # crashed, or timed out
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" -gt 0 ]; then
		printf 'FAIL %s (exit %d)\n' "$t" "$rc" >>"$failures"
		grep -av '^\[       OK \]\|^\[ RUN      \]' "$log" >>"$failures"
	else
		printf 'ok   %s (%d)\n' "${t##*/}" "$p"
	fi
	[ "$s" -eq 0 ] || grep -a '^SKIP' "$log"
done
cat "$failures"
printf 'unit: %d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
