/* The description of the API, compiled in. */
    .section .rodata
    .global http_openapi
    .global http_openapi_end
http_openapi:
    .incbin "schemas/openapi.json"
http_openapi_end:
    .section .note.GNU-stack,"",@progbits
