/* The scan at start: reads all segments, finds the torn end, refuses damage. See log.h. */
#include "raft/log/log_int.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <inttypes.h>
#include <stdlib.h>

struct scan {
	struct raft_log *log;
	uint64_t *numbers;
	size_t count, cap;
	void (*fn)(void *arg, uint64_t index, const struct log_entry *e);
	void *arg;
	struct err *err;
};

/* ---- batches ---- */

/* What is looked through at a time: most of a segment is room for what is yet to come. */
enum { SCAN_BLOCK_BYTES = 64 * 1024 };

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* What lies behind the last sound batch: nothing but zeros, or something. */
static int is_clean_from(struct scan *sc, const struct segment *s, uint64_t offset, bool *clean)
{
	char block[SCAN_BLOCK_BYTES];
	*clean = true;
	while (*clean && offset < s->size) {
		size_t got;
		if (s->file->v->read(s->file, offset, block, sizeof block, &got, sc->err) != 0)
			return sc->err->code;
		if (!got)
			break;
		*clean = is_zero(block, got);
		offset += got;
	}
	return 0;
}

/* A sound batch anywhere behind `offset`: then what is broken there was written, synced and acknowledged once. */
static int anything_sound_behind(struct scan *sc, const struct segment *s, uint64_t offset, bool *found)
{
	*found = false;
	for (uint64_t at = offset + 8; !*found && at + sizeof(struct batch_header) <= s->size; at += 8) {
		uint32_t magic;
		size_t got;
		struct batch_header h;
		char *payload;
		size_t len;
		if (s->file->v->read(s->file, at, &magic, sizeof magic, &got, sc->err) != 0)
			return sc->err->code;
		if (got < sizeof magic || !log_is_batch_magic(magic))
			continue;
		if (log_check_batch(s, at, &h, &payload, &len, found, sc->err) != 0)
			return sc->err->code;
		free(payload);
	}
	return 0;
}

static int damaged(struct scan *sc, const struct segment *s, uint64_t offset, const char *what)
{
	return err_set(sc->err, ERR_CORRUPT,
	        "log segment log-%016" PRIx64 ": %s at offset %" PRIu64
	        ". Entries that were acknowledged may be damaged. Replace this member "
	        "(remove it from the cluster, empty its data directory, add it again), or restore a snapshot if it is "
	        "the only one",
	        s->number, what, offset);
}

/* With zeros, in place: the blocks stay the segment's, so that what is appended next needs no room on the disk. */
static int cut_torn_tail(struct scan *sc, struct segment *s)
{
	static const char zeros[SCAN_BLOCK_BYTES];
	char block[sizeof zeros];
	size_t got = 0;
	for (uint64_t at = s->used; at < s->size; at += got) {
		if (s->file->v->read(s->file, at, block, sizeof block, &got, sc->err) != 0)
			return sc->err->code;
		if (!got)
			break;
		if (!is_zero(block, got) && s->file->v->write(s->file, at, zeros, got, sc->err) != 0)
			return sc->err->code;
	}
	return s->file->v->sync(s->file, sc->err) == 0 ? 0 : sc->err->code;
}

/* ---- segments ---- */

static int take_batch(struct scan *sc, const struct segment *s, const struct batch_header *h)
{
	struct raft_log *l = sc->log;
	bool first_of_all = !l->n_batches && l->next == 1 && l->n_segments == 1;
	if (h->first == 0 || h->first > LOG_INDEX_MAX)
		return damaged(sc, s, s->used, "a batch with an index that no log reaches");
	if (h->first > l->next && !first_of_all)
		return damaged(sc, s, s->used, "entries are missing before the batch");
	struct batch_ref b = {h->first, h->count, h->length, s->number, s->used};
	if (first_of_all)
		l->next = h->first; /* older segments were dropped */
	log_note_batch(l, &b);
	return 0;
}

