/* Any bytes as k3s's SQLite database: its rows are read, or it is refused; and what is read becomes a state of ours. */
#include "store/snapshot/kine.h"
#include "store/snapshot/state_file.h"

#include "base/check.h"

#include <stdio.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct state_out *out;
	int64_t newest;
	size_t n;
};

static int take(void *arg, const struct store_kv *kv, struct err *err)
{
	struct seen *s = arg;
	CHECK(kv->key.len > 0 && kv->create_revision >= 1 && kv->create_revision <= kv->mod_revision);
	CHECK(kv->mod_revision > s->newest || s->n == 0);
	s->newest = kv->mod_revision;
	s->n++;
	return s->n > 1000 ? err_set(err, ERR_TOO_BIG, "enough") : state_out_put(s->out, kv, err);
}

static int give_back(void *arg, const struct store_kv *kv, struct err *err)
{
	return kine_out_put(arg, kv, err);
}

/* What became a state of ours is a table of kine's again. */
static void go_back(const char *state, const char *table, const struct seen *s)
{
	struct err err = ERR_INIT;
	struct kine_out *o;
	int64_t revision = 0, moved;
	CHECK(kine_out_open(table, &o, &err) == 0);
	int rc = state_file_each(state, give_back, o, &revision, &err);
	CHECK(rc == 0 && revision >= s->newest);
	CHECK(kine_out_close(o, revision, rc, &moved, &err) == 0 && moved == 0);
	unlink(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct seen s = {0};
	char in[64], out[80];
	int64_t revision = 0;
	snprintf(in, sizeof in, "/dev/shm/k3x-fuzz-kine-%ld", (long)getpid());
	snprintf(out, sizeof out, "%s.out", in);
	FILE *f = fopen(in, "we");
	CHECK(f != NULL && fwrite(data, 1, size, f) == size && fclose(f) == 0);
	if (state_out_open(out, &s.out, &err) == 0) {
		int rc = kine_each(in, take, &s, &revision, &err);
		CHECK(rc != 0 || revision >= s.newest);
		rc = state_out_close(s.out, revision, rc, &err);
		CHECK((rc == 0) == (access(out, F_OK) == 0));
		unlink(in);
		if (rc == 0)
			go_back(out, in, &s);
	}
	unlink(in);
	unlink(out);
	return 0;
}
