/* Histories in memory: appending, keys, faults, settings, and pairing invocations with completions. See history.h. */
#include "jepsen/history.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

#define GROW(array, count, cap) \
	do { \
		if ((count) == (cap)) { \
			(cap) = (cap) ? 2 * (cap) : 64; \
			(array) = xrealloc((array), (cap) * sizeof *(array)); \
		} \
	} while (0)

static const char *const type_names[HISTORY_TYPES] = {"invoke", "ok", "fail", "info"};

static const char *const f_names[HISTORY_FS] = {
#define HISTORY_F_ROW(name, text) text,
        HISTORY_F_ROWS(HISTORY_F_ROW)
#undef HISTORY_F_ROW
};

const char *history_type_name(enum history_type t)
{
	CHECK(t < HISTORY_TYPES);
	return type_names[t];
}

const char *history_f_name(enum history_f f)
{
	CHECK(f < HISTORY_FS);
	return f_names[f];
}

/* ---- life ---- */

static void add_key(struct history *h, const char *key)
{
	GROW(h->keys, h->key_count, h->key_cap);
	h->keys[h->key_count++] = key;
	/* The map holds the id plus one: it has no room for NULL. */
	map_put(&h->key_ids, slice_of(key), (void *)(uintptr_t)h->key_count);
}

void history_init(struct history *h)
{
	*h = (struct history){0};
	add_key(h, "");
}

void history_release(struct history *h)
{
	free(h->records);
	free(h->faults);
	free(h->settings);
	free(h->keys);
	map_release(&h->key_ids);
	arena_release(&h->arena);
	*h = (struct history){0};
}

static uint32_t key_id_of(struct history *h, const char *key)
{
	struct slice text = slice_of(key ? key : "");
	uintptr_t found = (uintptr_t)map_get(&h->key_ids, text);
	if (found)
		return (uint32_t)(found - 1);
	add_key(h, arena_memdup(&h->arena, text.ptr, text.len));
	return (uint32_t)(h->key_count - 1);
}

/* ---- appending ---- */

static const int64_t *copy_values(struct history *h, const int64_t *values, uint32_t count)
{
	return count ? (const int64_t *)arena_memdup(&h->arena, values, count * sizeof *values) : NULL;
}

static const struct history_item *copy_items(struct history *h, const struct history_item *items, uint32_t count)
{
	struct history_item *copy = count ? ARENA_ARRAY(&h->arena, struct history_item, count) : NULL;
	for (uint32_t i = 0; i < count; i++) {
		copy[i] = items[i];
		copy[i].key_id = key_id_of(h, items[i].key);
		copy[i].key = h->keys[copy[i].key_id];
		copy[i].values = copy_values(h, items[i].values, items[i].value_count);
	}
	return copy;
}

size_t history_append(struct history *h, const struct history_record *r)
{
	CHECK(r->type < HISTORY_TYPES && r->f < HISTORY_FS && h->count < HISTORY_NONE);
	GROW(h->records, h->count, h->cap);
	struct history_record *copy = &h->records[h->count];
	*copy = *r;
	copy->key_id = key_id_of(h, r->key);
	copy->key = h->keys[copy->key_id];
	copy->values = copy_values(h, r->values, r->value_count);
	copy->items = copy_items(h, r->items, r->item_count);
	copy->error = r->error ? arena_strdup(&h->arena, r->error) : NULL;
	return h->count++;
}

size_t history_fault_begin(struct history *h, int64_t time_ns, const char *name, uint64_t nodes, const char *detail)
{
	GROW(h->faults, h->fault_count, h->fault_cap);
	h->faults[h->fault_count] = (struct history_fault){.begin_ns = time_ns,
	        .end_ns = -1,
	        .name = arena_strdup(&h->arena, name),
	        .nodes = nodes,
	        .detail = arena_strdup(&h->arena, detail ? detail : "")};
	return h->fault_count++;
}

void history_fault_end(struct history *h, size_t fault, int64_t time_ns)
{
	CHECK(fault < h->fault_count);
	h->faults[fault].end_ns = time_ns;
}

/* ---- settings ---- */

void history_set(struct history *h, const char *name, const char *value)
{
	const char *copy = arena_strdup(&h->arena, value);
	for (size_t i = 0; i < h->setting_count; i++)
		if (strcmp(h->settings[i].name, name) == 0) {
			h->settings[i].value = copy;
			return;
		}
	GROW(h->settings, h->setting_count, h->setting_cap);
	h->settings[h->setting_count++] = (struct history_setting){arena_strdup(&h->arena, name), copy};
}

const char *history_get(const struct history *h, const char *name)
{
	for (size_t i = 0; i < h->setting_count; i++)
		if (strcmp(h->settings[i].name, name) == 0)
			return h->settings[i].value;
	return NULL;
}

int64_t history_get_int(const struct history *h, const char *name, int64_t fallback)
{
	int64_t n;
	const char *text = history_get(h, name);
	return text && slice_to_i64(slice_of(text), &n) ? n : fallback;
}

/* ---- pairing ---- */

