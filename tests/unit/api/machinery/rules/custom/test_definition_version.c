/* Versions of a definition: schemas, subresources, columns, selectable fields, and where what is wrong is told. */
#include "tests/unit/api/machinery/rules/custom/definition_cases.h"

#include "api/machinery/rules/custom/definition_version.h"

#define ONE(rest) "{'spec':{'versions':[{" DEFINITION_VERSION rest "}]}}"
#define OTHER "'name':'v2','served':true,'storage':false"
#define SCHEMA(schema) "'schema':{'openAPIV3Schema':{" schema "}}"

static void what_all_say_is_told_at_the_top(void **state)
{
	static const char *const rows[][2] = {
	        {"{'spec':{'versions':[{'name':'v1','storage':true," SCHEMA("") "}]}}",
	                "spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root"},
	        {"{'spec':{'versions':[{'name':'v1','storage':true," SCHEMA("") "},{" OTHER "," SCHEMA("") "}]}}",
	                "spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root"},
	        {"{'spec':{'versions':[{" DEFINITION_VERSION "},{" OTHER "," SCHEMA("") "}]}}",
	                "spec.versions[1].schema.openAPIV3Schema.type: Required value: must not be empty at the root"},
	        {"{'spec':{'versions':[{'name':'v1','storage':true}]}}",
	                "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"},
	        {"{'spec':{'versions':[{" DEFINITION_VERSION ",'subresources':{'scale':{}}},{" OTHER
	         "," SCHEMA("'type':'object'") "}]}}",
	                "spec.versions[0].subresources.scale.specReplicasPath: Required "
	                "value\nspec.versions[0].subresources.scale.statusReplicasPath: Required value"},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

static void names_and_marks(void **state)
{
	static const char *const rows[][2] = {
	        {"{'spec':{'versions':[]}}",
	                "spec.versions: Invalid value: \"...\": must have exactly one version marked as storage "
	                "version\nstatus.storedVersions: Invalid value: []string(nil): must have at least one stored "
	                "version"},
	        {"{'spec':{'versions':[{" DEFINITION_VERSION "},{" DEFINITION_VERSION "}]}}",
	                "spec.versions: Invalid value: \"...\": must contain unique version names\nspec.versions: "
	                "Invalid "
	                "value: \"...\": must have exactly one version marked as storage version"},
	        {ONE(",'deprecationWarning':'w'"),
	                "spec.versions[0].deprecationWarning: Invalid value: \"w\": can only be set for deprecated "
	                "versions"},
	        {ONE(",'deprecated':true,'deprecationWarning':'gehört weg'"), ""},
	        {ONE(",'deprecated':true,'deprecationWarning':''"),
	                "spec.versions[0].deprecationWarning: Invalid value: \"\": must not be an empty string"},
	        {ONE(",'deprecated':true,'deprecationWarning':'aö\\u200b'"),
	                "spec.versions[0].deprecationWarning: Invalid value: \"aö\u200b\": must only contain printable "
	                "UTF-8 characters; non-printable character found at index 3"},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

#define SCALE(spec, status, selector) \
	ONE(",'subresources':{'scale':{'specReplicasPath':'" spec "','statusReplicasPath':'" status \
	    "','labelSelectorPath':'" selector "'}}")

static void subresources(void **state)
{
	static const char *const rows[][2] = {
	        {SCALE(".spec.a", ".status.b", ".spec.c"), ""},
	        {SCALE("spec.a", ".spec.b", ".metadata.c"),
	                "spec.subresources.scale.specReplicasPath: Invalid value: \"spec.a\": must be a simple json "
	                "path "
	                "starting with .\nspec.subresources.scale.statusReplicasPath: Invalid value: \".spec.b\": "
	                "should "
	                "be a json path under .status\nspec.subresources.scale.labelSelectorPath: Invalid value: "
	                "\".metadata.c\": should be a json path under either .spec or .status"},
	        /* what the root of a schema says beside properties, a status by itself would not be held to */
	        {"{'spec':{'versions':[{'name':'v1','storage':true,'subresources':{'status':{}}," SCHEMA(
	                 "'type':'object','required':['a'],'x-kubernetes-validations':[{'rule':'true'}]") "}]}}",
	                ""},
	        {"{'spec':{'versions':[{'name':'v1','storage':true,'subresources':{'status':{}}," SCHEMA(
	                 "'type':'object','oneOf':[{'required':['a']}],'not':{}") "}]}}",
	                "spec.validation.openAPIV3Schema: Invalid value: \"...\": only [Description Type Format Title "
	                "Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems "
	                "MinItems "
	                "UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields "
	                "XValidations] fields are allowed at the root of the schema if the status subresource is "
	                "enabled"},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

static void columns(void **state)
{
	static const char *const rows[][2] = {
	        {ONE(",'additionalPrinterColumns':[{'name':'A','type':'string','jsonPath':'.a','format':'byte'}]"), ""},
	        {ONE(",'additionalPrinterColumns':[{},{'name':'A','type':'text','jsonPath':'a','format':'odd'}]"),
	                "spec.additionalPrinterColumns[0].name: Required value\nspec.additionalPrinterColumns[0].type: "
	                "Required value: must be one of "
	                "boolean,date,integer,number,string\nspec.additionalPrinterColumns[0].JSONPath: Required "
	                "value\nspec.additionalPrinterColumns[1].type: Invalid value: \"text\": must be one of "
	                "boolean,date,integer,number,string\nspec.additionalPrinterColumns[1].format: Invalid value: "
	                "\"odd\": must be one of "
	                "byte,date,date-time,double,float,int32,int64,password\nspec.additionalPrinterColumns[1]."
	                "JSONPath: "
	                "Invalid value: \"a\": must be a simple json path starting with ."},
	        {ONE(",'additionalPrinterColumns':[{'name':'A','type':'string','jsonPath':'.a..b'}]"), ""},
	};
	struct warnings w;
	each_definition_says(rows, COUNT_OF(rows));
	warnings_init(&w, &a);
	definition_versions_warn(&w, json_path(definition_of(rows[0][0]), "spec", "versions", NULL));
	assert_int_equal(w.count, 0);
	definition_versions_warn(&w, json_path(definition_of(rows[2][0]), "spec", "versions", NULL));
	assert_string_equal(w.items[0],
	        "spec.versions[0].additionalPrinterColumns[0].jsonPath: \".a..b\" is no JSON path "
	        "of names, indexes and filters: the column is not shown");
}

#define FIELDS(list) \
	"{'spec':{'versions':[{'name':'v1','storage':true," SCHEMA( \
	        "'type':'object','properties':{'metadata':{'type':'" \
	        "object','properties':{'name':{'type':'string'}}},'spec':{'type':'object','properties':{'a':{'type':'" \
	        "string'},'o':{" \
	        "'type':'object'}}},'m':{'type':'object','additionalProperties':{'type':'integer'}}}") ",'" \
	                                                                                               "selectableFie" \
	                                                                                               "lds':[" list \
	                                                                                               "]}]}}"
#define AT_FIELD "spec.selectableFields[0].jsonPath: "

static void selectable_fields(void **state)
{
	static const char *const rows[][2] = {
	        {FIELDS("{'jsonPath':'.spec.a'},{'jsonPath':'.m.any'}"), ""},
	        {FIELDS("{}"), AT_FIELD "Required value"},
	        {FIELDS("{'jsonPath':'spec.a'}"),
	                AT_FIELD "Invalid value: \"spec.a\": is an invalid path: expected [ or . but got: spec"},
	        {FIELDS("{'jsonPath':'.spec[0]'}"),
	                AT_FIELD "Invalid value: \".spec[0]\": is an invalid path: array notation is not allowed"},
	        {FIELDS("{'jsonPath':'.spec.'}"),
	                AT_FIELD "Invalid value: \".spec.\": is an invalid path: unexpected end of JSON path"},
	        {FIELDS("{'jsonPath':'.spec.x'}"),
	                AT_FIELD "Invalid value: \".spec.x\": is an invalid path: does not refer to a valid field"},
	        {FIELDS("{'jsonPath':'.metadata.name'}"),
	                AT_FIELD "Invalid value: \".metadata.name\": must not point to fields in metadata"},
	        {FIELDS("{'jsonPath':'.spec.o'}"), AT_FIELD
	                "Invalid value: \".spec.o\": must point to a field of type string, boolean or integer. "
	                "Enum string fields and strings with formats are allowed."},
	        {FIELDS("{'jsonPath':'.m.a'},{'jsonPath':'.m.b'},{'jsonPath':'.m.c'},{'jsonPath':'.m.d'},{'jsonPath':'"
	                ".m.e'},{'jsonPath':'.m.f'},{'jsonPath':'.m.g'},{'jsonPath':'.m.h'},{'jsonPath':'.m.h'}"),
	                "spec.selectableFields[8].jsonPath: Duplicate value: \".m.h\""},
	        {FIELDS("{'jsonPath':'.m.a'},{'jsonPath':'.m.b'},{'jsonPath':'.m.c'},{'jsonPath':'.m.d'},{'jsonPath':'"
	                ".m.e'},{'jsonPath':'.m.f'},{'jsonPath':'.m.g'},{'jsonPath':'.m.h'},{'jsonPath':'.m.i'}"),
	                "spec.selectableFields: Too many: 9: must have at most 8 items"},
	};
	each_definition_says(rows, COUNT_OF(rows));
}

/* What an older server let in may stay, and the rest of its version may change. */
static void a_schema_as_it_was_is_not_weighed_anew(void **state)
{
	static const char odd[] = "{'spec':{'versions':[{'name':'v1','storage':true,'served':true," SCHEMA(
	        "'type':'array'") "}]},'status':{'storedVersions':['v1']}}";
	static const char more[] = "{'spec':{'versions':[{'name':'v1','storage':true,'served':false," SCHEMA(
	        "'type':'array'") "}]},'status':{'storedVersions':['v1']}}";
	assert_string_not_equal(definition_errors(definition_of(more), NULL), "");
	assert_string_equal(definition_errors(definition_of(more), definition_of(odd)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(what_all_say_is_told_at_the_top, release),
	        cmocka_unit_test_teardown(names_and_marks, release),
	        cmocka_unit_test_teardown(subresources, release),
	        cmocka_unit_test_teardown(columns, release),
	        cmocka_unit_test_teardown(selectable_fields, release),
	        cmocka_unit_test_teardown(a_schema_as_it_was_is_not_weighed_anew, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
