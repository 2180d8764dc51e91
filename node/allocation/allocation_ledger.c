/* See allocation_ledger_int.h. Upstream: pkg/kubelet/status/state. What can go wrong: a file that is not ours: it is
 * refused whole. */
#include "node/allocation/allocation_ledger_int.h"

#include "base/check.h"

#include <stdlib.h>

static char *text_of(const struct json *resources)
{
	struct strbuf b = STRBUF_INIT;
	if (!json_is(resources, JSON_OBJECT))
		return xstrdup("{}");
	json_write(&b, resources);
	char *text = xmemdup(b.data, b.len);
	strbuf_release(&b);
	return text;
}

static void release_one(struct allocation *g)
{
	free(g->uid);
	free(g->container);
	free(g->given);
	free(g->told);
}

void allocation_ledger_release(struct allocation_ledger *l)
{
	for (size_t i = 0; i < l->count; i++)
		release_one(&l->list[i]);
	free(l->list);
	*l = (struct allocation_ledger){.count = 0};
}

struct allocation *allocation_ledger_of(const struct allocation_ledger *l, const char *uid, struct slice container)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->list[i].uid, uid) == 0 && slice_is(container, l->list[i].container))
			return &l->list[i];
	return NULL;
}

struct allocation *allocation_ledger_give(
        struct allocation_ledger *l, const char *uid, struct slice container, const struct json *resources)
{
	struct allocation *g = allocation_ledger_of(l, uid, container);
	if (!g) {
		l->list = xrealloc(l->list, (l->count + 1) * sizeof *l->list);
		g = &l->list[l->count++];
		*g = (struct allocation){.uid = xstrdup(uid), .container = xmemdup(container.ptr, container.len)};
	}
	free(g->given);
	g->given = text_of(resources);
	return g;
}

void allocation_tell(struct allocation *g, const struct json *resources)
{
	free(g->told);
	g->told = text_of(resources);
}

bool allocation_ledger_give_back(struct allocation_ledger *l, const char *uid)
{
	size_t kept = 0, had = l->count;
	for (size_t i = 0; i < had; i++)
		if (strcmp(l->list[i].uid, uid) == 0)
			release_one(&l->list[i]);
		else
			l->list[kept++] = l->list[i];
	l->count = kept;
	return kept != had;
}

void allocation_ledger_write(const struct allocation_ledger *l, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_new(&a, JSON_OBJECT), *pods = json_need(&a, o, "pods", JSON_OBJECT);
	for (size_t i = 0; i < l->count; i++) {
		const struct allocation *g = &l->list[i];
		struct json *c = json_need(&a, json_need(&a, pods, g->uid, JSON_OBJECT), g->container, JSON_OBJECT);
		json_set(&a, c, "given", json_literal(&a, g->given));
		if (g->told)
			json_set(&a, c, "told", json_literal(&a, g->told));
	}
	json_write(out, o);
	arena_release(&a);
}

int allocation_ledger_read(struct allocation_ledger *l, struct slice text, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct json *o = json_parse(&a, text, NULL, err);
	CHECK(!l->count);
	if (o && !json_is(json_get(o, "pods"), JSON_OBJECT))
		err_set(err, ERR_INVAL, "it names no pods");
	JSON_FOREACH (pod, err->code ? NULL : json_get(o, "pods"))
		JSON_FOREACH (c, pod) {
			const struct json *given = json_get(c, "given"), *told = json_get(c, "told");
			const char *uid = arena_memdup(&a, pod->key.ptr, pod->key.len);
			if (!json_is(given, JSON_OBJECT) || (told && !json_is(told, JSON_OBJECT)) || !c->key.len ||
			        !*uid) {
				err_set(err, ERR_INVAL, "what was given to a container is no object");
				continue;
			}
			struct allocation *g = allocation_ledger_give(l, uid, c->key, given);
			if (told)
				allocation_tell(g, told);
		}
	if (err->code)
		allocation_ledger_release(l);
	arena_release(&a);
	return err->code;
}
