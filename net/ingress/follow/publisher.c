/* See publisher.h. An Ingress whose status differs from what is wanted is written by a status_writer, at once and again
 * when it is seen to differ once more. */
#include "net/ingress/follow/publisher.h"

#include "base/check.h"
#include "base/mem/map.h"
#include "net/ingress/follow/status_writer.h"

#include <stdlib.h>

struct entry {
	struct slice key; /* "ns/name" */
	char *has;        /* status.loadBalancer.ingress as text */
};

struct publisher {
	struct client *client;
	struct status_writer *writer;
	char *published;
	char *wanted; /* NULL: not known yet */
	struct map entries;
	void (*closed)(void *arg);
	void *closed_arg;
};

static char *text_of(const struct json *list)
{
	struct strbuf b = STRBUF_INIT;
	if (list && list->count)
		json_write(&b, list);
	else
		strbuf_adds(&b, "[]");
	return strbuf_detach(&b);
}

static void write_entry(struct publisher *s, struct entry *e)
{
	struct slice name = e->key, ns = slice_cut(&name, '/');
	if (!s->wanted || strcmp(e->has, s->wanted) == 0)
		return;
	char *path = xprintf(
	        "/apis/networking.k8s.io/v1/namespaces/%.*s/ingresses/%.*s/status", SLICE_FMT(ns), SLICE_FMT(name));
	char *body = xprintf("{\"status\":{\"loadBalancer\":{\"ingress\":%s}}}", s->wanted);
	status_writer_put(s->writer, path, slice_of(body));
	free(path);
	free(body);
	free(e->has);
	e->has = xstrdup(s->wanted); /* until it is seen otherwise */
}

struct publisher *publisher_new(struct client *client, const char *published)
{
	struct publisher *s = xcalloc(1, sizeof *s);
	s->client = client;
	s->writer = status_writer_new(client);
	s->published = xstrdup(published);
	return s;
}

void publisher_service(struct publisher *s, struct slice key, struct slice packed)
{
	LOOP_CHECK_OWNER(s->client->loop);
	struct arena a = ARENA_INIT;
	if (slice_is(key, s->published)) {
		free(s->wanted);
		s->wanted = text_of(json_get(json_parse(&a, packed, NULL, NULL), "addresses"));
		MAP_FOREACH (it, &s->entries)
			write_entry(s, it->value);
	}
	arena_release(&a);
}

static void forget(struct publisher *s, struct slice key)
{
	struct entry *e = map_del(&s->entries, key);
	if (!e)
		return;
	free(e->has);
	free(e);
}

void publisher_see(struct publisher *s, const struct json *ingress, bool is_ours)
{
	LOOP_CHECK_OWNER(s->client->loop);
	const struct json *m = json_get(ingress, "metadata");
	struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "%.*s/%.*s", SLICE_FMT(json_get_str(m, "namespace")), SLICE_FMT(json_get_str(m, "name")));
	forget(s, strbuf_slice(&key));
	if (is_ours) {
		struct entry *e = MAP_ENTRY_NEW(struct entry, key, strbuf_slice(&key));
		e->has = text_of(json_path(ingress, "status", "loadBalancer", "ingress", NULL));
		map_put(&s->entries, e->key, e);
		write_entry(s, e);
	}
	strbuf_release(&key);
}

static void writer_closed(void *arg)
{
	struct publisher *s = arg;
	void (*closed)(void *) = s->closed;
	void *closed_arg = s->closed_arg;
	MAP_FOREACH (it, &s->entries) {
		struct entry *e = it->value;
		free(e->has);
		free(e);
	}
	map_release(&s->entries);
	free(s->published);
	free(s->wanted);
	free(s);
	if (closed)
		closed(closed_arg);
}

void publisher_close(struct publisher *s, void (*closed)(void *arg), void *arg)
{
	s->closed = closed;
	s->closed_arg = arg;
	status_writer_close(s->writer, writer_closed, s);
}
