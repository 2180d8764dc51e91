/* Writing and reading the log. See log.h; the scan at start is in log_scan.c.
 *
 * What can go wrong: the disk is full when a segment is allocated (nothing was promised: the caller is told and may try
 * again), a write or sync fails (the caller stops the process), the process or machine dies between any two steps (the
 * scan finds a whole log, perhaps with a torn batch at its end that was never acknowledged). */
#include "raft/log/log_int.h"

#include "base/buggify.h"
#include "base/check.h"
#include "base/crc32c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void log_segment_name(char out[32], uint64_t number)
{
	snprintf(out, 32, "log-%016" PRIx64, number);
}

/* ---- what is known of the log ---- */

/* Batches follow each other without a gap up to the next index, in segments that are there; these are numbered upwards,
 * and what is used of each lies within it. */
bool log_holds(const struct raft_log *l)
{
	uint64_t next = log_first_index(l);
	bool holds = l->next >= 1;
	for (size_t i = 0; i < l->n_segments; i++) {
		const struct segment *s = &l->segments[i];
		holds &= s->file && s->used >= sizeof(struct segment_header) && s->used <= s->size;
		holds &= !i || s->number > s[-1].number;
	}
	for (size_t i = 0; i < l->n_batches; i++) {
		const struct batch_ref *b = &l->batches[i];
		holds &= b->count && b->first == next && l->n_segments && b->segment >= l->segments[0].number;
		next = b->first + b->count;
	}
	return holds && next == l->next;
}

struct segment *log_add_segment(struct raft_log *l, struct segment s)
{
	CHECK(s.file && s.used == sizeof(struct segment_header));
	CHECK(!l->n_segments || s.number > l->segments[l->n_segments - 1].number);
	if (l->n_segments == l->cap_segments) {
		l->cap_segments = l->cap_segments ? l->cap_segments * 2 : 8;
		l->segments = xrealloc(l->segments, l->cap_segments * sizeof s);
	}
	l->segments[l->n_segments] = s;
	return &l->segments[l->n_segments++];
}

/* Forgets entries from `index` on. */
static void forget_from(struct raft_log *l, uint64_t index)
{
	while (l->n_batches && l->batches[l->n_batches - 1].first >= index)
		l->n_batches--;
	if (l->n_batches) {
		struct batch_ref *b = &l->batches[l->n_batches - 1];
		if (b->first + b->count > index)
			b->count = (uint32_t)(index - b->first);
	}
	l->next = index;
	DCHECK(!l->n_batches || l->batches[l->n_batches - 1].count);
}

void log_note_batch(struct raft_log *l, const struct batch_ref *b)
{
	CHECK(b->first >= 1 && b->first <= l->next); /* a gap would be entries that nobody has */
	if (b->first < l->next)
		forget_from(l, b->first);
	if (!b->count)
		return;
	if (l->n_batches == l->cap_batches) {
		l->cap_batches = l->cap_batches ? l->cap_batches * 2 : 64;
		l->batches = xrealloc(l->batches, l->cap_batches * sizeof *b);
	}
	l->batches[l->n_batches++] = *b;
	l->next = b->first + b->count;
}

uint64_t log_first_index(const struct raft_log *l)
{
	return l->n_batches ? l->batches[0].first : l->next;
}

uint64_t log_last_index(const struct raft_log *l)
{
	return l->next - 1;
}

uint64_t log_bytes(const struct raft_log *l)
{
	uint64_t total = 0;
	for (size_t i = 0; i < l->n_segments; i++)
		total += l->segments[i].used;
	return total;
}

/* ---- segments ---- */

/* A new segment with its header written; not yet synced. */
static int make_segment(struct raft_log *l, uint64_t size, uint64_t restart, struct segment *out, struct err *err)
{
	char name[32];
	struct segment_header h = {.magic = LOG_SEGMENT_MAGIC, .restart = restart};
	uint64_t number = l->n_segments ? l->segments[l->n_segments - 1].number + 1 : 1;
	CHECK(getrandom(&h.salt, sizeof h.salt, 0) == (ssize_t)sizeof h.salt);
	h.crc = crc32c(0, &h, offsetof(struct segment_header, crc));
	log_segment_name(name, number);
	*out = (struct segment){.number = number, .salt = h.salt, .size = size, .used = sizeof h};
	int rc = l->disk->v->open(l->disk, name, true, size, &out->file, err);
	if (rc != 0)
		return rc;
	if (out->file->v->write(out->file, 0, &h, sizeof h, err) == 0)
		return 0;
	out->file->v->close(out->file);
	return ERR_IO;
}

