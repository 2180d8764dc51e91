/* The shape of a Corefile: server blocks, directives, their words, and what stands in braces behind them; imports put
 * in, snippets and environment variables replaced. What the words mean is conf.h's. One thread; memory is the arena's.
 */
#ifndef K3X_NET_DNS_CONF_COREFILE_H
#define K3X_NET_DNS_CONF_COREFILE_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

/* A line: words[0] is what it is about. */
struct corefile_line {
	const char *file;
	unsigned line;
	const char **words;
	size_t n_words;
	bool has_block;
	struct corefile_line *block; /* what stands in braces behind it */
	size_t n_block;
};

/* Where files come from, so that a Corefile can be read without a disk. Both may fail with an error that names the
 * path. */
struct corefile_source {
	/* The paths that a pattern stands for, sorted; none is not an error when there is a wildcard in it. */
	int (*find)(void *arg, struct arena *a, const char *pattern, const char ***ret, size_t *ret_n, struct err *err);
	/* At most DNS_CONF_BYTES_MAX. */
	int (*read)(void *arg, struct arena *a, const char *path, struct slice *ret, struct err *err);
	void *arg;
};

extern const struct corefile_source corefile_disk;

/* The server blocks of the file: their words are the keys. ERR_INVAL says "FILE:LINE: what". */
int corefile_read(struct arena *a, const struct corefile_source *source, const char *path, struct corefile_line **ret,
        size_t *ret_n, struct err *err);

__attribute__((format(printf, 3, 4))) int corefile_error(
        struct err *err, const struct corefile_line *l, const char *fmt, ...);

#endif
