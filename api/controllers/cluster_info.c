/* See cluster_info.h. */
#include "api/controllers/cluster_info.h"

#include "api/machinery/codec/scalar.h"
#include "base/base64.h"
#include "base/json/scan.h"
#include "base/pki/pki.h"

#define SIGNATURE "jws-kubeconfig-"
#define TOKEN_NAME "bootstrap-token-"

static struct slice field(struct arena *a, struct slice secret, const char *name)
{
	struct slice text;
	return base64_decode(a, json_find(secret, "data", name, NULL), &text) ? text : SLICE_NULL;
}

/* One without a date is good for ever, one whose date is none for nothing. */
static bool is_over(struct arena *a, struct slice secret, int64_t now_s)
{
	struct err unused = ERR_INIT;
	struct slice text = field(a, secret, "expiration");
	int64_t end_s;
	int32_t ns;
	return text.len && (scalar_time_parse(text, &end_s, &ns, &unused) != 0 || end_s <= now_s);
}

bool signing_token_read(struct arena *a, struct slice secret, int64_t now_s, struct signing_token *ret)
{
	struct signing_token t = {field(a, secret, "token-id"), field(a, secret, "token-secret")};
	struct slice name = json_find(secret, "metadata", "name", NULL);
	if (!t.id.len || !t.secret.len || !slice_is(json_find(secret, "type", NULL), "bootstrap.kubernetes.io/token") ||
	        !slice_is(field(a, secret, "usage-bootstrap-signing"), "true") ||
	        !slice_is(name, arena_printf(a, TOKEN_NAME "%.*s", SLICE_FMT(t.id))) || is_over(a, secret, now_s))
		return false;
	*ret = t;
	return true;
}

struct slice cluster_info_sign(struct arena *a, const struct signing_token *t, struct slice content)
{
	struct strbuf text = STRBUF_INIT;
	unsigned char mac[32];
	strbuf_adds(&text, "{\"alg\":\"HS256\",\"kid\":");
	json_write_str(&text, t->id);
	strbuf_adds(&text, "}");
	struct slice header = base64url_encode(a, strbuf_slice(&text));
	strbuf_reset(&text);
	strbuf_add_slice(&text, header);
	strbuf_addc(&text, '.');
	strbuf_add_slice(&text, base64url_encode(a, content));
	pki_hmac_sha256(t->secret, strbuf_slice(&text), mac);
	strbuf_release(&text);
	struct slice signature = base64url_encode(a, (struct slice){(char *)mac, sizeof mac});
	return slice_of(arena_printf(a, "%.*s..%.*s", SLICE_FMT(header), SLICE_FMT(signature)));
}

bool cluster_info_update(struct arena *a, struct json *data, const struct signing_token *tokens, size_t count)
{
	struct json *content = json_get(data, "kubeconfig"), *wanted = json_new(a, JSON_OBJECT);
	bool changed = false;
	for (size_t i = 0; content && i < count; i++)
		json_set_str(a, wanted, arena_printf(a, SIGNATURE "%.*s", SLICE_FMT(tokens[i].id)),
		        cluster_info_sign(a, &tokens[i], json_str(content)));
	for (struct json *it = data ? data->first : NULL, *next; it; it = next) {
		next = it->next;
		if (!slice_starts(it->key, SIGNATURE) || json_get_slice(wanted, it->key))
			continue;
		json_remove(data, it);
		changed = true;
	}
	JSON_FOREACH (it, wanted) {
		if (slice_eq(json_str(json_get_slice(data, it->key)), json_str(it)))
			continue;
		json_set_slice(a, data, it->key, json_new_str(a, json_str(it)));
		changed = true;
	}
	return changed;
}
