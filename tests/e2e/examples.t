#!/bin/bash
# Every fleet in examples/ is valid, and prints nothing on the way but warnings of what ECS's own defaults mean.
. "$(dirname "$0")/lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
for fleet in "$root"/examples/*/; do
	out=$(muster validate "$fleet" 2>&1)
	is $? 0 "examples/$(basename "$fleet") is valid"
	is "$(grep -c 'error:' <<< "$out")" 0 "and has no errors"
done
done_testing
