/* The registry: built-in rows made once from the tables, and snapshots of all rows.
 *
 * Built-in rows are some sixty, so a linear search by plural is as quick as a hash. Rows that were added are part of
 * the current snapshot alone: adding and retiring makes a new one and lets the old go, which takes its rows along when
 * the last who works with it is done. Snapshots are small (a pointer per row), and made rarely. */
#include "api/machinery/schema/resources.h"
#include "api/machinery/schema/kind_rows.h"
#include "api/machinery/schema/resources_table.h"

#include "base/check.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCOPE_N, SCOPE_C };

struct row_spec {
	const char *group, *version, *kind, *plural, *shorts, *categories;
	int scope;
	const char *verbs, *flags, *subs, *storage;
};

struct sub_spec {
	const char *owner, *name, *group, *version, *kind, *verbs;
	bool is_connect;
};

struct selector_spec {
	const char *api_version, *kind;
	struct resource_selector selector;
};

static const struct row_spec row_specs[] = {
#define ROW(group, version, kind, plural, shorts, categories, scope, verbs, flags, subs, storage) \
	{group, version, #kind, plural, shorts, categories, SCOPE_##scope, verbs, flags, subs, storage},
        RESOURCE_ROWS
#undef ROW
};

static const struct sub_spec sub_specs[] = {
#define SUB(owner, name, group, version, kind, verbs, is_connect) \
	{owner, name, group, version, kind, verbs, is_connect},
        RESOURCE_SUB_ROWS
#undef SUB
};

static const struct selector_spec selector_specs[] = {
#define SEL(api_version, kind, name, path, second, empty) {api_version, kind, {name, path, second, empty}},
        RESOURCE_SELECTOR_ROWS
#undef SEL
};

enum { ROWS = COUNT_OF(row_specs) };

static struct resource rows[ROWS];
static struct slice plurals[ROWS]; /* of these: a request looks up a dozen kinds, and no name is measured for it */
static pthread_once_t rows_once = PTHREAD_ONCE_INIT;

struct resource_snapshot {
	atomic_uint refs;
	uint64_t generation;
	size_t count;
	const struct resource *rows[]; /* ROWS built-in ones, then those added: group, version by preference, plural */
};

static pthread_rwlock_t current_lock = PTHREAD_RWLOCK_INITIALIZER;
static struct resource_snapshot *current; /* NULL: nothing was added yet */
static atomic_uint_fast64_t generation = 1;

/* ---- making the built-in rows ---- */

/* Where a group's types are; the first label of the group unless listed. */
static void type_prefix(struct slice group, struct slice version, char *out, size_t size)
{
	static const struct {
		const char *group, *prefix;
	} special[] = {
	        {"", "io.k8s.api.core"},
	        {"rbac.authorization.k8s.io", "io.k8s.api.rbac"},
	        {"apiextensions.k8s.io", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions"},
	        {"apiregistration.k8s.io", "io.k8s.kube-aggregator.pkg.apis.apiregistration"},
	        {"meta.k8s.io", "io.k8s.apimachinery.pkg.apis.meta"},
	};
	for (size_t i = 0; i < COUNT_OF(special); i++)
		if (slice_is(group, special[i].group)) {
			snprintf(out, size, "%s.%.*s.", special[i].prefix, SLICE_FMT(version));
			return;
		}
	struct slice label = slice_cut(&group, '.');
	snprintf(out, size, "io.k8s.api.%.*s.%.*s.", SLICE_FMT(label), SLICE_FMT(version));
}

static const struct schema_type *type_of(struct slice group, struct slice version, const char *kind)
{
	char name[256];
	char prefix[160];
	type_prefix(group, version, prefix, sizeof(prefix));
	snprintf(name, sizeof(name), "%s%s", prefix, kind);
	return schema_type_find(slice_of(name));
}

static unsigned parse_verbs(const char *letters)
{
	static const char order[] = "glwcupdD";
	unsigned bits = 0;
	for (; *letters; letters++)
		bits |= 1u << (strchr(order, *letters) - order);
	return bits;
}

/* A NULL-terminated array of the words in a text. */
static const char *const *split_words(const char *text)
{
	const char **out = xcalloc(strlen(text) / 2 + 2, sizeof(*out));
	size_t n = 0;
	struct slice rest = slice_of(text);
	while (rest.len) {
		struct slice word = slice_cut(&rest, ' ');
		out[n++] = xmemdup(word.ptr, word.len);
	}
	return out;
}

static char *lower(const char *text)
{
	char *out = xstrdup(text);
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return out;
}

static struct resource_sub make_sub(const struct resource *r, struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(sub_specs); i++) {
		const struct sub_spec *s = &sub_specs[i];
		if (!slice_is(name, s->name) || (strcmp(s->owner, "*") != 0 && strcmp(s->owner, r->kind) != 0))
			continue;
		bool is_own = *s->group == '-';
		struct resource_sub out = {
		        .name = s->name,
		        .group = is_own ? r->group : s->group,
		        .version = is_own ? r->version : s->version,
		        .kind = is_own ? r->kind : s->kind,
		        .verbs = parse_verbs(s->verbs),
		        .is_connect = s->is_connect,
		};
		if (!s->is_connect)
			out.type = type_of(slice_of(out.group), slice_of(out.version), out.kind);
		CHECK(s->is_connect || out.type);
		return out;
	}
	CHECK(!"a subresource in the table that has no row");
	return (struct resource_sub){0};
}

static bool are_made, offers_resize;

void resource_offer_pod_resize(void)
{
	CHECK(!are_made);
	offers_resize = true;
}

static void make_subs(struct resource *r, const char *names)
{
	enum { SUBS_MAX = 16 };
	struct resource_sub *subs = xcalloc(SUBS_MAX, sizeof(*subs));
	struct slice rest = slice_of(names);
	while (rest.len) {
		CHECK(r->sub_count < SUBS_MAX);
		struct slice name = slice_cut(&rest, ' ');
		if (offers_resize || !slice_is(name, "resize"))
			subs[r->sub_count++] = make_sub(r, name);
	}
	r->subs = r->sub_count ? xrealloc(subs, r->sub_count * sizeof(*subs)) : NULL;
	if (!r->sub_count)
		free(subs);
}

static void make_selectors(struct resource *r)
{
	struct resource_selector *out = xcalloc(COUNT_OF(selector_specs), sizeof(*out));
	for (size_t i = 0; i < COUNT_OF(selector_specs); i++)
		if (strcmp(selector_specs[i].api_version, r->api_version) == 0 &&
		        strcmp(selector_specs[i].kind, r->kind) == 0)
			out[r->selector_count++] = selector_specs[i].selector;
	r->selectors = out;
	if (!r->selector_count) {
		free(out);
		r->selectors = NULL;
	}
}

static void make_row(struct resource *r, const struct row_spec *s)
{
	*r = (struct resource){
	        .group = s->group,
	        .version = s->version,
	        .plural = s->plural,
	        .singular = lower(s->kind),
	        .kind = s->kind,
	        .list_kind = xprintf("%sList", s->kind),
	        .api_version = *s->group ? xprintf("%s/%s", s->group, s->version) : s->version,
	        .short_names = split_words(s->shorts),
	        .categories = split_words(s->categories),
	        .type = type_of(slice_of(s->group), slice_of(s->version), s->kind),
	        .storage_prefix = s->storage ? xprintf("/registry/%s/", s->storage) : NULL,
	        .storage = r,
	        .ops = kind_ops_find(s->group, s->kind),
	        .verbs = parse_verbs(s->verbs),
	        .namespaced = s->scope == SCOPE_N,
	        .has_generation = strchr(s->flags, 'G') != NULL,
	};
	CHECK(r->type);
	r->list_type = type_of(slice_of(s->group), slice_of(s->version), r->list_kind);
	make_subs(r, s->subs);
	make_selectors(r);
}

static void make_rows(void)
{
	are_made = true;
	for (size_t i = 0; i < ROWS; i++) {
		make_row(&rows[i], &row_specs[i]);
		plurals[i] = slice_of(rows[i].plural);
	}
	/* who shares a storage is stored in the first row's form: core events, autoscaling/v2 */
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < i; k++)
			if (rows[i].storage_prefix && rows[k].storage_prefix &&
			        strcmp(rows[i].storage_prefix, rows[k].storage_prefix) == 0)
				rows[i].storage = &rows[k];
}

