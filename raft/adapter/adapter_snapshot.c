/* Snapshots as libraft sees them: a small descriptor made by the state machine (which keeps the data itself), with
 * index, term and configuration, in one file "snapshot" that is replaced by a rename. A local snapshot lets the log
 * drop old segments, as far as the state is durable without them; an installed one replaces the log, after the machine
 * has taken over the state that came with it.
 *
 * What can go wrong: a crash before the rename is durable (the old one stays, the log still reaches it, because the log
 * is cut afterwards); a crash between an installed snapshot and the new log (adapter_open() sees that the log does not
 * match and drops it). */
#include "raft/adapter/adapter.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <stdlib.h>

#define SNAPSHOT_MAGIC 0x0031504e53584b33ull
enum { SNAPSHOT_BYTES_MAX = 16 * 1024 * 1024 };

_Static_assert(SNAPSHOT_RECORD_BYTES_MAX <= SNAPSHOT_BYTES_MAX / 2, "what is written is read again");

struct snapshot_head {
	uint64_t magic, index, term, conf_index, conf_len, descriptor_len;
	uint32_t reserved, crc; /* of what stands before it, then of what follows */
};

void snapshot_record_release(struct snapshot_record *s)
{
	strbuf_release(&s->conf);
	strbuf_release(&s->descriptor);
	*s = (struct snapshot_record){0};
}

int adapter_snapshot_make(const struct snapshot_record *s, struct raft_snapshot **ret)
{
	CHECK(s->index >= 1 && s->term >= 1);
	struct raft_snapshot *r = raft_calloc(1, sizeof *r);
	struct raft_buffer conf = {s->conf.data, s->conf.len};
	r->index = s->index;
	r->term = s->term;
	r->configuration_index = s->conf_index;
	if (raft_configuration_decode(&conf, &r->configuration) != 0) {
		raft_free(r);
		return RAFT_CORRUPT;
	}
	r->bufs = raft_malloc(sizeof *r->bufs);
	r->n_bufs = 1;
	r->bufs[0].len = s->descriptor.len;
	r->bufs[0].base = raft_malloc(s->descriptor.len + 1);
	memcpy(r->bufs[0].base, s->descriptor.data, s->descriptor.len);
	*ret = r;
	return 0;
}

/* ---- the file ---- */

static void look(void *arg, const char *name)
{
	bool *there = arg;
	there[0] = there[0] || strcmp(name, "snapshot") == 0;
	there[1] = there[1] || strcmp(name, "snapshot.new") == 0;
}

static int write_file(struct disk *d, const struct strbuf *bytes, struct err *err)
{
	struct disk_file *f;
	bool there[2] = {false, false};
	int rc = d->v->list(d, look, there, err);
	if (rc == 0 && there[1])
		rc = d->v->remove(d, "snapshot.new", err);
	if (rc == 0)
		rc = d->v->open(d, "snapshot.new", true, bytes->len, &f, err);
	if (rc != 0)
		return rc;
	rc = f->v->write(f, 0, bytes->data, bytes->len, err);
	if (rc == 0)
		rc = f->v->sync(f, err);
	f->v->close(f);
	if (rc == 0)
		rc = d->v->rename(d, "snapshot.new", "snapshot", err);
	return rc == 0 ? d->v->sync_folder(d, err) : rc;
}

int adapter_snapshot_record(struct disk *d, const struct snapshot_record *s, struct err *err)
{
	struct strbuf bytes = STRBUF_INIT;
	CHECK(s->index >= 1 && s->term >= 1 && s->conf_index <= s->index);
	CHECK(sizeof(struct snapshot_head) + s->conf.len + s->descriptor.len <=
	        SNAPSHOT_BYTES_MAX); /* it reads again */
	struct snapshot_head h = {
	        SNAPSHOT_MAGIC, s->index, s->term, s->conf_index, s->conf.len, s->descriptor.len, 0, 0};
	h.crc = crc32c(0, &h, offsetof(struct snapshot_head, crc));
	h.crc = crc32c(h.crc, s->conf.data, s->conf.len);
	h.crc = crc32c(h.crc, s->descriptor.data, s->descriptor.len);
	strbuf_add(&bytes, &h, sizeof h);
	strbuf_add(&bytes, s->conf.data, s->conf.len);
	strbuf_add(&bytes, s->descriptor.data, s->descriptor.len);
	int rc = write_file(d, &bytes, err);
	strbuf_release(&bytes);
	return rc;
}

