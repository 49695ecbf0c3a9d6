# SPDX-License-Identifier: GPL-2.0-or-later
# Builds, tests, checks and installs recoverd; `make help` lists what there is.

prefix ?= /usr
sbindir ?= $(prefix)/sbin
bindir ?= $(prefix)/bin
libdir ?= $(prefix)/lib
includedir ?= $(prefix)/include
datadir ?= $(prefix)/lib/recoverd
unitdir ?= $(prefix)/lib/systemd/system
mandir ?= $(prefix)/share/man
schemadir ?= $(prefix)/share/recoverd

CC = gcc
CFLAGS ?= -O2 -g
INSTALL = install
PKG_CONFIG = pkg-config

B := build
PACKAGES := libelf libkmod libsystemd jansson inih libcap-ng capstone libarchive libbpf
WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wno-unused-parameter
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2
LINK_HARDENING := -Wl,-z,relro,-z,now

# V=1 shows the commands.
Q := $(if $(V),,@)
show = @printf '  %-5s %s\n' $1 $@

# Asked once, when first needed: cleaning and setting up go without the packages.
package_cflags = $(eval package_cflags := $$(call ask,--cflags))$(package_cflags)
package_libs = $(eval package_libs := $$(call ask,--libs))$(package_libs)
ask = $(or $(shell $(PKG_CONFIG) $1 $(PACKAGES) && echo ' '),\
	$(error libraries are missing: run scripts/setup build))

BASE_CPPFLAGS := -std=gnu11 -D_GNU_SOURCE -Iinclude -Ireplug
COMPILE = $(CC) $(BASE_CPPFLAGS) -I$(<D) $(CPPFLAGS) $(WARNINGS) $(HARDENING) $(CFLAGS) \
	$(package_cflags) -MMD -MP -c -o $@ $<
LINK = $(CC) $(CFLAGS) -pie $(LINK_HARDENING) $(LDFLAGS) -o $@ $^ -Wl,--as-needed

