/* What a container is to run: a module, or something else. A pod of the class wasm may have both, and what is no module
 * runs as usual, in a sandbox of the runtime's (beside.c): so the kubelet asks before it makes one.
 *
 *     image ready --> the program: the container's command, or the image's entry point, ...
 *                 --> its name ends in .wasm, or it begins with \0asm: a module
 *
 * A file that is called a module is taken for one, so that a broken one is refused as what it is. The verdicts are kept
 * by image and program, for thousands of pods have the same: a tag may have moved meanwhile, which shows when its
 * container is made (container.c), and all verdicts are forgotten then. What can go wrong: the image cannot be looked
 * into, and the verdict is "unknown". */
#include "node/wasm/wasm_int.h"

#include "base/check.h"
#include "node/ground/node_record.h"
#include "node/wasm/module/module.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* When there are more, all are forgotten. */
enum { VERDICTS_MAX = 1024, HEADER_BYTES = 8 };

struct verdict {
	struct slice key;
	enum wasm_verdict verdict;
};

int image_file_open(const char *root, const char *path)
{
	struct open_how how = {
	        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : (int)syscall(__NR_openat2, dir, path, &how, sizeof how);
	int saved = errno;
	if (dir >= 0)
		close(dir);
	errno = saved;
	return fd;
}

const char *module_image_program(const struct module_image *m, const char *command, const char *argument)
{
	return *command              ? command
	       : m->entrypoint_count ? m->entrypoint[0]
	       : *argument           ? argument
	       : m->command_count    ? m->command[0]
	                             : "";
}

const char *module_image_path(const struct module_image *m, struct arena *a, const char *program)
{
	return *program == '/' ? arena_strdup(a, program) : arena_printf(a, "%s/%s", m->working_dir, program);
}

/* ---- what is known ---- */

static void set_key(struct strbuf *b, const struct wasm_look *look)
{
	strbuf_addf(b, "%s\n%s\n%s", look->image, look->command, look->argument);
}

bool wasm_is_known(struct wasm *w, struct wasm_look *look)
{
	LOOP_CHECK_OWNER(w->n->loop);
	struct strbuf key = STRBUF_INIT;
	set_key(&key, look);
	const struct verdict *v = map_get(&w->verdicts, strbuf_slice(&key));
	strbuf_release(&key);
	if (v)
		look->verdict = v->verdict;
	return v != NULL;
}

static void keep(struct wasm *w, const struct wasm_look *look)
{
	struct strbuf key = STRBUF_INIT;
	if (w->verdicts.count >= VERDICTS_MAX)
		wasm_forget_verdicts(w);
	set_key(&key, look);
	struct verdict *v = MAP_ENTRY_NEW(struct verdict, key, strbuf_slice(&key));
	v->verdict = look->verdict;
	free(map_put(&w->verdicts, v->key, v));
	strbuf_release(&key);
}

void wasm_forget_verdicts(struct wasm *w)
{
	LOOP_CHECK_OWNER(w->n->loop);
	MAP_FOREACH (it, &w->verdicts)
		free(it->value);
	map_release(&w->verdicts);
}

/* ---- looking ---- */

struct looking {
	struct wasm *w;
	struct wasm_look *look;
	struct module_image *image;
	struct image_wait wait;
	struct errand errand;
	struct arena arena;
	const char *path;
	bool is_module;
};

static void end(struct looking *l, enum wasm_verdict verdict)
{
	LOOP_CHECK_OWNER(l->w->n->loop);
	struct wasm_look *look = l->look;
	look->verdict = verdict;
	if (verdict != WASM_IS_UNKNOWN)
		keep(l->w, look);
	module_image_leave(l->image);
	arena_release(&l->arena);
	free(l);
	look->done(look);
}

bool wasm_file_is_module(int fd, const char *path)
{
	char header[HEADER_BYTES];
	if (slice_ends(slice_of(path), ".wasm"))
		return true;
	ssize_t n = fd < 0 ? 0 : pread(fd, header, sizeof header, 0);
	return n > 0 && wasm_module_is((struct slice){header, (size_t)n});
}

static void look_into_file(struct errand *e)
{
	struct looking *l = CONTAINER_OF(e, struct looking, errand);
	int fd = image_file_open(l->image->root, l->path);
	l->is_module = wasm_file_is_module(fd, l->path);
	if (fd >= 0)
		close(fd);
}

static void have_looked(struct errand *e)
{
	struct looking *l = CONTAINER_OF(e, struct looking, errand);
	end(l, l->is_module ? WASM_IS_MODULE : WASM_IS_ORDINARY);
}

static void image_ready(struct image_wait *wait, const struct err *err)
{
	struct looking *l = CONTAINER_OF(wait, struct looking, wait);
	if (err) {
		end(l, WASM_IS_UNKNOWN);
		return;
	}
	if (l->image->blob) {
		end(l, WASM_IS_MODULE);
		return;
	}
	l->path = module_image_path(
	        l->image, &l->arena, module_image_program(l->image, l->look->command, l->look->argument));
	if (!errand_start(l->w->n, &l->errand, look_into_file, have_looked))
		end(l, WASM_IS_UNKNOWN);
}

void wasm_look_begin(struct wasm *w, struct wasm_look *look)
{
	LOOP_CHECK_OWNER(w->n->loop);
	CHECK(look->done && *look->image_id);
	struct looking *l = xcalloc(1, sizeof *l);
	l->w = w;
	l->look = look;
	l->wait.done = image_ready;
	list_init(&l->wait.link);
	l->image = module_image_use(w, look->image_id);
	module_image_wait(l->image, &l->wait);
}
