# sagad - saga orchestration on PostgreSQL. `make help` lists what can be made.
#
# Everything is built below $(BUILD). SAN=address or SAN=thread builds apart, with that sanitizer;
# SAN=coverage with counters.

.DEFAULT_GOAL := all
SHELL := /bin/bash

LAYERS := base expr schema saga net observability security config store transport engine outbox sim http

SAN ?=
BUILD ?= build$(if $(SAN),/$(SAN))
ifeq ($(origin CC),default)
CC := gcc
endif
V ?=
Q := $(if $(V),,@)
VERSION := 0.1.0
REVISION := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

PACKAGES := jansson libmicrohttpd libpq libcyaml yaml-0.1 uuid libcurl libpcre2-8 libcrypto
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wswitch-enum -Wundef -Wformat=2 -Wno-format-truncation -Wpointer-arith -Werror
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
             -fstack-clash-protection -fcf-protection=full -fPIE -fno-strict-overflow \
             -ftrivial-auto-var-init=zero -fno-common
SAN_address := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_thread := -fsanitize=thread -fno-omit-frame-pointer
SAN_coverage := --coverage -DASSERT_WITHOUT_BRANCH
OPTIMISE := $(if $(filter coverage,$(SAN)),-O0 -g,$(if $(SAN),-O1 -g,-O2 -g))
HARDEN := $(if $(SAN),-fPIE,$(HARDENING))

CPPFLAGS += -Isrc -I. -D_GNU_SOURCE -DSAGAD_VERSION='"$(VERSION)"' -DSAGAD_REVISION='"$(REVISION)"'
CFLAGS_ALL := -std=c11 $(OPTIMISE) $(WARNINGS) $(HARDEN) $(SAN_$(SAN)) $(PLANT_FLAGS) -pthread \
              $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SAN_$(SAN)) -pthread $(LDFLAGS)
LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm

