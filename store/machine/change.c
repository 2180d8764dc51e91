/* Changing the state: a version of a key goes to the memory table, and what follows from it to events, counters and the
 * rolling hash. A command calls this only when it is certain to go through; nothing here can be refused, and what is
 * read from SQLite on the way stops the process when it does not read. */
#include "store/machine/change.h"

#include "base/check.h"
#include "store/machine/hash.h"

/* The id of the next row of the command at hand; its first one raises the revision. */
static int64_t next_id(struct machine *m)
{
	if (!m->writing) {
		m->writing = true;
		m->sub = 0;
		m->meta.revision++;
	}
	CHECK(m->sub < m->rows_max); /* counted when it was decided */
	return ROW_ID(m->meta.revision) + m->sub++;
}

/* The active segment keeps the block that the bytes of its keys and values lie in. */
static struct event_block *block_of(struct machine *m)
{
	if (!m->block) {
		m->block = event_block_new(m->collect_prev);
		mem_segment_hold(m->table.active, event_block_ref(m->block));
	}
	m->block->has_prev &= m->collect_prev;
	return m->block;
}

static void attach(struct machine *m, int64_t id, const struct store_kv *kv)
{
	char lease[8];
	struct arena *a = &m->table.active->arena;
	char *bytes = arena_alloc(a, sizeof lease + kv->key.len);
	mem_lease_key(kv->lease, bytes);
	memcpy(bytes + sizeof lease, kv->key.ptr, kv->key.len);
	mem_segment_add(m->table.active, MEM_ATTACHED,
	        &(struct mem_change){.at = id, .key = {bytes, sizeof lease + kv->key.len}});
}

/* Adds a version of a key, which makes it the newest, and records the event. version 0: a deletion. */
static void write_row(
        struct machine *m, const struct store_kv *kv, int64_t id, const struct row *old, const struct store_kv *prev)
{
	CHECK(kv->key.len > 0 && kv->version >= 0 && kv->mod_revision == m->meta.revision);
	CHECK(id > old->id && ROW_REVISION(id) == m->meta.revision);
	const struct store_event *e = event_block_add(block_of(m), kv->version == 0, kv, prev);
	mem_segment_add(m->table.active, MEM_KEYS,
	        &(struct mem_change){.at = id,
	                .prev = old->id,
	                .created = kv->create_revision,
	                .version = kv->version,
	                .lease = kv->lease,
	                .key = e->kv.key,
	                .value = e->kv.value,
	                .lived = old->version > 0});
	if (kv->lease)
		attach(m, id, kv);
	if (kv->version)
		recent_rows_set(
		        &m->recent, &(struct recent_row){kv->key, id, kv->create_revision, kv->version, kv->lease});
	else
		recent_rows_drop(&m->recent, kv->key);
	uint64_t h = hash_word(m->meta.hash, (uint64_t)id);
	h = hash_word(h, (uint64_t)kv->version);
	h = hash_word(h, (uint64_t)kv->lease);
	m->meta.hash = hash_bytes(hash_bytes(h, kv->key), kv->value);
}

int machine_put(
        struct machine *m, const struct store_put *p, struct store_result *res, struct arena *a, struct err *err)
{
	struct row old = {0};
	struct store_kv prev;
	struct store_kv kv = {.key = p->key, .value = p->value, .lease = p->lease};
	int rc = row_newest(&m->view, p->key, &old, err);
	if (rc < 0)
		return rc;
	bool lives = rc == 1 && old.version > 0;
	bool want_old = lives && (p->prev_kv || p->ignore_value || m->collect_prev);
	if (want_old && (rc = row_pair(&m->view, &old, p->key, a, &prev, err)) < 0)
		return rc;
	if (lives && p->ignore_value)
		kv.value = prev.value;
	if (lives && p->ignore_lease)
		kv.lease = old.lease;
	int64_t id = next_id(m);
	CHECK(m->writing && old.id < id);
	kv.mod_revision = m->meta.revision;
	kv.create_revision = lives ? old.created : kv.mod_revision;
	kv.version = lives ? old.version + 1 : 1;
	*res = (struct store_result){.type = STORE_OP_PUT};
	if (lives && p->prev_kv) {
		res->kvs = ARENA_NEW(a, struct store_kv);
		*res->kvs = prev;
		res->n_kvs = 1;
	}
	m->meta.keys += !lives;
	write_row(m, &kv, id, &old, want_old && m->collect_prev ? &prev : NULL);
	return 0;
}

int machine_delete_key(struct machine *m, struct slice key, struct err *err)
{
	struct row old;
	struct store_kv prev;
	struct arena a = ARENA_INIT;
	int rc = row_newest(&m->view, key, &old, err);
	if (rc <= 0 || old.version == 0)
		return rc < 0 ? rc : 0;
	if (m->collect_prev && (rc = row_pair(&m->view, &old, key, &a, &prev, err)) < 0)
		goto out;
	int64_t id = next_id(m);
	struct store_kv kv = {.key = key, .mod_revision = m->meta.revision};
	m->meta.keys--;
	write_row(m, &kv, id, &old, m->collect_prev ? &prev : NULL);
	rc = 0;
out:
	arena_release(&a);
	return rc;
}

void machine_set_lease(struct machine *m, int64_t id, int64_t ttl_s)
{
	char bytes[8];
	struct mem_segment *s = m->table.active;
	mem_segment_add(s, MEM_LEASES,
	        &(struct mem_change){.at = ++m->change,
	                .created = ttl_s,
	                .version = ttl_s > 0,
	                .key = mem_segment_keep(s, mem_lease_key(id, bytes))});
}

void machine_set_setting(struct machine *m, struct slice key, struct slice value, bool is_delete)
{
	struct mem_segment *s = m->table.active;
	mem_segment_add(s, MEM_SETTINGS,
	        &(struct mem_change){.at = ++m->change,
	                .version = !is_delete,
	                .key = mem_segment_keep(s, key),
	                .value = mem_segment_keep(s, value)});
}