static const struct resource *builtin(size_t i)
{
	pthread_once(&rows_once, make_rows);
	return &rows[i];
}

/* ---- lookups ---- */

static bool row_is(const struct resource *r, struct slice group, struct slice version, struct slice plural)
{
	return slice_is(plural, r->plural) && slice_is(group, r->group) &&
	       (!version.ptr || slice_is(version, r->version));
}

static bool row_is_kind(const struct resource *r, struct slice api_version, struct slice kind)
{
	return slice_is(kind, r->kind) && slice_is(api_version, r->api_version);
}

static const struct resource *find_in(
        const struct resource *const *list, size_t count, struct slice group, struct slice version, struct slice plural)
{
	for (size_t i = 0; i < count; i++)
		if (row_is(list[i], group, version, plural))
			return list[i];
	return NULL;
}

static const struct resource *find(struct slice group, struct slice version, struct slice plural)
{
	pthread_once(&rows_once, make_rows);
	for (size_t i = 0; i < ROWS; i++)
		if (slice_eq(plural, plurals[i]) && row_is(&rows[i], group, version, plural))
			return &rows[i];
	pthread_rwlock_rdlock(&current_lock);
	const struct resource *found =
	        current ? find_in(current->rows + ROWS, current->count - ROWS, group, version, plural) : NULL;
	pthread_rwlock_unlock(&current_lock);
	return found;
}