/* What is below a local snapshot may go, but for `trailing` entries and for what the state would not have after a power
 * cut: its files are synced at their own pace. */
static int drop_old(struct raft_adapter *a, const struct disk_op *op, struct err *err)
{
	uint64_t index = op->snapshot.index, durable = a->c.durable_index(a->c.arg);
	uint64_t from = index > op->trailing ? index - op->trailing + 1 : 1;
	return log_drop_before(a->log, durable + 1 < from ? durable + 1 : from, err);
}

int adapter_snapshot_write(struct raft_adapter *a, const struct disk_op *op, struct err *err)
{
	const struct snapshot_record *s = &op->snapshot;
	int rc = op->trailing ? 0 : a->c.install(a->c.arg, strbuf_slice(&s->descriptor), err);
	if (rc == 0)
		rc = adapter_snapshot_record(a->c.disk, s, err);
	if (rc != 0)
		return rc;
	return op->trailing ? drop_old(a, op, err) : log_restart(a->log, s->index + 1, err);
}

static int parse(struct snapshot_record *s, const char *bytes, size_t len, struct err *err)
{
	struct snapshot_head h;
	size_t rest = len - sizeof h;
	memcpy(&h, bytes, len < sizeof h ? 0 : sizeof h);
	if (len < sizeof h || h.magic != SNAPSHOT_MAGIC || h.conf_len > rest || h.descriptor_len != rest - h.conf_len ||
	        h.crc != crc32c(crc32c(0, &h, offsetof(struct snapshot_head, crc)), bytes + sizeof h, rest))
		return err_set(err, ERR_CORRUPT,
		        "the file \"snapshot\" is damaged. Remove this server from the cluster, delete its data and "
		        "join it again");
	if (!h.index || h.index >= LOG_INDEX_MAX || !h.term || h.conf_index > h.index)
		return err_set(err, ERR_CORRUPT,
		        "the file \"snapshot\" is whole and holds what no server writes. Remove this server from the "
		        "cluster, delete its data and join it again");
	s->index = h.index;
	s->term = h.term;
	s->conf_index = h.conf_index;
	strbuf_add(&s->conf, bytes + sizeof h, h.conf_len);
	strbuf_add(&s->descriptor, bytes + sizeof h + h.conf_len, h.descriptor_len);
	return 0;
}

int adapter_snapshot_load(struct raft_adapter *a, struct err *err)
{
	struct disk *d = a->c.disk;
	struct disk_file *f;
	bool there[2] = {false, false};
	uint64_t size;
	size_t got = 0;
	if (d->v->list(d, look, there, err) != 0)
		return err->code;
	if (!there[0])
		return 0;
	if (d->v->open(d, "snapshot", false, 0, &f, err) != 0)
		return err->code;
	int rc = f->v->size(f, &size, err);
	if (rc == 0 && size > SNAPSHOT_BYTES_MAX)
		rc = err_set(err, ERR_CORRUPT, "the file \"snapshot\" is too large to be one of ours");
	char *bytes = rc == 0 ? xmalloc(size + 1) : NULL;
	if (rc == 0)
		rc = f->v->read(f, 0, bytes, size, &got, err);
	if (rc == 0)
		rc = parse(&a->snapshot, bytes, got, err);
	free(bytes);
	f->v->close(f);
	return rc;
}

/* ---- hooks ---- */

static const struct config_change *change_at(const struct raft_adapter *a, uint64_t index)
{
	size_t n = a->n_changes;
	while (n && a->changes[n - 1].index > index)
		n--;
	CHECK(!n || a->changes[n - 1].index <= index);
	return n ? &a->changes[n - 1] : NULL;
}

/* 3. With two changes committed in one step libraft takes the snapshot between them, with a configuration older than
 * the snapshot's index: a server restarted from it counts the wrong majority. The log knows better. */
