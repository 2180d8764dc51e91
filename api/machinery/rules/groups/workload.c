/* See workload_int.h. */
#include "api/machinery/rules/groups/workload_int.h"

#include "api/machinery/schema/selector.h"

void check_selector_fits(struct field_errors *e, const struct json *spec)
{
	struct json *selector = json_get(spec, "selector"),
	            *labels = json_path(spec, "template", "metadata", "labels", NULL);
	struct label_selector parsed;
	bool nothing;
	if (!selector) {
		bad_required(e, "spec.selector", "");
		return;
	}
	check_selector(e, "spec.selector", selector);
	if (label_selector_from_json(e->arena, selector, &parsed, &nothing, NULL) != 0)
		return;
	if (!parsed.count) {
		bad_value(e, "spec.selector", SLICE("{}"), "empty selector is invalid for deployment");
		return;
	}
	if (!label_selector_matches_tree(&parsed, labels)) {
		struct strbuf text = STRBUF_INIT;
		if (labels)
			json_write(&text, labels);
		field_error_add(e, "FieldValueInvalid", "spec.template.metadata.labels",
		        "Invalid value: %s: `selector` does not match template `labels`", strbuf_cstr(&text));
		strbuf_release(&text);
	}
}
