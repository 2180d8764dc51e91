/* Watches: every watcher sees every change of its keys exactly once, in the order of revisions, all changes of one
 * revision together, with no gap over reconnects.
 *
 * A watcher's life is a row of spans, one per WATCH: from the revision it asked for to the highest revision it surely
 * has behind it (of an event, or of a progress notification). Within a span the events are held against each other as
 * they come, and when it ends against all that is known of the keys (check_changes.h): what anyone else saw or had
 * acknowledged in that range must have been delivered. Between spans a watcher may skip nothing, unless it was told
 * that what it wanted was compacted. Versions, creation revisions and previous values must follow from the event
 * before. */
#include "jepsen/check_changes.h"

#include <inttypes.h>
#include <stdlib.h>

struct sent {
	int64_t revision;
	uint32_t key_id;
	uint32_t record;
};

/* What a watcher knows of a key. */
struct watched_key {
	uint32_t stamp; /* valid when it is the watcher's */
	uint32_t record;
	int64_t value; /* HISTORY_NIL: deleted */
	int64_t version, create_revision;
};

struct watcher {
	struct check_context *c;
	const struct changes *changes;
	struct arena arena;
	struct watched_key *keys; /* by key id */
	uint32_t stamp;
	bool asks_prev;
	/* the watcher in hand */
	bool is_open, is_compacted, has_history;
	uint32_t watch_record;
	const char *prefix;
	int64_t start;   /* HISTORY_NIL: from now on, not yet known */
	int64_t last;    /* of the last event of the span */
	int64_t covered; /* nothing up to here is still to come */
	uint32_t last_record;
	struct sent *sent; /* of the span */
	size_t sent_count, sent_cap;
	uint32_t spans, events;
};

