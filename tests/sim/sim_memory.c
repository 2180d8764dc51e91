/* See sim_memory.h. */
#include "tests/sim/sim_memory.h"

#include <raft.h>
#include <stdlib.h>
#include <string.h>

static long live_blocks;

static void *heap_malloc(void *d, size_t n)
{
	live_blocks++;
	return memset(malloc(n ? n : 1), 0xa5, n);
}

static void heap_free(void *d, void *p)
{
	live_blocks -= p != NULL;
	free(p);
}

static void *heap_calloc(void *d, size_t n, size_t size)
{
	live_blocks++;
	return calloc(n, size);
}

static void *heap_realloc(void *d, void *p, size_t n)
{
	live_blocks += p == NULL;
	return realloc(p, n);
}

static void *heap_aligned(void *d, size_t a, size_t n)
{
	live_blocks++;
	return aligned_alloc(a, n);
}

static void heap_aligned_free(void *d, size_t a, void *p)
{
	heap_free(d, p);
}

void sim_memory_count(void)
{
	static struct raft_heap counting = {
	        NULL, heap_malloc, heap_free, heap_calloc, heap_realloc, heap_aligned, heap_aligned_free};
	raft_heap_set(&counting);
}

long sim_memory_blocks(void)
{
	return live_blocks;
}
