/* The files of migrations/, compiled in (migrate.c names them). */
    .section .rodata
    .global store_migration_0001
    .global store_migration_0001_end
store_migration_0001:
    .incbin "migrations/0001_sagas.sql"
store_migration_0001_end:
    .section .note.GNU-stack,"",@progbits
