/* Sets: elements are added, and the whole is read. A set is a prefix, an element a key below it. A new set is begun
 * every so many elements, so that reads stay small. */
#include "jepsen/workload.h"

#include <inttypes.h>

enum { ELEMENTS_PER_SET = 400 };

static void add(struct worker *w)
{
	struct history_record r = HISTORY_RECORD_INIT;
	r.f = HISTORY_ADD;
	r.value = run_unique(w->run);
	r.key = workload_key(w, "set", (unsigned)(r.value / ELEMENTS_PER_SET));
	run_invoke(w, &r);
	const char *key = arena_printf(&w->arena, "%s/%" PRId64, r.key, r.value);
	struct client_answer a = workload_put(w, key, "", 0);
	if (a.message)
		r.revision = ((Etcdpb__PutResponse *)a.message)->header->revision;
	run_complete(w, &r, &a);
}

static int64_t element_of(const Etcdpb__KeyValue *kv, size_t prefix)
{
	int64_t v;
	struct slice text = {(const char *)kv->key.data + prefix, kv->key.len - prefix};
	return slice_to_i64(text, &v) ? v : -1;
}

static bool read_set(struct worker *w, unsigned index, uint16_t flags)
{
	struct history_record r = HISTORY_RECORD_INIT;
	Etcdpb__RangeRequest q = ETCDPB__RANGE_REQUEST__INIT;
	r.f = HISTORY_READ;
	r.flags = flags;
	r.key = workload_key(w, "set", index);
	const char *prefix = arena_printf(&w->arena, "%s/", r.key);
	q.key = client_bytes(prefix);
	q.range_end = client_bytes(arena_printf(&w->arena, "%s0", r.key)); /* '0' follows '/' */
	q.keys_only = true;
	run_invoke(w, &r);
	struct client_answer a = client_call(w->client, "KV/Range", &q.base, &etcdpb__range_response__descriptor);
	const Etcdpb__RangeResponse *got = a.message;
	if (got) {
		int64_t *values = ARENA_ARRAY(&w->arena, int64_t, got->n_kvs + 1);
		for (size_t i = 0; i < got->n_kvs; i++)
			values[i] = element_of(got->kvs[i], strlen(prefix));
		r.values = values;
		r.value_count = (uint32_t)got->n_kvs;
		r.revision = got->header->revision;
	} else {
		a.outcome = CLIENT_FAIL;
	}
	run_complete(w, &r, &a);
	return got != NULL;
}

static unsigned newest(struct worker *w)
{
	return (unsigned)(atomic_load(&w->run->next_value) / ELEMENTS_PER_SET);
}

static void step(struct worker *w)
{
	if (rng_chance(&w->rng, 80))
		add(w);
	else
		read_set(w, rng_chance(&w->rng, 80) ? newest(w) : rng_below(&w->rng, newest(w) + 1), 0);
}

static bool last(struct worker *w)
{
	for (unsigned i = 0; i <= newest(w); i++)
		if (!read_set(w, i, HISTORY_FINAL))
			return false;
	return true;
}

const struct workload workload_set = {.name = "set",
        .what = "elements added to sets: none is lost, none appears from nowhere",
        .step = step,
        .last = last,
        .is_paced = true};
