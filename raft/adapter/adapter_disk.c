/* Appends and snapshots on their way to the disk: one queue in order, one job at a time that writes everything which
 * has queued, with consecutive appends as one batch, one write, one sync. Callbacks come when all of it is durable, in
 * order, never inside the hook (libraft would be entered again).
 *
 * libraft truncates by telling the index right before it appends: the log replaces a tail with the append itself. What
 * can go wrong: a full disk (the job is tried again at the next tick, nothing was acknowledged), a failing one
 * (fatal). */
#include "raft/adapter/adapter.h"

#include "base/buggify.h"
#include "base/check.h"

#include <stdlib.h>

enum { BATCH_BYTES_MAX = 4 * 1024 * 1024 };
_Static_assert(BATCH_BYTES_MAX + RAFT_ENTRY_BYTES_MAX < RAFT_BATCH_BYTES_MAX, "what is put together fits one write");

static struct disk_op *op_of(struct list_link *l)
{
	return CONTAINER_OF(l, struct disk_op, link);
}

/* ---- the job, on the writer's thread ---- */

static void add_entries(struct strbuf *list, const struct disk_op *op, size_t *bytes)
{
	for (unsigned i = 0; i < op->n; i++) {
		const struct raft_entry *e = &op->entries[i];
		struct log_entry le = {e->term, e->type, {e->buf.base, e->buf.len}};
		strbuf_add(list, &le, sizeof le);
		*bytes += e->buf.len + 24;
	}
}

/* Writes appends from *it on as one batch; *it is left at the first that is not in it. */
static int write_appends(struct raft_adapter *a, struct list_link **it, struct err *err)
{
	struct strbuf list = STRBUF_INIT;
	struct disk_op *first = op_of(*it);
	uint64_t next = first->index;
	size_t bytes = 0;
	struct list_link *l = *it;
	CHECK(first->index >= 1 && first->n >= 1 && !first->is_snapshot);
	while (l != &a->running && !op_of(l)->is_snapshot && op_of(l)->index == next && bytes < BATCH_BYTES_MAX) {
		add_entries(&list, op_of(l), &bytes);
		next += op_of(l)->n;
		l = l->next;
		if (buggify(BUGGIFY_BATCH_OF_ONE))
			break;
	}
	int rc = log_append(
	        a->log, first->index, (const struct log_entry *)list.data, list.len / sizeof(struct log_entry), err);
	strbuf_release(&list);
	for (; rc == 0 && *it != l; *it = (*it)->next)
		op_of(*it)->written = true;
	return rc;
}

static void work(struct raft_job *job)
{
	struct raft_adapter *a = CONTAINER_OF(job, struct raft_adapter, job);
	struct list_link *it = a->running.next;
	CHECK(a->job_active && !list_empty(&a->running));
	a->job_rc = 0;
	a->job_err = ERR_INIT;
	while (it != &a->running && a->job_rc == 0) {
		struct disk_op *op = op_of(it);
		if (op->written) {
			it = it->next;
		} else if (op->is_snapshot) {
			a->job_rc = adapter_snapshot_write(a, op, &a->job_err);
			op->written = a->job_rc == 0;
		} else {
			a->job_rc = write_appends(a, &it, &a->job_err);
		}
	}
}

/* ---- on raft's thread ---- */

static void free_op(struct disk_op *op)
{
	snapshot_record_release(&op->snapshot);
	free(op);
}

static void finish(struct raft_adapter *a, struct disk_op *op, int status)
{
	adapter_check_owner(a);
	CHECK(status != 0 || op->written); /* nothing is acknowledged before it is durable */
	if (op->is_snapshot) {
		struct raft_io_snapshot_put *put = op->put;
		CHECK(put && a->puts > 0);
		a->puts--;
		if (status == 0) {
			snapshot_record_release(&a->snapshot);
			a->snapshot = op->snapshot;
			op->snapshot = (struct snapshot_record){0};
		}
		free_op(op);
		put->cb(put, status);
	} else {
		struct raft_io_append *append = op->append;
		free_op(op);
		append->cb(append, status);
	}
	if (!a->closing)
		adapter_after(a);
}

static void done(struct raft_job *job)
{
	struct raft_adapter *a = CONTAINER_OF(job, struct raft_adapter, job);
	int rc = a->job_rc;
	CHECK(a->job_active && !a->closing);
	a->is_full = rc == ERR_NO_SPACE;
	if (rc != 0 && rc != ERR_NO_SPACE) {
		a->job_active = false;
		adapter_fatal(a, &a->job_err);
		return;
	}
	/* What is finished makes libraft append more; the next job starts when this one's list is done with. */
	while (!a->dead && !list_empty(&a->running) && op_of(a->running.next)->written)
		finish(a, op_of(list_pop_front(&a->running)), 0);
	CHECK(rc != 0 || a->dead || list_empty(&a->running));
	a->job_active = false;
	if (rc == 0)
		adapter_start_job(a);
}

void adapter_start_job(struct raft_adapter *a)
{
	adapter_check_owner(a);
	if (a->job_active || a->dead || a->closing)
		return;
	if (list_empty(&a->running))
		for (struct list_link *l; (l = list_pop_front(&a->queue)) != NULL;)
			list_push_back(&a->running, l);
	if (list_empty(&a->running))
		return;
	a->job_active = true;
	a->job = (struct raft_job){work, done};
	a->c.env->v->submit(a->c.env, &a->job);
}

void adapter_cancel_ops(struct raft_adapter *a)
{
	adapter_check_owner(a);
	struct list_link *l;
	while ((l = list_pop_front(&a->running)) != NULL)
		finish(a, op_of(l), RAFT_CANCELED);
	while ((l = list_pop_front(&a->queue)) != NULL)
		finish(a, op_of(l), RAFT_CANCELED);
}

/* ---- hooks ---- */

int adapter_truncate(struct raft_io *io, raft_index index)
{
	struct raft_adapter *a = io->impl;
	CHECK(index >= 1 && index > a->snapshot.index); /* what is in a snapshot is committed, and stays */
	a->next_index = index;
	adapter_forget_changes(a, index);
	return 0;
}

static void note_entries(struct raft_adapter *a, const struct raft_entry entries[], unsigned n)
{
	adapter_check_owner(a);
	for (unsigned i = 0; i < n; i++) {
		const struct raft_entry *e = &entries[i];
		struct log_entry le = {e->term, e->type, {e->buf.base, e->buf.len}};
		a->bytes += e->buf.len + 64; /* what an entry costs besides */
		a->entries++;
		if (e->type == RAFT_CHANGE)
			adapter_note_change(a, a->next_index + i, e->buf.base, e->buf.len);
		if (a->c.probe.appended)
			a->c.probe.appended(a->c.probe.arg, a->next_index + i, &le);
	}
}

int adapter_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
        raft_io_append_cb cb)
{
	struct raft_adapter *a = io->impl;
	struct disk_op *op = xcalloc(1, sizeof *op);
	CHECK(a->next_index != 0 && n >= 1);
	req->cb = cb;
	op->append = req;
	op->index = a->next_index;
	op->entries = entries;
	op->n = n;
	note_entries(a, entries, n);
	a->next_index += n;
	list_push_back(&a->queue, &op->link);
	adapter_start_job(a);
	return 0;
}