static int remove_segment(struct raft_log *l, size_t i, struct err *err)
{
	char name[32];
	CHECK(i < l->n_segments);
	struct segment *s = &l->segments[i];
	log_segment_name(name, s->number);
	s->file->v->close(s->file);
	int rc = l->disk->v->remove(l->disk, name, err);
	memmove(s, s + 1, (l->n_segments - i - 1) * sizeof *s);
	l->n_segments--;
	return rc;
}

/* The segment a batch of this size goes to. A new one is allocated when the last is full: that may fail for lack of
 * space without harm. */
static int segment_for(struct raft_log *l, size_t bytes, struct segment **ret, bool *is_new, struct err *err)
{
	struct segment *last = l->n_segments ? &l->segments[l->n_segments - 1] : NULL, s;
	*is_new = !last || last->used + bytes > last->size;
	if (!*is_new) {
		*ret = last;
		return 0;
	}
	uint64_t need = sizeof(struct segment_header) + bytes;
	int rc = make_segment(l, need > l->segment_bytes ? need : l->segment_bytes, 0, &s, err);
	if (rc != 0)
		return rc;
	*ret = log_add_segment(l, s);
	return 0;
}

/* ---- appending ---- */

static int sync_all(struct raft_log *l, struct segment *s, bool is_new, struct err *err)
{
	if (s->file->v->sync(s->file, err) != 0)
		return ERR_IO;
	return is_new && l->disk->v->sync_folder(l->disk, err) != 0 ? ERR_IO : 0;
}

/* One write, one sync. */
static int append_batch(struct raft_log *l, uint64_t index, const struct log_entry *entries, size_t n, struct err *err)
{
	struct segment *s;
	bool is_new;
	size_t bytes = log_batch_bytes(entries, n);
	CHECK(index >= 1 && index <= l->next);
	if (bytes > LOG_BATCH_BYTES_MAX)
		return err_set(err, ERR_TOO_BIG, "log: an entry of %zu bytes; at most %d are written at once", bytes,
		        LOG_BATCH_BYTES_MAX);
	struct strbuf *batch = log_batch_encode(l->buffers, index, entries, n);
	int rc = segment_for(l, batch->len, &s, &is_new, err);
	if (rc != 0)
		return rc == ERR_NO_SPACE ? rc : ERR_IO;
	log_batch_seal(batch, s->salt);
	CHECK(s == &l->segments[l->n_segments - 1] && s->used + batch->len <= s->size);
	if (s->file->v->write(s->file, s->used, batch->data, batch->len, err) != 0 || sync_all(l, s, is_new, err) != 0)
		return ERR_IO;
	struct batch_ref b = {
	        index, (uint32_t)n, (uint32_t)(batch->len - sizeof(struct batch_header)), s->number, s->used};
	s->used += batch->len;
	log_note_batch(l, &b);
	return 0;
}

/* How many of them fit in a batch: one at least. */
static size_t that_fit(const struct log_entry *entries, size_t n)
{
	size_t fit = 1;
	for (size_t bytes = log_batch_bytes(entries, 1); fit < n; fit++) {
		bytes += log_batch_bytes(&entries[fit], 1) - sizeof(struct batch_header);
		if (bytes > LOG_BATCH_BYTES_MAX || buggify(BUGGIFY_APPEND_SPLIT))
			break;
	}
	return fit;
}

int log_append(struct raft_log *l, uint64_t index, const struct log_entry *entries, size_t n, struct err *err)
{
	DCHECK(log_holds(l));
	if (n == 0)
		return append_batch(l, index, NULL, 0, err);
	for (size_t i = 1; i < n; i++)
		CHECK(entries[i].term >= entries[i - 1].term); /* Raft figure 3.2: terms never fall along a log */
	for (size_t at = 0; at < n;) {
		size_t some = that_fit(entries + at, n - at);
		CHECK(some >= 1 && some <= n - at);
		int rc = append_batch(l, index + at, entries + at, some, err);
		if (rc != 0)
			return rc;
		at += some;
	}
	return 0;
}