const struct resource *resource_find(struct slice group, struct slice version, struct slice plural)
{
	return version.ptr ? find(group, version, plural) : NULL;
}

const struct resource *resource_find_preferred(struct slice group, struct slice plural)
{
	return find(group, SLICE_NULL, plural);
}

static const struct resource *find_kind_in(
        const struct resource *const *list, size_t count, struct slice api_version, struct slice kind)
{
	for (size_t i = 0; i < count; i++)
		if (row_is_kind(list[i], api_version, kind))
			return list[i];
	return NULL;
}

const struct resource *resource_find_kind(struct slice api_version, struct slice kind)
{
	for (size_t i = 0; i < ROWS; i++)
		if (row_is_kind(builtin(i), api_version, kind))
			return &rows[i];
	pthread_rwlock_rdlock(&current_lock);
	const struct resource *found =
	        current ? find_kind_in(current->rows + ROWS, current->count - ROWS, api_version, kind) : NULL;
	pthread_rwlock_unlock(&current_lock);
	return found;
}

const struct resource_sub *resource_sub_find(const struct resource *r, struct slice name)
{
	for (size_t i = 0; i < r->sub_count; i++)
		if (slice_is(name, r->subs[i].name))
			return &r->subs[i];
	return NULL;
}

const struct resource_selector *resource_selector_find(const struct resource *r, struct slice name)
{
	for (size_t i = 0; i < r->selector_count; i++)
		if (slice_is(name, r->selectors[i].name))
			return &r->selectors[i];
	return NULL;
}

const char *resource_selector_stored_name(const struct resource *r, struct slice name)
{
	const struct resource_selector *own = resource_selector_find(r, name);
	const struct resource *stored = r->storage ? r->storage : r;
	for (size_t i = 0; own && i < stored->selector_count; i++)
		if (strcmp(stored->selectors[i].path, own->path) == 0)
			return stored->selectors[i].name;
	return NULL;
}

/* Kinds of metav1 that upstream registers in every group version. */
static bool is_meta_kind(struct slice kind)
{
	static const char *const kinds[] = {"Status", "DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions",
	        "GetOptions", "ListOptions", "WatchEvent", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList",
	        "Table", "TableOptions", "PartialObjectMetadata", "PartialObjectMetadataList"};
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (slice_is(kind, kinds[i]))
			return true;
	return false;
}

