/* See scheduler_args.h. */
#include "tools/k3x/scheduler_args.h"

#include "base/pki/pki.h"

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

int scheduler_args_load(
        const struct flag_list *given, struct arena *a, struct scheduler_configuration *ret, struct err *err)
{
	*ret = scheduler_configuration_default;
	for (size_t i = 0; i < given->count; i++) {
		struct slice value, name = flag_argument_cut(given->items[i], &value);
		if (!slice_is(name, "config"))
			return err_set(err, ERR_UNIMPLEMENTED,
			        "--kube-scheduler-arg: \"%.*s\" is not an argument that k3x has: `config` is, a file "
			        "with a "
			        "KubeSchedulerConfiguration",
			        SLICE_FMT(name));
		if (read_file(arena_printf(a, "%.*s", SLICE_FMT(value)), a, ret, err) != 0)
			return err->code;
	}
	return 0;
}
