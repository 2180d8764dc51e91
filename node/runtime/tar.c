/* See tar.h. */
#include "node/runtime/tar.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Octal digits in the fields; eleven of them hold 8 GiB. */
void tar_header(char ret[TAR_BLOCK], const char *name, unsigned mode, uint64_t size)
{
	size_t len = strlen(name);
	unsigned sum = 0;
	CHECK(len && len <= TAR_NAME_MAX && size < UINT64_C(1) << 33);
	memset(ret, 0, TAR_BLOCK);
	memcpy(ret, name, len);
	snprintf(ret + 100, 8, "%07o", mode & 07777);
	snprintf(ret + 108, 8, "%07o", 0);
	snprintf(ret + 116, 8, "%07o", 0);
	snprintf(ret + 124, 12, "%011" PRIo64, size);
	snprintf(ret + 136, 12, "%011o", 0);
	memset(ret + 148, ' ', 8);
	ret[156] = name[len - 1] == '/' ? '5' : '0';
	memcpy(ret + 257, "ustar\00000", 8);
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)ret[i];
	snprintf(ret + 148, 8, "%06o", sum);
}
