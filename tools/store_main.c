/* `k3x-store`: the datastore's own commands, found by name in one table. */
#include "tools/programs.h"
#include "tools/store_int.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name, *sub; /* "snapshot", "save" */
	const char *help;       /* NULL: known, and not there yet */
	int (*run)(int argc, char **argv);
} commands[] = {
        {"serve", NULL, "serve etcd's v3 API from a data directory", store_serve_main},
        {"put", NULL, "write a pair", store_put},
        {"get", NULL, "read keys", store_get},
        {"del", NULL, "delete keys", store_del},
        {"txn", NULL, "compare and change in one step", store_txn_main},
        {"watch", NULL, "print changes as they happen", store_watch},
        {"compact", NULL, "drop old versions", store_compact},
        {"lease", "grant", "make a lease", store_lease_grant},
        {"lease", "revoke", "end a lease and delete its keys", store_lease_revoke},
        {"lease", "keep-alive", "renew a lease", store_lease_keep_alive},
        {"lease", "ttl", "what a lease has left", store_lease_ttl},
        {"lease", "list", "all leases", store_lease_list},
        {"endpoint", "status", "what servers say of themselves", store_endpoint_status},
        {"endpoint", "health", "can servers answer?", store_endpoint_health},
        {"endpoint", "hashkv", "compare replicas", store_endpoint_hashkv},
        {"alarm", "list", "alarms that stand", store_alarm_list},
        {"alarm", "disarm", "take alarms down", store_alarm_disarm},
        {"member", "list", "the members of the cluster", store_member_list},
        {"member", "add", NULL, NULL},
        {"member", "remove", NULL, NULL},
        {"member", "promote", NULL, NULL},
        {"export", NULL, "write all pairs as JSON lines", store_export},
        {"import", NULL, "read them back", store_import},
        {"snapshot", "save", "copy a running server's data to a file", store_snapshot_save},
        {"snapshot", "ls", NULL, NULL},
        {"snapshot", "prune", NULL, NULL},
        {"snapshot", "status", "check a snapshot and say what is in it", store_snapshot_status},
        {"snapshot", "restore", "make a data directory from a snapshot", store_snapshot_restore},
        {"check", NULL, "check a data directory or snapshot, offline", store_check},
        {"sql", NULL, "read a data directory or snapshot with SQL", store_sql_main},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int usage(FILE *out)
{
	fprintf(out, "k3x-store: run and look after the datastore of k3x\n\nUsage: k3x-store COMMAND [flags]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].help) {
			char name[64];
			snprintf(name, sizeof name, "%s%s%s", commands[i].name, commands[i].sub ? " " : "",
			        commands[i].sub ? commands[i].sub : "");
			fprintf(out, "  %-20s %s\n", name, commands[i].help);
		}
	fprintf(out, "\nk3x-store COMMAND --help lists the flags of a command. etcdctl works as a client too.\n");
	return out == stdout ? 0 : 2;
}

int store_main(int argc, char **argv)
{
	bool has_group = false;
	for (size_t i = 0; i < COMMANDS && argc >= 2; i++) {
		const struct command *c = &commands[i];
		if (strcmp(argv[1], c->name) != 0)
			continue;
		has_group = true;
		if (c->sub && (argc < 3 || strcmp(argv[2], c->sub) != 0))
			continue;
		int skip = c->sub ? 2 : 1;
		if (c->run)
			return c->run(argc - skip, argv + skip);
		fprintf(stderr, "k3x-store %s %s: not built yet\n", c->name, c->sub ? c->sub : "");
		return 1;
	}
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0))
		return usage(stdout);
	if (argc >= 2)
		fprintf(stderr, "k3x-store: unknown command \"%s%s%s\"\n\n", argv[1], has_group && argc > 2 ? " " : "",
		        has_group && argc > 2 ? argv[2] : "");
	return usage(stderr);
}
