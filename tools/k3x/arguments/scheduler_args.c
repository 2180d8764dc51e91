/* See scheduler_args.h. */
#include "tools/k3x/arguments/scheduler_args.h"

#include "base/check.h"
#include "base/pki/pki.h"
#include "tools/k3x/arguments/arguments.h"

#include <stdlib.h>

static int read_file(const char *path, struct arena *a, struct scheduler_configuration *ret, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return err_wrap(err, "--kube-scheduler-arg: config");
	int rc = scheduler_configuration_read(a, (struct slice){arena_memdup(a, text, len), len}, ret, err);
	free(text);
	rc = rc == 0 ? scheduler_configuration_load(a, ret, err) : rc;
	return rc == 0 ? 0 : err_wrap(err, "--kube-scheduler-arg: config: %s", path);
}

static const struct argument rows[] = {{"config", argument_text, 0, "a file with a KubeSchedulerConfiguration"}};

static const struct arguments table = {
        .flag = "--kube-scheduler-arg", .documents = "docs/controllers.md", .rows = rows, .n_rows = COUNT_OF(rows)};

int scheduler_args_load(
        const struct flag_list *given, struct arena *a, struct scheduler_configuration *ret, struct err *err)
{
	const char *file = NULL;
	*ret = scheduler_configuration_default;
	if (arguments_load(&table, given, a, &file, err) != 0)
		return err->code;
	return file ? read_file(file, a, ret, err) : 0;
}
