# Fuzzing. Seeds are made from the corpora of the other tests; what was once found stays in
# tests/fuzz/found/ and is run by `make fuzz-replay` with the ordinary compiler.
FUZZ_CC ?= clang-14
FUZZ_SECONDS ?= 60
FUZZ_FLAGS := -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
              -fno-omit-frame-pointer
FUZZ_expr_SRC := $(call src_of,expr) $(call src_of,base)
FUZZ_definition_SRC := $(wildcard src/config/definition*.c) src/config/keys.c $(call src_of,saga) \
                       $(FUZZ_expr_SRC)
FUZZ_expr_LAYER := expr
FUZZ_definition_LAYER := config

define fuzz
$(BUILD)/bin/fuzz-$(1): tests/fuzz/fuzz_$(1).c $(FUZZ_$(1)_SRC) $(wildcard src/*/*.h)
	@mkdir -p $$(@D)
	$$(Q)$$(FUZZ_CC) $$(CPPFLAGS) $$(FUZZ_FLAGS) $$(shell pkg-config --cflags $$(PACKAGES)) \
	    -o $$@ $$(filter %.c,$$^) $$(LIBS) -pthread

.PHONY: fuzz-$(1)
fuzz-$(1): $(BUILD)/bin/fuzz-$(1) $(BUILD)/fuzz/$(1)/.seeded
	@$$< -max_total_time=$$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -max_len=8192 \
	    -dict=tests/fuzz/$(1).dict -artifact_prefix=$$(BUILD)/fuzz/$(1)- -print_final_stats=1 \
	    -verbosity=0 $$(BUILD)/fuzz/$(1)

$(BUILD)/bin/fuzz-$(1)-replay: tests/fuzz/fuzz_$(1).c tests/fuzz/replay.c \
                               $(call libs_upto,$(FUZZ_$(1)_LAYER))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS_ALL) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)

.PHONY: fuzz-$(1)-replay
fuzz-$(1)-replay: $(BUILD)/bin/fuzz-$(1)-replay $(BUILD)/fuzz/$(1)/.seeded
	@$$< $$(sort $$(wildcard tests/fuzz/found/$(1)-*)) $$$$(find $(BUILD)/fuzz/$(1) -type f ! -name .seeded)
endef
$(foreach f,expr definition,$(eval $(call fuzz,$(f))))

fuzz-expr: ## fuzz the expressions (FUZZ_SECONDS=60)
fuzz-definition: ## fuzz the loader of saga files (FUZZ_SECONDS=60)

$(BUILD)/fuzz/expr/.seeded: tests/expr/corpus.txt
	@mkdir -p $(@D)
	@awk -F'\t' '!/^#/ && NF == 2 {file = sprintf("$(@D)/%04d", NR); printf "%s\n%s", $$2, $$1 >file; close(file)}' $<
	@touch $@

# Every file that the loader's unit tests load.
FUZZ_DEFINITION_TESTS := $(filter %/test_definition_yaml %/test_definition_errors \
    %/test_definition_fold %/test_definition_keys %/test_definition_defaults,$(UNIT_BIN))
FUZZ_DEFINITION_SAGAS := $(filter-out %.test.yaml,$(wildcard sagas/*.yaml))
$(BUILD)/fuzz/definition/.seeded: $(FUZZ_DEFINITION_TESTS) $(FUZZ_DEFINITION_SAGAS)
	@mkdir -p $(@D)
	@for test in $(FUZZ_DEFINITION_TESTS); do LOADED_KEEP=$(@D) $$test >$(@D)/.log 2>&1 || exit 1; done
	@rm $(@D)/.log
	@cp $(FUZZ_DEFINITION_SAGAS) $(@D)
	@touch $@

.PHONY: fuzz-replay
fuzz-replay: fuzz-expr-replay fuzz-definition-replay ## run what fuzzing starts from and has found
