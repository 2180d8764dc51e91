/* See kubelet_config.h. How:
 *
 *     config=FILE      -\
 *     drop-in *.conf   --> each checked against the table, merged (objects by member, lists whole)
 *     flags            -/  -> defaults for what is missing -> what belongs together is checked -> warnings
 *
 * As upstream, a map such as evictionHard that is given takes the place of its default, and one that files give is
 * merged among them; a flag takes the place of what files said. What can go wrong: a file that cannot be read or
 * parsed, another kind, a field that does not exist (a misspelt one would be believed), a value of another type. All
 * of them stop the start; a field that this node does not heed is a warning. */
#include "node/config/kubelet_config.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"
#include "base/time/duration.h"
#include "base/flags.h"
#include "base/yaml.h"
#include "node/config/config_table_int.h"
#include "node/config/thresholds.h"
#include "node/ground/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES_MAX = 1 << 20, FILES_MAX = 256 };

/* ---- one value ---- */

static bool is_duration(const struct json *v)
{
	char text[64];
	uint64_t ms;
	struct slice s = json_str(v);
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(s));
	return s.len < sizeof text && (slice_is(s, "0") || duration_parse_ms(text, &ms));
}

static bool is_integer(const struct json *v, int64_t min, int64_t max)
{
	int64_t n;
	return json_is(v, JSON_NUMBER) && slice_to_i64(v->text, &n) && n >= min && n <= max;
}

static bool all_are(const struct json *list, enum json_type type)
{
	JSON_FOREACH (it, list)
		if (it->type != type)
			return false;
	return true;
}

/* NULL: it is right; else what would be. */
static const char *wanted_instead(const struct config_field *f, const struct json *v)
{
	struct quantity q;
	struct err err = ERR_INIT;
	switch (f->type) {
	case CONFIG_BOOL:
		return json_is(v, JSON_BOOL) ? NULL : "true or false";
	case CONFIG_INT:
		return is_integer(v, -1000, INT32_MAX) ? NULL : "a whole number";
	case CONFIG_PERCENT:
		return is_integer(v, 0, 100) ? NULL : "a whole number from 0 to 100";
	case CONFIG_NUMBER:
		return json_is(v, JSON_NUMBER) ? NULL : "a number";
	case CONFIG_DURATION:
		return is_duration(v) ? NULL : "a time like 1m30s";
	case CONFIG_QUANTITY:
		return json_str(v).len && quantity_parse(json_str(v), &q, &err) == 0 && quantity_sign(&q) > 0
		               ? NULL
		               : "an amount like 10Mi";
	case CONFIG_STRING:
		return json_is(v, JSON_STRING) ? NULL : "a text";
	case CONFIG_STRINGS:
		return json_is(v, JSON_ARRAY) && all_are(v, JSON_STRING) ? NULL : "a list of texts";
	case CONFIG_PAIRS:
		return json_is(v, JSON_OBJECT) && all_are(v, JSON_STRING) ? NULL : "names with a text each";
	case CONFIG_TREE:
		return json_is(v, JSON_OBJECT) ? NULL : "an object";
	case CONFIG_TREES:
		return json_is(v, JSON_ARRAY) && all_are(v, JSON_OBJECT) ? NULL : "a list of objects";
	}
	return "something else";
}

/* ---- files ---- */

static void merge(struct arena *a, struct json *into, const struct json *from)
{
	CHECK(json_is(into, JSON_OBJECT));
	JSON_FOREACH (it, from) {
		struct json *old = json_get_slice(into, it->key);
		if (json_is(old, JSON_OBJECT) && it->type == JSON_OBJECT)
			merge(a, old, it);
		else
			json_set_slice(a, into, it->key, json_copy(a, it));
	}
}

static int check_kind(const struct json *doc, const char *where, struct err *err)
{
	if (!json_is(doc, JSON_OBJECT) || !slice_is(json_get_str(doc, "kind"), "KubeletConfiguration") ||
	        !slice_is(json_get_str(doc, "apiVersion"), "kubelet.config.k8s.io/v1beta1"))
		return err_set(err, ERR_INVAL,
		        "%s: it must be of kind KubeletConfiguration and apiVersion kubelet.config.k8s.io/v1beta1",
		        where);
	return 0;
}

