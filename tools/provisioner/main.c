/* `k3x provisioner`: the add-on itself, and `k3x provisioner setup|teardown`, what its helper pods run.
 *
 * The add-on speaks to the API as its pod's service account, or as whom a kubeconfig names when it runs outside a pod.
 * It ends on SIGTERM and SIGINT; nothing is lost by that, for all state is in the API. Two at once do no harm: names
 * are the same, and the second of two writes finds the first. */
#include "tools/programs.h"

#include "base/flags.h"
#include "base/log.h"
#include "tools/in_cluster.h"
#include "tools/provisioner/directory.h"
#include "tools/provisioner/provisioner.h"

#include <signal.h>
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

/* ---- whom to speak to ---- */

struct settings {
	const char *kubeconfig, *ns, *config_map, *helper_image;
	struct arena arena;
};

/* ---- the add-on ---- */

struct program {
	struct settings settings;
	struct loop loop;
	struct client *client;
	struct provisioner *provisioner;
	struct loop_task start_task;
	struct err err; /* of the start */
	uv_signal_t on_term, on_int;
	bool stopping;
};

static void signal_closed(uv_handle_t *h)
{
}

static void client_closed(void *arg)
{
	struct program *g = arg;
	uv_close((uv_handle_t *)&g->on_term, signal_closed);
	uv_close((uv_handle_t *)&g->on_int, signal_closed);
	loop_stop(&g->loop);
}

static void provisioner_closed(void *arg)
{
	struct program *g = arg;
	client_close(g->client, client_closed, g);
}

static void on_signal(uv_signal_t *h, int number)
{
	struct program *g = h->data;
	if (g->stopping)
		return;
	g->stopping = true;
	log_info("provisioner", "stopping", "signal=%d", number);
	provisioner_close(g->provisioner, provisioner_closed, g);
}

static void watch_signal(struct program *g, uv_signal_t *h, int number)
{
	uv_signal_init(loop_uv(&g->loop), h);
	h->data = g;
	uv_signal_start(h, on_signal, number);
}

/* On the loop: all of it belongs to it. */
static void start(struct loop_task *t)
{
	struct program *g = CONTAINER_OF(t, struct program, start_task);
	struct settings *s = &g->settings;
	int rc = in_cluster_client(&s->arena, &g->loop, s->kubeconfig, &g->client, &g->err);
	if (rc == 0 && !g->client)
		rc = err_set(&g->err, ERR_INVAL,
		        "this is no pod (KUBERNETES_SERVICE_HOST is not set): give --kubeconfig to run outside of one");
	if (rc != 0) {
		loop_stop(&g->loop);
		return;
	}
	g->provisioner = provisioner_new(&(struct provisioner_options){
	        .client = g->client, .ns = s->ns, .config_map = s->config_map, .helper_image = s->helper_image});
	watch_signal(g, &g->on_term, SIGTERM);
	watch_signal(g, &g->on_int, SIGINT);
}

static int load(struct settings *s, int argc, char **argv, bool *ret_help, struct err *err)
{
	const struct flag table[] = {
	        {"kubeconfig", 0, FLAG_STRING, &s->kubeconfig, NULL, "whom to speak to outside of a pod", NULL},
	        {"namespace", 0, FLAG_STRING, &s->ns, "POD_NAMESPACE", "of the config map and of helper pods", NULL},
	        {"configmap-name", 0, FLAG_STRING, &s->config_map, "CONFIGMAP_NAME",
	                "the config map with config.json: which paths on which nodes", NULL},
	        {"helper-image", 0, FLAG_STRING, &s->helper_image, "HELPER_IMAGE",
	                "of the pods that make and remove directories: k3x's own, or one with /bin/sh for the config "
	                "map's "
	                "scripts",
	                NULL},
	};
	struct flags f = {.program = "k3x provisioner",
	        .summary = "make directories on nodes for claims of the class local-path",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	if (flags_load(&f, &s->arena, argc, argv, err) != 0)
		return err->code;
	*ret_help = f.want_help;
	if (f.want_help)
		flags_help(&f);
	else if (!s->helper_image)
		err_set(err, ERR_INVAL, "--helper-image is needed: the image that helper pods run from");
	return err->code;
}

int provisioner_main(int argc, char **argv)
{
	struct program g = {.settings = {.ns = "kube-system", .config_map = "local-path-config"}};
	struct err err = ERR_INIT;
	bool help = false;
	if (argc > 1 && (strcmp(argv[1], "setup") == 0 || strcmp(argv[1], "teardown") == 0))
		return directory_main(argc - 1, argv + 1, argv[1][0] == 't');
	signal(SIGPIPE, SIG_IGN);
	int rc = load(&g.settings, argc, argv, &help, &err);
	if (rc == 0 && !help) {
		loop_init(&g.loop, "provisioner");
		g.start_task.run = start;
		loop_post(&g.loop, &g.start_task);
		loop_run(&g.loop);
		loop_release(&g.loop);
		err = g.err;
		rc = err.code;
	}
	if (rc != 0)
		rc = say("k3x provisioner", &err);
	arena_release(&g.settings.arena);
	return rc;
}
