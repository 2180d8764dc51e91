/* Any bytes as the files of a raft log: two segments, the snapshot record, term and vote. With the first bit of the
 * first byte set, checksums are put right before, so that what lies behind them is reached. What opens must take an
 * entry. */
#include "raft/adapter/adapter.h"
#include "raft/log/log_int.h"

#include "base/crc32c.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 16 };

struct file {
	struct disk_file base;
	char name[32];
	char *data;
	size_t len;
	bool there;
};

struct memory {
	struct disk base;
	struct file files[FILES_MAX];
};

static struct file *find(struct memory *m, const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (m->files[i].there && strcmp(m->files[i].name, name) == 0)
			return &m->files[i];
	return NULL;
}

static struct file *add(struct memory *m, const char *name, size_t len)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *f = &m->files[i];
		if (f->there)
			continue;
		f->there = true;
		snprintf(f->name, sizeof f->name, "%s", name);
		f->data = calloc(1, len + 1);
		f->len = len;
		return f;
	}
	return NULL;
}

static int m_open(struct disk *d, const char *name, bool create, uint64_t size, struct disk_file **ret, struct err *err)
{
	struct memory *m = (struct memory *)d;
	struct file *f = find(m, name);
	if (create && !f)
		f = add(m, name, size);
	else if (create)
		f = NULL;
	if (!f)
		return err_set(err, ERR_IO, "open");
	f->base.v = d->v;
	*ret = &f->base;
	return 0;
}

static int m_write(struct disk_file *b, uint64_t at, const void *data, size_t len, struct err *err)
{
	struct file *f = (struct file *)b;
	if (at + len > f->len) {
		f->data = realloc(f->data, at + len + 1);
		memset(f->data + f->len, 0, at + len - f->len);
		f->len = at + len;
	}
	memcpy(f->data + at, data, len);
	return 0;
}

static int m_read(struct disk_file *b, uint64_t at, void *data, size_t len, size_t *got, struct err *err)
{
	struct file *f = (struct file *)b;
	*got = at >= f->len ? 0 : f->len - at < len ? f->len - at : len;
	memcpy(data, f->data + (at < f->len ? at : 0), *got);
	return 0;
}

static int m_size(struct disk_file *b, uint64_t *ret, struct err *err)
{
	*ret = ((struct file *)b)->len;
	return 0;
}

static int m_truncate(struct disk_file *b, uint64_t size, struct err *err)
{
	struct file *f = (struct file *)b;
	f->len = size < f->len ? size : f->len;
	return 0;
}

static int m_sync(struct disk_file *b, struct err *err)
{
	return 0;
}

static void m_close(struct disk_file *b)
{
}

static int m_rename(struct disk *d, const char *from, const char *to, struct err *err)
{
	struct file *f = find((struct memory *)d, from), *old = find((struct memory *)d, to);
	if (!f)
		return err_set(err, ERR_IO, "rename");
	if (old) {
		old->there = false;
		free(old->data);
		old->data = NULL;
	}
	snprintf(f->name, sizeof f->name, "%s", to);
	return 0;
}

static int m_remove(struct disk *d, const char *name, struct err *err)
{
	struct file *f = find((struct memory *)d, name);
	if (f) {
		f->there = false;
		free(f->data);
		f->data = NULL;
	}
	return 0;
}

static int m_sync_folder(struct disk *d, struct err *err)
{
	return 0;
}

static int m_list(struct disk *d, void (*fn)(void *arg, const char *name), void *arg, struct err *err)
{
	struct memory *m = (struct memory *)d;
	for (size_t i = 0; i < FILES_MAX; i++)
		if (m->files[i].there)
			fn(arg, m->files[i].name);
	return 0;
}

static void m_free(struct disk *d)
{
}

static const struct disk_vtable vtable = {m_open, m_write, m_read, m_size, m_truncate, m_sync, m_close, m_rename,
        m_remove, m_sync_folder, m_list, m_free};

/* Puts the checksums of a segment right, as far as its lengths make sense. */
static void mend(char *data, size_t len)
{
	struct segment_header h;
	struct batch_header b;
	size_t at = sizeof h;
	if (len < sizeof h)
		return;
	memcpy(&h, data, sizeof h);
	h.magic = LOG_SEGMENT_MAGIC;
	h.crc = crc32c(0, &h, offsetof(struct segment_header, crc));
	memcpy(data, &h, sizeof h);
	while (len - at >= sizeof b) {
		memcpy(&b, data + at, sizeof b);
		if (b.length > len - at - sizeof b)
			break;
		b.magic = LOG_BATCH_MAGIC;
		b.salt = h.salt;
		b.crc = crc32c(0, &b.length, sizeof b - offsetof(struct batch_header, length));
		b.crc = crc32c(b.crc, data + at + sizeof b, b.length);
		memcpy(data + at, &b, sizeof b);
		at += sizeof b + b.length;
	}
}

static void touch(void *arg, uint64_t index, const struct log_entry *e)
{
	volatile char c = 0;
	for (size_t i = 0; i < e->data.len; i++)
		c ^= e->data.ptr[i];
}

static void open_all(struct memory *m)
{
	struct raft_adapter a = {.c.disk = &m->base};
	struct log_entry e = {UINT64_C(1) << 40, RAFT_COMMAND, SLICE("x")};
	struct err err = ERR_INIT;
	if (meta_open(&m->base, &a.meta, &err) == 0 && adapter_snapshot_load(&a, &err) == 0 &&
	        log_open(&m->base, 4096, 0, touch, NULL, &a.log, &err) == 0)
		log_append(a.log, log_last_index(a.log) + 1, &e, 1, &err);
	adapter_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.base.v = &vtable};
	static const char *const names[] = {"log-0000000000000001", "log-0000000000000002", "snapshot", "meta-0"};
	bool mends = size && (data[0] & 1);
	const char *p = (const char *)data + 1;
	size_t left = size ? size - 1 : 0;
	for (size_t i = 0; i < 4 && left >= 2; i++) {
		size_t n = (size_t)(unsigned char)p[0] | (size_t)(unsigned char)p[1] << 8;
		p += 2;
		left -= 2;
		n = n < left ? n : left;
		if (n) {
			struct file *f = add(&m, names[i], n);
			memcpy(f->data, p, n);
			if (mends && i < 2)
				mend(f->data, n);
		}
		p += n;
		left -= n;
	}
	open_all(&m);
	for (size_t i = 0; i < FILES_MAX; i++)
		free(m.files[i].data);
	return 0;
}