/* What a newer program wrote is whole, and must not be taken for what a crash left: it would be cut off. */
static int newer(struct scan *sc, const struct segment *s, char form)
{
	return err_set(sc->err, ERR_CORRUPT,
	        "log segment log-%016" PRIx64 " has the form %c of a newer program than this one: start that one "
	        "again, nothing was changed. When none "
	        "ever ran here it is damage. Replace this member (remove it from the cluster, empty its data "
	        "directory, "
	        "add it again), or restore a snapshot if it is the only one",
	        s->number, form);
}

static bool is_newer_segment(uint64_t magic)
{
	const uint64_t version = magic >> 32, known = LOG_SEGMENT_MAGIC >> 32;
	return (magic & 0xffffffff) == (LOG_SEGMENT_MAGIC & 0xffffffff) && version > known && version <= '9';
}

/* Where no sound batch is any more. */
static int check_form(struct scan *sc, const struct segment *s)
{
	uint32_t magic = 0;
	size_t got;
	if (s->file->v->read(s->file, s->used, &magic, sizeof magic, &got, sc->err) != 0)
		return sc->err->code;
	return got == sizeof magic && log_is_newer_batch_magic(magic) ? newer(sc, s, (char)(magic >> 24)) : 0;
}

static int scan_segment(struct scan *sc, struct segment *s, bool is_last)
{
	struct batch_header h;
	char *payload;
	size_t len;
	bool sound, clean, more;
	for (;;) {
		if (log_check_batch(s, s->used, &h, &payload, &len, &sound, sc->err) != 0)
			return sc->err->code;
		free(payload);
		int rc = sound ? take_batch(sc, s, &h) : 0;
		if (rc != 0)
			return rc;
		if (!sound)
			break;
		s->used += sizeof h + h.length;
		CHECK(s->used <= s->size);
	}
	if (is_clean_from(sc, s, s->used, &clean) != 0)
		return sc->err->code;
	if (clean)
		return 0;
	if (check_form(sc, s) != 0)
		return sc->err->code;
	if (!is_last)
		return damaged(sc, s, s->used, "a broken batch in a segment that others follow");
	if (anything_sound_behind(sc, s, s->used, &more) != 0)
		return sc->err->code;
	return more ? damaged(sc, s, s->used, "a broken batch with sound ones behind it") : cut_torn_tail(sc, s);
}

/* *usable false: the header never became whole, which is a crash while the segment was made. */
static int open_segment(struct scan *sc, uint64_t number, struct segment *s, struct segment_header *h, bool *usable)
{
	struct disk *d = sc->log->disk;
	char name[32];
	size_t got;
	*s = (struct segment){.number = number, .used = sizeof *h};
	log_segment_name(name, number);
	if (d->v->open(d, name, false, 0, &s->file, sc->err) != 0)
		return sc->err->code;
	if (s->file->v->size(s->file, &s->size, sc->err) != 0 ||
	        s->file->v->read(s->file, 0, h, sizeof *h, &got, sc->err) != 0) {
		s->file->v->close(s->file);
		return sc->err->code;
	}
	if (got >= sizeof h->magic && is_newer_segment(h->magic)) {
		newer(sc, s, (char)(h->magic >> 32));
		s->file->v->close(s->file);
		return sc->err->code;
	}
	*usable = got == sizeof *h && h->magic == LOG_SEGMENT_MAGIC &&
	          h->crc == crc32c(0, h, offsetof(struct segment_header, crc));
	s->salt = h->salt;
	return 0;
}

static int discard_unfinished(struct scan *sc, struct segment *s, bool is_last)
{
	char name[32];
	bool clean;
	log_segment_name(name, s->number);
	int rc = is_clean_from(sc, s, sizeof(struct segment_header), &clean);
	if (rc == 0 && (!is_last || !clean)) {
		rc = damaged(sc, s, 0, "the segment's header is broken");
	}
	s->file->v->close(s->file);
	return rc == 0 ? sc->log->disk->v->remove(sc->log->disk, name, sc->err) : rc;
}

