#!/bin/sh
# Runs fuzz targets over their corpora: run_fuzz.sh BIN_FOLDER NAME...
bin=$1; shift
passed=0 failed=0
for n in "$@"; do
	if out=$(timeout 120 "$bin/$n" "tests/fuzz/corpus/$n" 2>&1); then
		passed=$((passed + 1))
		printf 'ok   fuzz %s (%s)\n' "$n" "$(printf '%s\n' "$out" | tail -n 1)"
	else
		failed=$((failed + 1))
		printf 'FAIL fuzz %s\n%s\n' "$n" "$out"
	fi
done
printf 'fuzz: %d passed, %d failed, 0 skipped\n' $passed $failed
[ $failed -eq 0 ]
