/* See kms.h. Upstream: apiserver pkg/storage/value/encrypt/envelope/kmsv2 and pkg/server/options/encryptionconfig.
 *
 *     every minute (ten seconds while it fails): Status --(its key is another one)--> a new seed --> Encrypt --> in use
 *
 * What can go wrong: the plugin is not there or slow (what was read before is read on; new seeds cannot be, and after
 * three minutes nothing is written), it answers nonsense (the same), or has lost a key (values under it are corrupt,
 * and say so). */
#include "api/server/sealing/kms.h"

#include "api/server/sealing/kms_messages.h"
#include "base/check.h"
#include "base/log.h"
#include "base/mem/map.h"
#include "base/pki/pki.h"
#include "base/pki/pki_cipher.h"
#include "base/rt/loop.h"
#include "base/wire/grpc.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SEED_BYTES = 32,
	HEALTHY_MS = 60000,
	UNHEALTHY_MS = 10000,
	FIRST_MS = 1000,      /* until it was healthy once */
	SEED_MS_MAX = 180000, /* without a status */
	LEFT_ALONE_MS = 5000, /* after a failure, by those who wait for it */
	SEEDS_MAX = 1000,
	MESSAGE_BYTES_MAX = 64 * 1024,
};

struct seed {
	unsigned char digest[32]; /* of what the plugin made of it: its key in the map */
	unsigned char bytes[SEED_BYTES];
	size_t len;
};

/* One question that the API's thread waits for. */
struct question {
	struct loop_task task;
	struct kms *kms;
	struct strbuf request, answer;
	struct err err;
	bool is_done;
};

struct kms {
	char *name, *socket;
	unsigned timeout_ms;
	/* the API thread's */
	struct map seeds;
	uint64_t left_alone_until_ms;
	char why[ERR_MSG_MAX];
	/* shared, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct {
		struct arena arena; /* of the seed's texts */
		struct kms_sealed_seed sealed;
		unsigned char seed[SEED_BYTES];
		uint64_t status_ms; /* of the last good status; 0: none yet */
		struct err err;     /* the last one was not */
		unsigned recoveries;
	} now;
	/* the plugin thread's */
	struct loop loop;
	struct http_client *http;
	uv_timer_t timer;
	struct strbuf request, answer;
	unsigned char next_seed[SEED_BYTES];
	bool is_healthy, was_healthy, is_closing;
};

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

/* ---- the plugin's thread ---- */

static void ask_status(uv_timer_t *t);

static void poll_again(struct kms *k)
{
	unsigned ms = k->is_healthy ? HEALTHY_MS : k->was_healthy ? UNHEALTHY_MS : FIRST_MS;
	if (!k->is_closing)
		uv_timer_start(&k->timer, ask_status, ms, 0);
}

static void status_failed(struct kms *k, const struct err *err)
{
	if (k->is_healthy || !k->now.err.code)
		log_warn("kms", "the plugin is not well", "provider=%s error=\"%s\"", k->name, err->msg);
	k->is_healthy = false;
	pthread_mutex_lock(&k->lock);
	k->now.err = *err;
	pthread_mutex_unlock(&k->lock);
	poll_again(k);
}

static void status_is_good(struct kms *k)
{
	bool is_new = !k->is_healthy;
	k->is_healthy = k->was_healthy = true;
	pthread_mutex_lock(&k->lock);
	k->now.err = ERR_INIT;
	k->now.status_ms = now_ms();
	k->now.recoveries += is_new;
	pthread_mutex_unlock(&k->lock);
	poll_again(k);
}

static void on_message(struct grpc_call *g, struct slice bytes, void *arg)
{
	struct kms *k = arg;
	strbuf_reset(&k->answer);
	strbuf_add_slice(&k->answer, bytes);
}

static void call(struct kms *k, const char *method, struct slice request,
        void (*done)(struct grpc_call *g, int status, const struct err *err, void *arg))
{
	strbuf_reset(&k->answer);
	grpc_client_call(k->http, &(struct grpc_call_options){.method = method,
	                                  .timeout_ms = k->timeout_ms,
	                                  .message_bytes_max = MESSAGE_BYTES_MAX,
	                                  .request = request.ptr ? request : SLICE(""),
	                                  .on_message = on_message,
	                                  .on_done = done,
	                                  .arg = k});
}