/* Where each process is: its open operation plus one. Process numbers are the clients' own, so they are hashed. */
struct pairing {
	const struct history *h;
	struct history_ops *ops;
	struct process_slot {
		int32_t process; /* -1: free */
		uint32_t open;   /* operation, HISTORY_NONE: idle */
		bool used_up;    /* its last operation ended with INFO */
	} * slots;
	size_t slot_count; /* a power of two, never more than half full */
};

static struct process_slot *slot_of(struct pairing *p, int32_t process)
{
	size_t at = ((uint32_t)process * 2654435761u) & (p->slot_count - 1);
	while (p->slots[at].process != process && p->slots[at].process >= 0)
		at = (at + 1) & (p->slot_count - 1);
	if (p->slots[at].process < 0)
		p->slots[at] = (struct process_slot){process, HISTORY_NONE, false};
	return &p->slots[at];
}

static int pair_record(struct pairing *p, uint32_t at, struct err *err)
{
	const struct history_record *r = &p->h->records[at];
	if (at && r->time_ns < r[-1].time_ns)
		return err_set(err, ERR_INVAL, "record %" PRIu32 ": time goes back", at);
	struct process_slot *s = slot_of(p, r->process);
	if (r->type == HISTORY_INVOKE) {
		if (s->open != HISTORY_NONE || s->used_up)
			return err_set(err, ERR_INVAL, "record %" PRIu32 ": process %" PRId32 " invokes %s", at,
			        r->process, s->used_up ? "after an unknown outcome" : "with a request under way");
		s->open = (uint32_t)p->ops->count;
		p->ops->ops[p->ops->count++] = (struct history_op){at, HISTORY_NONE, HISTORY_INFO};
		return 0;
	}
	struct history_op *open = s->open == HISTORY_NONE ? NULL : &p->ops->ops[s->open];
	if (!open || p->h->records[open->invoke].f != r->f) { /* unasked: events of a watch */
		p->ops->ops[p->ops->count++] = (struct history_op){HISTORY_NONE, at, r->type};
		return 0;
	}
	open->complete = at;
	open->type = r->type;
	s->open = HISTORY_NONE;
	s->used_up = r->type == HISTORY_INFO && r->f != HISTORY_WATCH; /* opening a watch changes nothing */
	return 0;
}

int history_pair(const struct history *h, struct arena *a, struct history_ops *ret, struct err *err)
{
	struct history_ops ops = {ARENA_ARRAY(a, struct history_op, h->count + 1), 0};
	struct pairing p = {.h = h, .ops = &ops, .slot_count = 16};
	while (p.slot_count < 2 * h->count + 2)
		p.slot_count *= 2;
	p.slots = xmalloc(p.slot_count * sizeof *p.slots);
	for (size_t i = 0; i < p.slot_count; i++)
		p.slots[i].process = -1;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < h->count; i++)
		rc = pair_record(&p, (uint32_t)i, err);
	free(p.slots);
	if (rc == 0)
		*ret = ops;
	return rc;
}

/* ---- for people ---- */

static void describe_number(struct strbuf *out, const char *name, int64_t v)
{
	if (v != HISTORY_NIL)
		strbuf_addf(out, " %s%" PRId64, name, v);
}

static void describe_values(struct strbuf *out, const int64_t *values, uint32_t count)
{
	uint32_t shown = count > 16 ? 16 : count;
	strbuf_adds(out, " [");
	if (shown < count)
		strbuf_addf(out, "%" PRIu32 " values, last ", count);
	for (uint32_t i = count - shown; i < count; i++)
		strbuf_addf(out, i == count - shown ? "%" PRId64 : " %" PRId64, values[i]);
	strbuf_addc(out, ']');
}

static void describe_items(struct strbuf *out, const struct history_record *r)
{
	for (uint32_t i = 0; i < r->item_count && i < 8; i++) {
		const struct history_item *it = &r->items[i];
		strbuf_adds(out, i ? ", " : " ");
		if (r->f == HISTORY_TXN || r->f == HISTORY_WATCH_EVENT)
			strbuf_addf(out, "%s ", history_f_name(it->f));
		strbuf_adds(out, it->key);
		if (it->values)
			describe_values(out, it->values, it->value_count);
		describe_number(out, "", it->value);
		describe_number(out, "mod ", it->mod_revision);
	}
	if (r->item_count > 8)
		strbuf_addf(out, ", and %" PRIu32 " more", r->item_count - 8);
}

void history_describe(const struct history *h, size_t record, struct strbuf *out)
{
	const struct history_record *r = &h->records[record];
	strbuf_addf(out, "%s", history_f_name((enum history_f)r->f));
	if (r->key && r->key[0])
		strbuf_addf(out, " %s", r->key);
	describe_number(out, r->f == HISTORY_CAS ? "from " : "expecting ", r->expect);
	describe_number(out, r->f == HISTORY_CAS ? "to " : "", r->value);
	if (r->values)
		describe_values(out, r->values, r->value_count);
	describe_items(out, r);
	describe_number(out, "lease ", r->lease);
	describe_number(out, "ttl ms ", r->ttl_ms);
	strbuf_addf(out, " %s", history_type_name((enum history_type)r->type));
	describe_number(out, "rev ", r->revision);
	describe_number(out, "mod ", r->mod_revision);
	describe_number(out, "version ", r->version);
	if (r->error)
		strbuf_addf(out, " (%s)", r->error);
}
