/* See sent_parts.h. The file:
 *
 *     id 1234                     under which the parts lie at the target
 *     0 9f86d081884c7d65...       part 0 is there with this sha256; a later line of the same part counts
 *
 * A line is written after its part was, so a part that is there may have no line (it is sent again), and no line is
 * without its part unless somebody emptied the target: then there are fewer parts than lines, and the file is not
 * believed. What it says wrong all the same is found in the end, when what was moved is read back and compared. */
#include "tools/moving/sent_parts.h"

#include "base/check.h"
#include "base/pki/pki.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void note(struct sent_parts *s, int64_t number, const char sum[65])
{
	while ((size_t)number >= s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		s->sums = xrealloc(s->sums, cap * sizeof *s->sums);
		memset(s->sums + s->cap, 0, (cap - s->cap) * sizeof *s->sums);
		s->cap = cap;
	}
	s->n += s->sums[number][0] == 0;
	memcpy(s->sums[number], sum, 65);
}

/* ---- the file ---- */

bool sent_parts_read(struct sent_parts *s, struct slice line)
{
	struct slice sum = line, number = slice_cut(&sum, ' ');
	char text[65] = "";
	uint64_t n;
	if (!slice_to_u64(number, &n) || n >= SENT_PARTS_MAX || sum.len != 64)
		return false;
	for (size_t i = 0; i < sum.len; i++)
		if (hex_digit(sum.ptr[i]) < 0)
			return false;
	memcpy(text, sum.ptr, 64);
	note(s, (int64_t)n, text);
	return true;
}

static void read_file(struct sent_parts *s, const char *path)
{
	char text[128];
	FILE *f = fopen(path, "re");
	bool is_good = f && fgets(text, sizeof text, f) && sscanf(text, "id %" SCNd64 "\n", &s->parts.id) == 1;
	while (is_good && fgets(text, sizeof text, f)) /* one that was cut off says nothing */
		sent_parts_read(s, slice_trim(slice_of(text)));
	if (f)
		fclose(f);
	if (s->parts.id < 1)
		s->n = 0;
}

static void forget(struct sent_parts *s)
{
	if (s->cap)
		memset(s->sums, 0, s->cap * sizeof *s->sums);
	s->n = 0;
	pki_random(&s->parts.id, sizeof s->parts.id);
	s->parts.id = (s->parts.id & INT64_MAX) | 1;
}

static int begin_file(struct sent_parts *s, const char *path, bool is_new, struct err *err)
{
	s->file = fopen(path, is_new ? "we" : "ae");
	if (!s->file)
		return err_errno(err, errno, "open %s", path);
	if (is_new)
		fprintf(s->file, "id %" PRId64 "\n", s->parts.id);
	else
		fputc('\n', s->file); /* behind a line that was cut off: an empty one is none */
	return fflush(s->file) != 0 ? err_errno(err, errno, "write %s", path) : 0;
}

/* ---- what the log asks and tells ---- */

static bool has(void *arg, int64_t number, struct slice bytes)
{
	struct sent_parts *s = arg;
	char sum[65];
	if ((size_t)number >= s->cap || !s->sums[number][0])
		return false;
	pki_sha256_hex(bytes.ptr, bytes.len, sum);
	bool is_same = memcmp(sum, s->sums[number], 64) == 0;
	s->skipped_bytes += is_same ? (int64_t)bytes.len : 0;
	return is_same;
}

static int sent(void *arg, int64_t number, struct slice bytes, struct err *err)
{
	struct sent_parts *s = arg;
	char sum[65];
	if (number >= SENT_PARTS_MAX)
		return err_set(err, ERR_TOO_BIG, "a snapshot of more than %d parts", SENT_PARTS_MAX);
	pki_sha256_hex(bytes.ptr, bytes.len, sum);
	note(s, number, sum);
	if (fprintf(s->file, "%" PRId64 " %s\n", number, sum) < 0 || fflush(s->file) != 0)
		return err_errno(err, errno, "note which parts were sent");
	return 0;
}

/* ---- */

int sent_parts_open(struct sent_parts *s, const char *path, struct shared_log *log, struct err *err)
{
	int64_t there = 0;
	*s = (struct sent_parts){.parts = {.has = has, .sent = sent, .arg = s}};
	read_file(s, path);
	int rc = s->n ? log->v->count_parts(log, s->parts.id, &there, err) : 0;
	bool is_new = s->n == 0 || there < (int64_t)s->n;
	if (is_new)
		forget(s);
	if (rc == 0)
		rc = begin_file(s, path, is_new, err);
	if (rc != 0)
		sent_parts_close(s);
	return rc;
}

void sent_parts_close(struct sent_parts *s)
{
	if (s->file)
		fclose(s->file);
	free(s->sums);
	s->file = NULL;
	s->sums = NULL;
	s->n = s->cap = 0;
}
