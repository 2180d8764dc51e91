/* Looking at a disk that no host has open, without changing it: every checksum of log, snapshot record and meta files,
 * and that they fit together. The code that reads them at a start does it, on a disk that forgets what it is told to
 * write: a torn tail or an unfinished segment, which a start would tidy up, is a remark and no damage.
 *
 * What is beyond that: terms never fall, no entry is of a later term than the meta files know, and no entry is missing
 * between the snapshot and the log. */
#include "raft/host/host_int.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

struct check;

/* A disk that lets reads through and swallows writes. */
struct looking_disk {
	struct disk base;
	struct disk *real;
	struct check *check;
};

struct looking_file {
	struct disk_file base;
	struct disk_file *real;
	struct check *check;
	bool is_torn; /* it was said */
	char name[64];
};

struct check {
	void (*report)(void *arg, bool is_damage, const char *text);
	void *arg;
	struct raft_host_checked *out;
	uint64_t previous_term;
	struct strbuf conf; /* the newest configuration */
	bool has_meta, has_log, has_snapshot, fell;
};

static void say(struct check *c, bool is_damage, const char *text)
{
	c->out->n_damages += is_damage;
	c->report(c->arg, is_damage, text);
}

static void remark(struct check *c, const char *name, const char *what)
{
	struct err text = ERR_INIT;
	err_set(&text, ERR_OK, "%s: %s", name, what);
	say(c, false, text.msg);
}

/* ---- the disk ---- */

static const struct disk_vtable looking_vtable;

static int looking_open(
        struct disk *d, const char *name, bool create, uint64_t size, struct disk_file **ret, struct err *err)
{
	struct looking_disk *l = (struct looking_disk *)d;
	struct disk_file *real;
	if (create)
		return err_set(err, ERR_CORRUPT, "the file \"%s\" is not there", name);
	if (l->real->v->open(l->real, name, false, 0, &real, err) != 0)
		return err->code;
	struct looking_file *f = xcalloc(1, sizeof *f);
	f->base.v = &looking_vtable;
	f->real = real;
	f->check = l->check;
	snprintf(f->name, sizeof f->name, "%s", name);
	*ret = &f->base;
	return 0;
}

/* A start clears a torn tail of the log by writing zeros over it: told once for a file. */
static int looking_write(struct disk_file *b, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct looking_file *f = (struct looking_file *)b;
	if (strncmp(f->name, "log-", 4) == 0 && !f->is_torn)
		remark(f->check, f->name,
		        "its end was torn by a crash before it was acknowledged; the next start clears it");
	f->is_torn = true;
	return 0;
}

static int looking_read(struct disk_file *b, uint64_t offset, void *data, size_t len, size_t *got, struct err *err)
{
	struct looking_file *f = (struct looking_file *)b;
	return f->real->v->read(f->real, offset, data, len, got, err);
}

static int looking_size(struct disk_file *b, uint64_t *ret, struct err *err)
{
	struct looking_file *f = (struct looking_file *)b;
	return f->real->v->size(f->real, ret, err);
}

static int looking_truncate(struct disk_file *b, uint64_t size, struct err *err)
{
	return 0;
}

static int looking_sync(struct disk_file *b, struct err *err)
{
	return 0;
}

static void looking_close(struct disk_file *b)
{
	struct looking_file *f = (struct looking_file *)b;
	f->real->v->close(f->real);
	free(f);
}

static int looking_rename(struct disk *d, const char *from, const char *to, struct err *err)
{
	return 0;
}

static int looking_remove(struct disk *d, const char *name, struct err *err)
{
	remark(((struct looking_disk *)d)->check, name, "it is not needed any more; the next start removes it");
	return 0;
}

static int looking_sync_folder(struct disk *d, struct err *err)
{
	return 0;
}

