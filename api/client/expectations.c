/* See expectations.h. Deletions are a short list of uids: a controller deletes at most a few hundred at once. */
#include "api/client/expectations.h"

#include "base/mem/arena.h"

#include <stdlib.h>

enum { GIVE_UP_MS = 5 * 60 * 1000 };

struct uid {
	struct uid *next;
	size_t len;
	char text[];
};

struct expectation {
	struct slice key;
	int64_t creates;
	struct uid *deletes;
	uint64_t since_ms;
};

void expectations_init(struct expectations *e)
{
	map_init(&e->entries);
}

static void entry_free(struct expectation *x)
{
	for (struct uid *next, *u = x->deletes; u; u = next) {
		next = u->next;
		free(u);
	}
	free(x);
}

void expectations_release(struct expectations *e)
{
	MAP_FOREACH (slot, &e->entries)
		entry_free(slot->value);
	map_release(&e->entries);
}

static struct expectation *need(struct expectations *e, struct slice key, uint64_t now_ms)
{
	struct expectation *x = map_get(&e->entries, key);
	if (!x) {
		x = MAP_ENTRY_NEW(struct expectation, key, key);
		x->since_ms = now_ms;
		map_put(&e->entries, x->key, x);
	}
	return x;
}

static void drop_if_met(struct expectations *e, struct expectation *x)
{
	if (x->creates > 0 || x->deletes)
		return;
	map_del(&e->entries, x->key);
	entry_free(x);
}

void expectations_raise_creates(struct expectations *e, struct slice key, int64_t n, uint64_t now_ms)
{
	if (n > 0)
		need(e, key, now_ms)->creates += n;
}

void expectations_raise_delete(struct expectations *e, struct slice key, struct slice uid, uint64_t now_ms)
{
	struct expectation *x = need(e, key, now_ms);
	struct uid *u = xcalloc(1, sizeof *u + uid.len + 1);
	memcpy(u->text, uid.ptr, uid.len);
	u->len = uid.len;
	u->next = x->deletes;
	x->deletes = u;
}

void expectations_create_seen(struct expectations *e, struct slice key)
{
	struct expectation *x = map_get(&e->entries, key);
	if (!x || x->creates == 0)
		return;
	x->creates--;
	drop_if_met(e, x);
}

void expectations_delete_seen(struct expectations *e, struct slice key, struct slice uid)
{
	struct expectation *x = map_get(&e->entries, key);
	if (!x)
		return;
	for (struct uid **at = &x->deletes; *at; at = &(*at)->next)
		if (slice_eq((struct slice){(*at)->text, (*at)->len}, uid)) {
			struct uid *seen = *at;
			*at = seen->next;
			free(seen);
			break;
		}
	drop_if_met(e, x);
}

bool expectations_fulfilled(struct expectations *e, struct slice key, uint64_t now_ms, int64_t *ret_wait_ms)
{
	struct expectation *x = map_get(&e->entries, key);
	if (!x)
		return true;
	uint64_t age_ms = now_ms - x->since_ms;
	if (age_ms > GIVE_UP_MS) {
		expectations_forget(e, key);
		return true;
	}
	if (ret_wait_ms)
		*ret_wait_ms = (int64_t)(GIVE_UP_MS - age_ms) + 1;
	return false;
}

void expectations_forget(struct expectations *e, struct slice key)
{
	struct expectation *x = map_del(&e->entries, key);
	if (x)
		entry_free(x);
}