int kubelet_config_merge(struct arena *a, struct json *into, const char *where, struct slice text, struct err *err)
{
	struct json *doc = yaml_parse(a, text, NULL, err);
	if (!doc)
		return err_wrap(err, "%s", where);
	if (check_kind(doc, where, err) != 0)
		return err->code;
	json_del(doc, "kind");
	json_del(doc, "apiVersion");
	json_del(doc, "metadata");
	JSON_FOREACH (it, doc) {
		const struct config_field *f = config_field_named(it->key);
		if (!f)
			return err_set(err, ERR_INVAL, "%s: KubeletConfiguration has no field \"%.*s\"", where,
			        SLICE_FMT(it->key));
		const char *want = it->type == JSON_NULL ? NULL : wanted_instead(f, it);
		if (want)
			return err_set(err, ERR_INVAL, "%s: %s must be %s", where, f->name, want);
	}
	for (struct json *it = doc->first, *next; it; it = next) {
		next = it->next;
		if (it->type == JSON_NULL) /* as if it were not there */
			json_remove(doc, it);
	}
	merge(a, into, doc);
	return 0;
}

static int merge_file(struct kubelet_config *c, const char *path, struct err *err)
{
	size_t len = 0;
	CLEANUP(cleanup_free) char *text = file_read(path, FILE_BYTES_MAX, false, &len);
	if (!text)
		return err_errno(err, errno, "read the kubelet's configuration %s", path);
	if (len == FILE_BYTES_MAX)
		return err_set(err, ERR_INVAL, "%s is larger than 1 MiB", path);
	return kubelet_config_merge(&c->arena, c->tree, path, (struct slice){text, len}, err);
}

static int only_conf(const struct dirent *e)
{
	return slice_ends(slice_of(e->d_name), ".conf");
}