static void encrypted(struct grpc_call *g, int status, const struct err *why, void *arg)
{
	struct kms *k = arg;
	struct arena a = ARENA_INIT;
	struct kms_sealed_seed sealed;
	struct err err = why ? *why : ERR_INIT;
	char *text = arena_memdup(&a, k->answer.data ? k->answer.data : "", k->answer.len);
	if (!err.code)
		kms_read_encrypted(&a, (struct slice){text, k->answer.len}, &sealed, &err);
	if (err.code) {
		arena_release(&a);
		err_wrap(&err, "encrypt");
		status_failed(k, &err);
		return;
	}
	pthread_mutex_lock(&k->lock);
	arena_release(&k->now.arena);
	k->now.arena = a;
	k->now.sealed = sealed;
	memcpy(k->now.seed, k->next_seed, SEED_BYTES);
	pthread_mutex_unlock(&k->lock);
	log_info("kms", "a new seed is in use", "provider=%s", k->name);
	status_is_good(k);
}

static bool is_key_in_use(struct kms *k, struct slice id)
{
	pthread_mutex_lock(&k->lock);
	bool same = k->now.sealed.key_id.len && slice_eq(k->now.sealed.key_id, id);
	pthread_mutex_unlock(&k->lock);
	return same;
}

static const char *new_uid(char uid[33])
{
	unsigned char random[16];
	pki_random(random, sizeof random);
	hex_write(random, sizeof random, uid);
	return uid;
}

static void status_came(struct grpc_call *g, int status, const struct err *why, void *arg)
{
	struct kms *k = arg;
	struct slice key_id;
	char uid[33];
	struct err err = why ? *why : ERR_INIT;
	if (err.code || kms_read_status(strbuf_slice(&k->answer), &key_id, &err) != 0) {
		err_wrap(&err, "status");
		status_failed(k, &err);
	} else if (is_key_in_use(k, key_id)) {
		status_is_good(k);
	} else {
		pki_random(k->next_seed, SEED_BYTES);
		strbuf_reset(&k->request);
		kms_encrypt_request(&k->request, (struct slice){(const char *)k->next_seed, SEED_BYTES}, new_uid(uid));
		call(k, "/v2.KeyManagementService/Encrypt", strbuf_slice(&k->request), encrypted);
	}
}

static void ask_status(uv_timer_t *t)
{
	call(t->data, "/v2.KeyManagementService/Status", SLICE_NULL, status_came);
}

/* ---- questions ---- */

static void question_message(struct grpc_call *g, struct slice bytes, void *arg)
{
	struct question *q = arg;
	strbuf_reset(&q->answer);
	strbuf_add_slice(&q->answer, bytes);
}

static void question_done(struct grpc_call *g, int status, const struct err *err, void *arg)
{
	struct question *q = arg;
	struct kms *k = q->kms;
	pthread_mutex_lock(&k->lock);
	q->err = err ? *err : ERR_INIT;
	q->is_done = true;
	pthread_cond_broadcast(&k->wake);
	pthread_mutex_unlock(&k->lock);
}

static void question_begin(struct loop_task *t)
{
	struct question *q = CONTAINER_OF(t, struct question, task);
	grpc_client_call(q->kms->http, &(struct grpc_call_options){.method = "/v2.KeyManagementService/Decrypt",
	                                       .timeout_ms = q->kms->timeout_ms,
	                                       .message_bytes_max = MESSAGE_BYTES_MAX,
	                                       .request = strbuf_slice(&q->request),
	                                       .on_message = question_message,
	                                       .on_done = question_done,
	                                       .arg = q});
}

/* Waits: the call has a timeout. */
static void ask(struct kms *k, struct question *q)
{
	q->kms = k;
	q->task.run = question_begin;
	loop_post(&k->loop, &q->task);
	pthread_mutex_lock(&k->lock);
	while (!q->is_done)
		pthread_cond_wait(&k->wake, &k->lock);
	pthread_mutex_unlock(&k->lock);
}

