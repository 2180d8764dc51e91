/* `k3x-store`: the datastore's own commands, found by name in one table. */
#include "tools/programs.h"
#include "tools/store/commands.h"
#include "tools/store/tool_int.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

const struct store_entry store_entries[] = {
        {"serve", NULL, "", "serve etcd's v3 API from a data directory", store_serve_main},
        {"put", NULL, "KEY [VALUE]", "write a pair", store_put},
        {"get", NULL, "KEY [END]", "read keys", store_get},
        {"del", NULL, "KEY [END]", "delete keys", store_del},
        {"txn", NULL, "", "compare and change in one step", store_txn_main},
        {"watch", NULL, "KEY [END]", "print changes as they happen", store_watch},
        {"compact", NULL, "REVISION", "drop old versions", store_compact},
        {"lease", "grant", "SECONDS", "make a lease", store_lease_grant},
        {"lease", "revoke", "ID", "end a lease and delete its keys", store_lease_revoke},
        {"lease", "keep-alive", "ID", "renew a lease", store_lease_keep_alive},
        {"lease", "ttl", "ID", "what a lease has left", store_lease_ttl},
        {"lease", "list", "", "all leases", store_lease_list},
        {"endpoint", "status", "", "what servers say of themselves", store_endpoint_status},
        {"endpoint", "health", "", "can servers answer?", store_endpoint_health},
        {"endpoint", "hashkv", "", "compare replicas", store_endpoint_hashkv},
        {"alarm", "list", "", "alarms that stand", store_alarm_list},
        {"alarm", "disarm", "", "take alarms down", store_alarm_disarm},
        {"defrag", NULL, "", "give free space of the files back", store_defrag},
        {"member", "list", "", "the members of the cluster", store_member_list},
        {"member", "add", "NAME", "make a new member known", store_member_add},
        {"member", "remove", "ID|NAME", "take a member out", store_member_remove},
        {"member", "promote", "ID|NAME", "give a learner a vote", store_member_promote},
        {"member", "demote", "ID|NAME", "take a vote away; the member stays as a learner", store_member_demote},
        {"member", "update", "ID|NAME", "change the address of a member", store_member_update},
        {"leader", "move", "[ID|NAME]", "let another member lead", store_leader_move},
        {"export", NULL, "", "write all pairs as JSON lines", store_export},
        {"import", NULL, "", "read them back", store_import},
        {"snapshot", "save", "FILE", "copy a running server's data to a file", store_snapshot_save},
        {"snapshot", "ls", "DIR", "the snapshots in a folder, each checked", store_snapshot_ls},
        {"snapshot", "prune", "DIR", "remove old snapshots from a folder", store_snapshot_prune},
        {"snapshot", "status", "FILE", "check a snapshot and say what is in it", store_snapshot_status},
        {"snapshot", "restore", "FILE", "make a data directory from a snapshot, also of etcd", store_snapshot_restore},
        {"snapshot", "to-etcd", "FILE OUT", "write a snapshot that etcd restores", store_snapshot_to_etcd_main},
        {"migrate", NULL, "", "move all of it into another datastore, or back", store_migrate},
        {"check", NULL, "PATH", "check a data directory or snapshot, offline", store_check},
        {"recover", NULL, "", "go on with one member when the majority is lost", store_recover},
        {"sql", NULL, "PATH STATEMENT", "read a data directory or snapshot with SQL", store_sql_main},
        {"completion", NULL, "bash|zsh|fish", "print a completion script for a shell", store_completion},
        {"man", NULL, "", "print the manual page, for man(1)", store_man},
};

const size_t store_entries_count = COUNT_OF(store_entries);

static void print_entry(FILE *out, const struct store_entry *e)
{
	char name[64];
	snprintf(name, sizeof name, "%s%s%s", e->name, e->sub ? " " : "", e->sub ? e->sub : "");
	fprintf(out, "  %-20s %s\n", name, e->help);
}

/* group NULL: all of them. */
static int usage(FILE *out, const char *group)
{
	if (!group)
		fprintf(out,
		        "k3x-store: run and look after the datastore of k3x\n\nUsage: k3x-store COMMAND [flags]\n\n");
	for (size_t i = 0; i < store_entries_count; i++)
		if (!group || strcmp(store_entries[i].name, group) == 0)
			print_entry(out, &store_entries[i]);
	fprintf(out, "\nk3x-store COMMAND --help lists the flags of a command. etcdctl works as a client too.\n");
	return out == stdout ? 0 : 2;
}

static bool wants_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0 || strcmp(text, "help") == 0;
}

/* For completion: a row per command, or per one of a group. */
static int table(const char *group)
{
	for (size_t i = 0; i < store_entries_count; i++) {
		const struct store_entry *e = &store_entries[i];
		bool is_first = i == 0 || strcmp(store_entries[i - 1].name, e->name) != 0;
		if (!group && is_first)
			printf("%s\t%s\n", e->name, e->sub ? "a group of commands" : e->help);
		else if (group && strcmp(e->name, group) == 0)
			printf("%s\t%s\n", e->sub, e->help);
	}
	return 0;
}

int store_main(int argc, char **argv)
{
	bool has_group = false;
	for (size_t i = 0; i < store_entries_count && argc >= 2; i++) {
		const struct store_entry *e = &store_entries[i];
		if (strcmp(argv[1], e->name) != 0)
			continue;
		has_group = true;
		if (e->sub && (argc < 3 || strcmp(argv[2], e->sub) != 0))
			continue;
		int skip = e->sub ? 2 : 1;
		return e->run(argc - skip, argv + skip);
	}
	if (argc == (has_group ? 3 : 2) && strcmp(argv[argc - 1], "--help=table") == 0)
		return table(has_group ? argv[1] : NULL);
	if (argc >= 2 && wants_help(argv[1]))
		return usage(stdout, NULL);
	if (has_group && argc >= 3 && wants_help(argv[2]))
		return usage(stdout, argv[1]);
	if (argc >= 2)
		fprintf(stderr, "k3x-store: unknown command \"%s%s%s\"\n\n", argv[1], has_group && argc > 2 ? " " : "",
		        has_group && argc > 2 ? argv[2] : "");
	return usage(stderr, has_group ? argv[1] : NULL);
}