static int merge_folder(struct kubelet_config *c, const char *dir, struct err *err)
{
	struct dirent **entries;
	int count = dir ? scandir(dir, &entries, only_conf, alphasort) : 0, rc = 0;
	if (!dir || (count < 0 && errno == ENOENT))
		return 0;
	if (count < 0)
		return err_errno(err, errno, "read the kubelet's drop-in folder %s", dir);
	if (count > FILES_MAX)
		rc = err_set(err, ERR_INVAL, "%s has more than %d files", dir, FILES_MAX);
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = merge_file(c, arena_printf(&c->arena, "%s/%s", dir, entries[i]->d_name), err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* ---- flags ---- */

/* "a=b,c=d"; of thresholds "a<b,c<d". NULL: it is none. */
static struct json *read_pairs(struct arena *a, const struct config_field *f, struct slice text)
{
	bool is_below = strcmp(f->name, "evictionHard") == 0 || strcmp(f->name, "evictionSoft") == 0;
	struct json *o = json_new(a, JSON_OBJECT);
	while (text.len) {
		struct slice value = slice_trim(slice_cut(&text, ',')), name = slice_cut(&value, is_below ? '<' : '=');
		if (!value.len && !name.len)
			continue;
		if (!value.len || !name.len)
			return NULL;
		json_set_slice(a, o, slice_trim(name), json_new_str(a, slice_trim(value)));
	}
	return o;
}

static struct json *read_strings(struct arena *a, struct slice text)
{
	struct json *list = json_new(a, JSON_ARRAY);
	while (text.len) {
		struct slice one = slice_trim(slice_cut(&text, ','));
		if (one.len)
			json_append(list, json_new_str(a, one));
	}
	return list;
}

/* "0:memory=1Gi,hugepages-2Mi=4Mi;1:memory=1Gi". NULL: it is none. */
static struct json *read_reserved_memory(struct arena *a, const struct config_field *f, struct slice text)
{
	struct json *list = json_new(a, JSON_ARRAY);
	while (text.len) {
		struct slice limits = slice_cut(&text, ';'), node = slice_trim(slice_cut(&limits, ':'));
		struct json *o = json_new(a, JSON_OBJECT), *pairs = limits.len ? read_pairs(a, f, limits) : NULL;
		int64_t id;
		if (!pairs || !slice_to_i64(node, &id))
			return NULL;
		json_set_int(a, o, "numaNode", id);
		json_set(a, o, "limits", pairs);
		json_append(list, o);
	}
	return list;
}

/* "A=true,B=false". NULL: it is none. */
static struct json *read_gates(struct arena *a, const struct config_field *f, struct slice text)
{
	struct json *pairs = read_pairs(a, f, text), *o = json_new(a, JSON_OBJECT);
	JSON_FOREACH (it, pairs) {
		if (!slice_is(json_str(it), "true") && !slice_is(json_str(it), "false"))
			return NULL;
		json_set_slice(a, o, it->key, json_new_bool(a, slice_is(json_str(it), "true")));
	}
	return pairs ? o : NULL;
}

/* NULL: the text is no such value. A flag alone is true. */
static struct json *read_flag(struct arena *a, const struct config_field *f, struct slice text)
{
	int64_t n;
	switch (f->type) {
	case CONFIG_BOOL:
		if (!text.ptr || slice_is(text, "true") || slice_is(text, "1"))
			return json_new_bool(a, true);
		return slice_is(text, "false") || slice_is(text, "0") ? json_new_bool(a, false) : NULL;
	case CONFIG_INT:
	case CONFIG_PERCENT:
		return slice_to_i64(text, &n) ? json_new_int(a, n) : NULL;
	case CONFIG_NUMBER:
		return json_parse(a, text, NULL, NULL);
	case CONFIG_DURATION:
	case CONFIG_QUANTITY:
	case CONFIG_STRING:
		return text.ptr ? json_new_str(a, text) : NULL;
	case CONFIG_STRINGS:
		return read_strings(a, text);
	case CONFIG_PAIRS:
		return read_pairs(a, f, text);
	case CONFIG_TREE:
	case CONFIG_TREES:
		if (strcmp(f->name, "reservedMemory") == 0)
			return read_reserved_memory(a, f, text);
		if (strcmp(f->name, "featureGates") == 0)
			return read_gates(a, f, text);
		return json_new_str(a, text); /* none is heeded: it is told apart from the default, and that is told */
	}
	return NULL;
}

static const char *flag_wants(const struct config_field *f)
{
	static const struct json nothing = {.type = JSON_NULL};
	if (strcmp(f->name, "reservedMemory") == 0)
		return "nodes with amounts, like 0:memory=1Gi,hugepages-2Mi=4Mi;1:memory=1Gi";
	if (strcmp(f->name, "featureGates") == 0)
		return "gates, like KubeletPodResourcesGet=true";
	return f->type != CONFIG_PAIRS ? wanted_instead(f, &nothing)
	       : strncmp(f->name, "evictionHard", 12) == 0 || strcmp(f->name, "evictionSoft") == 0
	               ? "signals with amounts, like memory.available<100Mi,nodefs.available<10%"
	               : "names with values, like a=b,c=d";
}

static int take_flag(struct kubelet_config *c, const char *arg, struct err *err)
{
	struct slice value, name = flag_argument_cut(arg, &value);
	const struct config_field *f = config_field_of_flag(name);
	const char *instead = config_flag_instead(name);
	if (slice_is(name, "config"))
		return 0;
	if (!f)
		return err_set(err, ERR_UNIMPLEMENTED,
		        instead ? "--kubelet-arg: %.*s: %s" : "--kubelet-arg: \"%.*s\" is no argument of a kubelet%s",
		        SLICE_FMT(name), instead ? instead : "");
	struct json *v = read_flag(&c->arena, f, value);
	bool is_tree = f->ignored && (f->type == CONFIG_TREE || f->type == CONFIG_TREES);
	if (!v || (!is_tree && wanted_instead(f, v)))
		return err_set(err, ERR_INVAL, "--kubelet-arg: %s: \"%.*s\" is not %s", f->flag, SLICE_FMT(value),
		        flag_wants(f));
	json_set(&c->arena, c->tree, f->name, v);
	return 0;
}

static int merge_config_flag(struct kubelet_config *c, const struct kubelet_config_source *from, struct err *err)
{
	for (size_t i = 0; i < from->args_count; i++) {
		struct slice value, name;
		name = flag_argument_cut(from->args[i], &value);
		if (!slice_is(name, "config"))
			continue;
		if (!value.len)
			return err_set(err, ERR_INVAL,
			        "--kubelet-arg: config: name a file, like config=/etc/k3x/kubelet.yaml");
		if (merge_file(c, arena_memdup(&c->arena, value.ptr, value.len), err) != 0)
			return err->code;
	}
	return 0;
}

/* ---- what belongs together ---- */

static int check_reserved(const struct kubelet_config *c, const char *field, struct err *err)
{
	static const char *const names[] = {"cpu", "memory", "ephemeral-storage", "pid"};
	JSON_FOREACH (it, kubelet_config_get(c, field)) {
		struct quantity q;
		struct err why = ERR_INIT;
		bool is_one = false;
		for (size_t i = 0; i < COUNT_OF(names); i++)
			is_one = is_one || slice_is(it->key, names[i]);
		if (!is_one)
			return err_set(err, ERR_INVAL,
			        "%s: \"%.*s\" cannot be reserved; cpu, memory, ephemeral-storage and pid can", field,
			        SLICE_FMT(it->key));
		if (quantity_parse(json_str(it), &q, &why) != 0 || quantity_sign(&q) < 0)
			return err_set(err, ERR_INVAL, "%s: %.*s: \"%.*s\" is no amount like 500m or 1Gi", field,
			        SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	}
	return 0;
}

/* Those that are of a pod's own namespaces: the others would be of the whole machine. */
static int check_sysctls(const struct kubelet_config *c, struct err *err)
{
	static const char *const own[] = {"kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.", "net."};
	JSON_FOREACH (it, kubelet_config_get(c, "allowedUnsafeSysctls")) {
		bool is_own = false;
		char name[128];
		snprintf(name, sizeof name, "%.*s", SLICE_FMT(json_str(it)));
		for (size_t i = 0; i < COUNT_OF(own); i++)
			is_own = is_own || strncmp(name, own[i], strlen(own[i])) == 0;
		if (!is_own)
			return err_set(err, ERR_INVAL,
			        "allowedUnsafeSysctls: \"%s\" is not of a pod's own namespaces; kernel.shm*, "
			        "kernel.msg*, "
			        "kernel.sem, fs.mqueue.* and net.* are",
			        name);
	}
	return 0;
}

static int check_enforced(const struct kubelet_config *c, struct err *err)
{
	JSON_FOREACH (it, kubelet_config_get(c, "enforceNodeAllocatable"))
		if (!slice_is(json_str(it), "pods") && !slice_is(json_str(it), "none"))
			return err_set(err, ERR_INVAL,
			        "enforceNodeAllocatable: \"%.*s\" is not enforced here; pods and none are",
			        SLICE_FMT(json_str(it)));
	return 0;
}

static int check_gates(const struct kubelet_config *c, struct err *err)
{
	JSON_FOREACH (it, kubelet_config_get(c, "featureGates"))
		if (!json_is(it, JSON_BOOL))
			return err_set(err, ERR_INVAL, "featureGates: %.*s must be true or false", SLICE_FMT(it->key));
	return 0;
}

static int check_swap(const struct kubelet_config *c, struct err *err)
{
	const struct json *swap = kubelet_config_get(c, "memorySwap");
	struct slice behavior = json_get_str(swap, "swapBehavior");
	JSON_FOREACH (it, swap)
		if (!slice_is(it->key, "swapBehavior") || !json_is(it, JSON_STRING))
			return err_set(
			        err, ERR_INVAL, "memorySwap: \"%.*s\" is no text swapBehavior", SLICE_FMT(it->key));
	if (behavior.len && !slice_is(behavior, "NoSwap") && !slice_is(behavior, "LimitedSwap"))
		return err_set(err, ERR_INVAL, "memorySwap.swapBehavior: \"%.*s\" must be NoSwap or LimitedSwap",
		        SLICE_FMT(behavior));
	if (behavior.len && !kubelet_config_gate(c, "NodeSwap"))
		return err_set(err, ERR_INVAL, "memorySwap.swapBehavior needs the feature gate NodeSwap, which is off");
	return 0;
}

static int check_together(const struct kubelet_config *c, struct err *err)
{
	struct eviction_thresholds thresholds;
	int64_t shutdown = kubelet_config_ms(c, "shutdownGracePeriod"),
	        critical = kubelet_config_ms(c, "shutdownGracePeriodCriticalPods"),
	        oldest = kubelet_config_ms(c, "imageMaximumGCAge");
	if (kubelet_config_int(c, "imageGCLowThresholdPercent") >= kubelet_config_int(c, "imageGCHighThresholdPercent"))
		return err_set(
		        err, ERR_INVAL, "imageGCHighThresholdPercent must be more than imageGCLowThresholdPercent");
	if (oldest && oldest <= kubelet_config_ms(c, "imageMinimumGCAge"))
		return err_set(err, ERR_INVAL, "imageMaximumGCAge must be more than imageMinimumGCAge, or 0");
	if (critical > shutdown)
		return err_set(err, ERR_INVAL,
		        "shutdownGracePeriodCriticalPods must not be more than shutdownGracePeriod, of which it is a "
		        "part");
	if ((shutdown && shutdown < 1000) || (critical && critical < 1000))
		return err_set(err, ERR_INVAL, "shutdownGracePeriod must be a second at least, or 0");
	if (shutdown && kubelet_config_get(c, "shutdownGracePeriodByPodPriority")->count)
		return err_set(err, ERR_INVAL,
		        "shutdownGracePeriodByPodPriority goes without shutdownGracePeriod: give one of them");
	if (kubelet_config_int(c, "maxPods") < 0 || kubelet_config_int(c, "podsPerCore") < 0)
		return err_set(err, ERR_INVAL, "maxPods and podsPerCore must not be less than 0");
	if (kubelet_config_int(c, "containerLogMaxFiles") < 2)
		return err_set(err, ERR_INVAL, "containerLogMaxFiles must be 2 at least");
	if (kubelet_config_int(c, "evictionMaxPodGracePeriod") < 0)
		return err_set(err, ERR_INVAL, "evictionMaxPodGracePeriod must not be less than 0");
	if (check_reserved(c, "systemReserved", err) != 0 || check_reserved(c, "kubeReserved", err) != 0 ||
	        check_sysctls(c, err) != 0 || check_enforced(c, err) != 0 || check_gates(c, err) != 0 ||
	        check_swap(c, err) != 0)
		return err->code;
	return eviction_thresholds_read(c->tree, &thresholds, err);
}

/* ---- the whole ---- */

/* What is missing gets its default; what is there and changes nothing is told, and is as if it were not there. */
static void complete(struct kubelet_config *c)
{
	size_t count;
	const struct config_field *fields = config_fields(&count);
	const struct json *gates = json_get(c->tree, "featureGates");
	c->warnings = ARENA_ARRAY(&c->arena, const char *, count + (gates ? gates->count : 0) + 1);
	for (size_t i = 0; i < count; i++) {
		const struct config_field *f = &fields[i];
		struct json *initial = json_literal(&c->arena, f->initial), *given = json_get(c->tree, f->name);
		if (given && f->ignored && !json_equal(given, initial))
			c->warnings[c->warnings_count++] = arena_printf(
			        &c->arena, "%s of the kubelet's configuration is not heeded: %s", f->name, f->ignored);
		if (!given || f->ignored) /* the tree is what is in force */
			json_set(&c->arena, c->tree, f->name, initial);
	}
	JSON_FOREACH (it, gates) {
		bool is_on;
		if (!config_gate_named(it->key, &is_on))
			c->warnings[c->warnings_count++] = arena_printf(&c->arena,
			        "the feature gate %.*s of the kubelet's configuration is not heeded",
			        SLICE_FMT(it->key));
	}
	CHECK(c->warnings_count <= count + (gates ? gates->count : 0));
}

static int load(const struct kubelet_config_source *from, struct kubelet_config *c, struct err *err)
{
	if (merge_config_flag(c, from, err) != 0 || merge_folder(c, from->drop_in_dir, err) != 0)
		return err->code;
	for (size_t i = 0; i < from->args_count; i++)
		if (take_flag(c, from->args[i], err) != 0)
			return err->code;
	complete(c);
	return check_together(c, err);
}

int kubelet_config_load(const struct kubelet_config_source *from, struct kubelet_config *ret, struct err *err)
{
	CHECK(from->args || !from->args_count);
	*ret = (struct kubelet_config){.warnings_count = 0};
	ret->tree = json_new(&ret->arena, JSON_OBJECT);
	if (load(from, ret, err) == 0)
		return 0;
	kubelet_config_release(ret);
	return err->code;
}

void kubelet_config_release(struct kubelet_config *c)
{
	arena_release(&c->arena);
	*c = (struct kubelet_config){.warnings_count = 0};
}

/* ---- fields ---- */

const struct json *kubelet_config_get(const struct kubelet_config *c, const char *field)
{
	const struct json *v = json_get(c->tree, field);
	CHECK(v);
	return v;
}

int64_t kubelet_config_int(const struct kubelet_config *c, const char *field)
{
	return json_int(kubelet_config_get(c, field), 0);
}

bool kubelet_config_bool(const struct kubelet_config *c, const char *field)
{
	const struct json *v = kubelet_config_get(c, field);
	CHECK(json_is(v, JSON_BOOL));
	return json_bool(v, false);
}

int64_t kubelet_config_ms(const struct kubelet_config *c, const char *field)
{
	char text[64];
	uint64_t ms = 0;
	const struct json *v = kubelet_config_get(c, field);
	CHECK(json_is(v, JSON_STRING)); /* what is none is refused when it is read */
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(json_str(v)));
	return duration_parse_ms(text, &ms) ? (int64_t)ms : 0;
}

const char *kubelet_config_text(const struct kubelet_config *c, const char *field, struct arena *a)
{
	return json_cstr(a, kubelet_config_get(c, field));
}

bool kubelet_config_gate(const struct kubelet_config *c, const char *gate)
{
	bool is_on = false;
	CHECK(config_gate_named(slice_of(gate), &is_on)); /* it is one that is heeded */
	return json_get_bool(kubelet_config_get(c, "featureGates"), gate, is_on);
}
