/* What a node that is restarted has to know: the requests that boxes and containers were made of, packed, behind a line
 * with the times and the rest; how containers are is in their traces (traces.h). A box of another boot of the machine
 * is not ready. What cannot be read is removed: nobody could do anything with it. */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/json/json.h"
#include "base/log.h"
#include "node/ground/files.h"
#include "node/wasm/protocol/traces.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORD_BYTES_MAX = 8 * 1024 * 1024 };

static const char *folder(struct arena *a, const struct wasm *w, const char *kind, const char *id)
{
	return arena_printf(a, "%s/%s/%s", w->state, kind, id);
}

static const char *boot_id(struct arena *a)
{
	char *text = file_read("/proc/sys/kernel/random/boot_id", 64, false, NULL);
	struct slice id = slice_trim(slice_of(text ? text : ""));
	const char *copy = arena_memdup(a, id.ptr ? id.ptr : "", id.len);
	free(text);
	return copy;
}

static int write_record(const struct wasm *w, const char *kind, const char *id, const struct json *head,
        const ProtobufCMessage *m, struct arena *a, struct err *err)
{
	struct strbuf b = STRBUF_INIT;
	size_t size = protobuf_c_message_get_packed_size(m);
	const char *dir = folder(a, w, kind, id);
	json_write(&b, head);
	strbuf_addc(&b, '\n');
	strbuf_reserve(&b, size + 1);
	b.len += protobuf_c_message_pack(m, (uint8_t *)b.data + b.len);
	if (file_make_dirs(dir, 0711, err) == 0)
		file_replace(arena_printf(a, "%s/record", dir), strbuf_slice(&b), 0600, false, err);
	strbuf_release(&b);
	return err->code;
}

int store_box(const struct box *b, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *head = json_new(&a, JSON_OBJECT);
	json_set_int(&a, head, "created", b->created_ns);
	json_set_cstr(&a, head, "boot", boot_id(&a));
	json_set_cstr(&a, head, "address", b->ip);
	json_set_bool(&a, head, "beside", b->is_beside);
	write_record(b->w, "boxes", b->id, head, &b->request->base, &a, err);
	arena_release(&a);
	return err->code;
}

int store_container(const struct wasm_container *c, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *head = json_new(&a, JSON_OBJECT), *args = json_new(&a, JSON_ARRAY);
	json_set_int(&a, head, "created", c->created_ns);
	json_set_cstr(&a, head, "module", c->module);
	for (size_t i = 0; c->args[i]; i++)
		json_append(args, json_new_cstr(&a, c->args[i]));
	json_set(&a, head, "args", args);
	write_record(c->box->w, "containers", c->id, head, &c->request->base, &a, err);
	arena_release(&a);
	return err->code;
}

void store_box_is_lost(const struct box *b)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	if (file_replace(arena_printf(&a, "%s/lost", folder(&a, b->w, "boxes", b->id)), SLICE(""), 0600, false, &err) !=
	        0)
		log_warn("node", "cannot note that a sandbox has ended", "error=\"%s\"", err.msg);
	arena_release(&a);
}

void store_remove(struct wasm *w, const char *kind, const char *id)
{
	struct arena a = ARENA_INIT;
	file_remove_tree(folder(&a, w, kind, id));
	arena_release(&a);
}

/* ---- loading ---- */

static ProtobufCMessage *read_record(
        struct arena *a, const char *dir, const ProtobufCMessageDescriptor *kind, struct json **head)
{
	size_t len = 0;
	char *text = file_read(arena_printf(a, "%s/record", dir), RECORD_BYTES_MAX, false, &len);
	struct slice rest = {text, text ? len : 0}, line = slice_cut(&rest, '\n');
	struct err err = ERR_INIT;
	*head = line.len ? json_parse(a, line, NULL, &err) : NULL;
	ProtobufCMessage *m = *head ? protobuf_c_message_unpack(kind, NULL, rest.len, (const uint8_t *)rest.ptr) : NULL;
	free(text);
	return m;
}

static bool load_box(struct wasm *w, struct arena *a, const char *id, const char *dir)
{
	struct json *head;
	ProtobufCMessage *m = read_record(a, dir, &runtime__v1__run_pod_sandbox_request__descriptor, &head);
	CRI(RunPodSandboxRequest) *r = (CRI(RunPodSandboxRequest) *)m;
	if (!m || !r->config || !r->config->metadata) {
		if (m)
			protobuf_c_message_free_unpacked(m, NULL);
		return false;
	}
	struct box *b = box_new(w, id, r);
	b->created_ns = json_get_int(head, "created", 0);
	free(b->ip);
	b->ip = xstrdup(json_cstr(a, json_get(head, "address")));
	b->is_beside = json_get_bool(head, "beside", false);
	b->is_ready = b->is_beside || (slice_is(json_get_str(head, "boot"), boot_id(a)) &&
	                                      access(arena_printf(a, "%s/lost", dir), F_OK) != 0);
	return true;
}

static bool load_container(struct wasm *w, struct arena *a, const char *id, const char *dir)
{
	struct json *head;
	struct wasm_process p;
	struct err err = ERR_INIT;
	ProtobufCMessage *m = read_record(a, dir, &runtime__v1__create_container_request__descriptor, &head);
	CRI(CreateContainerRequest) *r = (CRI(CreateContainerRequest) *)m;
	struct box *b = m ? box_find(w, r->pod_sandbox_id) : NULL;
	if (!b || !r->config || !r->config->metadata || !r->config->image) {
		if (m)
			protobuf_c_message_free_unpacked(m, NULL);
		return false;
	}
	struct wasm_container *c = wasm_container_new(b, id, r);
	struct json *args = json_get(head, "args");
	size_t n = 0;
	c->created_ns = json_get_int(head, "created", 0);
	c->module = xstrdup(json_cstr(a, json_get(head, "module")));
	c->args = xcalloc((args ? args->count : 0) + 1, sizeof *c->args);
	JSON_FOREACH (it, args)
		c->args[n++] = xstrdup(json_cstr(a, it));
	c->image = module_image_use(w, r->config->image->image);
	if (wasm_process_read(a, w->state, id, &p, &err) == 0) {
		c->state = IS_RUNNING;
		c->started_ns = p.started_ns;
	}
	/* One that was never started is not started by us: the kubelet makes another. */
	if (c->state == IS_RUNNING)
		container_look(c);
	else
		container_set_exited(
		        c, 128, c->created_ns, "StartError", "the node was restarted before it was started");
	return true;
}

static void load_all(
        struct wasm *w, const char *kind, bool (*load)(struct wasm *, struct arena *, const char *, const char *))
{
	struct arena a = ARENA_INIT;
	const char *path = arena_printf(&a, "%s/%s", w->state, kind);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		if (!wasm_id_is_good(slice_of(e->d_name)))
			continue;
		if (!load(w, &a, e->d_name, arena_printf(&a, "%s/%s", path, e->d_name)))
			store_remove(w, kind, e->d_name);
	}
	if (d)
		closedir(d);
	arena_release(&a);
}

/* The files of an image that an earlier node had at hand: nobody uses them, until somebody does. */
static bool load_image(struct wasm *w, struct arena *a, const char *name, const char *dir)
{
	module_image_leave(module_image_use(w, arena_printf(a, "sha256:%s", name)));
	return true;
}

void store_load(struct wasm *w)
{
	load_all(w, "boxes", load_box);
	load_all(w, "containers", load_container);
	load_all(w, "images", load_image);
	if (w->containers.count)
		log_info("node", "WebAssembly containers of an earlier start were found", "count=%zu",
		        w->containers.count);
}
