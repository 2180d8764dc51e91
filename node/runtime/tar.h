/* Headers of tar archives (ustar, POSIX.1-1988): of files and folders of root, without times, so that the same content
 * is always the same bytes. */
#ifndef K3X_NODE_RUNTIME_TAR_H
#define K3X_NODE_RUNTIME_TAR_H

#include <stddef.h>
#include <stdint.h>

enum { TAR_BLOCK = 512, TAR_END = 2 * TAR_BLOCK, TAR_NAME_MAX = 99 };

/* `name` at most TAR_NAME_MAX bytes; a folder's ends with '/' and has no content. Content is padded to TAR_BLOCK. */
void tar_header(char ret[TAR_BLOCK], const char *name, unsigned mode, uint64_t size);

static inline uint64_t tar_padded(uint64_t size)
{
	return (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

#endif
