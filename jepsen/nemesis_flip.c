/* Bits that flip in the log and snapshot files of one server while it is down. It may refuse to start, or stop as soon
 * as it finds out: then it is replaced by an empty member when the fault ends. What it must not do is serve or count as
 * a voter with what it forgot. */
#include "jepsen/nemesis.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 64, FLIPS_MAX = 8 };

/* nftw() has no argument to pass on; only the main thread comes here. */
static char found[FILES_MAX][DISK_PATH_MAX];
static unsigned found_count;
static const char *const *wanted;

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	bool is_wanted = false;
	for (unsigned i = 0; wanted[i]; i++)
		is_wanted = is_wanted || strstr(path, wanted[i]);
	if (type == FTW_F && st->st_size > 0 && is_wanted && found_count < FILES_MAX && strlen(path) < DISK_PATH_MAX)
		memcpy(found[found_count++], path, strlen(path) + 1);
	return 0;
}

static int flip(const char *path, unsigned flips, struct rng *rng, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	/* Files are made ahead of need: what was written ends at the first hole. */
	off_t used = fd < 0 ? 0 : lseek(fd, 0, SEEK_HOLE);
	for (unsigned i = 0; i < flips && used > 0; i++) {
		unsigned char byte;
		off_t at = (off_t)(rng_next(rng) % (uint64_t)used);
		if (pread(fd, &byte, 1, at) != 1)
			break;
		byte ^= (unsigned char)(1u << rng_below(rng, 8));
		if (pwrite(fd, &byte, 1, at) != 1)
			break;
	}
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	close(fd);
	return 0;
}

static int begin(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	struct node *n = nemesis_victim(f, err);
	if (!n)
		return err->code;
	if (n->state != NODE_UP)
		return err_set(err, ERR_UNAVAILABLE, "%s is down", n->name);
	node_kill(n);
	f->nodes = UINT64_C(1) << n->index;
	found_count = 0;
	wanted = c->target->log_files;
	nftw(n->data_dir, look, 16, FTW_PHYS);
	if (found_count) {
		const char *path = found[rng_below(f->rng, found_count)];
		unsigned flips = 1 + rng_below(f->rng, FLIPS_MAX);
		if (flip(path, flips, f->rng, err) != 0)
			return err->code;
		nemesis_tell(f, "%u bits of %s", flips, path + strlen(n->data_dir));
	}
	if (cluster_start_node(c, n, err) != 0)
		return err->code;
	n->excused = n->is_damaged = true;
	return 0;
}

static int end(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	for (unsigned i = 0; i < c->count; i++) {
		struct node *n = &c->nodes[i];
		if (!(f->nodes >> i & 1))
			continue;
		node_poll(n);
		if (n->state == NODE_UP)
			return 0;
		if (cluster_remove_node(c, n, err) != 0 || cluster_add_node(c, n, err) != 0)
			return err_wrap(err, "replace %s", n->name);
	}
	return 0;
}

const struct nemesis nemesis_bit_flip = {.name = "bit-flip",
        .what = "bits flip in the log or a snapshot of one server",
        .kind = NEMESIS_DISK,
        .nodes_min = 3,
        .needs_members = true,
        .needs_etcd = true,
        .begin = begin,
        .end = end};
