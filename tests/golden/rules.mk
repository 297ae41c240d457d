# Golden traces: scenarios played to the core, one line a transition, compared with what is in the file.
$(BUILD)/bin/golden: $(BUILD)/obj/tests/golden/play.o $(BUILD)/obj/tests/golden/scenario.o $(ALL_LIBS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

GOLDEN_UPDATE ?=
.PHONY: golden
golden: $(BUILD)/bin/golden ## play every scenario of tests/golden to the core and compare its trace
	@$(BUILD)/bin/golden $(if $(GOLDEN_UPDATE),--update) tests/golden/*.txt