static int decrypt(struct kms *k, const struct kms_sealed_seed *sealed, struct seed *ret, struct err *err)
{
	struct question q = {.request = STRBUF_INIT, .answer = STRBUF_INIT};
	struct slice plain;
	char uid[33];
	if (now_ms() < k->left_alone_until_ms)
		return err_set(err, ERR_UNAVAILABLE, "kms provider %s does not answer", k->name);
	kms_decrypt_request(&q.request, sealed, new_uid(uid));
	ask(k, &q);
	*err = q.err;
	bool is_there = err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT && err->code != ERR_CLOSED;
	if (!err->code && kms_read_decrypted(strbuf_slice(&q.answer), &plain, err) == 0 && plain.len > SEED_BYTES)
		err_set(err, ERR_INVAL, "the seed that it decrypted has %zu bytes", plain.len);
	if (!err->code) {
		memcpy(ret->bytes, plain.ptr, plain.len);
		ret->len = plain.len;
	} else {
		k->left_alone_until_ms = now_ms() + LEFT_ALONE_MS;
		err_wrap(err, "kms provider %s", k->name);
		err->code = is_there ? ERR_CORRUPT : ERR_UNAVAILABLE;
	}
	strbuf_release(&q.request);
	strbuf_release(&q.answer);
	return err->code;
}

/* ---- seeds ---- */

static void drop_seeds(struct kms *k)
{
	MAP_FOREACH (slot, &k->seeds)
		free(slot->value);
	map_release(&k->seeds);
	map_init(&k->seeds);
}

static void digest_of(const struct kms_sealed_seed *s, unsigned char ret[32])
{
	struct pki_digest *d = pki_digest_new();
	pki_digest_add(d, &s->key_id.len, sizeof s->key_id.len);
	pki_digest_add(d, s->key_id.ptr, s->key_id.len);
	pki_digest_add(d, s->ciphertext.ptr, s->ciphertext.len);
	pki_digest_get(d, ret);
	pki_digest_free(d);
}

/* NULL, with an error: the plugin does not give it. */
static const struct seed *find_seed(struct kms *k, const struct kms_sealed_seed *sealed, struct err *err)
{
	unsigned char digest[32];
	digest_of(sealed, digest);
	struct seed *s = map_get(&k->seeds, (struct slice){(const char *)digest, sizeof digest});
	if (s)
		return s;
	s = xcalloc(1, sizeof *s);
	memcpy(s->digest, digest, sizeof digest);
	if (decrypt(k, sealed, s, err) != 0) {
		free(s);
		return NULL;
	}
	if (k->seeds.count >= SEEDS_MAX)
		drop_seeds(k);
	map_put(&k->seeds, (struct slice){(const char *)s->digest, sizeof s->digest}, s);
	return s;
}

static uint32_t number_of(const struct kms *k, struct slice key_id)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "kms:%s:%.*s", k->name, SLICE_FMT(key_id));
	uint32_t number = (uint32_t)map_hash(strbuf_slice(&b)) | 1;
	strbuf_release(&b);
	return number;
}

static int open_data(
        const struct seed *s, const struct kms_stored *stored, struct slice key, struct strbuf *out, struct err *err)
{
	unsigned char derived[32];
	struct slice seed = {(const char *)s->bytes, s->len}, data = stored->data;
	if (stored->is_plain_key) {
		if (!pki_cipher_takes(PKI_AES_GCM, seed.len))
			return err_set(err, ERR_CORRUPT, "its key has %zu bytes", seed.len);
		return pki_cipher_open(PKI_AES_GCM, seed, key, data, out, err);
	}
	if (data.len < KMS_INFO_BYTES || seed.len != SEED_BYTES)
		return err_set(err, ERR_CORRUPT, "the stored data or its seed is shorter than it must be");
	kms_derive_key(seed, (struct slice){data.ptr, KMS_INFO_BYTES}, derived);
	return pki_cipher_open(PKI_AES_GCM, (struct slice){(const char *)derived, sizeof derived}, key,
	        (struct slice){data.ptr + KMS_INFO_BYTES, data.len - KMS_INFO_BYTES}, out, err);
}

int kms_open(
        struct kms *k, struct slice key, struct slice sealed, struct strbuf *out, uint32_t *ret_number, struct err *err)
{
	struct arena a = ARENA_INIT;
	struct kms_stored stored;
	const struct seed *s = NULL;
	if (kms_stored_read(&a, sealed, &stored, err) == 0)
		s = find_seed(k, &stored.seed, err);
	if (s && open_data(s, &stored, key, out, err) == 0)
		*ret_number = number_of(k, stored.seed.key_id);
	arena_release(&a);
	return err->code;
}

int kms_may_seal(struct kms *k, struct err *err)
{
	pthread_mutex_lock(&k->lock);
	bool has_seed = k->now.sealed.key_id.len != 0;
	uint64_t age_ms = now_ms() - k->now.status_ms;
	struct err why = k->now.err;
	pthread_mutex_unlock(&k->lock);
	if (has_seed && age_ms <= SEED_MS_MAX)
		return 0;
	return err_set(err, ERR_UNAVAILABLE, "kms provider %s: nothing can be encrypted: %s", k->name,
	        why.code ? why.msg : "it has not answered yet");
}

