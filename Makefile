# muster: build, test, install. `make help` lists the targets.

B ?= build
PREFIX ?= /usr/local
DESTDIR ?=
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
VERSION := 0.1.0

CC = gcc
AR = gcc-ar
STD = -std=gnu11 -D_GNU_SOURCE -DMUSTER_VERSION='"$(VERSION)"'
WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wundef -Wvla -Wformat=2 -Wno-format-nonliteral
HARDEN = -fstack-protector-strong -fPIE -fno-plt
OPT = -O2 -g -D_FORTIFY_SOURCE=2
SAN_FLAGS = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
ifdef SAN
OPT = $(SAN_FLAGS)
endif
# What a user adds (EXTRA_CFLAGS=-Werror) comes last.
CFLAGS = $(STD) $(WARN) $(HARDEN) $(OPT) -Ipkg -MMD -MP $(EXTRA_CFLAGS)
LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LIBS = -lyaml -ljansson -lpcre2-8 -lcrypto -luv -lcurl

# The modules, bottom to top, and the archive of each.
MODULES := $(shell sed -n 's/^\(core\|shell\) //p' pkg/LAYERS)
CORE := $(shell sed -n 's/^core //p' pkg/LAYERS)
MODULE_SRC = $(sort $(wildcard pkg/$(1)/*.c pkg/$(1)/*/*.c))
ARCHIVE = $(B)/lib/$(1).a
ARCHIVES := $(foreach m,$(MODULES),$(call ARCHIVE,$(m)))
# For the linker: top first.
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
ALL_LIBS := $(call reverse,$(ARCHIVES))

