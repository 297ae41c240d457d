# The simulator's runner, and the same with planted bugs that can be switched on.
$(BUILD)/bin/sim: $(call obj_of,$(wildcard tests/sim/*.c)) $(call libs_upto,sim)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

SIM_SECONDS ?= 60
SEED ?=
FROM ?=
.PHONY: sim
sim: $(BUILD)/bin/sim ## random histories on all cores (SIM_SECONDS=60; FROM=n: the first seed; SEED=n: one, told line by line)
	@$< $(if $(SEED),--seed $(SEED),--seconds $(SIM_SECONDS)) $(if $(FROM),--from $(FROM)) \
	    $(if $(filter 1,$(SIM_LEDGER)),--ledger docs/ledger.md) \
	    $(filter-out %.test.yaml,$(wildcard sagas/*.yaml))

MUTANTS ?=
.PHONY: mutants
mutants: ## switch on each planted bug, one at a time: each must be found (MUTANTS=12: the day's dozen)
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/mutants PLANT_FLAGS=-DSAGAD_MUTANTS $(BUILD)/mutants/bin/sim
	@scripts/mutants $(BUILD)/mutants/bin/sim $(MUTANTS)
