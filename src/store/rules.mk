# The assembler does not say which files it includes.
$(BUILD)/obj/src/store/migrations.o: $(wildcard migrations/*.sql)