/* A restarting segment supersedes all before it: what a crash left of them is removed. */
static int forget_older(struct scan *sc, uint64_t next)
{
	struct raft_log *l = sc->log;
	while (l->n_segments > 1) {
		char name[32];
		log_segment_name(name, l->segments[0].number);
		l->segments[0].file->v->close(l->segments[0].file);
		l->n_segments--; /* closed once, whatever comes next */
		memmove(l->segments, l->segments + 1, l->n_segments * sizeof *l->segments);
		if (l->disk->v->remove(l->disk, name, sc->err) != 0)
			return sc->err->code;
	}
	CHECK(l->n_segments == 1 && l->segments[0].file);
	l->n_batches = 0;
	l->next = next;
	return 0;
}

static int scan_one(struct scan *sc, uint64_t number, bool is_last)
{
	struct segment s;
	struct segment_header h;
	bool usable = false;
	if (open_segment(sc, number, &s, &h, &usable) != 0)
		return sc->err->code;
	if (!usable)
		return discard_unfinished(sc, &s, is_last);
	if (h.restart > LOG_INDEX_MAX) {
		s.file->v->close(s.file);
		return damaged(sc, &s, 0, "a segment that begins at an index that no log reaches");
	}
	log_add_segment(sc->log, s);
	if (h.restart && forget_older(sc, h.restart) != 0)
		return sc->err->code;
	return scan_segment(sc, &sc->log->segments[sc->log->n_segments - 1], is_last);
}

/* ---- the order of things ---- */

static void note_name(void *arg, const char *name)
{
	struct scan *sc = arg;
	char *end;
	if (strncmp(name, "log-", 4) != 0)
		return;
	uint64_t number = strtoull(name + 4, &end, 16);
	if (*end || end != name + 20)
		return;
	if (sc->count == sc->cap) {
		sc->cap = sc->cap ? sc->cap * 2 : 16;
		sc->numbers = xrealloc(sc->numbers, sc->cap * sizeof *sc->numbers);
	}
	sc->numbers[sc->count++] = number;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Entries are reported at the end, when it is known which of them still count. Only these are unpacked. */
static int report(struct scan *sc, uint64_t from)
{
	struct raft_log *l = sc->log;
	uint64_t first = log_first_index(l);
	for (uint64_t index = from > first ? from : first; sc->fn && index < l->next;) {
		struct arena a = ARENA_INIT;
		struct log_entry *entries;
		size_t n;
		int rc = log_read(l, index, &a, &entries, &n, sc->err);
		for (size_t i = 0; rc == 0 && i < n; i++)
			sc->fn(sc->arg, index + i, &entries[i]);
		arena_release(&a);
		if (rc != 0)
			return rc;
		CHECK(n >= 1 && n <= l->next - index);
		index += n;
	}
	return 0;
}

int log_scan(struct raft_log *l, uint64_t from, void (*fn)(void *arg, uint64_t index, const struct log_entry *e),
        void *arg, struct err *err)
{
	struct scan sc = {.log = l, .fn = fn, .arg = arg, .err = err};
	int rc = l->disk->v->list(l->disk, note_name, &sc, err);
	if (sc.count)
		qsort(sc.numbers, sc.count, sizeof *sc.numbers, by_number);
	for (size_t i = 0; rc == 0 && i < sc.count; i++) {
		if (sc.numbers[i] == 0 || sc.numbers[i] > LOG_SEGMENTS_EVER_MAX)
			rc = err_set(err, ERR_CORRUPT,
			        "log: no log of ours makes a segment log-%016" PRIx64
			        "; remove it, or replace this member",
			        sc.numbers[i]);
		else if (i && sc.numbers[i] != sc.numbers[i - 1] + 1)
			rc = err_set(err, ERR_CORRUPT,
			        "log: segment log-%016" PRIx64
			        " is missing between its neighbours; restore it or replace this member",
			        sc.numbers[i - 1] + 1);
		else
			rc = scan_one(&sc, sc.numbers[i], i + 1 == sc.count);
	}
	free(sc.numbers);
	CHECK(l->n_segments <= sc.count);
	return rc == 0 ? report(&sc, from) : rc;
}
