/* Work on a disk that no host has open: making one server the only voter when the majority is lost for good, and
 * beginning a cluster from a state instead of from nothing.
 *
 * Recovery appends one entry, a configuration of one voter, behind everything that is in the log: at the next start
 * this server elects itself and commits all of it. What was acknowledged by the lost majority and never came here is
 * gone, so the server with the newest (term, index) is the one to keep. */
#include "raft/host/host_int.h"

#include "base/check.h"

#include <inttypes.h>

static void note_term(void *arg, uint64_t index, const struct log_entry *e)
{
	*(uint64_t *)arg = e->term;
}

static int encode(const struct raft_host_server *servers, size_t n, struct raft_buffer *ret, struct err *err)
{
	static const int roles[] = {RAFT_STANDBY, RAFT_VOTER, RAFT_SPARE};
	struct raft_configuration conf;
	int rc = 0;
	CHECK(n >= 1);
	raft_configuration_init(&conf);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = raft_configuration_add(&conf, servers[i].id, servers[i].address, roles[servers[i].role]);
	if (rc == 0)
		rc = raft_configuration_encode(&conf, ret);
	raft_configuration_close(&conf);
	return rc == 0 ? 0 : err_set(err, ERR_INVAL, "configuration: %s", raft_strerror(rc));
}

int raft_host_recover(
        struct disk *d, const struct raft_host_server *self, uint64_t *ret_last, uint64_t *ret_term, struct err *err)
{
	struct raft_adapter a = {.c.disk = d};
	uint64_t term = 0;
	struct raft_buffer conf = {NULL, 0};
	int rc = meta_open(d, &a.meta, err);
	if (rc == 0)
		rc = adapter_snapshot_load(&a, err);
	if (rc == 0)
		rc = log_open(d, 0, 0, note_term, &term, &a.log, err);
	if (rc != 0)
		goto out;
	if (term < a.snapshot.term)
		term = a.snapshot.term;
	uint64_t last = log_last_index(a.log);
	if (last < a.snapshot.index) { /* a start would drop this log for the snapshot, and the new entry with it */
		last = a.snapshot.index;
		if ((rc = log_restart(a.log, last + 1, err)) != 0)
			goto out;
	}
	if (term == 0) {
		rc = err_set(err, ERR_NOT_FOUND, "there is no raft log here: nothing to recover");
		goto out;
	}
	rc = encode(self, 1, &conf, err);
	struct log_entry e = {meta_term(a.meta) > term ? meta_term(a.meta) : term, RAFT_CHANGE, {conf.base, conf.len}};
	CHECK(e.term >= term && last <= log_last_index(a.log)); /* behind all there is, and in no older term */
	if (rc == 0)
		rc = log_append(a.log, last + 1, &e, 1, err);
	*ret_last = last;
	*ret_term = term;
out:
	raft_free(conf.base);
	adapter_release(&a);
	return rc;
}

static int adopt(struct raft_adapter *a, const struct raft_host_server *servers, size_t n, struct slice descriptor,
        struct err *err)
{
	struct snapshot_record s = {.index = RAFT_STATE_INDEX, .term = 1, .conf_index = RAFT_STATE_INDEX};
	struct raft_buffer conf = {NULL, 0};
	int rc = 0;
	if (a->snapshot.index || log_last_index(a->log) || meta_term(a->meta) > 1)
		rc = err_set(err, ERR_EXISTS, "there is a raft log here already");
	if (rc == 0)
		rc = encode(servers, n, &conf, err);
	if (rc == 0)
		rc = meta_set_term(a->meta, 1, err);
	strbuf_add(&s.conf, conf.base, conf.len);
	strbuf_add_slice(&s.descriptor, descriptor);
	if (rc == 0)
		rc = adapter_snapshot_record(a->c.disk, &s, err);
	if (rc == 0)
		rc = log_restart(a->log, RAFT_STATE_INDEX + 1, err);
	raft_free(conf.base);
	if (rc == 0) {
		snapshot_record_release(&a->snapshot);
		a->snapshot = s;
	} else {
		snapshot_record_release(&s);
	}
	return rc;
}

int raft_host_bootstrap_state(
        struct disk *d, const struct raft_host_server *servers, size_t n, struct slice descriptor, struct err *err)
{
	struct raft_adapter a = {.c.disk = d};
	int rc = meta_open(d, &a.meta, err);
	if (rc == 0)
		rc = adapter_snapshot_load(&a, err);
	if (rc == 0)
		rc = log_open(d, 0, 0, NULL, NULL, &a.log, err);
	if (rc == 0)
		rc = adopt(&a, servers, n, descriptor, err);
	adapter_release(&a);
	return rc;
}

int raft_host_adopt_state(
        struct raft_host *h, const struct raft_host_server *servers, size_t n, struct slice descriptor, struct err *err)
{
	return adopt(&h->adapter, servers, n, descriptor, err);
}
