/* k3x's datastore by itself: `k3x-store serve`, which takes etcd's flags. */
#include "jepsen/target.h"

#include "jepsen/target_flags.h"

static const char *const *argv(const struct cluster *c, const struct node *n, struct arena *a)
{
	/* So small a table is flushed several times a second: faults meet flushes in all their stages. */
	const char *const program[] = {
	        c->binary ? c->binary : "build/k3x", "store", "serve", "--memory-table-kbytes", "64", NULL};
	return target_store_argv(c, n, program, a);
}

static const char *const crash_words[] = {
        "invariant broken", "Assertion", "AddressSanitizer", "ThreadSanitizer", "runtime error:", NULL};
static const char *const log_files[] = {"/raft/", "/log/", "segment", "snapshot", NULL};

const struct target target_k3x = {.name = "k3x",
        .takes_shim = true,
        .has_clusters = true,
        .argv = argv,
        .crash_words = crash_words,
        .log_files = log_files};
