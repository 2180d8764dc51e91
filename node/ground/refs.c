/* The configMaps and secrets a pod refers to, from its environment and its volumes: fetched together, kept as trees
 * until the next fetch. Asked for by name only, so that nothing of other pods is held here. */
#include "node/ground/refs.h"

#include "base/limits.h"
#include "base/check.h"
#include "node/ground/api_call.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"

#include <stdlib.h>

struct ref {
	const char *kind; /* static */
	char *name;
	struct rcbuf *text; /* NULL: absent */
	struct json *object;
};

struct refs {
	struct pod *pod;
	struct arena arena; /* of the trees */
	struct ref *refs;
	size_t count;
	unsigned open;
	struct err err;
	void (*done)(struct pod *p, const struct err *err);
};

static const char *const configmaps = "configmaps", *const secrets = "secrets";

static void add(struct refs *r, const char *kind, struct slice name)
{
	CHECK(r->count <= POD_REFS_MAX && (kind == configmaps || kind == secrets));
	for (size_t i = 0; i < r->count; i++)
		if (r->refs[i].kind == kind && slice_is(name, r->refs[i].name))
			return;
	if (!name.len || r->count >= POD_REFS_MAX)
		return;
	r->refs = xrealloc(r->refs, (r->count + 1) * sizeof *r->refs);
	r->refs[r->count++] = (struct ref){.kind = kind, .name = xmemdup(name.ptr, name.len)};
}

static void add_source(struct refs *r, const struct json *source)
{
	add(r, configmaps, json_get_str(json_get(source, "configMap"), "name"));
	add(r, secrets, json_get_str(json_get(source, "secret"), "secretName"));
	add(r, secrets, json_get_str(json_get(source, "secret"), "name"));
	JSON_FOREACH (it, json_path(source, "projected", "sources", NULL))
		add_source(r, it);
}

static void add_env(struct refs *r, const struct json *containers)
{
	JSON_FOREACH (c, containers) {
		JSON_FOREACH (e, json_get(c, "env")) {
			add(r, configmaps, json_str(json_path(e, "valueFrom", "configMapKeyRef", "name", NULL)));
			add(r, secrets, json_str(json_path(e, "valueFrom", "secretKeyRef", "name", NULL)));
		}
		JSON_FOREACH (e, json_get(c, "envFrom")) {
			add(r, configmaps, json_get_str(json_get(e, "configMapRef"), "name"));
			add(r, secrets, json_get_str(json_get(e, "secretRef"), "name"));
		}
	}
}

static void add_all(struct refs *r, const struct json *spec)
{
	JSON_FOREACH (it, json_get(spec, "volumes"))
		add_source(r, it);
	add_env(r, json_get(spec, "initContainers"));
	add_env(r, json_get(spec, "containers"));
	add_env(r, json_get(spec, "ephemeralContainers"));
	JSON_FOREACH (it, json_get(spec, "imagePullSecrets"))
		add(r, secrets, json_get_str(it, "name"));
}

static void finish(struct refs *r)
{
	CHECK(r->open > 0);
	if (--r->open)
		return;
	arena_release(&r->arena);
	for (size_t i = 0; i < r->count; i++) {
		struct rcbuf *t = r->refs[i].text;
		r->refs[i].object = t ? json_parse(&r->arena, (struct slice){t->data, t->len}, NULL, NULL) : NULL;
		rcbuf_unref(t);
		r->refs[i].text = NULL;
	}
	struct node *n = r->pod->n;
	r->done(r->pod, r->err.code ? &r->err : NULL);
	closing_part_done(&n->parts);
}

struct fetch {
	struct refs *refs;
	size_t index;
};

static void fetched(void *arg, int status, struct slice body, const struct err *err)
{
	DCHECK(((struct fetch *)arg)->index < ((struct fetch *)arg)->refs->count);
	struct fetch *f = arg;
	struct refs *r = f->refs;
	struct ref *ref = &r->refs[f->index];
	free(f);
	if (!err)
		ref->text = rcbuf_copy(body.ptr, body.len);
	else if (err->code != ERR_NOT_FOUND)
		err_set(&r->err, err->code, "get %s \"%s\": %s", ref->kind, ref->name, err->msg);
	finish(r);
}

struct later {
	struct loop_task task;
	struct refs *refs;
};

static void run_later(struct loop_task *t)
{
	struct later *l = CONTAINER_OF(t, struct later, task);
	struct refs *r = l->refs;
	free(l);
	finish(r);
}

void refs_fetch(struct pod *p, void (*done)(struct pod *p, const struct err *err))
{
	LOOP_CHECK_OWNER(p->n->loop);
	CHECK(done && p->operations);
	struct refs *r = p->refs;
	if (!r) {
		r = p->refs = xcalloc(1, sizeof *r);
		r->pod = p;
	}
	add_all(r, p->spec); /* ephemeral containers come later */
	r->done = done;
	r->err = ERR_INIT;
	r->open = 1;
	closing_hold(&p->n->parts);
	for (size_t i = 0; i < r->count; i++) {
		struct fetch *f = xmalloc(sizeof *f);
		*f = (struct fetch){r, i};
		r->open++;
		api_send(p->n, "GET", NULL, SLICE_NULL, fetched, f, "/api/v1/namespaces/%s/%s/%s", p->ns,
		        r->refs[i].kind, r->refs[i].name);
	}
	/* Never from inside this call. */
	struct later *l = xcalloc(1, sizeof *l);
	l->refs = r;
	l->task.run = run_later;
	loop_post(p->n->loop, &l->task);
}

bool refs_any(const struct pod *p)
{
	return p->refs && p->refs->count;
}

struct json *refs_get(const struct pod *p, const char *kind, struct slice name)
{
	for (size_t i = 0; p->refs && i < p->refs->count; i++)
		if (strcmp(p->refs->refs[i].kind, kind) == 0 && slice_is(name, p->refs->refs[i].name))
			return p->refs->refs[i].object;
	return NULL;
}

void refs_free(struct refs *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++) {
		rcbuf_unref(r->refs[i].text);
		free(r->refs[i].name);
	}
	arena_release(&r->arena);
	free(r->refs);
	free(r);
}
