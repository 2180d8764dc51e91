# Everything in tools/ is an entry point of the one binary, but for those of schema/, which run at build time.
SRCS += $(filter-out tools/schema/%,$(sort $(shell find tools -name '*.c')))

# The add-ons inside the binary: a table of the files there are. Written anew only when it, or one of them, changes.
ADDONS := $(sort $(wildcard tools/k3x/addons/*.yaml))
GEN_C += build/gen/tools/k3x/addon_files.c

build/gen/tools/k3x/addon_files.c: FORCE
	@mkdir -p $(@D)
	@{ echo '/* Made by tools/module.mk. */'; echo '#include "tools/k3x/addons.h"'; \
		for f in $(ADDONS); do s=addon_$$(basename $$f .yaml | tr -c 'a-z0-9\n' _); echo "/* $$(cksum <$$f) */"; \
			printf '__asm__(".pushsection .rodata\\n%s:\\n.incbin \\\"%s\\\"\\n%s_end:\\n.byte 0\\n.popsection\\n");\n' $$s $$f $$s; \
			echo "extern const char $$s[], $${s}_end[];"; done; \
		echo 'const struct addon_file addon_files[] = {'; \
		for f in $(ADDONS); do n=$$(basename $$f .yaml); s=addon_$$(echo $$n | tr -c 'a-z0-9\n' _); \
			echo "        {\"$$n\", $$s, $${s}_end},"; done; \
		echo '        {0},'; echo '};'; } >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else echo "  GEN $@"; mv $@.new $@; fi

$(B)/obj/tools/k3x/killall.o: tools/install/killall.sh
