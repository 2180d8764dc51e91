/* The few functions of WasmEdge's C API that we use (version 0.14), declared here and looked up with dlsym, so that k3x
 * builds and starts on machines without it.
 *
 * A module runs once in a process that was forked for it, so nothing is ever freed: the process's end does that, and
 * takes a microsecond less of what a pod costs. What can go wrong: no library (told with the package's name), an older
 * or newer one that lacks a function, a module that the engine refuses. The engine's own log is off: it goes to stdout,
 * which is the container's. */
#include "node/wasm/zygote/engine.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>

/* The API's types. */
struct result {
	uint32_t code;
};
struct string {
	uint32_t length;
	const char *bytes;
};
typedef void configuration, vm, module_instance, compiler;
enum { HOST_WASI = 0, FORMAT_NATIVE = 0, LEVEL_O2 = 2 };

#define FUNCTIONS(X) \
	X(const char *, VersionGet, (void)) \
	X(void, LogOff, (void)) \
	X(bool, ResultOK, (struct result)) \
	X(const char *, ResultGetMessage, (struct result)) \
	X(configuration *, ConfigureCreate, (void)) \
	X(void, ConfigureAddHostRegistration, (configuration *, int)) \
	X(void, ConfigureSetMaxMemoryPage, (configuration *, uint32_t)) \
	X(void, ConfigureCompilerSetOutputFormat, (configuration *, int)) \
	X(void, ConfigureCompilerSetOptimizationLevel, (configuration *, int)) \
	X(compiler *, CompilerCreate, (const configuration *)) \
	X(struct result, CompilerCompile, (compiler *, const char *, const char *)) \
	X(vm *, VMCreate, (const configuration *, void *)) \
	X(module_instance *, VMGetImportModuleContext, (const vm *, int)) \
	X(void, ModuleInstanceInitWASI, \
	        (module_instance *, const char *const *, uint32_t, const char *const *, uint32_t, const char *const *, \
	                uint32_t)) \
	X(uint32_t, ModuleInstanceWASIGetExitCode, (const module_instance *)) \
	X(struct result, VMLoadWasmFromFile, (vm *, const char *)) \
	X(struct result, VMValidate, (vm *)) \
	X(struct result, VMInstantiate, (vm *)) \
	X(struct result, VMExecute, (vm *, struct string, const void *, uint32_t, void *, uint32_t))

/* A virtual machine that no module was put into. */
struct machine {
	vm *vm;
	module_instance *wasi;
	uint32_t memory_pages_max;
};
enum { MACHINES_MAX = 32 };

struct wasm_engine {
	void *library;
	struct machine machines[MACHINES_MAX];
	size_t machines_count;
#define X(type, name, args) type(*name) args;
	FUNCTIONS(X)
#undef X
};

int wasm_engine_open(struct wasm_engine **ret, struct err *err)
{
	void *library = dlopen(WASM_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(err, ERR_NOT_FOUND, "WebAssembly pods need WasmEdge, and it cannot be loaded (%s): %s",
		        dlerror(), WASM_PACKAGE_HINT);
	struct wasm_engine *e = xcalloc(1, sizeof *e);
	const char *missing = NULL;
	e->library = library;
#define X(type, name, args) \
	*(void **)&e->name = dlsym(library, "WasmEdge_" #name); \
	missing = e->name ? missing : "WasmEdge_" #name;
	FUNCTIONS(X)
#undef X
	if (missing) {
		dlclose(library);
		free(e);
		return err_set(err, ERR_UNIMPLEMENTED, "%s has no function %s: k3x knows WasmEdge 0.14", WASM_LIBRARY,
		        missing);
	}
	e->LogOff();
	*ret = e;
	return 0;
}

const char *wasm_engine_version(const struct wasm_engine *e)
{
	return e->VersionGet();
}

int wasm_engine_compile(struct wasm_engine *e, const char *module, const char *library, struct err *err)
{
	configuration *c = e->ConfigureCreate();
	e->ConfigureCompilerSetOutputFormat(c, FORMAT_NATIVE);
	e->ConfigureCompilerSetOptimizationLevel(c, LEVEL_O2);
	struct result r = e->CompilerCompile(e->CompilerCreate(c), module, library);
	if (e->ResultOK(r))
		return 0;
	return err_set(err, ERR_INVAL, "compile %s: %s", module, e->ResultGetMessage(r));
}

static bool is_loaded(struct wasm_engine *e, vm *machine, const struct wasm_run *run, struct err *err)
{
	struct result r = e->VMLoadWasmFromFile(machine, run->module);
	const char *step = "load";
	if (e->ResultOK(r))
		r = e->VMValidate(machine), step = "validate";
	if (e->ResultOK(r)) {
		if (run->on_loaded)
			run->on_loaded(run->arg);
		r = e->VMInstantiate(machine), step = "instantiate";
	}
	if (!e->ResultOK(r))
		err_set(err, ERR_INVAL, "cannot %s the module: %s", step, e->ResultGetMessage(r));
	return e->ResultOK(r);
}

static struct machine make_machine(struct wasm_engine *e, uint32_t memory_pages_max)
{
	configuration *c = e->ConfigureCreate();
	e->ConfigureAddHostRegistration(c, HOST_WASI);
	if (memory_pages_max)
		e->ConfigureSetMaxMemoryPage(c, memory_pages_max);
	struct machine m = {.vm = e->VMCreate(c, NULL), .memory_pages_max = memory_pages_max};
	m.wasi = e->VMGetImportModuleContext(m.vm, HOST_WASI);
	return m;
}

static const struct machine *find_machine(const struct wasm_engine *e, uint32_t memory_pages_max)
{
	for (size_t i = 0; i < e->machines_count; i++)
		if (e->machines[i].memory_pages_max == memory_pages_max)
			return &e->machines[i];
	return NULL;
}

void wasm_engine_prepare(struct wasm_engine *e, uint32_t memory_pages_max)
{
	if (!find_machine(e, memory_pages_max) && e->machines_count < MACHINES_MAX)
		e->machines[e->machines_count++] = make_machine(e, memory_pages_max);
}

int wasm_engine_run(struct wasm_engine *e, const struct wasm_run *run, struct err *err)
{
	const struct machine *prepared_one = find_machine(e, run->memory_pages_max);
	struct machine m = prepared_one ? *prepared_one : make_machine(e, run->memory_pages_max);
	e->ModuleInstanceInitWASI(m.wasi, run->args, (uint32_t)run->args_count, run->env, (uint32_t)run->env_count,
	        run->preopens, (uint32_t)run->preopens_count);
	if (!is_loaded(e, m.vm, run, err))
		return WASM_NOT_RUN;
	/* What reading and checking took is given back: with thousands of pods it is most of what each has. */
	malloc_trim(0);
	struct string start = {6, "_start"};
	struct result r = e->VMExecute(m.vm, start, NULL, 0, NULL, 0);
	if (!e->ResultOK(r)) {
		err_set(err, ERR_INTERNAL, "the module was ended by a trap: %s", e->ResultGetMessage(r));
		return WASM_TRAPPED;
	}
	return (int)(e->ModuleInstanceWASIGetExitCode(m.wasi) & 0xff);
}