# Sources. A folder without any has nothing built from it.
object = $(patsubst %.c,$(B)/obj/%.o,$1)
REPLUG := $(call object,$(wildcard replug/*.c))
RECOVERD := $(call object,$(wildcard recoverd/*.c))
CLI := $(call object,$(wildcard cli/*.c))
FLOW := $(call object,$(wildcard tests/flow/*.c))
PLAIN := $(call object,$(wildcard tests/plain/*.c))
ATTACH := $(call object,$(wildcard tests/bpf/*.c))
LOAD := $(call object,$(wildcard tests/load/*.c))
SOUND := $(call object,$(wildcard tests/sound/*.c))
SOUND_MAIN := $(filter %/play.o %/stream.o,$(SOUND))
FILES := $(call object,$(wildcard tests/files/*.c))
UNIT := $(call object,$(filter-out tests/unit/fuzz_%,$(wildcard tests/unit/*.c)))

RECOVERD_MAIN := $(filter %/main.o,$(RECOVERD))
RECOVERD_PARTS := $(filter-out %/main.o,$(RECOVERD))
UNIT_MAIN := $(filter $(B)/obj/tests/unit/test_%,$(UNIT))
UNIT_PARTS := $(filter-out $(UNIT_MAIN),$(UNIT))

# One object of all programs. The linker wants the maps' definitions before what refers to them.
BPF := $(patsubst %.bpf.c,$(B)/%.bpf.o,bpf/watch.bpf.c \
	$(filter-out bpf/watch.bpf.c,$(wildcard bpf/*.bpf.c)))

LIBRARIES := $(if $(REPLUG),$(B)/libreplug.a $(B)/libreplug.so.0)
PROGRAMS := $(if $(RECOVERD_MAIN),$(B)/recoverd) $(if $(CLI),$(B)/recovctl) \
	$(if $(FLOW),$(B)/tests/flow/flow) $(if $(PLAIN),$(B)/tests/plain/plain) \
	$(if $(ATTACH),$(B)/tests/bpf/attach) $(if $(LOAD),$(B)/tests/load/load) \
	$(SOUND_MAIN:$(B)/obj/%.o=$(B)/%) $(if $(FILES),$(B)/tests/files/files)
MANUALS := $(patsubst man/%.scd,$(B)/man/%,$(wildcard man/*.scd))
UNIT_TESTS := $(patsubst $(B)/obj/%.o,$(B)/%,$(UNIT_MAIN))
# Archives: a program takes from them what it uses.
PARTS := $(if $(RECOVERD_PARTS),$(B)/obj/recoverd.a) $(if $(REPLUG),$(B)/libreplug.a)

.PHONY: all module module-install kmod unit fuzz demo test soak bench fault-table campaign check install install-built uninstall clean distclean help print-flags
.DELETE_ON_ERROR:
.SECONDARY:

all: $(LIBRARIES) $(PROGRAMS) $(MANUALS)

help:
	@echo 'make            the library, recoverd, recovctl and the traffic tool of the tests'
	@echo 'make module     the shadow module for the running kernel, or KDIR=HEADERS; module-install'
	@echo 'make kmod       the shadow module and the test drivers, for both stock kernels'
	@echo 'make unit       the unit tests, without running them'
	@echo 'make fuzz       the fuzzers, as build/fuzz/*'
	@echo 'make demo       the demonstration, in a guest'
	@echo 'make test       set up everything and run all tests; TESTS="NAME..." picks some'
	@echo 'make soak       the long tests'
	@echo 'make bench      the measurements'
	@echo 'make fault-table  what becomes of each fault in each context'
	@echo 'make campaign   hundreds of seeded faults in e1000, without and with recoverd'
	@echo 'make check      sparse, clang-tidy, shellcheck, clang-format, sanitizers, and fuzzers'
	@echo 'make install    into DESTDIR, below prefix ($(prefix)); uninstall'
	@echo 'make clean      remove what was built; distclean: the downloaded kernels as well'

# ---- Programs -----------------------------------------------------------------------------------

$(B)/obj/%.o: %.c Makefile
	$(call show,CC)
	@mkdir -p $(@D)
	$(Q)$(COMPILE)

$(RECOVERD) $(CLI) $(FLOW) $(PLAIN) $(ATTACH) $(LOAD) $(SOUND) $(FILES) $(UNIT): private HARDENING += -fPIE
$(REPLUG): private HARDENING += -fPIC
$(UNIT): private CPPFLAGS += -Irecoverd -Icli

$(B)/libreplug.a: $(REPLUG)
$(B)/obj/recoverd.a: $(RECOVERD_PARTS)
$(B)/libreplug.a $(B)/obj/recoverd.a:
	$(call show,AR)
	@rm -f $@
	$(Q)$(AR) rcsD $@ $^

$(B)/libreplug.so.0: $(REPLUG) replug/libreplug.map
	$(call show,LD)
	$(Q)$(CC) $(CFLAGS) -shared $(LINK_HARDENING) -Wl,-soname,libreplug.so.0 -Wl,-z,defs \
		-Wl,--version-script=replug/libreplug.map $(LDFLAGS) -o $@ $(REPLUG) \
		-Wl,--as-needed $(package_libs)
	@ln -sf libreplug.so.0 $(B)/libreplug.so

$(B)/recoverd: $(RECOVERD_MAIN) $(PARTS)
	$(call show,LD)
	$(Q)$(LINK) $(package_libs)

$(B)/recovctl: $(CLI) $(PARTS)
	$(call show,LD)
	$(Q)$(LINK) $(package_libs)

$(B)/tests/flow/flow: $(FLOW)
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK) -lm -lpthread

$(B)/tests/plain/plain: $(PLAIN) $(B)/libreplug.a
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK) $(package_libs)

$(B)/tests/bpf/attach: $(ATTACH)
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK) $(package_libs)

$(B)/tests/load/load: $(LOAD)
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK)

$(B)/tests/sound/%: $(B)/obj/tests/sound/%.o $(filter-out $(SOUND_MAIN),$(SOUND))
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK)

$(B)/tests/files/files: $(FILES)
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK)

$(B)/tests/unit/%: $(B)/obj/tests/unit/%.o $(UNIT_PARTS) $(PARTS)
	$(call show,LD)
	@mkdir -p $(@D)
	$(Q)$(LINK) $(package_libs) -lcmocka

unit: $(UNIT_TESTS)

# One program a fuzz_*.c; run it with a folder for its corpus.
FUZZED := $(wildcard replug/*.[ch] include/*.h) \
	$(addprefix recoverd/,policy.c policy_keys.c trusted.c inifile.c duration.c)

$(B)/fuzz/%: tests/unit/fuzz_%.c $(FUZZED)
	$(call show,FUZZ)
	@mkdir -p $(@D)
	$(Q)clang $(BASE_CPPFLAGS) -g -O1 -fsanitize=fuzzer,address,undefined -o $@ \
		$(filter %.c,$^) $(package_cflags) $(package_libs)

fuzz: $(patsubst tests/unit/fuzz_%.c,$(B)/fuzz/%,$(wildcard tests/unit/fuzz_*.c))

-include $(BPF:.o=.d)
-include $(patsubst %.o,%.d,$(REPLUG) $(RECOVERD) $(CLI) $(FLOW) $(PLAIN) $(ATTACH) $(LOAD) $(SOUND) $(FILES) $(UNIT))

$(B)/man/%: man/%.scd
	$(call show,MAN)
	@mkdir -p $(@D)
	$(Q)scdoc <$< >$@

# ---- BPF ----------------------------------------------------------------------------------------

BPF_CFLAGS := -target bpf -ffreestanding -mcpu=v3 -O2 -g -Wall -D__TARGET_ARCH_x86 \
	-isystem /usr/include/x86_64-linux-gnu

$(B)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call show,BPF)
	@mkdir -p $(@D)
	$(Q)clang $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/bpf/recov.o: $(BPF)
	$(call show,LINK)
	$(Q)bpftool gen object $@ $(BPF)

$(B)/bpf/recov.skel.h: $(B)/bpf/recov.o
	$(call show,SKEL)
	$(Q)bpftool gen skeleton $< name recov >$@

$(B)/obj/recoverd/programs.o: $(B)/bpf/recov.skel.h
$(B)/obj/recoverd/programs.o: private CPPFLAGS += -I$(B)/bpf

# ---- Modules ------------------------------------------------------------------------------------

kmod:
	scripts/kernels
	scripts/kmod

# For a machine of one's own; its sources stay clean.
KDIR ?= /lib/modules/$(shell uname -r)/build

module:
	$(if $(wildcard $(KDIR)/Makefile),,$(error no kernel headers in $(KDIR): install linux-headers-$(shell uname -r), or name others with KDIR=))
	@mkdir -p $(B)/module
	ln -sf $(CURDIR)/shadow-kmod/* $(CURDIR)/include/recov_shadow.h $(B)/module
	$(MAKE) -C $(abspath $(KDIR)) M=$(CURDIR)/$(B)/module modules

module-install: module
	$(MAKE) -C $(abspath $(KDIR)) M=$(CURDIR)/$(B)/module modules_install
	@# Debian's headers have no System.map, without which the kernel's rule leaves this out.
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) \
		$$(sed 's/.*"\(.*\)"/\1/' $(KDIR)/include/generated/utsrelease.h)

# ---- Tests --------------------------------------------------------------------------------------

TESTS ?=
TESTFLAGS ?=
jobs := $(shell nproc 2>/dev/null || echo 1)

test:
	scripts/setup
	scripts/kernels
	+$(MAKE) -j$(jobs) all unit
	scripts/kmod
	tests/run $(TESTFLAGS) $(TESTS)

demo:
	scripts/setup build kernel vm
	scripts/kernels 6.1
	+$(MAKE) -j$(jobs) all
	scripts/kmod 6.1
	tests/vm/run --kernel 6.1 tests/demo.sh

soak bench fault-table:
	scripts/setup build kernel vm
	scripts/kernels
	+$(MAKE) -j$(jobs) all
	scripts/kmod
	tests/$(subst -,_,$@)

CAMPAIGN ?= --seeds 400

campaign:
	scripts/setup build kernel vm
	scripts/kernels
	+$(MAKE) -j$(jobs) all
	scripts/kmod
	tests/campaign run $(CAMPAIGN)

check:
	scripts/setup build kernel check
	scripts/kernels
	+$(MAKE) $(B)/bpf/recov.skel.h
	scripts/kmod
	scripts/check

# For the checkers.
print-flags:
	@echo $(BASE_CPPFLAGS) -I$(B)/bpf $(package_cflags)

# ---- Installation -------------------------------------------------------------------------------

install: all install-built

# put MODE,FILE,FOLDER: what exists of FILE.
put = $(if $(wildcard $2),$(INSTALL) -D -m $1 -t '$(DESTDIR)$3' $(wildcard $2))

install-built:
	$(call put,755,$(B)/recoverd,$(sbindir))
	$(call put,755,$(B)/recovctl,$(bindir))
	$(call put,644,$(B)/libreplug.so.0,$(libdir))
	$(if $(wildcard $(B)/libreplug.so.0),ln -sf libreplug.so.0 '$(DESTDIR)$(libdir)/libreplug.so')
	$(call put,644,$(B)/libreplug.a,$(libdir))
	$(call put,644,replug/replug.h replug/mutate.h,$(includedir))
	@mkdir -p '$(DESTDIR)$(unitdir)'
	sed 's|/usr/sbin/|$(sbindir)/|' recoverd/recoverd.service >'$(DESTDIR)$(unitdir)/recoverd.service'
	$(call put,644,$(B)/man/*.8,$(mandir)/man8)
	$(call put,644,include/*.schema.json,$(schemadir))
	@# The folders of policies/ are those that recoverd looks into.
	@if cd policies 2>/dev/null; then find . -type f ! -name '.*' ! -name README.md | while read -r file; do \
		if [ -x "$$file" ]; then mode=755; else mode=644; fi; \
		$(INSTALL) -D -m $$mode "$$file" "$(DESTDIR)$(datadir)/$$file" || exit; \
	done; fi

# Settings of one's own in /etc/recoverd stay.
uninstall:
	$(foreach file,$(sbindir)/recoverd $(bindir)/recovctl $(unitdir)/recoverd.service \
		$(libdir)/libreplug.a $(libdir)/libreplug.so $(libdir)/libreplug.so.0 \
		$(includedir)/replug.h $(includedir)/mutate.h $(MANUALS:$(B)/man/%=$(mandir)/man8/%),\
		rm -f '$(DESTDIR)$(file)';)
	rm -rf '$(DESTDIR)$(datadir)' '$(DESTDIR)$(schemadir)'

clean:
	rm -rf $(filter-out $(B)/kernels,$(wildcard $(B)/*))

distclean:
	rm -rf $(B)