src_of = $(wildcard src/$(1)/*.c) $(wildcard src/$(1)/*.S)
obj_of = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))
lib_of = $(if $(call src_of,$(1)),$(BUILD)/lib/lib$(1).a)

# The libraries that a layer may use: itself and all to its left, the rightmost first.
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
upto = $(if $(filter $(1),$(firstword $(2))),$(firstword $(2)),$(firstword $(2)) $(call upto,$(1),$(wordlist 2,$(words $(2)),$(2))))
libs_upto = $(foreach l,$(call reverse,$(call upto,$(1),$(LAYERS))),$(call lib_of,$(l)))
ALL_LIBS := $(foreach l,$(call reverse,$(LAYERS)),$(call lib_of,$(l)))

PROGRAMS := sagad sagactl saga-demo
TEST_LIB_SRC := $(wildcard tests/lib/*.c)
TEST_LIB := $(if $(TEST_LIB_SRC),$(BUILD)/lib/libtest.a)
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
SUITE_SRC := $(wildcard tests/contract/test_*.c) $(wildcard tests/integration/test_*.c)
SUITE_BIN := $(patsubst %.c,$(BUILD)/%,$(SUITE_SRC))

.PHONY: all
all: layers $(PROGRAMS) ## build the programs: ./sagad ./sagactl ./saga-demo

define program
$(BUILD)/bin/$(1): $(call obj_of,$(wildcard cmd/$(1)/*.c)) $(ALL_LIBS)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)
$(1): $(BUILD)/bin/$(1)
	@ln -sf $$< $$@
.PHONY: $(1)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

define layer
$(BUILD)/lib/lib$(1).a: $(call obj_of,$(call src_of,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

$(BUILD)/lib/libtest.a: $(call obj_of,$(TEST_LIB_SRC))
	@mkdir -p $(@D)
	@rm -f $@
	@$(AR) rcs $@ $^

# A unit test of layer L links L and what stands to its left; the suites link everything.
define unit
$(BUILD)/$(basename $(1)): $(call obj_of,$(1)) $(TEST_LIB) $(call libs_upto,$(word 3,$(subst /, ,$(1))))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS) -lcmocka
endef
$(foreach t,$(UNIT_SRC),$(eval $(call unit,$(t))))

$(SUITE_BIN): $(BUILD)/%: $(BUILD)/obj/%.o $(TEST_LIB) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  cc      $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -MMD -MP -c -o $@ $<

.PHONY: layers
layers: ## check the include direction and the one-library-per-folder rule
	@scripts/check-layers "$(LAYERS)"

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests: no services needed, seconds
	@scripts/run-tests $(UNIT_BIN)

.PHONY: setup
setup: ## install what building and testing needs (Debian 12: apt, as root or with sudo)
	@scripts/setup test

.PHONY: demo
demo: ## three sagas before your eyes; does all its own set-up, ends by itself
	@scripts/setup build
	@$(MAKE) --no-print-directory all
	@scripts/demo run

.PHONY: run
run: ## like demo, but keeps serving on http://127.0.0.1:8080 until Ctrl-C
	@scripts/setup build
	@$(MAKE) --no-print-directory all
	@scripts/demo serve

.PHONY: test
test: ## everything: unit, contract, integration, sanitizers, command line, chaos; does its own set-up
	@scripts/setup test
	@scripts/test-all

# What runs in several threads, for SAN=thread.
THREADED_BIN = $(filter %/test_threads $(BUILD)/tests/unit/net/% $(BUILD)/tests/unit/outbox/%,$(UNIT_BIN) $(SUITE_BIN))
.PHONY: threaded
threaded: $(THREADED_BIN) ## build and run what is threaded (SAN=thread: under the thread sanitizer)
	@scripts/run-tests $(THREADED_BIN)

.PHONY: suites
suites: $(SUITE_BIN) ## build and run the contract and integration suites (PostgreSQL of their own)
	@scripts/run-tests $(SUITE_BIN)

CHAOS_KILLS ?= 200
CHAOS_STOPS ?= 10
CHAOS_RESTARTS ?= 20
CHAOS_SAGAS ?= 50000
PLANT_FLAGS_fence := -DSAGAD_PLANT_FENCE
.PHONY: chaos
chaos: ## kill -9, SIGSTOP and crash PostgreSQL under load (CHAOS_KILLS=200; PLANT=fence must be caught)
	@scripts/setup test
	@$(MAKE) --no-print-directory BUILD=$(BUILD)$(if $(PLANT),/plant-$(PLANT)) \
	    PLANT_FLAGS='$(PLANT_FLAGS_$(PLANT))' binaries
	@python3 tests/chaos/chaos.py --bin $(BUILD)$(if $(PLANT),/plant-$(PLANT))/bin --kills $(CHAOS_KILLS) \
	    --stops $(CHAOS_STOPS) --restarts $(CHAOS_RESTARTS) --sagas $(CHAOS_SAGAS)

.PHONY: binaries
binaries: $(PROGRAMS:%=$(BUILD)/bin/%)

.PHONY: coverage
coverage: ## which branches of the core its tests take, file by file: all of them, or it fails
	@scripts/coverage

C_FILES = $(shell git ls-files '*.c' '*.h')
.PHONY: format
format: ## format every C file
	@clang-format-14 -i $(C_FILES)

.PHONY: lint
lint: ## formatting, clang-tidy, cppcheck and gcc -fanalyzer, all at zero
	@clang-format-14 --dry-run -Werror $(C_FILES)
	@scripts/lint

.PHONY: clean
clean: ## remove what was built
	rm -rf build $(PROGRAMS)

.PHONY: help
help: ## print this
	@grep -hE '^[a-z][a-z_-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | \
	    awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

-include $(wildcard src/*/rules.mk tests/*/rules.mk cmd/*/rules.mk bench/rules.mk)
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
.SECONDARY:
