/* See registries.h. What can go wrong: a file that can't be read or says something that is not known, which stops the
 * start by its name; a folder that can't be written. A hosts.toml that does not begin with our line is somebody's own,
 * and stays. */
#include "tools/k3x/registries/registries.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/pki/pki.h"
#include "node/ground/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_LINE "# Written by k3x from registries.yaml"

static bool is_ours(const char *file)
{
	char *text = NULL;
	size_t len;
	bool yes = pki_file_read(file, &text, &len, NULL) == 0 && slice_starts((struct slice){text, len}, OUR_LINE);
	free(text);
	return yes;
}

static bool is_listed(const struct registry_hosts *hosts, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(hosts[i].folder, name) == 0)
			return true;
	return false;
}

static void remove_old(struct arena *a, const char *folder, const struct registry_hosts *hosts, size_t n)
{
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		const char *file = arena_printf(a, "%s/%s/hosts.toml", folder, e->d_name);
		if (e->d_name[0] == '.' || is_listed(hosts, n, e->d_name) || !is_ours(file))
			continue;
		unlink(file);
		rmdir(arena_printf(a, "%s/%s", folder, e->d_name)); /* unless somebody keeps more there */
	}
	if (d)
		closedir(d);
}

static int write_all(struct arena *a, const char *folder, const struct registry_hosts *hosts, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *own = arena_printf(a, "%s/%s", folder, hosts[i].folder),
		           *file = arena_printf(a, "%s/hosts.toml", own);
		if (access(file, F_OK) == 0 && !is_ours(file))
			return err_set(err, ERR_EXISTS, "%s is not k3x's: remove it, or take %s out of registries.yaml",
			        file, hosts[i].folder);
		if (file_make_dirs(own, 0755, err) != 0 ||
		        pki_file_write(file, slice_of(hosts[i].text), 0600, err) != 0) /* it may hold a password */
			return err->code;
	}
	return 0;
}

int registries_write(const char *file, bool is_named, bool without_default, const struct registry_peers *peers,
        const char *folder, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct registry_hosts *hosts = NULL;
	char *text = NULL;
	size_t len = 0, n = 0;
	int rc = 0;
	if (access(file, F_OK) == 0 || is_named)
		rc = pki_file_read(file, &text, &len, err);
	if (rc == 0 && text &&
	        registries_parse(&a, (struct slice){text, len}, without_default, peers, &hosts, &n, err) != 0)
		rc = err_wrap(err, "%s", file);
	if (rc == 0) {
		remove_old(&a, folder, hosts, n);
		rc = write_all(&a, folder, hosts, n, err);
	}
	free(text);
	arena_release(&a);
	return rc;
}
