# Shared by tests of WebAssembly pods: modules and images of them. Source it after _lib.sh.
#
# wasm_root_args: the flags with which a server finds WasmEdge here. make_module NAME: tests/wasm/NAME.c becomes $T/NAME.wasm.
wasm_root_args() {
	if [ -f "$root/build/deps/wasm-root/.done" ]; then echo --wasm --wasm-root "$root/build/deps/wasm-root"; else echo --wasm; fi
}

make_module() { clang --target=wasm32-wasi -O2 -s -o "$T/$1.wasm" "$root/tests/wasm/$1.c"; }

# module_image NAME:TAG FILE MODULE [FOLDER]: an archive with the module as its entrypoint, and the folder's files.
module_image() {
	local dir sum
	dir=$(mktemp -d "$T/image-XXXXXX")
	mkdir "$dir/root"
	cp "$3" "$dir/root/"
	[ -z "${4:-}" ] || cp -r "$4/." "$dir/root/"
	tar -C "$dir/root" --owner=0 --group=0 -cf "$dir/layer.tar" .
	sum=$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)
	cat >"$dir/config.json" <<-JSON
	{"architecture":"$(dpkg --print-architecture)","os":"linux","config":{"Entrypoint":["/${3##*/}"],"Env":["FROM=image"]},"rootfs":{"type":"layers","diff_ids":["sha256:$sum"]}}
	JSON
	echo '[{"Config":"config.json","RepoTags":["docker.io/library/'"$1"'"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
	tar -C "$dir" -cf "$2.new" manifest.json config.json layer.tar
	mv "$2.new" "$2"
	rm -rf "$dir"
}

zygote_pid() {
	local p
	for p in $(pids_with "wasm-zygote --state $T"); do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = k3x-zygote ] && echo "$p"
	done
}

# What tests of pods ask.
field() { kubectl get "$1" -o "jsonpath={$2}"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
wait_is() { check "$1" wait_for "$2" is "$3" "$4" "$5"; }
log_has() { kubectl logs "$1" 2>/dev/null | grep -qF -- "$2"; }
events_of() { kubectl get events --field-selector "involvedObject.name=$1" -o 'jsonpath={range .items[*]}{.reason} {.message}{"\n"}{end}'; }
event_has() { events_of "$1" | grep -qF -- "$2"; }
gone() { ! kubectl get "$@" >/dev/null 2>&1; }
