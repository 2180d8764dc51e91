/* Files have what the process sees, what is synced, and the writes between the two; names have what is seen, what is
 * synced, and the changes between. A crash keeps a random prefix of each, and of the first write that is lost a random
 * choice of sectors and a torn one. */
#include "tests/sim/sim_disk.h"

#include "base/mem/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 256, SECTOR = 512 };

struct pending {
	bool truncate;
	uint64_t offset;
	size_t len;
	char *data;
};

struct image {
	char *data;
	size_t len;
};

struct inode {
	struct inode *next;
	struct image seen, synced;
	struct pending *pending;
	size_t n;
};

struct name {
	char name[40];
	struct inode *inode; /* NULL: free */
};

struct change {
	char name[40], to[40];
	struct inode *inode; /* set: created */
};

struct sim_disk {
	struct disk base;
	uint64_t (*random)(void);
	struct inode *inodes;
	struct name seen[NAMES_MAX], synced[NAMES_MAX];
	struct change *changes;
	size_t n_changes;
	unsigned fuse;
	bool dead, full;
};

struct sim_file {
	struct disk_file base;
	struct sim_disk *disk;
	struct inode *inode;
};

static bool burns(struct sim_disk *d)
{
	if (d->fuse && --d->fuse == 0)
		d->dead = true;
	return d->dead;
}

static int gone(struct err *err)
{
	return err_set(err, ERR_IO, "the simulated disk is dead");
}

static struct name *find(struct name *t, const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (t[i].inode && strcmp(t[i].name, name) == 0)
			return &t[i];
	return NULL;
}

static void apply_change(struct name *t, const struct change *c)
{
	struct name *n = find(t, c->name);
	if (c->inode) {
		for (int i = 0; i < NAMES_MAX && !n; i++)
			if (!t[i].inode)
				n = &t[i];
		memcpy(n->name, c->name, sizeof n->name);
		n->inode = c->inode;
	} else if (n && c->to[0]) {
		struct name *old = find(t, c->to);
		if (old)
			old->inode = NULL;
		memcpy(n->name, c->to, sizeof n->name);
	} else if (n) {
		n->inode = NULL;
	}
}

static void change(struct sim_disk *d, const char *name, const char *to, struct inode *inode)
{
	struct change c = {.inode = inode};
	snprintf(c.name, sizeof c.name, "%s", name);
	snprintf(c.to, sizeof c.to, "%s", to ? to : "");
	d->changes = xrealloc(d->changes, (d->n_changes + 1) * sizeof c);
	d->changes[d->n_changes++] = c;
	apply_change(d->seen, &c);
}

static void put(struct image *i, uint64_t offset, const char *data, size_t len)
{
	if (offset + len > i->len) {
		i->data = xrealloc(i->data, offset + len);
		memset(i->data + i->len, 0, offset + len - i->len);
		i->len = offset + len;
	}
	if (len)
		memcpy(i->data + offset, data, len);
}

static void cut(struct image *i, uint64_t size)
{
	if (size < i->len)
		i->len = size;
	else
		put(i, size, NULL, 0);
}

static int f_open(struct disk *b, const char *name, bool create, uint64_t size, struct disk_file **ret, struct err *err)
{
	struct sim_disk *d = (struct sim_disk *)b;
	struct name *n = find(d->seen, name);
	if (create && d->full)
		return err_set(err, ERR_NO_SPACE, "%s: the simulated disk is full", name);
	if (d->dead || (create && burns(d)))
		return gone(err);
	if (create == (n != NULL))
		return err_set(err, ERR_IO, "%s: %s", name, create ? "exists" : "is not there");
	struct inode *i = n ? n->inode : xcalloc(1, sizeof *i);
	if (create) {
		i->next = d->inodes;
		d->inodes = i;
		put(&i->seen, size, NULL, 0);
		put(&i->synced, size, NULL, 0);
		change(d, name, NULL, i);
	}
	struct sim_file *f = xcalloc(1, sizeof *f);
	*f = (struct sim_file){{b->v}, d, i};
	*ret = &f->base;
	return 0;
}

static void remember(struct inode *i, struct pending p)
{
	i->pending = xrealloc(i->pending, (i->n + 1) * sizeof p);
	i->pending[i->n++] = p;
}

static int f_write(struct disk_file *b, uint64_t offset, const void *data, size_t len, struct err *err)
{
	struct sim_file *f = (struct sim_file *)b;
	if (f->disk->dead)
		return gone(err);
	remember(f->inode, (struct pending){false, offset, len, xmemdup(data, len)});
	put(&f->inode->seen, offset, data, len);
	return burns(f->disk) ? gone(err) : 0;
}

static int f_read(struct disk_file *b, uint64_t offset, void *data, size_t len, size_t *got, struct err *err)
{
	const struct image *i = &((struct sim_file *)b)->inode->seen;
	*got = offset >= i->len ? 0 : i->len - offset < len ? i->len - offset : len;
	if (*got)
		memcpy(data, i->data + offset, *got);
	return 0;
}

