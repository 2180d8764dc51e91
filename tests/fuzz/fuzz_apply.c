/* Applying: a Deployment, a patch of one applier, a patch of another, each in JSON and ended by a line feed. Applying
 * answers with an object or an error; what an applier has applied it applies again without a difference; a forced apply
 * of a second one never fails where the first did not; and what both let go of leaves no trace of their names. */
#include "api/machinery/codec/decode.h"
#include "api/machinery/fields/managers.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct state {
	struct arena *a;
	const struct resource *row;
	struct managers managers;
	struct json *object;
};

static struct json *config_of(struct state *s, struct slice text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(s->a, text, NULL, &err);
	if (!json_is(v, JSON_OBJECT) || decode_object(s->a, v, s->row->type, DECODE_KEEP_SHAPE, NULL, &err) != 0)
		return NULL;
	return v;
}

static int apply(struct state *s, const char *manager, const struct json *config, bool force)
{
	struct managers_write w = {.arena = s->a,
	        .resource = s->row,
	        .sub = "",
	        .manager = slice_of(manager),
	        .now = "T",
	        .resets = "status"};
	struct manager_conflicts conflicts;
	struct err err = ERR_INIT;
	struct json *ret;
	int rc = managers_apply(&w, &s->managers, s->object, true, config, force, &ret, &conflicts, &err);
	CHECK(rc == 0 || (err.msg[0] && (err.code == ERR_INVAL || err.code == ERR_CONFLICT)));
	CHECK(rc != ERR_CONFLICT || (conflicts.count && !force));
	if (rc != 0)
		return rc;
	s->object = ret;
	CHECK(decode_object(s->a, s->object, s->row->type, 0, NULL, &err) == 0);
	return 0;
}

static void applies_again_alike(struct state *s, const char *manager, const struct json *config)
{
	struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
	json_write(&first, s->object);
	managers_write(&first, &s->managers);
	CHECK(apply(s, manager, config, true) == 0);
	json_write(&second, s->object);
	managers_write(&second, &s->managers);
	CHECK(slice_eq(strbuf_slice(&first), strbuf_slice(&second)));
	strbuf_release(&first);
	strbuf_release(&second);
}

static void try(struct state *s, struct slice live, struct slice one, struct slice two)
{
	struct json *first, *second;
	struct err err = ERR_INIT;
	s->object = json_parse(s->a, live, NULL, NULL);
	if (!json_is(s->object, JSON_OBJECT) || decode_object(s->a, s->object, s->row->type, 0, NULL, &err) != 0)
		return;
	first = config_of(s, one);
	second = config_of(s, two);
	if (!first || apply(s, "one", first, true) != 0)
		return;
	applies_again_alike(s, "one", first);
	if (!second)
		return;
	apply(&(struct state){s->a, s->row, {NULL}, s->object}, "two", second, false);
	if (apply(s, "two", second, true) == 0)
		applies_again_alike(s, "two", second);
	CHECK(apply(s, "one", json_new(s->a, JSON_OBJECT), false) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size}, live, one;
	struct state s = {.a = &a, .row = resource_find_kind(SLICE("apps/v1"), SLICE("Deployment"))};
	live = slice_cut(&rest, '\n');
	one = slice_cut(&rest, '\n');
	try(&s, live, one, slice_cut(&rest, '\n'));
	arena_release(&a);
	return 0;
}
