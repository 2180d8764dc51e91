/* Tokens in Secrets (auth/identity/legacy_token.h): every server marks those that it was shown with the day, by patches
 * that no request waits for. The server that leads keeps the ConfigMap that says since when this is done: who cleans
 * tokens up (api/controllers/legacy_token_cleaner.c) trusts no label before that.
 *
 * What is lost when a server ends between a use and its mark is marked by the next use. Upstream:
 * pkg/controlplane/controller/legacytokentracking, and the patches of pkg/serviceaccount/legacy.go. */
#include "api/server/duties/writes.h"

#include "api/machinery/codec/scalar.h"
#include "api/server/auth/identity/authn.h"
#include "api/server/auth/identity/legacy_token.h"
#include "base/check.h"
#include "base/json/scan.h"
#include "store/engine.h"

#include <stdlib.h>
#include <time.h>

#define TRACKING "kube-apiserver-legacy-service-account-token-tracking"
#define CONFIG_MAPS "/api/v1/namespaces/kube-system/configmaps"

static void say_since(struct writes *w)
{
	struct arena *a = &w->arena;
	const struct object *o = cache_get(
	        cache_resource(w->run->server->cache, resource_find_preferred(SLICE(""), SLICE("configmaps"))),
	        SLICE("kube-system/" TRACKING));
	int64_t unused;
	if (o && scalar_day_parse(json_find(object_text(o), "data", "since", NULL), &unused))
		return;
	char today[SCALAR_DAY_BYTES];
	struct json *body = json_new(a, JSON_OBJECT);
	scalar_day_format(time(NULL), today);
	if (!o)
		json_set_cstr(a, json_need(a, body, "metadata", JSON_OBJECT), "name", TRACKING);
	json_set_cstr(a, json_need(a, body, "data", JSON_OBJECT), "since", arena_strdup(a, today));
	writes_add(w, o ? "PATCH" : "POST", o ? CONFIG_MAPS "/" TRACKING : CONFIG_MAPS, body);
}

/* With its uid: one that was made anew under the name was not used. */
static void mark(void *arg, struct slice ns, struct slice name, struct slice uid, const char *day)
{
	struct writes *w = arg;
	struct arena *a = &w->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	json_set_str(a, meta, "uid", (struct slice){arena_memdup(a, uid.ptr, uid.len), uid.len});
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), LEGACY_LAST_USED, arena_strdup(a, day));
	writes_add(w, "PATCH", arena_printf(a, "/api/v1/namespaces/%.*s/secrets/%.*s", SLICE_FMT(ns), SLICE_FMT(name)),
	        patch);
}

void legacy_tokens_run(struct duty_run *r)
{
	if (!r->state)
		r->state = xcalloc(1, sizeof(struct writes));
	struct writes *w = r->state;
	writes_init(w, r);
	if (store_leads(r->server->store))
		say_since(w);
	legacy_tokens_take(authn_legacy_tokens(r->server), mark, w);
	writes_send(w, NULL);
}
