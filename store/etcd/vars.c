/* /debug/vars: what etcd publishes there for Go's expvar, as far as it means anything here: the command line, how many
 * descriptors there may be, memory, and where raft stands. */
#include "store/etcd/http_int.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/wire/http.h"
#include "store/etcd/serve/service.h"

#include <inttypes.h>
#include <malloc.h>
#include <sys/resource.h>

static void memory(json_t *out)
{
	struct mallinfo2 m = mallinfo2();
	json_t *v = json_object();
	json_lib_set_int(v, "Alloc", (int64_t)(m.uordblks + m.hblkhd));
	json_lib_set_int(v, "HeapAlloc", (int64_t)(m.uordblks + m.hblkhd));
	json_lib_set_int(v, "HeapIdle", (int64_t)m.fordblks);
	json_lib_set_int(v, "HeapSys", (int64_t)(m.arena + m.hblkhd));
	json_lib_set_int(v, "Sys", (int64_t)(m.arena + m.hblkhd));
	json_lib_set(out, "memstats", v);
}

static void raft(struct etcd_service *s, json_t *out)
{
	struct raft_node_status r;
	raft_engine_status(s->raft, &r);
	json_t *v = json_object();
	json_lib_set_fmt(v, "id", "%" PRIx64, r.id);
	json_lib_set_int(v, "term", (int64_t)r.term);
	json_lib_set_fmt(v, "lead", "%" PRIx64, r.leader);
	json_lib_set_int(v, "commit", (int64_t)r.commit_index);
	json_lib_set_int(v, "applied", (int64_t)r.applied_index);
	json_lib_set_cstr(v, "raftState", r.is_leader ? "StateLeader" : "StateFollower");
	json_lib_set(out, "raft.status", v);
}

void etcd_vars(struct etcd_service *s, struct http_exchange *x)
{
	LOOP_CHECK_OWNER(s->loop);
	struct rlimit files = {0};
	struct strbuf text = STRBUF_INIT;
	json_auto_t *out = json_object();
	json_t *words = json_array();
	for (const char *const *p = s->options.command_line; p && *p; p++)
		json_array_append_new(words, json_lib_new_str(slice_of(*p)));
	json_lib_set(out, "cmdline", words);
	getrlimit(RLIMIT_NOFILE, &files);
	json_lib_set_int(out, "file_descriptor_limit", (int64_t)files.rlim_cur);
	memory(out);
	raft(s, out);
	json_lib_write(&text, out);
	http_set_content_type(x, "application/json; charset=utf-8");
	http_respond_strbuf(x, 200, &text);
}
