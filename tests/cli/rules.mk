.PHONY: cli-tests
cli-tests: $(PROGRAMS:%=$(BUILD)/bin/%) ## every command of sagactl on a real server, and sagad's first-run messages
	@SAGAD_BIN=$(abspath $(BUILD)/bin) tests/cli/run