static void mend_configuration(struct raft_adapter *a, struct snapshot_record *s)
{
	const struct config_change *c = change_at(a, s->index);
	if (c && c->index > s->conf_index && adapter_works_around(a, 3)) {
		s->conf_index = c->index;
		strbuf_reset(&s->conf);
		strbuf_add(&s->conf, c->data, c->len);
	}
	if (a->c.probe.snapshot)
		a->c.probe.snapshot(a->c.probe.arg, s->index, s->term, s->conf_index, c ? c->index : 0);
}

/* An installed snapshot replaces the log and so the changes in it; a local one only needs the newest that it covers. */
static void prune_changes(struct raft_adapter *a, uint64_t index, bool installed)
{
	size_t keep = 0;
	if (installed) {
		adapter_forget_changes(a, 0);
		return;
	}
	while (keep + 1 < a->n_changes && a->changes[keep + 1].index <= index)
		free(a->changes[keep++].data);
	if (keep)
		memmove(a->changes, a->changes + keep, (a->n_changes - keep) * sizeof *a->changes);
	a->n_changes -= keep;
	CHECK(a->n_changes < 2 || a->changes[1].index > index);
}

int adapter_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
        const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
	struct raft_adapter *a = io->impl;
	struct disk_op *op = xcalloc(1, sizeof *op);
	struct raft_buffer conf = {NULL, 0};
	CHECK(snapshot->index >= 1 && snapshot->term >= 1);
	CHECK(snapshot->index >= a->snapshot.index); /* states do not go back */
	(void)raft_configuration_encode(&snapshot->configuration, &conf);
	req->cb = cb;
	op->is_snapshot = true;
	op->put = req;
	op->trailing = trailing;
	op->snapshot.index = snapshot->index;
	op->snapshot.term = snapshot->term;
	op->snapshot.conf_index = snapshot->configuration_index;
	strbuf_add(&op->snapshot.conf, conf.base, conf.len);
	for (unsigned i = 0; i < snapshot->n_bufs; i++)
		strbuf_add(&op->snapshot.descriptor, snapshot->bufs[i].base, snapshot->bufs[i].len);
	raft_free(conf.base);
	if (trailing)
		mend_configuration(a, &op->snapshot);
	else if (a->c.probe.snapshot)
		a->c.probe.snapshot(a->c.probe.arg, snapshot->index, snapshot->term, 0, 0);
	prune_changes(a, snapshot->index, trailing == 0);
	a->puts++;
	a->bytes = a->entries = 0;
	list_push_back(&a->queue, &op->link);
	adapter_start_job(a);
	return 0;
}

static void answer_get(struct raft_adapter *a, struct raft_io_snapshot_get *req)
{
	struct raft_snapshot *s = NULL;
	CHECK(a->snapshot.index != 0 && adapter_snapshot_make(&a->snapshot, &s) == 0);
	req->cb(req, s, 0);
}

/* 1. When the snapshot that is read is newer than the one libraft asked for, it sends the new index with the old term,
 * and the follower's log and later its state differ. So it is answered at once, with the snapshot libraft knows: the
 * last one whose put was called back. (With 10 off it is refused later if it is not that one any more.) */
int adapter_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb)
{
	struct raft_adapter *a = io->impl;
	req->cb = cb;
	if (adapter_works_around(a, 1) && adapter_works_around(a, 10)) {
		answer_get(a, req);
		return 0;
	}
	struct pending_get *p = xcalloc(1, sizeof *p);
	p->req = req;
	p->index = a->snapshot.index;
	list_push_back(&a->gets, &p->link);
	return 0;
}

void adapter_answer_gets(struct raft_adapter *a)
{
	adapter_check_owner(a);
	struct list_link *l;
	while (!a->dead && (l = list_pop_front(&a->gets)) != NULL) {
		struct pending_get *p = CONTAINER_OF(l, struct pending_get, link);
		struct raft_io_snapshot_get *req = p->req;
		bool is_refused = !adapter_works_around(a, 10) && p->index != a->snapshot.index;
		free(p);
		if (is_refused)
			req->cb(req, NULL, RAFT_IOERR);
		else
			answer_get(a, req);
		adapter_after(a);
	}
}
