/* How malloc keeps what is freed, set once at the start of a program that runs for long, before it has threads.
 *
 * By itself malloc gives every thread an arena that keeps what it has freed, and after a few large buffers keeps those,
 * too: a server that loads its cache through two readers then holds it twice. On two cores two arenas cost nothing that
 * can be measured; where more threads run at a time there are more. */
#ifndef K3X_BASE_MEM_SPARE_H
#define K3X_BASE_MEM_SPARE_H

#include <malloc.h>
#include <unistd.h>

static inline void spare_memory(void)
{
	mallopt(M_ARENA_MAX, sysconf(_SC_NPROCESSORS_ONLN) > 4 ? 4 : 2);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

#endif
