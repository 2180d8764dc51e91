/* Was this member removed? The leader stops talking to a member the moment it is not one any more, so the member itself
 * only sees that nobody leads. One that has seen that for a while asks the others who it is. When the one that leads
 * knows no such peer URL, or knows it under another id, and that is committed, it was removed, and stops: going on
 * would only disturb them. Others are not believed: one that has just been started knows nobody yet. */
#include "tools/store/serve/serve_settings.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/cond.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

enum { LOOK_MS = 500, PATIENCE_MS = 3000, ASK_MS = 1000 };

struct removal_watch {
	struct raft_engine *engine;
	char *peer_url;
	const struct raft_peer_access *access; /* borrowed */
	void (*removed)(void *arg);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
};

/* False: it is time to stop. */
static bool wait_a_moment(struct removal_watch *w)
{
	struct timespec limit = cond_limit(LOOK_MS);
	pthread_mutex_lock(&w->lock);
	if (!w->stopping)
		cond_wait_until(&w->wake, &w->lock, &limit);
	bool go_on = !w->stopping;
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

static bool was_told(struct removal_watch *w, const char *url, struct serve_told *told)
{
	struct strbuf answer = STRBUF_INIT;
	struct err err = ERR_INIT;
	bool ok = raft_node_ask(url, w->access, slice_of(w->peer_url), ASK_MS, &answer, &err) == 0 &&
	          serve_answer_parse(strbuf_slice(&answer), told, &err) == 0;
	strbuf_release(&answer);
	return ok;
}

static bool was_removed(struct removal_watch *w)
{
	struct serve_told told[RAFT_MEMBERS_MAX];
	struct raft_node_status s;
	size_t n = 0;
	raft_engine_status(w->engine, &s);
	for (size_t i = 0; i < s.n_members; i++)
		if (s.members[i].id != s.id && was_told(w, s.members[i].address, &told[n]))
			told[n++].from = s.members[i].address;
	const struct serve_told *by = serve_answer_removal(told, n, s.id);
	if (by)
		log_error("store", "this member was removed from its cluster: stopping",
		        "member=%016" PRIx64 " peer_url=%s leader=%s term=%" PRIu64 " there_now=%016" PRIx64
		        " mend=\"delete its data and add it again\"",
		        s.id, w->peer_url, by->from, by->term, by->member_id);
	return by != NULL;
}

static void *watch_main(void *arg)
{
	struct removal_watch *w = arg;
	unsigned leaderless_ms = 0;
	pthread_setname_np(pthread_self(), "store-removed");
	while (wait_a_moment(w)) {
		leaderless_ms = raft_engine_leader(w->engine) ? 0 : leaderless_ms + LOOK_MS;
		if (leaderless_ms < PATIENCE_MS)
			continue;
		leaderless_ms = 0;
		if (!was_removed(w))
			continue;
		w->removed(w->arg);
		break;
	}
	return NULL;
}

struct removal_watch *removal_watch_start(struct raft_engine *e, const char *peer_url,
        const struct raft_peer_access *access, void (*removed)(void *arg), void *arg)
{
	struct removal_watch *w = xcalloc(1, sizeof *w);
	*w = (struct removal_watch){
	        .engine = e, .peer_url = xstrdup(peer_url), .access = access, .removed = removed, .arg = arg};
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	CHECK(pthread_create(&w->thread, NULL, watch_main, w) == 0);
	return w;
}

void removal_watch_stop(struct removal_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w->peer_url);
	free(w);
}
