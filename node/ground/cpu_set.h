/* Sets of CPUs, as the kernel writes them: "0-3,8". Pure, any thread. */
#ifndef K3X_NODE_GROUND_CPU_SET_H
#define K3X_NODE_GROUND_CPU_SET_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

enum { CPU_SET_MAX = 1024 };

struct cpu_set {
	uint64_t bits[CPU_SET_MAX / 64];
};

/* False: it is none, or names a CPU beyond CPU_SET_MAX. An empty text is the empty set. */
bool cpu_set_parse(struct slice text, struct cpu_set *ret);
const char *cpu_set_text(const struct cpu_set *s, struct arena *a); /* "" when it is empty */

void cpu_set_add(struct cpu_set *s, unsigned cpu);
void cpu_set_del(struct cpu_set *s, unsigned cpu);
bool cpu_set_has(const struct cpu_set *s, unsigned cpu);
unsigned cpu_set_count(const struct cpu_set *s);
bool cpu_set_equal(const struct cpu_set *a, const struct cpu_set *b);
struct cpu_set cpu_set_union(const struct cpu_set *a, const struct cpu_set *b);
struct cpu_set cpu_set_without(const struct cpu_set *a, const struct cpu_set *b);
struct cpu_set cpu_set_common(const struct cpu_set *a, const struct cpu_set *b);

#endif
