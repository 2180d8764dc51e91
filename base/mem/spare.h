/* How malloc keeps what is freed, set once at the start of a program that runs for long, before it has threads.
 *
 * By itself malloc gives every thread an arena that keeps what it has freed, and after a few large buffers keeps those,
 * too: a server that loads its cache through two readers then holds it twice. Four are shared by all threads: with two
 * the API loop, the controllers and the store's threads waited for each other, some eight times for a pod that was
 * created and bound, and four hold 2 MiB more.
 *
 * What is freed at the end of an arena goes back to the kernel only when it is more than a burst takes and frees again:
 * with malloc's own 128 KiB pages came and went with each batch of writes, a fault each and an interrupt of the other
 * cores for those that go. Who has been busy trims when it rests (malloc_trim()), so nothing of it is kept. */
#ifndef K3X_BASE_MEM_SPARE_H
#define K3X_BASE_MEM_SPARE_H

#include <malloc.h>

static inline void spare_memory(void)
{
	mallopt(M_ARENA_MAX, 4);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 8 * 1024 * 1024);
}

#endif
