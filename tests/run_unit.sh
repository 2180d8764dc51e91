#!/bin/sh
# Runs unit test programs one by one and adds up what cmocka says. Prints the whole output of those that fail.
passed=0 failed=0 skipped=0
for t in "$@"; do
	out=$(timeout 300 "$t" 2>&1)
	rc=$?
	p=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
	f=$(printf '%s\n' "$out" | sed -n 's/.*\[  FAILED  \] .*: *\([0-9]*\) test(s), listed below.*/\1/p' | tail -n 1)
	s=$(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \]')
	[ -n "$f" ] || f=0
	[ $rc -eq 0 ] || [ "$f" -gt 0 ] || f=1 # crashed, or timed out
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" -gt 0 ]; then
		printf 'FAIL %s (exit %d)\n%s\n' "$t" $rc "$out"
	else
		printf 'ok   %s (%d)\n' "${t##*/}" "$p"
	fi
	[ "$s" -eq 0 ] || printf '%s\n' "$out" | grep '^SKIP' || true
done
printf 'unit: %d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ]