static bool has_prefix(const char *key, const char *prefix)
{
	return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* ---- one event ---- */

static void check_order(struct watcher *w, const struct history_item *it, uint32_t record)
{
	uint32_t proof[] = {w->last_record == HISTORY_NONE ? w->watch_record : w->last_record, record};
	bool same_response = w->sent_count && w->sent[w->sent_count - 1].record == record, is_repeated = false;
	for (size_t i = w->sent_count; i-- > 0 && w->sent[i].revision >= it->mod_revision && !is_repeated;)
		is_repeated = w->sent[i].revision == it->mod_revision && w->sent[i].key_id == it->key_id;
	if (w->start != HISTORY_NIL && it->mod_revision < w->start)
		check_find(w->c, "event before the start", (uint32_t[]){w->watch_record, record}, 2,
		        "A watch from revision %" PRId64 " was sent an event of revision %" PRId64 ".", w->start,
		        it->mod_revision);
	else if (is_repeated)
		check_find(w->c, "duplicate event", proof, 2,
		        "The event of key %s at revision %" PRId64 " was sent again.", it->key, it->mod_revision);
	else if (w->sent_count && it->mod_revision == w->last && !same_response)
		check_find(w->c, "revision split", proof, 2,
		        "The events of revision %" PRId64
		        " came in more than one response: a reader sees half a transaction.",
		        it->mod_revision);
	else if (it->mod_revision < w->last || it->mod_revision <= w->covered)
		check_find(w->c, "events out of order", proof, 2,
		        "An event of revision %" PRId64 " came after everything up to %" PRId64 ".", it->mod_revision,
		        w->last > w->covered ? w->last : w->covered);
}

/* Version, creation revision and previous value against the event before of the same key. */
static void check_lineage(struct watcher *w, const struct history_item *it, uint32_t record)
{
	struct watched_key *k = &w->keys[it->key_id];
	bool is_delete = it->f == HISTORY_DELETE, known = k->stamp == w->stamp;
	uint32_t proof[] = {k->record, record};
	int64_t version = !known || k->value == HISTORY_NIL ? 1 : k->version + 1;
	if (known && !is_delete && it->version != HISTORY_NIL && k->version != HISTORY_NIL && it->version != version)
		check_find(w->c, "wrong version", proof, 2,
		        "Key %s at revision %" PRId64 " has version %" PRId64 " where %" PRId64
		        " follows from the event before.",
		        it->key, it->mod_revision, it->version, version);
	if (known && !is_delete && it->create_revision != HISTORY_NIL && k->create_revision != HISTORY_NIL &&
	        it->create_revision != (k->value == HISTORY_NIL ? it->mod_revision : k->create_revision))
		check_find(w->c, "wrong creation revision", proof, 2,
		        "Key %s at revision %" PRId64 " says that it was created at %" PRId64 ".", it->key,
		        it->mod_revision, it->create_revision);
	if (known && it->prev != k->value && (w->asks_prev || it->prev != HISTORY_NIL))
		check_find(w->c, "wrong previous value", proof, 2,
		        "The event of key %s at revision %" PRId64
		        " has a previous value that is not that of the event before.",
		        it->key, it->mod_revision);
	*k = (struct watched_key){.stamp = w->stamp,
	        .record = record,
	        .value = is_delete ? HISTORY_NIL : it->value,
	        .version = is_delete ? 0 : it->version,
	        .create_revision = is_delete ? 0 : it->create_revision};
}

static void take_event(struct watcher *w, const struct history_item *it, uint32_t record)
{
	if (!has_prefix(it->key, w->prefix))
		check_find(w->c, "event of another key", (uint32_t[]){w->watch_record, record}, 2,
		        "A watch of %s* was sent an event of key %s.", w->prefix, it->key);
	check_order(w, it, record);
	check_lineage(w, it, record);
	if (w->sent_count == w->sent_cap) {
		w->sent_cap = w->sent_cap ? 2 * w->sent_cap : 256;
		w->sent = xrealloc(w->sent, w->sent_cap * sizeof *w->sent);
	}
	w->sent[w->sent_count++] = (struct sent){it->mod_revision, it->key_id, record};
	if (it->mod_revision > w->last)
		w->last = it->mod_revision;
	w->last_record = record;
	w->events++;
}

/* ---- spans ---- */

static int by_revision(const void *a, const void *b)
{
	const struct sent *x = a, *y = b;
	if (x->revision != y->revision)
		return x->revision < y->revision ? -1 : 1;
	return x->key_id < y->key_id ? -1 : x->key_id > y->key_id;
}

/* Holds what was sent against what is known. */
static void end_span(struct watcher *w)
{
	if (!w->is_open || w->start == HISTORY_NIL)
		return;
	if (w->sent_count)
		qsort(w->sent, w->sent_count, sizeof *w->sent, by_revision);
	size_t at = 0;
	for (size_t i = changes_seek(w->changes, w->start);
	        i < w->changes->count && w->changes->by_revision[i].revision <= w->covered; i++) {
		const struct change *change = &w->changes->by_revision[i];
		struct sent want = {change->revision, change->key_id, 0};
		const char *key = w->c->history->keys[change->key_id];
		if (!has_prefix(key, w->prefix))
			continue;
		while (at < w->sent_count && by_revision(&w->sent[at], &want) < 0)
			at++;
		if (at < w->sent_count && by_revision(&w->sent[at], &want) == 0)
			continue;
		uint32_t next = at < w->sent_count ? w->sent[at].record : w->last_record;
		check_find(w->c, "missing event", (uint32_t[]){w->watch_record, change->record, next},
		        next == HISTORY_NONE ? 2 : 3,
		        "Process %d watches %s* from revision %" PRId64 " and has all up to %" PRId64
		        " behind it, but was never sent the "
		        "%s of key %s at revision %" PRId64 ", which %s.",
		        w->c->history->records[w->watch_record].process, w->prefix, w->start, w->covered,
		        change->value == HISTORY_NIL ? "delete" : "put", key, change->revision,
		        change->is_acknowledged ? "was acknowledged" : "others saw");
	}
	w->is_open = false;
}

static void begin_span(struct watcher *w, const struct history_record *r, uint32_t record)
{
	bool resumes = w->has_history && strcmp(w->prefix, r->key) == 0;
	int64_t start = r->revision == HISTORY_NIL || r->revision <= 0 ? HISTORY_NIL : r->revision;
	end_span(w);
	if (resumes && start != HISTORY_NIL && start > w->covered + 1 && !w->is_compacted)
		check_find(w->c, "gap over a reconnect", (uint32_t[]){w->watch_record, record}, 2,
		        "A watcher that had everything up to revision %" PRId64 " behind it resumed from %" PRId64 ".",
		        w->covered, start);
	if (!resumes || start == HISTORY_NIL || start != w->covered + 1)
		w->stamp++; /* what it knew of the keys is not what comes before the next event */
	w->is_open = true;
	w->is_compacted = false;
	w->has_history = start != HISTORY_NIL;
	w->prefix = r->key;
	w->start = start;
	w->last = w->covered = start == HISTORY_NIL ? 0 : start - 1;
	w->watch_record = record;
	w->last_record = HISTORY_NONE;
	w->sent_count = 0;
	w->spans++;
}

static void take_response(struct watcher *w, const struct history_record *r, uint32_t record)
{
	for (uint32_t i = 0; i < r->item_count; i++)
		take_event(w, &r->items[i], record);
	int64_t up_to = r->item_count ? w->last : r->revision;
	if (up_to != HISTORY_NIL && up_to > w->covered)
		w->covered = up_to;
}

static void take_record(struct watcher *w, uint32_t record)
{
	const struct history_record *r = &w->c->history->records[record];
	if (r->f == HISTORY_WATCH && r->type == HISTORY_INVOKE) {
		begin_span(w, r, record);
	} else if (r->f == HISTORY_WATCH && r->type == HISTORY_OK) {
		if (w->is_open && w->start == HISTORY_NIL && r->revision != HISTORY_NIL) {
			w->start = r->revision + 1;
			w->covered = w->last = r->revision;
			w->has_history = true;
		}
	} else if (r->f == HISTORY_WATCH_CANCEL) {
		w->is_compacted |= r->revision != HISTORY_NIL && r->revision > 0;
	} else if (r->f == HISTORY_WATCH_EVENT && r->type == HISTORY_OK) {
		if (!w->is_open) {
			check_find(w->c, "event without a watch", &record, 1,
			        "Process %d was sent events and watches nothing.", r->process);
			return;
		}
		take_response(w, r, record);
	}
}

/* ---- all ---- */

struct watch_record {
	int32_t process;
	uint32_t record;
};

static int by_process(const void *a, const void *b)
{
	const struct watch_record *x = a, *y = b;
	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->record < y->record ? -1 : 1;
}

void check_watch(struct check_context *c)
{
	struct changes changes;
	const char *prev = history_get(c->history, "prev_kv");
	struct watcher w = {.c = c, .changes = &changes, .asks_prev = prev && strcmp(prev, "yes") == 0};
	changes_collect(c, &w.arena, &changes);
	w.keys = ARENA_ARRAY(&w.arena, struct watched_key, c->history->key_count);
	struct watch_record *records = ARENA_ARRAY(&w.arena, struct watch_record, c->history->count + 1);
	size_t count = 0;
	for (uint32_t i = 0; i < c->history->count; i++) {
		const struct history_record *r = &c->history->records[i];
		if (r->f == HISTORY_WATCH || r->f == HISTORY_WATCH_EVENT || r->f == HISTORY_WATCH_CANCEL)
			records[count++] = (struct watch_record){r->process, i};
	}
	qsort(records, count, sizeof *records, by_process);
	uint32_t watchers = 0;
	for (size_t i = 0; i < count; i++) {
		if (!i || records[i].process != records[i - 1].process) {
			end_span(&w);
			w.is_open = w.has_history = w.is_compacted = false;
			w.prefix = "";
			watchers++;
		}
		take_record(&w, records[i].record);
	}
	end_span(&w);
	c->result->checked = (int64_t)w.events + (int64_t)changes.count;
	if (!count)
		check_unknown(c, "nobody watched");
	check_looked_at(c, "%" PRIu32 " watchers in %" PRIu32 " spans, %" PRIu32 " events, %zu changes", watchers,
	        w.spans, w.events, changes.count);
	free(w.sent);
	arena_release(&w.arena);
}
