# Fuzzing. Seeds are made from the corpora of the other tests; what was once found stays in
# tests/fuzz/found/ and is run by `make fuzz-replay` with the ordinary compiler.
FUZZ_CC ?= clang-14
FUZZ_SECONDS ?= 60
FUZZ_FLAGS := -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
              -fno-omit-frame-pointer
FUZZ_EXPR_SRC := tests/fuzz/fuzz_expr.c $(call src_of,expr) $(call src_of,base)

$(BUILD)/bin/fuzz-expr: $(FUZZ_EXPR_SRC) $(wildcard src/expr/*.h src/base/*.h)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) $(shell pkg-config --cflags $(PACKAGES)) \
	    -o $@ $(FUZZ_EXPR_SRC) $(LIBS) -pthread

$(BUILD)/fuzz/expr/.seeded: tests/expr/corpus.txt
	@mkdir -p $(@D)
	@awk -F'\t' '!/^#/ && NF == 2 {file = sprintf("$(@D)/%04d", NR); printf "%s\n%s", $$2, $$1 >file; close(file)}' $<
	@touch $@

.PHONY: fuzz-expr
fuzz-expr: $(BUILD)/bin/fuzz-expr $(BUILD)/fuzz/expr/.seeded ## fuzz the expressions (FUZZ_SECONDS=60)
	@$< -max_total_time=$(FUZZ_SECONDS) -timeout=5 -rss_limit_mb=1024 -max_len=8192 \
	    -dict=tests/fuzz/expr.dict -artifact_prefix=$(BUILD)/fuzz/ -print_final_stats=1 -verbosity=0 \
	    $(BUILD)/fuzz/expr

$(BUILD)/bin/fuzz-expr-replay: tests/fuzz/fuzz_expr.c $(call libs_upto,expr)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -DFUZZ_REPLAY $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: fuzz-replay
fuzz-replay: $(BUILD)/bin/fuzz-expr-replay $(BUILD)/fuzz/expr/.seeded ## run what fuzzing starts from and has found
	@$< $(sort $(wildcard tests/fuzz/found/expr-*)) $$(find $(BUILD)/fuzz/expr -type f ! -name .seeded)
