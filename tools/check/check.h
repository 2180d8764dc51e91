/* What a machine needs for k3x, one thing after the other: each is asked of the kernel, by looking or by trying, and
 * answered with what was found and, where something is missing, with the mend. Blocks; one thread. */
#ifndef K3X_TOOLS_CHECK_CHECK_H
#define K3X_TOOLS_CHECK_CHECK_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check_line {
	enum check_level level;
	const char *name; /* "cgroups" */
	const char *text; /* what was found */
	const char *mend; /* NULL: nothing to mend */
};

struct checks {
	const char *root;     /* what stands before /proc, /sys, /lib and /etc: "", but in tests */
	const char *data_dir; /* where the disk is tried */
	struct arena arena;
	struct check_line *lines;
	size_t count;
};

/* Adds a line. `mend` may be NULL. */
__attribute__((format(printf, 5, 6))) void check_add(
        struct checks *c, enum check_level level, const char *name, const char *mend, const char *fmt, ...);

/* The whole text of a small file below root, in the arena; NULL: it can't be read. */
const char *check_read(struct checks *c, const char *path);
/* Does it exist, below root? */
bool check_exists(struct checks *c, const char *path);

/* Kernel: version, namespaces, cgroups, modules, limits of inotify. check_kernel.c. */
void check_kernel(struct checks *c);
/* Programs that are run, and what AppArmor wants. check_machine.c. */
void check_programs(struct checks *c);
/* Ports, host name, clock, memory; the disk of the data folder, how much and how fast it syncs. check_machine.c. */
void check_machine(struct checks *c);
/* Does nft take what the proxy and the policies write? It is asked, nothing is changed. check_machine.c. */
void check_nftables(struct checks *c);

/* The parts that decide, for tests. */
/* How long a sync may take: p50 and p99 in microseconds. */
enum check_level check_sync_level(uint64_t p50_us, uint64_t p99_us, const char **mend);
/* Is a port (TCP, or UDP) taken? By an inode's socket in /proc/net of root; *inode says which. */
bool check_port_taken(struct checks *c, bool is_udp, unsigned port, uint64_t *inode);

#endif
