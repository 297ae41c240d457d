# The simulator's runner.
SIM_SRC := $(wildcard tests/sim/*.c)
$(BUILD)/bin/sim: $(call obj_of,$(SIM_SRC)) $(call libs_upto,sim)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
