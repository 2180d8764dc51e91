/* See upstreams.h. */
#include "net/balancer/upstreams.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/mem/arena.h"

#include <stddef.h>
#include <stdlib.h>

_Static_assert(BALANCER_SERVERS_MAX < 64, "those that were tried are bits of a word");

/* When a server is asked again: one that serves now and then, one that was silent at once, for that may be a packet
 * that was lost, and others as often as a start or an outage makes worth while. */
enum { LIVE_MS = 5000, AGAIN_MS = 500, BAD_MS = 2000, BAD_ANSWERS = 2, ADDRESS_BYTES_MAX = 280 };

/* ---- one ---- */

/* Where the host ends and the port begins; false: it is no such address. */
static bool split(const char *address, struct slice *host, uint64_t *port)
{
	const char *colon = strrchr(address, ':');
	if (!colon || colon == address || strlen(address) > ADDRESS_BYTES_MAX)
		return false;
	*host = (struct slice){address, (size_t)(colon - address)};
	if (*address == '[') {
		if (host->len < 4 || host->ptr[host->len - 1] != ']')
			return false;
		*host = (struct slice){host->ptr + 1, host->len - 2};
	} else if (memchr(host->ptr, ':', host->len)) {
		return false;
	}
	return slice_to_u64(slice_of(colon + 1), port) && *port > 0 && *port < 65536;
}

int upstream_check(const char *address, struct err *err)
{
	struct slice host;
	uint64_t port;
	return split(address, &host, &port) ? 0 : err_set(err, ERR_INVAL, "\"%s\" is not like 10.0.0.1:6443", address);
}

static struct upstream *upstream_new(const char *address)
{
	struct slice host = SLICE_NULL;
	uint64_t port = 0;
	CHECK(split(address, &host, &port));
	size_t len = strlen(address) + 1;
	struct upstream *u = xcalloc(1, sizeof *u + len + host.len + 1);
	memcpy(u->address, address, len);
	memcpy(u->address + len, host.ptr, host.len);
	u->host = u->address + len;
	u->port = (int)port;
	u->health = UPSTREAM_UNKNOWN;
	u->refs = 1;
	return u;
}

void upstream_unref(struct upstream *u)
{
	CHECK(u->refs > 0);
	if (--u->refs == 0)
		free(u);
}

const char *upstream_health_name(enum upstream_health h)
{
	static const char *const names[] = {"live", "unknown", "not ready", "down"};
	return names[h];
}

unsigned upstream_answered(struct upstream *u, enum upstream_answer answer)
{
	u->bad_answers = answer == UPSTREAM_READY ? 0 : u->bad_answers + 1;
	if (answer == UPSTREAM_READY)
		u->health = UPSTREAM_LIVE;
	else if (answer == UPSTREAM_NOT_READY)
		u->health = UPSTREAM_UNREADY;
	else if (answer == UPSTREAM_REFUSED || u->bad_answers >= BAD_ANSWERS)
		u->health = UPSTREAM_DOWN;
	return u->health == UPSTREAM_LIVE ? u->bad_answers ? AGAIN_MS : LIVE_MS : BAD_MS;
}

bool upstream_is_bad(const struct upstream *u)
{
	return u->health == UPSTREAM_DOWN || (u->health == UPSTREAM_UNREADY && u->bad_answers >= BAD_ANSWERS);
}

/* ---- all ---- */

void upstreams_init(struct upstreams *l, const char *fallback)
{
	*l = (struct upstreams){.n = 1};
	l->items[0] = upstream_new(fallback);
	l->items[0]->is_fallback = true;
}

void upstreams_release(struct upstreams *l)
{
	while (l->n)
		upstream_unref(l->items[--l->n]);
}

static struct upstream *find(const struct upstreams *l, const char *address)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->items[i]->address, address) == 0)
			return l->items[i];
	return NULL;
}

static bool has(const char *const *addresses, size_t n, const char *address)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(addresses[i], address) == 0)
			return true;
	return false;
}

static bool drop_missing(
        struct upstreams *l, const char *const *addresses, size_t n, struct upstream **gone, size_t *n_gone)
{
	bool has_changed = false;
	size_t kept = 0;
	for (size_t i = 0; i < l->n; i++) {
		struct upstream *u = l->items[i];
		bool is_listed = has(addresses, n, u->address);
		has_changed |= u->is_listed != is_listed;
		u->is_listed = is_listed;
		if (is_listed || u->is_fallback)
			l->items[kept++] = u;
		else
			gone[(*n_gone)++] = u;
	}
	l->n = kept;
	return has_changed;
}

bool upstreams_set(struct upstreams *l, const char *const *addresses, size_t n,
        struct upstream *gone[BALANCER_SERVERS_MAX + 1], size_t *n_gone)
{
	const char *good[BALANCER_SERVERS_MAX];
	size_t n_good = 0;
	struct err unused = ERR_INIT;
	*n_gone = 0;
	for (size_t i = 0; i < n && n_good < BALANCER_SERVERS_MAX; i++)
		if (upstream_check(addresses[i], &unused) == 0 && !has(good, n_good, addresses[i]))
			good[n_good++] = addresses[i];
	if (!n_good)
		return false;
	bool has_changed = drop_missing(l, good, n_good, gone, n_gone);
	for (size_t i = 0; i < n_good; i++) {
		if (find(l, good[i]))
			continue;
		struct upstream *u = upstream_new(good[i]);
		u->is_listed = true;
		l->items[l->n++] = u;
		has_changed = true;
	}
	return has_changed;
}

static bool is_better(const struct upstream *a, const struct upstream *b)
{
	if (a->health != b->health)
		return a->health < b->health;
	if (a->is_listed != b->is_listed)
		return a->is_listed;
	return a->connections < b->connections;
}

int upstreams_choose(const struct upstreams *l, uint64_t tried, uint32_t lot)
{
	int best = -1;
	for (size_t k = 0; k < l->n; k++) {
		size_t i = (k + lot) % l->n;
		if (!(tried >> i & 1) && (best < 0 || is_better(l->items[i], l->items[best])))
			best = (int)i;
	}
	return best;
}

bool upstreams_have_live(const struct upstreams *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i]->health == UPSTREAM_LIVE)
			return true;
	return false;
}

/* ---- as a file ---- */

void upstreams_write(const struct upstreams *l, struct strbuf *out)
{
	json_auto_t *v = json_object();
	json_t *list = json_array();
	for (size_t i = 0; i < l->n; i++)
		if (l->items[i]->is_listed)
			json_array_append_new(list, json_string(l->items[i]->address));
	json_lib_set(v, "servers", list);
	json_lib_write(out, v);
}

int upstreams_read(struct slice text, char **ret, size_t max, size_t *n, struct err *err)
{
	json_auto_t *v = json_lib_parse(text, err);
	*n = 0;
	if (!v)
		return err->code;
	const json_t *list = json_object_get(v, "servers");
	if (!json_is_array(list))
		return err_set(err, ERR_INVAL, "\"servers\" is not a list");
	for (size_t i = 0; i < json_array_size(list) && *n < max; i++) {
		struct slice s = json_lib_str(json_array_get(list, i));
		if (s.len && !memchr(s.ptr, 0, s.len))
			ret[(*n)++] = xprintf("%.*s", SLICE_FMT(s));
	}
	return 0;
}
