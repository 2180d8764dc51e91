/* See mailbox.h. Producers push onto a lock-free stack; the consumer takes the whole stack with one exchange and
 * reverses it. */
#include "base/rt/mailbox.h"

#include "base/check.h"

static struct mail *reverse(struct mail *m)
{
	struct mail *done = NULL;
	while (m) {
		struct mail *next = m->next;
		m->next = done;
		done = m;
		m = next;
	}
	return done;
}

static void drain(struct mailbox *mb)
{
	struct mail *m = atomic_exchange_explicit(&mb->head, NULL, memory_order_acquire);
	if (!m)
		return;
	unsigned n = 0;
	for (struct mail *it = m; it; it = it->next)
		n++;
	atomic_fetch_sub_explicit(&mb->count, n, memory_order_relaxed);
	mb->deliver(mb, reverse(m));
}

static void bell_cb(uv_async_t *bell)
{
	drain(bell->data);
}

void mailbox_init(
        struct mailbox *mb, uv_loop_t *uv, unsigned limit, void (*deliver)(struct mailbox *mb, struct mail *first))
{
	*mb = (struct mailbox){.limit = limit, .deliver = deliver};
	int rc = uv_async_init(uv, &mb->bell, bell_cb);
	CHECK(rc == 0);
	mb->bell.data = mb;
}

void mailbox_post(struct mailbox *mb, struct mail *m)
{
	atomic_fetch_add_explicit(&mb->count, 1, memory_order_relaxed);
	struct mail *head = atomic_load_explicit(&mb->head, memory_order_relaxed);
	do
		m->next = head;
	while (!atomic_compare_exchange_weak_explicit(&mb->head, &head, m, memory_order_release, memory_order_relaxed));
	if (!head)
		uv_async_send(&mb->bell);
}

bool mailbox_send(struct mailbox *mb, struct mail *m)
{
	if (mb->limit && atomic_load_explicit(&mb->count, memory_order_relaxed) >= mb->limit)
		return false;
	mailbox_post(mb, m);
	return true;
}

static void closed_cb(uv_handle_t *h)
{
	struct mailbox *mb = h->data;
	if (mb->on_closed)
		mb->on_closed(mb);
}

void mailbox_close(struct mailbox *mb, void (*on_closed)(struct mailbox *mb))
{
	drain(mb);
	mb->on_closed = on_closed;
	uv_close((uv_handle_t *)&mb->bell, closed_cb);
}
