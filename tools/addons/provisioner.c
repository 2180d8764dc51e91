/* `k3x provisioner`: the add-on itself, and `k3x provisioner setup|teardown`, what its helper pods run.
 *
 * Nothing is lost when the add-on ends, for all state is in the API. Two at once do no harm: names are the same, and
 * the second of two writes finds the first. */
#include "tools/programs.h"

#include "base/check.h"
#include "tools/addons/addon.h"
#include "tools/provisioner/directory.h"
#include "tools/provisioner/provisioner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int say(const char *program, const struct err *err)
{
	fprintf(stderr, "%s: %s\n", program, err->msg);
	return err_exit_code(err->code);
}

/* ---- setup and teardown ---- */

static int directory_main(int argc, char **argv, bool removes)
{
	const char *base = NULL, *path = NULL,
	           *program = removes ? "k3x provisioner teardown" : "k3x provisioner setup";
	const struct flag table[] = {
	        {"base", 0, FLAG_STRING, &base, NULL, "the directory that all volumes of the node lie in", NULL},
	        {"path", 0, FLAG_STRING, &path, NULL, "the volume's own, relative to the base", NULL},
	};
	struct flags f = {.program = program,
	        .summary = removes ? "remove a volume's directory and what is in it" : "make a volume's directory",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	int rc = flags_load(&f, &a, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		arena_release(&a);
		return 0;
	}
	if (rc == 0 && (!base || !path))
		rc = err_set(&err, ERR_INVAL, "--base and --path are both needed");
	umask(0);
	if (rc == 0)
		rc = removes ? directory_remove(base, path, &err) : directory_make(base, path, 0777, &err);
	if (rc != 0)
		rc = say(program, &err);
	arena_release(&a);
	return rc;
}

/* ---- the add-on ---- */

struct program {
	struct addon base;
	struct provisioner_options o;
	struct provisioner *provisioner;
};

static void stop(struct addon *base)
{
	provisioner_close(CONTAINER_OF(base, struct program, base)->provisioner, addon_stopped, base);
}

static int start(struct addon *base, struct err *err)
{
	struct program *p = CONTAINER_OF(base, struct program, base);
	if (!p->o.helper_image)
		return err_set(err, ERR_INVAL, "--helper-image is needed: the image that helper pods run from");
	p->o.client = base->client;
	p->provisioner = provisioner_new(&p->o);
	return 0;
}

int provisioner_main(int argc, char **argv)
{
	static const struct addon_ops ops = {
	        .name = "provisioner", .needs_cluster = true, .start = start, .stop = stop};
	if (argc > 1 && (strcmp(argv[1], "setup") == 0 || strcmp(argv[1], "teardown") == 0))
		return directory_main(argc - 1, argv + 1, argv[1][0] == 't');
	struct program *p = xcalloc(1, sizeof *p);
	p->o.ns = "kube-system";
	p->o.config_map = "local-path-config";
	const struct flag table[] = {
	        ADDON_FLAGS(&p->base),
	        {"namespace", 0, FLAG_STRING, &p->o.ns, "POD_NAMESPACE", "of the config map and of helper pods", NULL},
	        {"configmap-name", 0, FLAG_STRING, &p->o.config_map, "CONFIGMAP_NAME",
	                "the config map with config.json: which paths on which nodes", NULL},
	        {"helper-image", 0, FLAG_STRING, &p->o.helper_image, "HELPER_IMAGE",
	                "of the pods that make and remove directories: k3x's own, or one with /bin/sh for the config "
	                "map's scripts",
	                NULL},
	};
	struct flags f = {.program = "k3x provisioner",
	        .summary = "make directories on nodes for claims of the class local-path",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = addon_main(&p->base, &ops, &f, argc, argv);
	free(p);
	return rc;
}
