/* See user.h. */
#include "api/server/auth/user.h"

#include "base/check.h"

#include <stdlib.h>

static struct slice keep(struct user *u, struct slice s)
{
	return s.len ? (struct slice){arena_memdup(&u->arena, s.ptr, s.len), s.len} : SLICE_NULL;
}

struct user *user_new(struct slice name, struct slice uid)
{
	struct user *u = xcalloc(1, sizeof *u);
	atomic_init(&u->refs, 1);
	u->name = keep(u, name);
	u->uid = keep(u, uid);
	return u;
}

bool user_add_group(struct user *u, struct slice group)
{
	DCHECK(atomic_load(&u->refs) == 1);
	if (u->n_groups == USER_GROUPS_MAX)
		return false;
	u->groups[u->n_groups++] = keep(u, group);
	return true;
}

void user_add_extra(struct user *u, struct slice key, struct slice value)
{
	struct user_extra **end = &u->extras;
	DCHECK(atomic_load(&u->refs) == 1);
	while (*end)
		end = &(*end)->next;
	*end = ARENA_NEW(&u->arena, struct user_extra);
	**end = (struct user_extra){NULL, keep(u, key), keep(u, value)};
}

struct user *user_ref(struct user *u)
{
	CHECK(atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed) > 0);
	return u;
}

void user_unref(struct user *u)
{
	if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_release(&u->arena);
	free(u);
}

bool user_is_in(const struct user *u, const char *group)
{
	for (size_t i = 0; i < u->n_groups; i++)
		if (slice_is(u->groups[i], group))
			return true;
	return false;
}

struct user *user_anonymous(void)
{
	struct user *u = user_new(SLICE("system:anonymous"), SLICE_NULL);
	user_add_group(u, SLICE("system:unauthenticated"));
	return u;
}
