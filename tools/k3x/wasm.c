/* k3x wasm-zygote: what the node of `--wasm` starts, and nobody else. See node/wasm/zygote/zygote.h. */
#include "base/flags.h"
#include "node/wasm/zygote/zygote.h"
#include "tools/programs.h"

#include <stdio.h>

int wasm_zygote_main(int argc, char **argv)
{
	struct wasm_zygote_options o = {0};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const struct flag table[] = {
	        {"state", 0, FLAG_STRING, &o.state, NULL, "folder of the socket, the modules and the containers", NULL},
	        {"logs", 0, FLAG_STRING, &o.logs, NULL, "folder of the pods' logs", NULL},
	};
	struct flags f = {.program = "k3x wasm-zygote",
	        .summary = "run WebAssembly containers for a node of --wasm, which starts this",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	int rc = flags_load(&f, &a, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
		arena_release(&a);
		return 0;
	}
	if (rc == 0 && (!o.state || *o.state != '/' || !o.logs || *o.logs != '/'))
		rc = err_set(&err, ERR_INVAL, "--state and --logs must be absolute paths");
	if (rc == 0)
		rc = wasm_zygote_run(&o, &err);
	if (rc != 0)
		fprintf(stderr, "k3x wasm-zygote: %s\n", err.msg);
	arena_release(&a);
	return rc == 0 ? 0 : err_exit_code(rc);
}
