.PHONY: daemon-tests
daemon-tests: binaries ## test the whole daemon: real processes, a PostgreSQL of their own, scripted participants
	@python3 tests/daemon/run --bin $(BUILD)/bin
