/* The commands of `k3x-store`. Each gets its own name as argv[0] and returns the exit code. */
#ifndef K3X_TOOLS_STORE_TOOL_INT_H
#define K3X_TOOLS_STORE_TOOL_INT_H

#include "base/err.h"

/* Says what went wrong on stderr; the exit code for it. */
int store_tool_fail(const char *command, const struct err *err);

int store_snapshot_status(int argc, char **argv);
int store_snapshot_restore(int argc, char **argv);
int store_check(int argc, char **argv);
int store_sql_main(int argc, char **argv);
int store_put(int argc, char **argv);
int store_get(int argc, char **argv);
int store_del(int argc, char **argv);
int store_watch(int argc, char **argv);
int store_compact(int argc, char **argv);
int store_txn_main(int argc, char **argv);
int store_export(int argc, char **argv);
int store_import(int argc, char **argv);
int store_lease_grant(int argc, char **argv);
int store_lease_revoke(int argc, char **argv);
int store_lease_ttl(int argc, char **argv);
int store_lease_list(int argc, char **argv);
int store_lease_keep_alive(int argc, char **argv);
int store_endpoint_status(int argc, char **argv);
int store_endpoint_health(int argc, char **argv);
int store_endpoint_hashkv(int argc, char **argv);
int store_alarm_list(int argc, char **argv);
int store_alarm_disarm(int argc, char **argv);
int store_defrag(int argc, char **argv);
int store_member_list(int argc, char **argv);
int store_member_add(int argc, char **argv);
int store_member_remove(int argc, char **argv);
int store_member_promote(int argc, char **argv);
int store_member_demote(int argc, char **argv);
int store_member_update(int argc, char **argv);
int store_leader_move(int argc, char **argv);
int store_snapshot_save(int argc, char **argv);
int store_snapshot_ls(int argc, char **argv);
int store_snapshot_prune(int argc, char **argv);
int store_snapshot_to_etcd_main(int argc, char **argv);
int store_recover(int argc, char **argv);
int store_completion(int argc, char **argv);
int store_man(int argc, char **argv);

#endif
