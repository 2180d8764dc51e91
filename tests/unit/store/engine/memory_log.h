/* A shared log in memory, for several engines of one process, with faults on request: an append that is lost before or
 * after it has arrived, a refusal, a log that is away, entries cut off at the end. */
#ifndef K3X_TESTS_MEMORY_LOG_H
#define K3X_TESTS_MEMORY_LOG_H

#include "store/engine/log_engine.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdlib.h>

struct memory_entry {
	struct shared_log_entry entry;
	char *bytes;
};

/* What all connections share. */
struct memory_store {
	pthread_mutex_t lock;
	struct memory_entry *entries; /* those with index first .. last */
	int64_t first, last;
	size_t cap;
	char *snapshot;
	size_t snapshot_len;
	int64_t snapshot_index;
	unsigned appends, connects;
	/* faults */
	bool is_away;
	unsigned lose_before, lose_after; /* so many appends */
	unsigned lose_reads;
	int refuse_code;
	bool is_hiding; /* what is behind `shown`: added, and not seen yet */
	int64_t shown;
};

struct memory_log {
	struct shared_log base;
	struct memory_store *store;
	bool is_connected;
};

static inline struct memory_store memory_store_new(void)
{
	struct memory_store s = {.first = 1};
	pthread_mutex_init(&s.lock, NULL);
	return s;
}

static inline void memory_store_release(struct memory_store *s)
{
	for (int64_t i = s->first; i <= s->last; i++)
		free(s->entries[i].bytes);
	free(s->entries);
	free(s->snapshot);
}

static inline int memory_away(struct memory_log *m, struct err *err)
{
	if (m->store->is_away || !m->is_connected) {
		m->is_connected = false;
		return err_set(err, ERR_UNAVAILABLE, "the log is away");
	}
	return 0;
}

static inline int memory_connect(struct shared_log *l, struct err *err)
{
	struct memory_log *m = CONTAINER_OF(l, struct memory_log, base);
	pthread_mutex_lock(&m->store->lock);
	m->store->connects++;
	m->is_connected = true;
	l->entry_bytes_max = 32 * 1024 * 1024;
	int rc = memory_away(m, err);
	pthread_mutex_unlock(&m->store->lock);
	return rc;
}

static inline void memory_disconnect(struct shared_log *l)
{
	CONTAINER_OF(l, struct memory_log, base)->is_connected = false;
}

static inline void memory_add(struct memory_store *s, const struct shared_log_entry *e)
{
	int64_t i = ++s->last;
	if ((size_t)i >= s->cap)
		s->entries = realloc(s->entries, (s->cap = 2 * s->cap + 64) * sizeof *s->entries);
	struct memory_entry *x = &s->entries[i];
	x->entry = *e;
	x->entry.index = i;
	x->bytes = malloc(e->bytes.len + 1);
	memcpy(x->bytes, e->bytes.ptr, e->bytes.len);
	x->entry.bytes.ptr = x->bytes;
}