const struct schema_type *resource_kind_type(struct slice api_version, struct slice kind)
{
	if (kind.len == 0 || kind.len > 100 || api_version.len > 150)
		return NULL;
	char name[128];
	snprintf(name, sizeof(name), "%.*s", SLICE_FMT(kind));
	if (is_meta_kind(kind))
		return type_of(SLICE("meta.k8s.io"), SLICE("v1"), name);
	const struct resource *r = resource_find_kind(api_version, kind);
	if (r)
		return r->type;
	struct slice version = api_version;
	struct slice group = slice_cut(&version, '/');
	if (!version.ptr) {
		version = group;
		group = SLICE("");
	}
	const struct schema_type *t = type_of(group, version, name);
	return t && t->flags & SCHEMA_TYPE_HAS_TYPE_META ? t : NULL;
}

/* ---- snapshots ---- */

const struct resource *resource_ref(const struct resource *r)
{
	if (r && r->owner)
		atomic_fetch_add_explicit(&r->owner->refs, 1, memory_order_relaxed);
	return r;
}

void resource_unref(const struct resource *r)
{
	struct resource_owner *owner = r ? r->owner : NULL;
	if (owner && atomic_fetch_sub_explicit(&owner->refs, 1, memory_order_acq_rel) == 1)
		owner->free(owner);
}

/* With room for `added` rows behind the built-in ones. */
static struct resource_snapshot *snapshot_new(size_t added)
{
	struct resource_snapshot *s = xcalloc(1, sizeof(*s) + (ROWS + added) * sizeof(s->rows[0]));
	atomic_init(&s->refs, 1);
	for (size_t i = 0; i < ROWS; i++)
		s->rows[i] = builtin(i);
	s->count = ROWS;
	return s;
}

struct resource_snapshot *resources_snapshot_ref(struct resource_snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

struct resource_snapshot *resources_snapshot(void)
{
	pthread_rwlock_wrlock(&current_lock);
	if (!current) {
		current = snapshot_new(0);
		current->generation = atomic_load(&generation);
	}
	struct resource_snapshot *s = resources_snapshot_ref(current);
	pthread_rwlock_unlock(&current_lock);
	return s;
}

void resources_snapshot_unref(struct resource_snapshot *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = ROWS; i < s->count; i++)
		resource_unref(s->rows[i]);
	free(s);
}

uint64_t resources_snapshot_generation(const struct resource_snapshot *s)
{
	return s->generation;
}

const struct resource *const *resources_snapshot_rows(const struct resource_snapshot *s, size_t *ret_count)
{
	*ret_count = s->count;
	return s->rows;
}

const struct resource *resources_snapshot_find(
        const struct resource_snapshot *s, struct slice group, struct slice version, struct slice plural)
{
	return find_in(s->rows, s->count, group, version, plural);
}

const struct resource *resources_snapshot_find_kind(
        const struct resource_snapshot *s, struct slice api_version, struct slice kind)
{
	return find_kind_in(s->rows, s->count, api_version, kind);
}

void resources_each(bool (*fn)(void *arg, const struct resource *r), void *arg)
{
	struct resource_snapshot *s = resources_snapshot();
	for (size_t i = 0; i < s->count; i++)
		if (!fn(arg, s->rows[i]))
			break;
	resources_snapshot_unref(s);
}

uint64_t resources_generation(void)
{
	return atomic_load(&generation);
}

/* ---- adding, retiring ---- */

/* Kubernetes version order: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > anything else, by name. Negative: a comes first.
 */
static int version_order(const char *a, const char *b)
{
	unsigned major[2] = {0}, minor[2] = {0}, rank[2] = {0};
	const char *text[2] = {a, b};
	for (int i = 0; i < 2; i++) {
		char stage[16] = "";
		int n = sscanf(text[i], "v%u%15[a-z]%u", &major[i], stage, &minor[i]);
		rank[i] = n == 1                                  ? 3
		          : n == 3 && strcmp(stage, "beta") == 0  ? 2
		          : n == 3 && strcmp(stage, "alpha") == 0 ? 1
		                                                  : 0;
	}
	if (rank[0] != rank[1])
		return rank[0] > rank[1] ? -1 : 1;
	if (rank[0] && major[0] != major[1])
		return major[0] > major[1] ? -1 : 1;
	if (rank[0] && minor[0] != minor[1])
		return minor[0] > minor[1] ? -1 : 1;
	return strcmp(a, b);
}

