BENCH_SECONDS ?= 10

$(BUILD)/bin/bench: $(call obj_of,$(wildcard bench/*.c)) $(ALL_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: bench
bench: ## measure: floor, engine, http (BENCH_SECONDS=10 each); needs the machine for itself
	@scripts/setup test
	@$(MAKE) --no-print-directory all $(BUILD)/bin/bench
	@python3 bench/bench.py --bin $(BUILD)/bin --seconds $(BENCH_SECONDS)
