/* Addresses of pods whose setup was cut short (containerd was killed in the middle of it) stay given out: host-local
 * keeps a file for each, with the sandbox's id in its first line, and nobody is left who would ask it to take the
 * address back. Some hundred of such deaths, and a node has no address for a pod.
 *
 * Once in ten minutes the runtime is asked for all its sandboxes, of WebAssembly pods too, who share the folder; the
 * file of any other sandbox that is older than ten minutes goes. No setup takes so long, and a sandbox gives its
 * address back before it goes from the list. */
#include "node/runtime/address_sweep_int.h"

#include "base/check.h"
#include "base/log.h"
#include "node/ground/errand.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/runtime/address_sweep.h"
#include "node/runtime/cni.h"
#include "node/runtime/cri.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 10 * 60 * 1000, AGE_S = 10 * 60, LIST_MS = 30000, ID_BYTES_MAX = 256 };

struct address_sweep {
	struct node *n;
	uv_timer_t timer;
};

/* ---- the folder ---- */

static bool is_address(const char *name)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static bool is_left_over(const char *path, const struct map *known, int64_t before_s)
{
	struct stat st;
	size_t len = 0;
	if (stat(path, &st) != 0 || st.st_mtim.tv_sec >= before_s)
		return false;
	CLEANUP(cleanup_free) char *text = file_read(path, ID_BYTES_MAX, false, &len);
	struct slice rest = {text, text ? len : 0}, id = slice_trim(slice_cut(&rest, '\n'));
	return text && (!id.len || !map_get(known, id)); /* empty: its writer died before it had written */
}

unsigned address_sweep_folder(const char *dir, const struct map *known, int64_t before_s)
{
	unsigned n = 0;
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));) {
		CLEANUP(cleanup_free) char *path = xprintf("%s/%s", dir, e->d_name);
		if (is_address(e->d_name) && is_left_over(path, known, before_s))
			n += unlink(path) == 0;
	}
	if (d)
		closedir(d);
	return n;
}

/* ---- a sweep ---- */

/* Outlives the room: it looks at what it took along. */
struct sweep {
	struct errand errand;
	struct node *n;
	struct arena arena;
	struct map known; /* keys in the arena */
	const char *dir;
	unsigned count;
};

static void sweep_free(struct sweep *s)
{
	map_release(&s->known);
	arena_release(&s->arena);
	free(s);
}

static void run(struct errand *e)
{
	struct sweep *s = CONTAINER_OF(e, struct sweep, errand);
	s->count = address_sweep_folder(s->dir, &s->known, time(NULL) - AGE_S);
}

static void swept(struct errand *e)
{
	struct sweep *s = CONTAINER_OF(e, struct sweep, errand);
	LOOP_CHECK_OWNER(s->n->loop);
	if (s->count)
		log_info("node", "addresses of pods that are gone are free again", "count=%u", s->count);
	sweep_free(s);
}

static void listed(void *arg, const void *answer, const struct err *err)
{
	struct sweep *s = arg;
	const CRI(ListPodSandboxResponse) *list = answer;
	if (err || s->n->closing) {
		sweep_free(s);
		return;
	}
	for (size_t i = 0; i < list->n_items; i++) {
		const char *id = arena_strdup(&s->arena, list->items[i]->id);
		map_put(&s->known, slice_of(id), s);
	}
	if (!errand_start(s->n, &s->errand, run, swept))
		sweep_free(s);
}

static void look(uv_timer_t *t)
{
	struct node *n = ((struct address_sweep *)t->data)->n;
	LOOP_CHECK_OWNER(n->loop);
	if (n->closing || !n->cri || n->o.has_own_network)
		return;
	struct sweep *s = xcalloc(1, sizeof *s);
	CRI(ListPodSandboxRequest) q = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	s->n = n;
	s->dir = arena_printf(&s->arena, "%s/" CNI_NETWORK_NAME, cni_addresses_dir(n, &s->arena));
	cri_call(n->cri, "RuntimeService/ListPodSandbox", &q.base, &runtime__v1__list_pod_sandbox_response__descriptor,
	        LIST_MS, listed, s);
}

/* ---- life ---- */

struct address_sweep *address_sweep_new(struct node *n)
{
	struct address_sweep *s = xcalloc(1, sizeof *s);
	s->n = n;
	uv_timer_init(loop_uv(n->loop), &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, look, EVERY_MS, EVERY_MS);
	return s;
}

static void closed(uv_handle_t *h)
{
	free(h->data);
}

void address_sweep_close(struct address_sweep *s)
{
	uv_close((uv_handle_t *)&s->timer, closed);
}
