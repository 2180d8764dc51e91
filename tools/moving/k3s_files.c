/* See k3s_files.h. A file is written whole beside its place, synced and renamed. */
#include "tools/moving/k3s_files.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/mem/arena.h"
#include "base/pki/pki.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *place;
	unsigned mode;
	bool is_needed;
} files[] = {{"server/tls/server-ca.key", 0600, true}, {"server/tls/server-ca.crt", 0644, true},
        {"server/tls/client-ca.key", 0600, true}, {"server/tls/client-ca.crt", 0644, true},
        {"server/tls/request-header-ca.key", 0600, false}, {"server/tls/request-header-ca.crt", 0644, false},
        {"server/tls/etcd/peer-ca.key", 0600, false}, {"server/tls/etcd/peer-ca.crt", 0644, false},
        {"server/tls/service.key", 0600, true}, {"server/token", 0600, true}, {"server/agent-token", 0600, false}};

static int check_file(struct arena *a, size_t i, const char *from, const char *to, struct err *err)
{
	const char *source = arena_printf(a, "%s/%s", from, files[i].place);
	const char *target = arena_printf(a, "%s/%s", to, files[i].place);
	char *mine = NULL, *theirs = NULL;
	size_t n = 0, m = 0;
	if (access(target, F_OK) != 0)
		return 0;
	int rc = pki_file_read(target, &theirs, &m, err);
	if (rc == 0 &&
	        (pki_file_read(source, &mine, &n, &(struct err){0}) != 0 || n != m || memcmp(mine, theirs, n) != 0))
		rc = err_set(err, ERR_EXISTS, "%s is there, and of another cluster: give an empty folder", target);
	free(mine);
	free(theirs);
	return rc;
}

int k3s_files_check(const char *from, const char *to, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = 0;
	for (size_t i = 0; i < COUNT_OF(files) && rc == 0; i++)
		rc = check_file(&a, i, from, to, err);
	arena_release(&a);
	return rc;
}

static int copy_file(struct arena *a, size_t i, const char *from, const char *to, bool is_dry, struct k3s_table *table,
        struct err *err)
{
	const char *source = arena_printf(a, "%s/%s", from, files[i].place);
	const char *target = arena_printf(a, "%s/%s", to, files[i].place);
	char *text;
	size_t len;
	if (access(source, F_OK) != 0 && !files[i].is_needed)
		return 0;
	if (pki_file_read(source, &text, &len, err) != 0)
		return err->code;
	int rc = is_dry ? 0 : file_make_dirs_above(target, 0700, err);
	if (rc == 0 && !is_dry)
		rc = pki_file_write(target, (struct slice){text, len}, files[i].mode, err);
	free(text);
	if (rc == 0)
		k3s_table_add(table, files[i].place, K3S_TAKEN, NULL);
	return rc;
}

int k3s_files_copy(const char *from, const char *to, bool is_dry, struct k3s_table *table, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = 0;
	for (size_t i = 0; i < COUNT_OF(files) && rc == 0; i++)
		rc = copy_file(&a, i, from, to, is_dry, table, err);
	arena_release(&a);
	return rc;
}
