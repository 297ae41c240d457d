# The expression corpus against Debian's jq.
$(BUILD)/bin/expr-corpus: $(BUILD)/obj/tests/expr/corpus.o $(call libs_upto,expr)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

.PHONY: expr-corpus
expr-corpus: $(BUILD)/bin/expr-corpus ## every pair of the expression corpus gives what jq gives
	@tests/expr/check-corpus $(BUILD)/bin/expr-corpus
