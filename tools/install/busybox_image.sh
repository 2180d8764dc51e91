# busybox_image NAME:TAG FILE [COMMAND...]: a docker-save archive with busybox in it; the command is its default one. For
# tests, and for clusters to play with, where nothing can be pulled. What lies in the folder BUSYBOX_IMAGE_EXTRA is laid
# over its root. Source it.
busybox_image() {
	local name=$1 file=$2 dir a
	shift 2
	dir=$(mktemp -d "${TMPDIR:-/tmp}/k3x-image-XXXXXX")
	mkdir -p "$dir/root/bin" "$dir/root/tmp" "$dir/root/etc" "$dir/root/www"
	cp "$(type -P busybox)" "$dir/root/bin/busybox"
	for a in $("$dir/root/bin/busybox" --list | grep -vx busybox); do ln -sf busybox "$dir/root/bin/$a"; done
	echo 'root:x:0:0:root:/:/bin/sh' >"$dir/root/etc/passwd"
	[ -z "${BUSYBOX_IMAGE_EXTRA:-}" ] || cp -r --remove-destination "$BUSYBOX_IMAGE_EXTRA/." "$dir/root/"
	tar -C "$dir/root" --owner=0 --group=0 -cf "$dir/layer.tar" .
	local sum command
	sum=$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)
	command=$(printf '%s\n' "$@" | sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&"/' | paste -sd,)
	cat >"$dir/config.json" <<-JSON
	{"architecture":"$(dpkg --print-architecture)","os":"linux","config":{"Cmd":[${command}],"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:$sum"]}}
	JSON
	echo '[{"Config":"config.json","RepoTags":["docker.io/library/'"$name"'"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
	tar -C "$dir" -cf "$file" manifest.json config.json layer.tar
	rm -rf "$dir"
}