static int looking_list(struct disk *d, void (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	struct looking_disk *l = (struct looking_disk *)d;
	return l->real->v->list(l->real, fn, arg, err);
}

static const struct disk_vtable looking_vtable = {.open = looking_open,
        .write = looking_write,
        .read = looking_read,
        .size = looking_size,
        .truncate = looking_truncate,
        .sync = looking_sync,
        .close = looking_close,
        .rename = looking_rename,
        .remove = looking_remove,
        .sync_folder = looking_sync_folder,
        .list = looking_list};

/* ---- what is looked at ---- */

static void look(void *arg, const char *name)
{
	struct check *c = arg;
	c->has_meta |= strncmp(name, "meta-", 5) == 0;
	c->has_log |= strncmp(name, "log-", 4) == 0;
	c->has_snapshot |= strcmp(name, "snapshot") == 0;
}

static void look_at_entry(void *arg, uint64_t index, const struct log_entry *e)
{
	struct check *c = arg;
	struct err text = ERR_INIT;
	if (e->term < c->previous_term && !c->fell) {
		c->fell = true;
		err_set(&text, ERR_CORRUPT, "log: entry %" PRIu64 " is of term %" PRIu64 ", the one before of %" PRIu64,
		        index, e->term, c->previous_term);
		say(c, true, text.msg);
	}
	c->previous_term = e->term;
	c->out->n_entries++;
	if (e->kind == RAFT_CHANGE) {
		strbuf_reset(&c->conf);
		strbuf_add_slice(&c->conf, e->data);
	}
}

static void damage(struct check *c, struct err *err)
{
	say(c, true, err->msg);
	*err = ERR_INIT;
}

static void check_parts(struct check *c, struct raft_adapter *a)
{
	struct raft_host_checked *out = c->out;
	struct err err = ERR_INIT;
	if (meta_open(a->c.disk, &a->meta, &err) != 0)
		damage(c, &err);
	if (adapter_snapshot_load(a, &err) != 0)
		damage(c, &err);
	strbuf_add_slice(&c->conf, strbuf_slice(&a->snapshot.conf));
	c->previous_term = 0;
	if (log_open(a->c.disk, 0, 0, look_at_entry, c, &a->log, &err) != 0)
		damage(c, &err);
	out->term = a->meta ? meta_term(a->meta) : 0;
	out->vote = a->meta ? meta_vote(a->meta) : 0;
	out->snapshot_index = a->snapshot.index;
	out->snapshot_term = a->snapshot.term;
	if (!a->log)
		return;
	out->first_index = log_first_index(a->log);
	out->last_index = log_last_index(a->log);
	out->last_term = c->previous_term;
	out->log_bytes = log_bytes(a->log);
	if (out->last_index <= out->snapshot_index) { /* the state is newer than the log, which is then dropped */
		out->last_index = out->snapshot_index;
		out->last_term = out->snapshot_term;
	}
}

static void check_together(struct check *c)
{
	struct raft_host_checked *out = c->out;
	struct err err = ERR_INIT;
	if (out->n_entries && out->first_index > out->snapshot_index + 1) {
		err_set(&err, ERR_CORRUPT,
		        "log: entries %" PRIu64 " to %" PRIu64 " are missing between the snapshot and the log",
		        out->snapshot_index + 1, out->first_index - 1);
		damage(c, &err);
	}
	if (out->last_term > out->term && c->has_meta) {
		err_set(&err, ERR_CORRUPT,
		        "the last entry is of term %" PRIu64 " and the meta files know only term %" PRIu64,
		        out->last_term, out->term);
		damage(c, &err);
	}
}

static void list_servers(struct check *c, struct arena *a)
{
	struct raft_host_checked *out = c->out;
	struct raft_configuration conf;
	struct raft_buffer bytes = {c->conf.data, c->conf.len};
	struct err err = ERR_INIT;
	if (!c->conf.len)
		return;
	if (raft_configuration_decode(&bytes, &conf) != 0) {
		err_set(&err, ERR_CORRUPT, "the newest configuration does not read");
		damage(c, &err);
		return;
	}
	out->servers = ARENA_ARRAY(a, struct raft_host_server, conf.n + 1);
	for (unsigned i = 0; i < conf.n; i++)
		out->servers[out->n_servers++] = (struct raft_host_server){.id = conf.servers[i].id,
		        .address = arena_strdup(a, conf.servers[i].address),
		        .role = conf.servers[i].role == RAFT_VOTER     ? RAFT_HOST_VOTER
		                : conf.servers[i].role == RAFT_STANDBY ? RAFT_HOST_STANDBY
		                                                       : RAFT_HOST_SPARE};
	raft_configuration_close(&conf);
}

int raft_host_check(struct disk *d, void (*report)(void *arg, bool is_damage, const char *text), void *arg,
        struct arena *a, struct raft_host_checked *ret, struct err *err)
{
	struct check c = {.report = report, .arg = arg, .out = ret};
	struct looking_disk disk = {{&looking_vtable}, d, &c};
	struct raft_adapter adapter = {.c.disk = &disk.base};
	*ret = (struct raft_host_checked){0};
	if (d->v->list(d, look, &c, err) != 0)
		return err->code;
	ret->is_empty = !c.has_meta && !c.has_log && !c.has_snapshot;
	if (ret->is_empty)
		return 0;
	check_parts(&c, &adapter);
	check_together(&c);
	list_servers(&c, a);
	adapter_release(&adapter);
	strbuf_release(&c.conf);
	return 0;
}