static int row_order(const struct resource *a, const struct resource *b)
{
	int c = strcmp(a->group, b->group);
	if (!c)
		c = version_order(a->version, b->version);
	return c ? c : strcmp(a->plural, b->plural);
}

/* Makes `next` the current snapshot; takes over its reference. The lock is held, and let go. */
static void publish(struct resource_snapshot *next)
{
	struct resource_snapshot *before = current;
	next->generation = atomic_fetch_add(&generation, 1) + 1;
	current = next;
	pthread_rwlock_unlock(&current_lock);
	resources_snapshot_unref(before);
}

/* The current snapshot with a row more or one less, still to be published. The lock is held. */
static struct resource_snapshot *snapshot_with(const struct resource *more, const struct resource *less)
{
	size_t had = current ? current->count - ROWS : 0;
	struct resource_snapshot *s = snapshot_new(had + 1);
	for (size_t i = 0; i < had; i++) {
		const struct resource *r = current->rows[ROWS + i];
		if (more && row_order(more, r) < 0) {
			s->rows[s->count++] = resource_ref(more);
			more = NULL;
		}
		if (r != less)
			s->rows[s->count++] = resource_ref(r);
	}
	if (more)
		s->rows[s->count++] = resource_ref(more);
	return s;
}

int resources_add(const struct resource *r, struct err *err)
{
	struct slice group = slice_of(r->group), version = slice_of(r->version), plural = slice_of(r->plural),
	             api_version = slice_of(r->api_version), kind = slice_of(r->kind);
	pthread_rwlock_wrlock(&current_lock);
	struct resource_snapshot *next = snapshot_with(r, NULL);
	size_t taken = 0, taken_kind = 0;
	for (size_t i = 0; i < next->count; i++) {
		taken += row_is(next->rows[i], group, version, plural);
		taken_kind += row_is_kind(next->rows[i], api_version, kind);
	}
	if (taken == 1 && taken_kind == 1) {
		publish(next);
		return 0;
	}
	pthread_rwlock_unlock(&current_lock);
	resources_snapshot_unref(next);
	if (taken > 1)
		return err_set(err, ERR_EXISTS, "%s of %s is already served", r->plural, r->api_version);
	return err_set(err, ERR_EXISTS, "kind %s of %s is already served", r->kind, r->api_version);
}

void resources_retire(const struct resource *r)
{
	pthread_rwlock_wrlock(&current_lock);
	publish(snapshot_with(NULL, r));
}

/* ---- keys, names and verbs ---- */

void resource_storage_key(struct strbuf *out, const struct resource *r, struct slice ns, struct slice name)
{
	CHECK(r->storage_prefix);
	strbuf_adds(out, r->storage_prefix);
	if (r->namespaced && ns.len) {
		strbuf_add_slice(out, ns);
		strbuf_addc(out, '/');
	}
	strbuf_add_slice(out, name);
}

const char *resource_verb_name(enum resource_verb verb)
{
	switch (verb) {
	case RESOURCE_GET:
		return "get";
	case RESOURCE_LIST:
		return "list";
	case RESOURCE_WATCH:
		return "watch";
	case RESOURCE_CREATE:
		return "create";
	case RESOURCE_UPDATE:
		return "update";
	case RESOURCE_PATCH:
		return "patch";
	case RESOURCE_DELETE:
		return "delete";
	case RESOURCE_DELETECOLLECTION:
		return "deletecollection";
	}
	return "";
}

void resource_definition_name(struct strbuf *out, const struct resource *r, const char *suffix)
{
	if (!r->is_custom) {
		strbuf_adds(out, *suffix && r->list_type ? r->list_type->name : r->type->name);
		return;
	}
	struct slice rest = slice_of(r->group);
	while (rest.len) { /* the group's labels, last one first */
		const char *dot = memrchr(rest.ptr, '.', rest.len);
		struct slice label = dot ? (struct slice){dot + 1, (size_t)(rest.ptr + rest.len - dot - 1)} : rest;
		strbuf_addf(out, "%.*s.", SLICE_FMT(label));
		rest.len = dot ? (size_t)(dot - rest.ptr) : 0;
	}
	strbuf_addf(out, "%s.%s%s", r->version, r->kind, suffix);
}
