/* Any bytes as a container's log: every line, and the last ones, found from behind and counted from the front. */
#include "node/runtime/log_file.h"

#include "base/check.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the last `lines` lines begin, the slow way. */
static int64_t tail_slowly(struct slice all, uint64_t lines)
{
	struct slice rest = all;
	int64_t *starts = calloc(all.len + 1, sizeof *starts), ret;
	size_t n = 0;
	bool before_is_partial = false;
	while (rest.len) {
		struct log_line l;
		int64_t at = rest.ptr - all.ptr;
		struct slice line = slice_cut(&rest, '\n');
		line.len = line.len > 95 ? 95 : line.len;
		if (!before_is_partial)
			starts[n++] = at;
		before_is_partial = log_line_parse(line, &l) && l.is_partial;
	}
	ret = n > lines ? starts[n - lines] : 0;
	free(starts);
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = {(const char *)data, size}, rest = all;
	while (rest.len) {
		struct log_line l;
		if (log_line_parse(slice_cut(&rest, '\n'), &l))
			CHECK(l.time_ns && l.text.ptr >= all.ptr && l.text.ptr + l.text.len <= all.ptr + all.len);
	}
	int fd = memfd_create("log", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, data, size) == (ssize_t)size)
		for (uint64_t lines = 1; lines < 6; lines++)
			CHECK(log_file_tail_offset(fd, lines) == tail_slowly(all, lines));
	close(fd);
	return 0;
}