static int f_size(struct disk_file *b, uint64_t *ret, struct err *err)
{
	*ret = ((struct sim_file *)b)->inode->seen.len;
	return 0;
}

static int f_truncate(struct disk_file *b, uint64_t size, struct err *err)
{
	struct sim_file *f = (struct sim_file *)b;
	if (burns(f->disk))
		return gone(err);
	remember(f->inode, (struct pending){true, size, 0, NULL});
	cut(&f->inode->seen, size);
	return 0;
}

static void forget(struct inode *i)
{
	for (size_t k = 0; k < i->n; k++)
		free(i->pending[k].data);
	i->n = 0;
}

static void copy(struct image *to, const struct image *from)
{
	free(to->data);
	to->data = xmemdup(from->data, from->len);
	to->len = from->len;
}

static void apply(struct image *to, const struct pending *p)
{
	if (p->truncate)
		cut(to, p->offset);
	else
		put(to, p->offset, p->data, p->len);
}

static int f_sync(struct disk_file *b, struct err *err)
{
	struct sim_file *f = (struct sim_file *)b;
	if (burns(f->disk))
		return gone(err);
	for (size_t k = 0; k < f->inode->n; k++)
		apply(&f->inode->synced, &f->inode->pending[k]);
	forget(f->inode);
	return 0;
}

static void f_close(struct disk_file *b)
{
	free(b);
}

static int f_rename(struct disk *b, const char *from, const char *to, struct err *err)
{
	if (burns((struct sim_disk *)b))
		return gone(err);
	change((struct sim_disk *)b, from, to, NULL);
	return 0;
}

static int f_remove(struct disk *b, const char *name, struct err *err)
{
	if (burns((struct sim_disk *)b))
		return gone(err);
	change((struct sim_disk *)b, name, NULL, NULL);
	return 0;
}

static int f_sync_folder(struct disk *b, struct err *err)
{
	struct sim_disk *d = (struct sim_disk *)b;
	if (burns(d))
		return gone(err);
	memcpy(d->synced, d->seen, sizeof d->seen);
	d->n_changes = 0;
	return 0;
}

static int f_list(struct disk *b, void (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	struct sim_disk *d = (struct sim_disk *)b;
	for (int i = 0; i < NAMES_MAX; i++)
		if (d->seen[i].inode)
			fn(arg, d->seen[i].name);
	return 0;
}

static const struct disk_vtable vtable = {f_open, f_write, f_read, f_size, f_truncate, f_sync, f_close, f_rename,
        f_remove, f_sync_folder, f_list, sim_disk_free};

struct disk *sim_disk_new(uint64_t (*source)(void))
{
	struct sim_disk *d = xcalloc(1, sizeof *d);
	d->base.v = &vtable;
	d->random = source;
	return &d->base;
}

static void tear(struct sim_disk *d, struct image *to, const struct pending *p)
{
	size_t torn = p->len ? d->random() % p->len : 0;
	bool scattered = d->random() % 2;
	for (size_t at = 0; at < p->len; at += SECTOR) {
		size_t len = p->len - at < SECTOR ? p->len - at : SECTOR;
		if (scattered ? d->random() % 2 : at + len <= torn)
			put(to, p->offset + at, p->data + at, len);
		else if (!scattered && at < torn)
			put(to, p->offset + at, p->data + at, torn - at);
	}
}

void sim_disk_crash(struct disk *b)
{
	struct sim_disk *d = (struct sim_disk *)b;
	size_t keep = d->random() % (d->n_changes + 1);
	for (size_t i = 0; i < keep; i++)
		apply_change(d->synced, &d->changes[i]);
	memcpy(d->seen, d->synced, sizeof d->seen);
	d->n_changes = 0;
	for (struct inode *i = d->inodes; i; i = i->next) {
		keep = d->random() % (i->n + 1);
		for (size_t k = 0; k < keep; k++)
			apply(&i->synced, &i->pending[k]);
		if (keep < i->n && !i->pending[keep].truncate)
			tear(d, &i->synced, &i->pending[keep]);
		forget(i);
		copy(&i->seen, &i->synced);
	}
	d->fuse = 0;
	d->dead = false;
}

void sim_disk_set_fuse(struct disk *b, unsigned ops)
{
	((struct sim_disk *)b)->fuse = ops;
}

void sim_disk_set_full(struct disk *b, bool full)
{
	((struct sim_disk *)b)->full = full;
}

void sim_disk_free(struct disk *b)
{
	struct sim_disk *d = (struct sim_disk *)b;
	for (struct inode *i = d->inodes, *next; i; i = next) {
		next = i->next;
		forget(i);
		free(i->pending);
		free(i->seen.data);
		free(i->synced.data);
		free(i);
	}
	free(d->changes);
	free(d);
}
