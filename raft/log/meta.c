/* Two files, "meta-0" and "meta-1"; the whole record with the higher generation counts, and the next one goes to the
 * other file. Both get a record when they are made, before anything is promised: from then on two broken files are
 * damage, never a torn write, and are refused, for a voter that forgets its vote can elect two leaders. A file of zeros
 * beside a broken one is a creation that a crash cut short. */
#include "raft/log/meta.h"

#include "base/breakage.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/mem/arena.h"

#include <stdlib.h>
#include <string.h>

#define META_MAGIC 0x0031415445584b33ull /* "3KXETA1": the last character is the version, a digit */
enum { META_VERSION_AT = 6 };

struct meta_record {
	uint64_t magic, generation, term, vote;
	uint32_t reserved;
	uint32_t crc; /* of what stands before it */
};

_Static_assert(sizeof(struct meta_record) == 40, "on disk");

struct raft_meta {
	struct disk *disk;
	struct disk_file *files[2];
	struct meta_record now;
};

static const char *const names[2] = {"meta-0", "meta-1"};

uint64_t meta_term(const struct raft_meta *m)
{
	return m->now.term;
}

uint64_t meta_vote(const struct raft_meta *m)
{
	return m->now.vote;
}

static int write_record(struct raft_meta *m, uint64_t term, uint64_t vote, struct err *err)
{
	struct meta_record r = {.magic = META_MAGIC, .generation = m->now.generation + 1, .term = term, .vote = vote};
	struct disk_file *f = m->files[r.generation % 2];
	CHECK(f && term >= m->now.term); /* the other file keeps the record that counts until this one is durable */
	r.crc = crc32c(0, &r, offsetof(struct meta_record, crc));
	if (f->v->write(f, 0, &r, sizeof r, err) != 0 || f->v->sync(f, err) != 0)
		return err_wrap(err, "write term and vote");
	m->now = r;
	return 0;
}

int meta_set_term(struct raft_meta *m, uint64_t term, struct err *err)
{
	CHECK(term >= m->now.term);
	return term == m->now.term ? 0 : write_record(m, term, 0, err);
}

int meta_set_vote(struct raft_meta *m, uint64_t id, struct err *err)
{
	CHECK(m->now.vote == 0 || id == m->now.vote || breakage_is(BREAK_FORGET_VOTE)); /* one vote per term */
	return id == m->now.vote ? 0 : write_record(m, m->now.term, id, err);
}

enum state { EMPTY, WHOLE, BROKEN };

static bool is_of_newer(uint64_t magic)
{
	const uint64_t mask = UINT64_C(0xff) << 8 * META_VERSION_AT;
	uint64_t version = magic >> 8 * META_VERSION_AT, known = META_MAGIC >> 8 * META_VERSION_AT;
	return (magic & ~mask) == (META_MAGIC & ~mask) && version > known && version <= '9';
}

static int read_record(struct disk_file *f, struct meta_record *r, enum state *state, struct err *err)
{
	static const struct meta_record zeros;
	size_t got = 0;
	memset(r, 0, sizeof *r);
	if (f->v->read(f, 0, r, sizeof *r, &got, err) != 0)
		return err->code;
	if (is_of_newer(r->magic))
		return err_set(err, ERR_CORRUPT,
		        "term and vote have the form %c of a newer program than this one: start that one again. "
		        "Nothing of "
		        "them was changed",
		        (char)(r->magic >> 8 * META_VERSION_AT));
	if (memcmp(r, &zeros, sizeof zeros) == 0)
		*state = EMPTY;
	else if (got == sizeof *r && r->magic == META_MAGIC &&
	         r->crc == crc32c(0, r, offsetof(struct meta_record, crc)))
		*state = WHOLE;
	else
		*state = BROKEN;
	return 0;
}

struct presence {
	bool there[2];
};

static void look(void *arg, const char *name)
{
	struct presence *p = arg;
	for (int i = 0; i < 2; i++)
		if (strcmp(name, names[i]) == 0)
			p->there[i] = true;
}

static int open_files(struct raft_meta *m, struct err *err)
{
	struct presence p = {0};
	struct disk *d = m->disk;
	int rc = d->v->list(d, look, &p, err);
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = d->v->open(
		        d, names[i], !p.there[i], p.there[i] ? 0 : sizeof(struct meta_record), &m->files[i], err);
	if (rc == 0 && !(p.there[0] && p.there[1]))
		rc = d->v->sync_folder(d, err);
	return rc;
}

static int load(struct raft_meta *m, struct err *err)
{
	struct meta_record r[2];
	enum state s[2];
	for (int i = 0; i < 2; i++)
		if (read_record(m->files[i], &r[i], &s[i], err) != 0)
			return err->code;
	if (s[0] == WHOLE || s[1] == WHOLE) {
		m->now = s[1] != WHOLE || (s[0] == WHOLE && r[0].generation > r[1].generation) ? r[0] : r[1];
		/* creation may have stopped between the two: then the first write fills the other */
		return 0;
	}
	if (s[0] == BROKEN && s[1] == BROKEN)
		return err_set(err, ERR_CORRUPT,
		        "%s and %s are both damaged: this server no longer knows its vote. Remove it from the cluster, "
		        "delete its data and join it again",
		        names[0], names[1]);
	int rc = write_record(m, 0, 0, err);
	return rc == 0 ? write_record(m, 0, 0, err) : rc;
}

int meta_open(struct disk *d, struct raft_meta **ret, struct err *err)
{
	struct raft_meta *m = xcalloc(1, sizeof *m);
	m->disk = d;
	int rc = open_files(m, err);
	if (rc == 0)
		rc = load(m, err);
	if (rc != 0) {
		meta_close(m);
		return rc;
	}
	CHECK(m->now.magic == META_MAGIC && m->now.generation > 0);
	*ret = m;
	return 0;
}

void meta_close(struct raft_meta *m)
{
	for (int i = 0; i < 2; i++)
		if (m->files[i])
			m->files[i]->v->close(m->files[i]);
	free(m);
}
