#!/bin/bash
# Every file of the catalogue is valid by itself and with the others, without any warning, says on top what to
# set, and is installed.
. "$(dirname "$0")/lib.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
catalog=$root/manifests/catalog
names=$(cd "$catalog" && ls -- *.yaml)
for name in $names; do
	out=$(muster validate "$catalog/$name" 2>&1)
	is "$out" "valid: 1 files, 1 services, 1 task definitions, 0 nodes, 0 clusters" "$name is valid, without a warning"
	is "$(head -n 3 "$catalog/$name" | grep -c '^# ')" 2 "and begins with two lines of comment"
	like "$(sed -n 2p "$catalog/$name")" 'Set ' "that say what to set"
	is "$(grep -cE 'image: +[^ ]+(:[^/ ]+)$' "$catalog/$name")" "$(grep -c 'image:' "$catalog/$name")" "and its images have tags"
done
out=$(muster validate "$catalog" 2>&1)
is $? 0 "all together are valid"
make -s -C "$root" -o all B="$B" DESTDIR="$T/root" PREFIX=/opt install > "$T/make.log" 2>&1
is $? 0 "make install"
is "$(cd "$T/root/opt/share/muster/catalog" && ls -- *.yaml)" "$names" "installs them below share/muster/catalog"
is "$(stat -c %a "$T/root/opt/share/muster/catalog/falco.yaml")" 644 "readable by all"
is "$(ls "$T/root/opt/share/muster/FIELDS.md" | wc -l)" 1 "and the page about fields beside them"
done_testing