int log_drop_before(struct raft_log *l, uint64_t index, struct err *err)
{
	bool removed = false;
	size_t gone = 0;
	while (gone < l->n_batches && l->batches[gone].first + l->batches[gone].count <= index)
		gone++;
	uint64_t keep = gone < l->n_batches ? l->batches[gone].segment
	                : l->n_segments     ? l->segments[l->n_segments - 1].number
	                                    : 0;
	while (l->n_segments > 1 && l->segments[0].number < keep) {
		if (remove_segment(l, 0, err) != 0)
			return ERR_IO;
		removed = true;
	}
	size_t dropped = 0;
	while (l->n_segments && dropped < l->n_batches && l->batches[dropped].segment < l->segments[0].number)
		dropped++;
	memmove(l->batches, l->batches + dropped, (l->n_batches - dropped) * sizeof *l->batches);
	l->n_batches -= dropped;
	DCHECK(log_holds(l));
	return removed && l->disk->v->sync_folder(l->disk, err) != 0 ? ERR_IO : 0;
}

int log_restart(struct raft_log *l, uint64_t next, struct err *err)
{
	struct segment s;
	CHECK(next >= 1 && next <= LOG_INDEX_MAX);
	int rc = make_segment(l, l->segment_bytes, next, &s, err);
	if (rc != 0)
		return rc == ERR_NO_SPACE ? rc : ERR_IO;
	log_add_segment(l, s);
	if (sync_all(l, &l->segments[l->n_segments - 1], true, err) != 0)
		return ERR_IO;
	l->n_batches = 0;
	l->next = next;
	while (l->n_segments > 1)
		if (remove_segment(l, 0, err) != 0)
			return ERR_IO;
	return l->disk->v->sync_folder(l->disk, err) == 0 ? 0 : ERR_IO;
}

/* ---- reading ---- */

static struct batch_ref *find_batch(struct raft_log *l, uint64_t index)
{
	size_t low = 0, high = l->n_batches;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (l->batches[mid].first + l->batches[mid].count <= index)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->n_batches && l->batches[low].first <= index ? &l->batches[low] : NULL;
}

static const struct segment *find_segment(const struct raft_log *l, uint64_t number)
{
	for (size_t i = 0; i < l->n_segments; i++)
		if (l->segments[i].number == number)
			return &l->segments[i];
	return NULL;
}

int log_read(
        struct raft_log *l, uint64_t index, struct arena *a, struct log_entry **ret, size_t *ret_n, struct err *err)
{
	struct batch_ref *b = find_batch(l, index);
	struct batch_header h;
	char *payload;
	size_t len;
	bool sound;
	if (!b)
		return err_set(err, ERR_NOT_FOUND,
		        "log: entry %" PRIu64 " is not kept (first %" PRIu64 ", last %" PRIu64 ")", index,
		        log_first_index(l), log_last_index(l));
	const struct segment *s = find_segment(l, b->segment);
	CHECK(s != NULL && b->offset >= sizeof(struct segment_header) && b->offset < s->used);
	if (log_load_batch(s, b->offset, &h, &payload, &len, &sound, err) != 0)
		return err->code;
	struct log_entry *entries = ARENA_ARRAY(a, struct log_entry, h.count + 1);
	char *copy = arena_memdup(a, payload, sound ? len : 0);
	free(payload);
	if (!sound || h.first != b->first || h.count < b->count || !log_parse_entries(copy, len, h.count, entries))
		return err_set(err, ERR_CORRUPT,
		        "log segment %016" PRIx64 ": the batch at offset %" PRIu64
		        " was sound when it was written and is not any more: the disk is failing",
		        b->segment, b->offset);
	*ret = entries + (index - b->first);
	*ret_n = b->count - (size_t)(index - b->first);
	return 0;
}

/* ---- life ---- */

int log_open(struct disk *d, uint64_t segment_bytes, uint64_t from,
        void (*fn)(void *arg, uint64_t index, const struct log_entry *e), void *arg, struct raft_log **ret,
        struct err *err)
{
	struct raft_log *l = xcalloc(1, sizeof *l);
	l->disk = d;
	l->segment_bytes = segment_bytes ? segment_bytes : LOG_SEGMENT_BYTES;
	l->next = 1;
	if (log_scan(l, from, fn, arg, err) != 0) {
		log_close(l);
		return err->code;
	}
	CHECK(log_holds(l));
	*ret = l;
	return 0;
}

void log_close(struct raft_log *l)
{
	for (size_t i = 0; i < l->n_segments; i++)
		l->segments[i].file->v->close(l->segments[i].file);
	free(l->segments);
	free(l->batches);
	strbuf_release(&l->buffers[0]);
	strbuf_release(&l->buffers[1]);
	free(l);
}
