# A small image made on the spot; to be sourced after lib.sh. busybox (sh, httpd, nc, wget ...) and testtask
# (tests/helpers/testtask.c) in /bin, the variant in /etc/variant. $CONFIG: JSON that is laid over its config.
# $BULK: MB of noise, of the variant alone, in /var/noise.
B=${B:-$ENGINES/../../build}
WORK=$DIR/tmp/image.$$
trap 'rm -rf "$WORK"' EXIT

case $(uname -m) in
x86_64) ARCHITECTURE=amd64 OTHER=arm64 ;;
aarch64) ARCHITECTURE=arm64 OTHER=amd64 ;;
*) die "$(uname -m): no name for this architecture" ;;
esac

digest() { sha256sum < "$1" | cut -d ' ' -f 1; }

# $WORK/layer.tar and $WORK/config.json; the layer is the same bytes each time.
build_image() { # VARIANT
	need busybox jq perl tar
	root=$WORK/root
	mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/var/www"
	chmod 1777 "$root/tmp"
	cp "$(command -v busybox)" "$root/bin/busybox"
	busybox --list | (cd "$root/bin" && perl -ne 'chomp; symlink("busybox", $_) if !-e')
	cp "$B/tests/helpers/testtask" "$root/bin/testtask" || die "testtask: make test-helpers makes it"
	printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' > "$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
	echo "$1" > "$root/etc/variant"
	echo "$1" > "$root/var/www/index.html"
	[ -z "${BULK:-}" ] || head -c "${BULK}000000" /dev/zero |
		openssl enc -aes-128-ctr -pass "pass:$1" -nosalt -pbkdf2 -iter 1 > "$root/var/noise"
	tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf "$WORK/layer.tar" .
	image_config "$ARCHITECTURE" > "$WORK/config.json"
}
image_config() { # ARCHITECTURE
	jq -cn --arg arch "$1" --arg layer "sha256:$(digest "$WORK/layer.tar")" --argjson more "${CONFIG:-{\}}" '{
		architecture: $arch, os: "linux", created: "2020-01-01T00:00:00Z",
		config: ({Cmd: ["/bin/testtask", "sleep"], Env: ["PATH=/bin"]} + $more),
		rootfs: {type: "layers", diff_ids: [$layer]}, history: [{created_by: "muster tests"}]}'
}