static inline int memory_append(
        struct shared_log *l, const struct shared_log_entry *e, int64_t *before, int64_t *index, struct err *err)
{
	struct memory_log *m = CONTAINER_OF(l, struct memory_log, base);
	struct memory_store *s = m->store;
	pthread_mutex_lock(&s->lock);
	int rc = memory_away(m, err);
	s->appends++;
	if (rc == 0 && s->refuse_code)
		rc = err_set(err, s->refuse_code, "refused");
	if (rc == 0 && s->lose_before) {
		s->lose_before--;
		m->is_connected = false;
		rc = err_set(err, ERR_UNAVAILABLE, "lost");
	}
	for (int64_t i = s->first; rc == 0 && i <= s->last; i++)
		if (s->entries[i].entry.origin == e->origin && s->entries[i].entry.sequence == e->sequence)
			rc = err_set(err, ERR_EXISTS, "it is there");
	if (rc == 0) {
		*before = s->last;
		memory_add(s, e);
		*index = s->last;
	}
	if (rc == 0 && s->lose_after) {
		s->lose_after--;
		m->is_connected = false;
		rc = err_set(err, ERR_UNAVAILABLE, "lost");
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static inline int64_t memory_shown(const struct memory_store *s)
{
	return s->is_hiding && s->shown < s->last ? s->shown : s->last;
}

static inline int memory_head(struct shared_log *l, struct shared_log_head *ret, struct err *err)
{
	struct memory_log *m = CONTAINER_OF(l, struct memory_log, base);
	struct memory_store *s = m->store;
	pthread_mutex_lock(&s->lock);
	int rc = memory_away(m, err);
	*ret = (struct shared_log_head){
	        .id = 7, .last = memory_shown(s), .snapshot = s->snapshot_index, .entries = s->last - s->first + 1};
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static inline int memory_read(struct shared_log *l, int64_t after, struct arena *a, struct shared_log_entry **ret,
        size_t *ret_n, struct err *err)
{
	struct memory_log *m = CONTAINER_OF(l, struct memory_log, base);
	struct memory_store *s = m->store;
	pthread_mutex_lock(&s->lock);
	int rc = memory_away(m, err);
	if (rc == 0 && s->lose_reads) {
		s->lose_reads--;
		m->is_connected = false;
		rc = err_set(err, ERR_UNAVAILABLE, "lost");
	}
	if (rc == 0 && after + 1 < s->first)
		rc = err_set(err, ERR_COMPACTED, "gone");
	*ret_n = 0;
	*ret = arena_alloc(a, 16 * sizeof **ret);
	for (int64_t i = after + 1; rc == 0 && i <= memory_shown(s) && *ret_n < 16; i++) {
		struct shared_log_entry e = s->entries[i].entry;
		e.bytes.ptr = arena_memdup(a, e.bytes.ptr, e.bytes.len);
		(*ret)[(*ret_n)++] = e;
	}
	l->has_more = rc == 0 && after + (int64_t)*ret_n < memory_shown(s);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static inline int memory_fd(struct shared_log *l)
{
	return -1;
}

static inline bool memory_heard(struct shared_log *l)
{
	return false;
}

static inline int memory_save_snapshot(
        struct shared_log *l, const char *path, int64_t index, int64_t drop, struct err *err)
{
	struct memory_log *m = CONTAINER_OF(l, struct memory_log, base);
	struct memory_store *s = m->store;
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	pthread_mutex_lock(&s->lock);
	fseek(f, 0, SEEK_END);
	s->snapshot_len = (size_t)ftell(f);
	rewind(f);
	free(s->snapshot);
	s->snapshot = malloc(s->snapshot_len);
	assert_int_equal(fread(s->snapshot, 1, s->snapshot_len, f), s->snapshot_len);
	s->snapshot_index = index;
	for (; s->first <= drop; s->first++)
		free(s->entries[s->first].bytes);
	pthread_mutex_unlock(&s->lock);
	fclose(f);
	return 0;
}

static inline int memory_load_snapshot(struct shared_log *l, const char *path, int64_t *index, struct err *err)
{
	struct memory_store *s = CONTAINER_OF(l, struct memory_log, base)->store;
	pthread_mutex_lock(&s->lock);
	int rc = s->snapshot ? 0 : err_set(err, ERR_NOT_FOUND, "none");
	if (rc == 0) {
		FILE *f = fopen(path, "w");
		assert_int_equal(fwrite(s->snapshot, 1, s->snapshot_len, f), s->snapshot_len);
		fclose(f);
		*index = s->snapshot_index;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static inline void memory_free(struct shared_log *l)
{
	free(CONTAINER_OF(l, struct memory_log, base));
}

static const struct shared_log_vtable memory_vtable = {.name = "memory",
        .connect = memory_connect,
        .disconnect = memory_disconnect,
        .append = memory_append,
        .head = memory_head,
        .read = memory_read,
        .fd = memory_fd,
        .heard = memory_heard,
        .save_snapshot = memory_save_snapshot,
        .load_snapshot = memory_load_snapshot,
        .free = memory_free};

/* For struct shared_log_source. */
static inline struct shared_log *memory_open(void *arg)
{
	struct memory_log *m = calloc(1, sizeof *m);
	m->base.v = &memory_vtable;
	m->store = arg;
	return &m->base;
}

#endif
