/* A pod's record made by hand, for the rules that read one. */
#ifndef K3X_TESTS_UNIT_NODE_POD_FIXTURE_H
#define K3X_TESTS_UNIT_NODE_POD_FIXTURE_H

#include "tests/unit/unit.h"

#include "node/ground/node_record.h"
#include "node/ground/pod_record.h"

struct fixture {
	struct node node;
	struct pod pod;
	struct slot slots[8];
	unsigned ids;
};

static inline void fixture_parse(struct fixture *f, const char *json)
{
	struct err err = ERR_INIT;
	f->pod.object = json_parse(&f->pod.arena, slice_of(json), NULL, &err);
	assert_non_null(f->pod.object);
	f->pod.spec = json_get(f->pod.object, "spec");
	f->pod.meta = json_get(f->pod.object, "metadata");
}

static inline void fixture_slots(struct fixture *f, const char *list, enum slot_kind kind)
{
	JSON_FOREACH (it, json_get(f->pod.spec, list)) {
		struct slot *s = &f->slots[f->pod.slots_count++];
		*s = (struct slot){.name = (char *)json_cstr(&f->pod.arena, json_get(it, "name")), .kind = kind};
		if (kind == SLOT_INIT)
			s->kind = slice_is(json_get_str(it, "restartPolicy"), "Always") ? SLOT_SIDECAR : SLOT_INIT;
	}
}

static inline void fixture_init(struct fixture *f, const char *object)
{
	*f = (struct fixture){.node.o.node_ip = "192.0.2.1"};
	f->pod = (struct pod){
	        .n = &f->node, .uid = "u", .ns = "default", .name = "p", .in_api = true, .slots = f->slots};
	list_init(&f->pod.sandboxes);
	list_init(&f->pod.containers);
	sm_init(&f->pod.sm, &pod_machine, POD_RUNNING, "p");
	fixture_parse(f, object);
	fixture_slots(f, "initContainers", SLOT_INIT);
	fixture_slots(f, "containers", SLOT_MAIN);
	fixture_slots(f, "ephemeralContainers", SLOT_EPHEMERAL);
}

static inline void fixture_release(struct fixture *f)
{
	LIST_FOREACH (it, &f->pod.containers)
		container_free(CONTAINER_OF(it, struct container, in_pod));
	LIST_FOREACH (it, &f->pod.sandboxes)
		sandbox_free(CONTAINER_OF(it, struct sandbox, in_pod));
	arena_release(&f->pod.arena);
}

static inline struct sandbox *fixture_sandbox(struct fixture *f)
{
	struct sandbox *s = xcalloc(1, sizeof *s);
	*s = (struct sandbox){
	        .id = xprintf("box%u", f->ids++), .ip = xstrdup("10.42.0.9"), .is_ready = true, .is_known = true};
	list_add_before(f->pod.sandboxes.next, &s->in_pod);
	return s;
}

/* In the newest sandbox; its details are known. */
static inline struct container *fixture_container(struct fixture *f, const char *name, enum container_state state)
{
	struct container *c = xcalloc(1, sizeof *c), *before = pod_container(&f->pod, name);
	*c = (struct container){.id = xprintf("id%u", f->ids++),
	        .sandbox_id = xstrdup(pod_sandbox(&f->pod)->id),
	        .name = xstrdup(name),
	        .attempt = before ? before->attempt + 1 : 0,
	        .hash = xstrdup(""),
	        .image_ref = xstrdup("image"),
	        .state = state,
	        .known_state = state,
	        .is_known = true};
	list_add_before(f->pod.containers.next, &c->in_pod);
	return c;
}

#endif
