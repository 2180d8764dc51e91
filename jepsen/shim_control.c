/* See shim_control.h. */
#include "jepsen/shim_control.h"

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 512, SECTOR_BYTES = 512 };

static void path_in(char *out, const char *dir, const char *name)
{
	snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

int shim_control_make(const char *dir, const char *data_dir, struct err *err)
{
	char path[PATH_BYTES], undo[PATH_BYTES];
	struct shim_control page = {.is_journaling = 1};
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", dir);
	snprintf(undo, sizeof undo, "%s/../undo", data_dir);
	if (mkdir(undo, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", undo);
	path_in(path, dir, "undo");
	if (symlink(undo, path) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make %s", path);
	path_in(path, dir, "control");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, &page, sizeof page, 0) != sizeof page)
		return err_errno(err, errno, "make %s", path);
	close(fd);
	return shim_control_forget(dir, err);
}

struct shim_control *shim_control_map(const char *dir, struct err *err)
{
	char path[PATH_BYTES];
	path_in(path, dir, "control");
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *p = fd < 0 ? MAP_FAILED
	                 : mmap(NULL, sizeof(struct shim_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err_errno(err, errno, "map %s", path);
	if (fd >= 0)
		close(fd);
	return p == MAP_FAILED ? NULL : p;
}

void shim_control_unmap(struct shim_control *s)
{
	if (s)
		munmap(s, sizeof *s);
}

static void empty_folder(const char *path)
{
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

int shim_control_forget(const char *dir, struct err *err)
{
	char path[PATH_BYTES];
	path_in(path, dir, "undo");
	empty_folder(path);
	path_in(path, dir, "journal");
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "empty %s", path);
	close(fd);
	return 0;
}

void shim_control_set_clock(struct shim_control *s, int64_t offset_ns, int64_t rate_ppm)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t now = t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
	__atomic_fetch_add(&s->sequence, 1, __ATOMIC_SEQ_CST);
	if (s->clock_rate_ppm)
		s->clock_shift_ns += (int64_t)((double)(now - s->clock_epoch_ns) * (double)s->clock_rate_ppm / 1e6);
	s->clock_epoch_ns = now;
	s->clock_offset_ns = offset_ns;
	s->clock_rate_ppm = rate_ppm;
	__atomic_fetch_add(&s->sequence, 1, __ATOMIC_SEQ_CST);
}

/* ---- power cuts ---- */

struct synced;

struct journal {
	char *bytes;
	size_t len;
	const struct shim_record **records;
	size_t count, cap;
	struct synced *synced;
	size_t synced_count;
};

/* What a later record has made durable: per file, and per folder for names. */
struct synced {
	uint64_t inode; /* 0: a folder */
	const char *folder;
	uint64_t before; /* records with lower numbers */
};

static int read_journal(const char *dir, struct journal *j, struct err *err)
{
	char path[PATH_BYTES], part[65536];
	struct strbuf b = STRBUF_INIT;
	ssize_t n;
	path_in(path, dir, "journal");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	while ((n = read(fd, part, sizeof part)) > 0)
		strbuf_add(&b, part, (size_t)n);
	close(fd);
	j->len = b.len;
	j->bytes = strbuf_detach(&b);
	return 0;
}

/* A record that is not whole was being written when the process was killed: what it announces did not happen. The next
 * process goes on behind it. */
static int load(const char *dir, struct journal *j, struct err *err)
{
	if (read_journal(dir, j, err) != 0)
		return err->code;
	for (size_t at = 0; j->len >= at + sizeof(struct shim_record);) {
		struct shim_record *r = (struct shim_record *)(j->bytes + at);
		bool is_record = r->magic == SHIM_MAGIC && r->bytes <= j->len - at - sizeof *r &&
		                 !r->path[SHIM_PATH_MAX - 1] && !r->other_path[SHIM_PATH_MAX - 1];
		if (!is_record) {
			at += 8;
			continue;
		}
		if (j->count == j->cap) {
			j->cap = j->cap ? 2 * j->cap : 256;
			j->records = xrealloc(j->records, j->cap * sizeof *j->records);
		}
		j->records[j->count++] = r;
		at += (sizeof *r + r->bytes + 7) & ~(size_t)7;
	}
	return 0;
}

static bool is_in_folder(const char *path, const char *folder)
{
	size_t len = strlen(folder);
	return strncmp(path, folder, len) == 0 && path[len] == '/' && !strchr(path + len + 1, '/');
}

static void learn_sync(struct journal *j, const struct shim_record *r)
{
	bool is_folder = r->type == SHIM_FOLDER_SYNCED;
	for (size_t i = 0; i < j->synced_count; i++) {
		struct synced *s = &j->synced[i];
		if (is_folder ? s->folder && strcmp(s->folder, r->path) == 0 : s->inode == r->inode && !s->folder) {
			if ((uint64_t)r->offset > s->before)
				s->before = (uint64_t)r->offset;
			return;
		}
	}
	j->synced = xrealloc(j->synced, (j->synced_count + 1) * sizeof *j->synced);
	j->synced[j->synced_count++] =
	        (struct synced){.inode = r->inode, .folder = is_folder ? r->path : NULL, .before = (uint64_t)r->offset};
}

/* Did a later sync cover this record? Later syncs have been learned. */
static bool is_durable(const struct journal *j, const struct shim_record *r)
{
	bool is_name = r->type == SHIM_RENAME || r->type == SHIM_REMOVE;
	for (size_t i = 0; i < j->synced_count; i++) {
		const struct synced *s = &j->synced[i];
		if (r->number >= s->before)
			continue;
		if (s->folder ? (is_name || r->type == SHIM_CREATE) && is_in_folder(r->path, s->folder)
		              : !is_name && s->inode == r->inode)
			return true;
	}
	return false;
}

/* The file itself, which may have another name by now: another that has taken its name is not touched. -1 when it is
 * gone, or was replaced. */
static int open_inode(const struct shim_record *r)
{
	struct stat st;
	int fd = open(r->path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_ino == r->inode)
		return fd;
	if (fd >= 0)
		close(fd);
	fd = -1;
	char path[SHIM_PATH_MAX];
	memcpy(path, r->path, sizeof path);
	int folder = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = folder < 0 ? NULL : fdopendir(folder);
	for (struct dirent *e; d && fd < 0 && (e = readdir(d)) != NULL;)
		if (e->d_ino == r->inode)
			fd = openat(folder, e->d_name, O_WRONLY | O_CLOEXEC);
	if (d)
		closedir(d);
	else if (folder >= 0)
		close(folder);
	return fd;
}

static bool is_at(const struct shim_record *r)
{
	struct stat st;
	return lstat(r->path, &st) == 0 && st.st_ino == r->inode;
}

/* Puts back what was there, sector by sector: a write that is torn loses some of its sectors only. */
static void undo_write(const struct shim_record *r, struct rng *rng, struct shim_loss *loss)
{
	const char *old = (const char *)(r + 1);
	bool is_torn = r->bytes > SECTOR_BYTES && rng_chance(rng, 30);
	int fd = open_inode(r);
	if (fd < 0)
		return;
	for (uint32_t at = 0; at < r->bytes;) {
		uint32_t n = SECTOR_BYTES - (uint32_t)((r->offset + at) % SECTOR_BYTES);
		n = n < r->bytes - at ? n : r->bytes - at;
		if (!is_torn || rng_chance(rng, 50))
			(void)!pwrite(fd, old + at, n, (off_t)r->offset + at);
		at += n;
	}
	if (!is_torn && r->length >= 0)
		(void)!ftruncate(fd, (off_t)r->length);
	close(fd);
	loss->torn += is_torn;
	loss->lost += !is_torn;
}

static void undo_length(const struct shim_record *r)
{
	int fd = open_inode(r);
	if (fd < 0)
		return;
	(void)!ftruncate(fd, (off_t)r->length);
	close(fd);
}

static void undo(const char *dir, const struct shim_record *r, struct rng *rng, struct shim_loss *loss)
{
	char saved[PATH_BYTES];
	snprintf(saved, sizeof saved, "%s/undo/%u", dir, r->undo_name);
	switch (r->type) {
	case SHIM_WRITE:
		undo_write(r, rng, loss);
		return;
	case SHIM_LENGTH:
		undo_length(r);
		break;
	case SHIM_CREATE:
		if (is_at(r))
			unlink(r->path);
		break;
	case SHIM_RENAME:
		if (is_at(r))
			rename(r->path, r->other_path);
		if (r->undo_name)
			rename(saved, r->path);
		break;
	case SHIM_REMOVE:
		rename(saved, r->path);
		break;
	default:
		return;
	}
	loss->lost++;
}

/* Names are undone from the newest back without gaps (a rename cannot be lost while a later one of the same folder is
 * kept); contents each by itself. */
int shim_power_cut(const char *dir, struct rng *rng, struct shim_loss *ret, struct err *err)
{
	struct journal j = {0};
	uint32_t lose_percent = rng_chance(rng, 40) ? 100 : rng_below(rng, 100);
	bool names_go = rng_chance(rng, 70);
	if (load(dir, &j, err) != 0)
		return err_wrap(err, "power cut");
	*ret = (struct shim_loss){0};
	for (size_t i = j.count; i-- > 0;) {
		const struct shim_record *r = j.records[i];
		bool is_content = r->type == SHIM_WRITE || r->type == SHIM_LENGTH;
		if (r->type == SHIM_SYNCED || r->type == SHIM_FOLDER_SYNCED) {
			learn_sync(&j, r);
			continue;
		}
		if (is_durable(&j, r))
			continue;
		if (is_content ? rng_chance(rng, lose_percent) : names_go)
			undo(dir, r, rng, ret);
		else
			ret->kept++;
		if (!is_content && names_go)
			names_go = rng_chance(rng, 80);
	}
	free(j.records);
	free(j.synced);
	free(j.bytes);
	return shim_control_forget(dir, err);
}