PROGRAMS = musterd muster-agent muster-git muster muster-shim
BINARIES := $(foreach p,$(PROGRAMS),$(if $(wildcard cmd/$(p)/*.c),$(B)/bin/$(p)))

all: $(BINARIES) $(ARCHIVES) check-layers check-purity

help:
	@echo 'make                  build everything below $(B)/, check layers and purity'
	@echo 'make test             set up what is missing, build, run all tests'
	@echo 'make test-engines      tests against real Podman and Docker, as root; installs them if missing'
	@echo 'make demo             the whole story on this machine, some 10 seconds (KEEP=1 leaves it up)'
	@echo 'make sim              fleets in virtual time with all that can go wrong: SEED=1 N=300 EVENTS=20000'
	@echo 'make mutants          plant bugs in the core, say which test finds each: ONLY=LIST or NAME'
	@echo 'make bench            measure; make asan: the tests under ASan and UBSan; make lint'
	@echo 'make corpus           what is done with each field of ECS documents: CORPUS=DIR'
	@echo 'make install          DESTDIR= PREFIX=$(PREFIX)'
	@echo 'make deps             install what building needs; like the others it says which Debian packages first'

# --- objects and archives ---------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

define module_rules
$(call ARCHIVE,$(1)): $(patsubst %.c,$(B)/%.o,$(call MODULE_SRC,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))

# --- programs ---------------------------------------------------------------------------------

define program_rules
$(B)/bin/$(1): $(patsubst %.c,$(B)/%.o,$(sort $(wildcard cmd/$(1)/*.c))) $(ALL_LIBS)
	@mkdir -p $$(@D)
	$$(CC) $$(OPT) $$(LDFLAGS) $$(filter %.o,$$^) $$(ALL_LIBS) $$(LIBS) $(2) -o $$@
endef
$(foreach p,musterd muster-agent muster,$(eval $(call program_rules,$(p),)))
$(eval $(call program_rules,muster-git,-lgit2))

# The shim is static and needs libc alone: it stays small, and runs on when libraries are upgraded. It is
# never built with sanitizers: a static program cannot be.
SHIM_SRC = $(sort $(wildcard cmd/muster-shim/*.c)) pkg/engine/process/record.c
SHIM_CFLAGS = $(STD) $(WARN) -Os -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -ffunction-sections \
	-fdata-sections -Ipkg -MMD -MP
$(B)/shim/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(SHIM_CFLAGS) -c $< -o $@
$(B)/bin/muster-shim: $(patsubst %.c,$(B)/shim/%.o,$(SHIM_SRC))
	@mkdir -p $(@D)
	$(CC) -static -Wl,--gc-sections -Wl,-z,relro,-z,now $^ -o $@

# --- checks of the source ---------------------------------------------------------------------

check-layers:
	@tests/lint/layers
check-purity: $(foreach m,$(CORE),$(call ARCHIVE,$(m)))
	@$(if $(SAN),true,tests/lint/purity $^)

# --- tests ------------------------------------------------------------------------------------

# tests/unit/MODULE_test.c and MODULE_*_test.c are linked with that module and those below it only.
UNIT_SRC := $(sort $(wildcard tests/unit/*_test.c))
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%.t,$(UNIT_SRC))
module_of = $(firstword $(filter $(MODULES),$(firstword $(subst _, ,$(1)))))
below = $(wordlist 1,$(words $(shell sed -n 's/^\(core\|shell\) //p' pkg/LAYERS | sed '/^$(1)$$/q')),$(MODULES))
define unit_rules
$(B)/tests/unit/$(1).t: $(B)/tests/unit/$(1).o $(call reverse,$(foreach m,$(call below,$(call module_of,$(1))),$(call ARCHIVE,$(m))))
	$$(CC) $$(OPT) $$(LDFLAGS) $$^ $$(LIBS) -lcmocka -o $$@
endef
$(foreach u,$(UNIT_SRC),$(eval $(call unit_rules,$(basename $(notdir $(u))))))

# tests/contract/*_test.c: suites over operation tables, with everything.
# Those of real container engines are run by tests/engines.
ENGINE_SRC := tests/contract/engine_docker_test.c tests/contract/engine_docker_drift_test.c \
	tests/contract/engine_docker_limits_test.c
ENGINE_TESTS := $(patsubst tests/contract/%.c,$(B)/tests/contract/%.t,$(ENGINE_SRC))
CONTRACT := $(patsubst tests/contract/%.c,$(B)/tests/contract/%.t,\
	$(filter-out $(ENGINE_SRC),$(sort $(wildcard tests/contract/*_test.c))))
CONTRACT_HELP := $(patsubst %.c,$(B)/%.o,$(filter-out %_test.c,$(wildcard tests/contract/*.c)))
$(B)/tests/contract/%_test.t: $(B)/tests/contract/%_test.o $(CONTRACT_HELP) $(ALL_LIBS)
	$(CC) $(OPT) $(LDFLAGS) $^ $(LIBS) -lcmocka -o $@

# The simulator: control and node in virtual time, with everything that can go wrong around them.
SIM := $(B)/tests/sim/sim.t
$(SIM): $(patsubst %.c,$(B)/%.o,$(sort $(wildcard tests/sim/*.c))) \
		$(call reverse,$(foreach m,$(call below,control),$(call ARCHIVE,$(m))))
	$(CC) $(OPT) $(LDFLAGS) $^ $(LIBS) -o $@
# SEED= N= EVENTS= JOBS= TRACE=1: see tests/sim/main.c.
sim: $(SIM)
	@$<

TESTS = $(SIM) $(UNIT) $(CONTRACT) $(sort $(wildcard tests/e2e/*.t))

test:
	@tests/setup/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) run-tests
# Slow ones are started first.
run-tests: all $(SIM) $(UNIT) $(CONTRACT) test-helpers
	@B=$(abspath $(B)) tests/run $(TESTS)

# With Podman, Docker and a registry; as root.
test-engines:
	@tests/setup/deps build test engines
	@$(MAKE) --no-print-directory -j$(JOBS) run-test-engines
run-test-engines: all test-helpers $(ENGINE_TESTS)
	@B=$(abspath $(B)) tests/run $(sort $(wildcard tests/engines/*.t))

# Programs that end-to-end tests need: tests/helpers/NAME.c, static so that they start fast.
HELPERS := $(patsubst tests/helpers/%.c,$(B)/tests/helpers/%,$(wildcard tests/helpers/*.c))
$(B)/tests/helpers/%: tests/helpers/%.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) -O2 -static $< -o $@
test-helpers: $(HELPERS)

# Bugs planted in the core, and which test finds each: tests/mutants/README.md. ONLY=names or lists.
mutants:
	@tests/setup/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) run-mutants
run-mutants: $(SIM) $(foreach l,$(wildcard tests/mutants/*.list),\
		$(filter $(B)/tests/unit/$(basename $(notdir $(l)))_%,$(UNIT)))
	@B=$(B) JOBS=$(JOBS) tests/mutants/run $(ONLY)

asan:
	@tests/setup/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) B=$(B)/asan SAN=1 run-tests

lint:
	@tests/setup/deps build test lint
	@tests/lint/all

BENCH := $(patsubst tests/bench/%.c,$(B)/tests/bench/%,$(wildcard tests/bench/*.c))
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(ALL_LIBS)
	$(CC) $(OPT) $(LDFLAGS) $^ $(LIBS) -o $@
bench:
	@tests/setup/deps build test
	@$(MAKE) --no-print-directory -j$(JOBS) run-bench
run-bench: all $(BENCH) test-helpers
	@B=$(abspath $(B)) tests/bench/run

# What muster does with each field of real ECS documents: CORPUS has taskdefs/ and odd/, or the
# files themselves.
CORPUS ?= ../shared/corpus
CORPUS_DIRS = $(or $(wildcard $(CORPUS)/taskdefs $(CORPUS)/odd),$(wildcard $(CORPUS)))
$(B)/tests/corpus/report: $(B)/tests/corpus/report.o $(ALL_LIBS)
	$(CC) $(OPT) $(LDFLAGS) $^ $(LIBS) -o $@
corpus: $(B)/tests/corpus/report
	@$(if $(CORPUS_DIRS),$< $(CORPUS_DIRS),echo 'skipped: there is no $(CORPUS)')

demo:
	@tests/setup/deps build demo
	@echo 'muster: building'
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@B=$(abspath $(B)) tests/demo/run

deps:
	@tests/setup/deps build

# --- installation -----------------------------------------------------------------------------

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -d $(DESTDIR)$(PREFIX)/share/muster/catalog
	install -m 0644 manifests/FIELDS.md $(DESTDIR)$(PREFIX)/share/muster
	install -m 0644 manifests/catalog/*.yaml $(DESTDIR)$(PREFIX)/share/muster/catalog
	install -m 0755 $(BINARIES) $(DESTDIR)$(PREFIX)/bin
	for u in manifests/systemd/*.service; do \
		sed 's|@BINDIR@|$(PREFIX)/bin|' $$u > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$(basename $$u); done

clean:
	rm -rf $(B)

.PHONY: all help test run-tests test-engines run-test-engines sim mutants run-mutants asan lint bench run-bench demo deps corpus \
	install clean check-layers check-purity test-helpers
.SECONDARY:

-include $(shell find $(B) -name '*.d' 2>/dev/null)
