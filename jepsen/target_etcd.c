/* etcd 3.5: a system with known properties, on which the harness is proven. It is written in Go, which asks the kernel
 * for time and files without the C library: the shim has no power over it. */
#include "jepsen/target.h"

#include "jepsen/target_flags.h"

static const char *const *argv(const struct cluster *c, const struct node *n, struct arena *a)
{
	const char *const program[] = {c->binary ? c->binary : "etcd", "--logger=zap", "--log-level=warn", NULL};
	return target_store_argv(c, n, program, a);
}

static const char *const crash_words[] = {"panic:", "fatal error:", "[signal SIG", "unexpected fault address", NULL};
static const char *const log_files[] = {"member/wal/", ".snap", NULL};

const struct target target_etcd = {
        .name = "etcd", .has_clusters = true, .argv = argv, .crash_words = crash_words, .log_files = log_files};
