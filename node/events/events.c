/* Events about pods and the node. The same event again within ten minutes raises the count of the one that is there, so
 * that a pod that fails for days is one line in `kubectl get events`. Sending is fire and forget: an event that cannot
 * be written is dropped, and so is one that comes while NODE_EVENTS_WAITING_MAX wait. A small ring remembers what was
 * sent last. */
#include "node/events/events.h"

#include "base/check.h"
#include "base/limits.h"
#include "node/ground/api_call.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"
#include "node/ground/times.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { EVENTS_KEPT = 128, EVENT_LIFE_NS_S = 600 };

struct sent {
	char *key;
	char name[96];
	char *ns;
	unsigned count;
	int64_t last_ns;
};

struct events {
	struct node *n;
	struct sent kept[EVENTS_KEPT];
	unsigned next;
	unsigned waiting; /* for the API server */
};

struct events *events_new(struct node *n)
{
	struct events *e = xcalloc(1, sizeof *e);
	e->n = n;
	return e;
}

void events_free(struct events *e)
{
	CHECK(e->n->closing);
	for (size_t i = 0; i < EVENTS_KEPT; i++) {
		free(e->kept[i].key);
		free(e->kept[i].ns);
	}
	free(e);
}

static void sent_one(void *arg, int status, struct slice body, const struct err *err)
{
	struct events *e = arg;
	CHECK(e->waiting > 0);
	e->waiting--;
}

static struct sent *find(struct events *e, const char *key, int64_t now)
{
	for (size_t i = 0; i < EVENTS_KEPT; i++) {
		struct sent *s = &e->kept[i];
		if (s->key && strcmp(s->key, key) == 0 && now - s->last_ns < (int64_t)EVENT_LIFE_NS_S * 1000000000)
			return s;
	}
	return NULL;
}

static void count_up(struct events *e, struct sent *s, int64_t now)
{
	CHECK(s->count > 0 && s->key);
	struct strbuf b = STRBUF_INIT;
	char t[TIME_TEXT_MAX];
	s->count++;
	s->last_ns = now;
	strbuf_addf(&b, "{\"count\":%u,\"lastTimestamp\":\"%s\"}", s->count, time_text(now, t));
	e->waiting++;
	api_send(e->n, "PATCH", API_MERGE_PATCH, strbuf_slice(&b), sent_one, e, "/api/v1/namespaces/%s/events/%s",
	        s->ns, s->name);
	strbuf_release(&b);
}

struct subject {
	const char *kind, *ns, *name, *uid, *field;
};

static void send_event(
        struct node *n, const struct subject *s, bool is_warning, const char *reason, const char *message)
{
	LOOP_CHECK_OWNER(n->loop);
	CHECK(*reason);
	struct events *e = n->events;
	if (e->waiting >= NODE_EVENTS_WAITING_MAX)
		return; /* the API server takes none */
	struct arena a = ARENA_INIT;
	int64_t now = time_now_ns();
	char t[TIME_TEXT_MAX];
	const char *key = arena_printf(&a, "%s|%s|%s|%s", s->uid, s->field, reason, message),
	           *ns = *s->ns ? s->ns : "default";
	struct sent *kept = find(e, key, now);
	if (kept) {
		count_up(e, kept, now);
		arena_release(&a);
		return;
	}
	kept = &e->kept[e->next++ % EVENTS_KEPT];
	free(kept->key);
	free(kept->ns);
	*kept = (struct sent){.key = xstrdup(key), .ns = xstrdup(ns), .count = 1, .last_ns = now};
	snprintf(kept->name, sizeof kept->name, "%.60s.%llx", s->name, (unsigned long long)now);
	struct json *o = json_new(&a, JSON_OBJECT), *meta = json_need(&a, o, "metadata", JSON_OBJECT),
	            *about = json_need(&a, o, "involvedObject", JSON_OBJECT);
	json_set_cstr(&a, o, "apiVersion", "v1");
	json_set_cstr(&a, o, "kind", "Event");
	json_set_cstr(&a, meta, "name", kept->name);
	json_set_cstr(&a, meta, "namespace", ns);
	json_set_cstr(&a, about, "apiVersion", "v1");
	json_set_cstr(&a, about, "kind", s->kind);
	json_set_cstr(&a, about, "name", s->name);
	json_set_cstr(&a, about, "uid", s->uid);
	if (*s->ns)
		json_set_cstr(&a, about, "namespace", s->ns);
	if (*s->field)
		json_set_cstr(&a, about, "fieldPath", s->field);
	json_set_cstr(&a, o, "reason", reason);
	json_set_cstr(&a, o, "message", message);
	json_set_cstr(&a, o, "type", is_warning ? "Warning" : "Normal");
	json_set_int(&a, o, "count", 1);
	json_set_cstr(&a, o, "firstTimestamp", time_text(now, t));
	json_set_cstr(&a, o, "lastTimestamp", t);
	json_set_cstr(&a, json_need(&a, o, "source", JSON_OBJECT), "component", "kubelet");
	json_set_cstr(&a, json_get(o, "source"), "host", n->o.node_name);
	json_set_cstr(&a, o, "reportingComponent", "kubelet");
	json_set_cstr(&a, o, "reportingInstance", n->o.node_name);
	e->waiting++;
	api_send_json(n, "POST", NULL, o, sent_one, e, "/api/v1/namespaces/%s/events", ns);
	arena_release(&a);
}

static const char *field_of(const struct pod *p, struct arena *a, const char *container)
{
	struct slot *s = container ? pod_slot(p, container) : NULL;
	const char *list = !s                          ? ""
	                   : s->kind == SLOT_MAIN      ? "containers"
	                   : s->kind == SLOT_EPHEMERAL ? "ephemeralContainers"
	                                               : "initContainers";
	return s ? arena_printf(a, "spec.%s{%s}", list, container) : "";
}

void pod_event(struct pod *p, const char *container, bool is_warning, const char *reason, const char *fmt, ...)
{
	char message[1024];
	struct arena a = ARENA_INIT;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	if (!p->n->closing) {
		struct subject s = {
		        "Pod", p->ns, p->name, p->mirror_uid ? p->mirror_uid : p->uid, field_of(p, &a, container)};
		send_event(p->n, &s, is_warning, reason, message);
	}
	arena_release(&a);
}

void node_event(struct node *n, bool is_warning, const char *reason, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof message, fmt, ap);
	va_end(ap);
	struct subject s = {"Node", "", n->o.node_name, n->o.node_name, ""};
	send_event(n, &s, is_warning, reason, message);
}