void kms_seal(struct kms *k, struct slice key, struct slice plain, struct strbuf *out)
{
	struct strbuf data = STRBUF_INIT;
	unsigned char info[KMS_INFO_BYTES], derived[32];
	pki_random(info, sizeof info);
	strbuf_add(&data, info, sizeof info);
	pthread_mutex_lock(&k->lock);
	CHECK(k->now.sealed.key_id.len);
	kms_derive_key((struct slice){(const char *)k->now.seed, SEED_BYTES},
	        (struct slice){(const char *)info, KMS_INFO_BYTES}, derived);
	pki_cipher_seal(PKI_AES_GCM, (struct slice){(const char *)derived, sizeof derived}, key, plain, &data);
	kms_stored_write(out, &(struct kms_stored){.seed = k->now.sealed, .data = strbuf_slice(&data)});
	struct seed *s = xcalloc(1, sizeof *s); /* what is written now is read in a moment */
	digest_of(&k->now.sealed, s->digest);
	memcpy(s->bytes, k->now.seed, SEED_BYTES);
	s->len = SEED_BYTES;
	pthread_mutex_unlock(&k->lock);
	free(map_put(&k->seeds, (struct slice){(const char *)s->digest, sizeof s->digest}, s));
	strbuf_release(&data);
}

uint32_t kms_number(struct kms *k)
{
	pthread_mutex_lock(&k->lock);
	uint32_t n = k->now.sealed.key_id.len ? number_of(k, k->now.sealed.key_id) : 0;
	pthread_mutex_unlock(&k->lock);
	return n;
}

bool kms_is_healthy(struct kms *k, const char **ret_why)
{
	pthread_mutex_lock(&k->lock);
	bool ok = k->now.status_ms && !k->now.err.code;
	snprintf(k->why, sizeof k->why, "%s", k->now.err.code ? k->now.err.msg : "it has not answered yet");
	pthread_mutex_unlock(&k->lock);
	*ret_why = k->why;
	return ok;
}

unsigned kms_recoveries(struct kms *k)
{
	pthread_mutex_lock(&k->lock);
	unsigned n = k->now.recoveries;
	pthread_mutex_unlock(&k->lock);
	return n;
}

/* ---- life ---- */

static void begin(void *arg)
{
	struct kms *k = arg;
	k->http = http_client_new(&(struct http_client_options){
	        .loop = &k->loop, .unix_path = k->socket, .protocol = HTTP_CLIENT_H2, .connect_ms = k->timeout_ms});
	CHECK(uv_timer_init(loop_uv(&k->loop), &k->timer) == 0);
	k->timer.data = k;
	ask_status(&k->timer);
}

struct kms *kms_new(const struct kms_config *c)
{
	struct kms *k = xcalloc(1, sizeof *k);
	k->name = xstrdup(c->name);
	k->socket = xstrdup(c->socket);
	k->timeout_ms = c->timeout_ms;
	pthread_mutex_init(&k->lock, NULL);
	pthread_cond_init(&k->wake, NULL);
	loop_init(&k->loop, "kms");
	loop_start_thread(&k->loop);
	loop_call(&k->loop, begin, k);
	return k;
}

bool kms_is_of(const struct kms *k, const struct kms_config *c)
{
	return strcmp(k->name, c->name) == 0 && strcmp(k->socket, c->socket) == 0 && k->timeout_ms == c->timeout_ms;
}

static void http_closed(void *arg)
{
	struct kms *k = arg;
	loop_stop(&k->loop);
}

static void end(void *arg)
{
	struct kms *k = arg;
	k->is_closing = true;
	uv_timer_stop(&k->timer);
	uv_close((uv_handle_t *)&k->timer, NULL);
	http_client_close(k->http, http_closed, k);
}

void kms_free(struct kms *k)
{
	if (!k)
		return;
	loop_call(&k->loop, end, k);
	loop_join(&k->loop);
	loop_release(&k->loop);
	drop_seeds(k);
	arena_release(&k->now.arena);
	strbuf_release(&k->request);
	strbuf_release(&k->answer);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->wake);
	free(k->name);
	free(k->socket);
	free(k);
}
