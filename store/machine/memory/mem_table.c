/* The memory table and looks at it. See mem_table.h.
 *
 *     active   <- changes            its bytes reach the bound: frozen, and a new one is begun
 *     frozen   -> SQLite             gone once SQLite has committed it
 *     SQLite   after `flushes` flushes
 *
 * A look holds references to the segments and a copy of the counters, so it shows one state however long it lasts. The
 * lock is held for the moments in which pointers change hands.
 *
 * A reader takes a look first and begins its transaction in SQLite after: what it finds there is the state beneath the
 * look, or the one after the next flush, which is the state beneath and the frozen segment (view.c drops that then), or
 * a later one still, and then it looks again.
 *
 * Who owns what: the applying thread adds, publishes and freezes; the flushing thread says when a frozen segment has
 * been flushed. */
#include "store/machine/memory/mem_table.h"

#include "base/check.h"
#include "store/machine/database/db.h"

static void begin(struct mem_table *t, const struct meta *meta)
{
	t->active = mem_segment_new();
	t->frozen = NULL;
	t->base = t->frozen_meta = t->meta = *meta;
}

void mem_table_init(struct mem_table *t, const struct meta *meta)
{
	*t = (struct mem_table){0};
	pthread_mutex_init(&t->lock, NULL);
	begin(t, meta);
}

void mem_table_release(struct mem_table *t)
{
	mem_segment_unref(t->active);
	mem_segment_unref(t->frozen);
	pthread_mutex_destroy(&t->lock);
}

void mem_table_reset(struct mem_table *t, const struct meta *meta)
{
	pthread_mutex_lock(&t->lock);
	mem_segment_unref(t->active);
	mem_segment_unref(t->frozen);
	begin(t, meta);
	pthread_mutex_unlock(&t->lock);
}

void mem_table_publish(struct mem_table *t, const struct meta *meta, int64_t change)
{
	pthread_mutex_lock(&t->lock);
	meta_check(meta, &t->meta);
	CHECK(change >= t->change);
	t->meta = *meta;
	t->change = change;
	pthread_mutex_unlock(&t->lock);
}

bool mem_table_freeze(struct mem_table *t)
{
	pthread_mutex_lock(&t->lock);
	bool can = !t->frozen && !meta_is_same_state(&t->meta, &t->base);
	if (can) {
		t->frozen = t->active;
		t->frozen_meta = t->meta;
		t->active = mem_segment_new();
	}
	pthread_mutex_unlock(&t->lock);
	return can;
}

struct mem_segment *mem_table_frozen(struct mem_table *t, struct meta *ret_meta)
{
	pthread_mutex_lock(&t->lock);
	struct mem_segment *s = t->frozen;
	*ret_meta = t->frozen_meta;
	pthread_mutex_unlock(&t->lock);
	return s;
}

void mem_table_flushed(struct mem_table *t)
{
	pthread_mutex_lock(&t->lock);
	struct mem_segment *s = t->frozen;
	int64_t flushes = t->base.flushes + 1;
	CHECK(s != NULL);
	t->frozen = NULL;
	t->base = t->frozen_meta;
	t->base.flushes = flushes;
	pthread_mutex_unlock(&t->lock);
	mem_segment_unref(s);
}

static size_t load(const _Atomic size_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

void mem_table_state(struct mem_table *t, struct mem_table_state *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = (struct mem_table_state){.is_frozen = t->frozen != NULL,
	        .is_dirty = !meta_is_same_state(&t->meta, &t->base),
	        .active_bytes = load(&t->active->bytes),
	        .frozen_bytes = t->frozen ? load(&t->frozen->bytes) : 0,
	        .data_bytes = load(&t->active->data_bytes) + (t->frozen ? load(&t->frozen->data_bytes) : 0),
	        .applied_index = t->meta.applied_index,
	        .flushed_index = t->base.applied_index,
	        .compacted = t->meta.compacted,
	        .flushed_compacted = t->base.compacted};
	pthread_mutex_unlock(&t->lock);
}

/* ---- looks ---- */

void mem_view_open(struct mem_view *v, struct mem_table *t)
{
	pthread_mutex_lock(&t->lock);
	*v = (struct mem_view){.layers = {mem_segment_ref(t->active)},
	        .n_layers = 1,
	        .flushes = t->base.flushes,
	        .meta = t->meta,
	        .id_max = ROW_ID(t->meta.revision + 1) - 1,
	        .change_max = t->change};
	if (t->frozen) {
		v->layers[v->n_layers++] = mem_segment_ref(t->frozen);
		v->has_frozen = true;
	}
	pthread_mutex_unlock(&t->lock);
}

void mem_view_drop_frozen(struct mem_view *v)
{
	CHECK(v->has_frozen);
	mem_segment_unref(v->layers[--v->n_layers]);
	v->has_frozen = false;
	v->flushes++;
}

void mem_view_close(struct mem_view *v)
{
	for (unsigned i = 0; i < v->n_layers; i++)
		mem_segment_unref(v->layers[i]);
	*v = (struct mem_view){0};
}
