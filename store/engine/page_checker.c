/* Reads all pages of the database in the background and looks at their checksums, so that what rots is found while
 * there is another copy of it, and not by the first who needs it.
 *
 *     wait `every` -> a chunk -> wait a moment -> ... -> the last page -> wait `every`
 *
 * The pages are read past SQLite's caches, from the file as it is now, through the file of a connection (page_file.c):
 * a descriptor of our own would take SQLite's locks with it when it is closed. What a checkpoint is writing just then,
 * or left half written when the process died, looks rotten: so a page that does is looked at again after a checkpoint,
 * which writes what the log has of it. What was never written (all zeros) is passed over: no table uses it, or reading
 * finds it.
 *
 * What can go wrong: a page is rotten. It is counted and said; what follows is the engine's (raft_hash.c: the state is
 * taken from the leader; alone: the alarm CORRUPT). */
#include "store/engine/page_checker_int.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/cond.h"
#include "store/machine/database/page_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* 4 MB/s. */
enum { CHUNK_PAGES = 64, CHUNK_MS = 64, TRIES = 20, TRY_MS = 20, SAY_MS = 60000 };

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void rot_note(struct rot *r, const char *path, const char *what)
{
	int64_t now = now_ms(), said = atomic_load(&r->said_ms);
	uint64_t n = atomic_fetch_add(&r->found, 1) + 1;
	atomic_store(&r->is_there, true);
	if ((said && now - said < SAY_MS) || !atomic_compare_exchange_strong(&r->said_ms, &said, now))
		return;
	log_error("store", "the database is rotten",
	        "path=%s found=\"%s\" count=%" PRIu64
	        " mend=\"restore a snapshot; one of several members takes the leader's state by itself\"",
	        path, what, n);
}

static bool is_rotten_for_good(struct page_checker *c, int64_t page)
{
	for (int i = 0; i < TRIES; i++) {
		enum page_state state = page_file_look(c->db.handle, page);
		if (state != PAGE_IS_ROTTEN && state != PAGE_IS_UNREAD)
			return false;
		sqlite3_wal_checkpoint_v2(c->db.handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
		usleep(TRY_MS * 1000);
	}
	return true;
}

/* False: that was the last of them, or one is rotten. */
static bool check_chunk(struct page_checker *c, int64_t first, int64_t *ret_rotten)
{
	int64_t pages = page_file_pages(c->db.handle), end = first + CHUNK_PAGES;
	char what[80];
	CHECK(first >= 1); /* SQLite counts pages from 1 */
	for (int64_t page = first; page < end && page <= pages; page++) {
		enum page_state state = page_file_look(c->db.handle, page);
		if ((state != PAGE_IS_ROTTEN && state != PAGE_IS_UNREAD) || !is_rotten_for_good(c, page))
			continue;
		snprintf(what, sizeof what, "page %" PRId64 " is rotten (its checksum does not fit)", page);
		rot_note(c->rot, c->path, what);
		++*ret_rotten;
		return false; /* one is enough to have all of it replaced */
	}
	return end <= pages;
}

void page_checker_run_first(struct page_checker *c)
{
	char *mark = db_rotten_mark(c->path);
	int64_t rotten = 0, first = 1;
	while (check_chunk(c, first, &rotten))
		first += CHUNK_PAGES;
	if (!rotten)
		unlink(mark);
	log_info("store", "pages checked", "path=%s pages=%" PRId64 " rotten=%" PRId64, c->path,
	        page_file_pages(c->db.handle), rotten);
	free(mark);
}

/* False: it stops. */
static bool wait_ms(struct page_checker *c, uint64_t ms)
{
	struct timespec limit = cond_limit(ms);
	pthread_mutex_lock(&c->lock);
	while (!c->stopping && cond_wait_until(&c->wake, &c->lock, &limit))
		;
	bool go_on = !c->stopping;
	pthread_mutex_unlock(&c->lock);
	return go_on;
}

static void *checker_main(void *arg)
{
	struct page_checker *c = arg;
	pthread_setname_np(pthread_self(), "store-pages");
	while (wait_ms(c, c->every_ms)) {
		int64_t rotten = 0, page = 1;
		bool has_more = true;
		while (has_more && wait_ms(c, CHUNK_MS)) {
			pthread_rwlock_rdlock(c->swap);
			has_more = check_chunk(c, page, &rotten);
			pthread_rwlock_unlock(c->swap);
			page += CHUNK_PAGES;
		}
	}
	return NULL;
}

void page_checker_start(struct page_checker *c, uint64_t every_ms)
{
	CHECK(!c->is_running && c->db.handle);
	c->every_ms = every_ms;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	c->stopping = false;
	c->is_running = true;
	CHECK(pthread_create(&c->thread, NULL, checker_main, c) == 0);
}

void page_checker_stop(struct page_checker *c)
{
	if (!c->is_running)
		return;
	pthread_mutex_lock(&c->lock);
	c->stopping = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	c->is_running = false;
}
