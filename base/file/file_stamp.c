/* See file_stamp.h. */
#include "base/file/file_stamp.h"

#include <sys/stat.h>

struct file_stamp file_stamp_of(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return (struct file_stamp){0};
	return (struct file_stamp){st.st_ino, (uint64_t)st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec};
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->inode == b->inode && a->size == b->size && a->changed_s == b->changed_s &&
	       a->changed_ns == b->changed_ns;
}

bool file_stamp_changed(struct file_stamp *seen, const char *path)
{
	struct file_stamp now = file_stamp_of(path);
	bool is_other = !file_stamp_equal(seen, &now);
	*seen = now;
	return is_other;
}
