# The assembler does not say which files it includes.
$(BUILD)/obj/src/http/openapi.o: schemas/openapi.json
