/*
 * store/pg_params.c - values to PostgreSQL's binary form and back.
 */
#include <arpa/inet.h>
#include <endian.h>

#include "base/assert.h"
#include "base/text.h"
#include "store/pg.h"

#define OID_BOOL              16
#define OID_BYTEA             17
#define OID_INT8              20
#define OID_INT4              23
#define OID_TEXT              25
#define OID_TIMESTAMPTZ       1184
#define OID_UUID              2950
#define OID_BOOL_ARRAY        1000
#define OID_BYTEA_ARRAY       1001
#define OID_INT4_ARRAY        1007
#define OID_TEXT_ARRAY        1009
#define OID_INT8_ARRAY        1016
#define OID_TIMESTAMPTZ_ARRAY 1185
#define OID_UUID_ARRAY        2951

#define EPOCH_2000_MS INT64_C(946684800000)

void pg_params_init(struct pg_params *params, struct arena *arena)
{
    params->arena = arena;
    params->count = 0;
}

static void put(struct pg_params *params, Oid type, struct span bytes)
{
    ASSERT(params->count < PG_PARAMS_MAX);
    params->types[params->count] = type;
    params->values[params->count] = bytes.ptr;
    params->lengths[params->count] = (int)bytes.len;
    params->formats[params->count++] = 1;
}

static struct span copy(struct pg_params *params, const void *bytes, size_t len)
{
    char *to = arena_alloc(params->arena, len);
    memcpy(to, bytes, len);
    return (struct span){to, len};
}

static int64_t time_to_wire(int64_t at_ms)
{
    return (int64_t)htobe64((uint64_t)((at_ms - EPOCH_2000_MS) * 1000));
}

void pg_id(struct pg_params *params, struct id id)
{
    put(params, OID_UUID, copy(params, id.bytes, sizeof id.bytes));
}

void pg_int4(struct pg_params *params, int32_t value)
{
    uint32_t wire = htonl((uint32_t)value);
    put(params, OID_INT4, copy(params, &wire, sizeof wire));
}

void pg_int8(struct pg_params *params, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    put(params, OID_INT8, copy(params, &wire, sizeof wire));
}

void pg_bool(struct pg_params *params, bool value)
{
    put(params, OID_BOOL, copy(params, &value, 1));
}

void pg_text(struct pg_params *params, struct span value)
{
    put(params, OID_TEXT, value);
}

void pg_bytes(struct pg_params *params, struct span value)
{
    put(params, OID_BYTEA, value);
}

void pg_time(struct pg_params *params, int64_t at_ms)
{
    int64_t wire = time_to_wire(at_ms);
    put(params, OID_TIMESTAMPTZ, at_ms ? copy(params, &wire, sizeof wire) : SPAN_NONE);
}

void pg_texts(struct pg_params *params, const struct span *values, size_t count)
{
    pg_array(params, PG_TEXTS, values, sizeof *values, count);
}

/* ---- arrays ---- */

static void put_int4(struct text *out, int32_t value)
{
    uint32_t wire = htonl((uint32_t)value);
    text_raw(out, (struct span){(const char *)&wire, sizeof wire});
}

static void put_sized(struct text *out, const void *bytes, size_t len)
{
    put_int4(out, (int32_t)len);
    text_raw(out, (struct span){bytes, len});
}

static void put_element(struct text *out, enum pg_kind kind, const void *at)
{
    struct span text;
    uint32_t narrow;
    uint64_t wide;
    int64_t time;
    switch (kind) {
    case PG_IDS:
        if (id_is_none(*(const struct id *)at))
            put_int4(out, -1);
        else
            put_sized(out, at, 16);
        break;
    case PG_INT4S:
        narrow = htonl(*(const uint32_t *)at);
        put_sized(out, &narrow, sizeof narrow);
        break;
    case PG_INT8S:
        wide = htobe64(*(const uint64_t *)at);
        put_sized(out, &wide, sizeof wide);
        break;
    case PG_BOOLS:
        put_sized(out, at, 1);
        break;
    case PG_TEXTS:
    case PG_BYTES:
        text = *(const struct span *)at;
        if (span_is_none(text))
            put_int4(out, -1);
        else
            put_sized(out, text.ptr, text.len);
        break;
    case PG_TIMES:
        time = *(const int64_t *)at;
        wide = (uint64_t)time_to_wire(time);
        if (time == 0)
            put_int4(out, -1);
        else
            put_sized(out, &wide, sizeof wide);
        break;
    case PG_LINKS:
        put_sized(out, at, 16);
        break;
    case PG_HASHES:
        put_sized(out, at, 32);
        break;
    }
}

void pg_array(struct pg_params *params, enum pg_kind kind, const void *first, size_t stride,
              size_t count)
{
    static const Oid ELEMENT[] = {
        [PG_IDS] = OID_UUID,          [PG_INT4S] = OID_INT4,  [PG_INT8S] = OID_INT8,
        [PG_BOOLS] = OID_BOOL,        [PG_TEXTS] = OID_TEXT,  [PG_BYTES] = OID_BYTEA,
        [PG_TIMES] = OID_TIMESTAMPTZ, [PG_LINKS] = OID_BYTEA, [PG_HASHES] = OID_BYTEA,
    };
    static const Oid ARRAY[] = {
        [PG_IDS] = OID_UUID_ARRAY,          [PG_INT4S] = OID_INT4_ARRAY,
        [PG_INT8S] = OID_INT8_ARRAY,        [PG_BOOLS] = OID_BOOL_ARRAY,
        [PG_TEXTS] = OID_TEXT_ARRAY,        [PG_BYTES] = OID_BYTEA_ARRAY,
        [PG_TIMES] = OID_TIMESTAMPTZ_ARRAY, [PG_LINKS] = OID_BYTEA_ARRAY,
        [PG_HASHES] = OID_BYTEA_ARRAY,
    };
    struct text out;
    text_init(&out, params->arena);
    put_int4(&out, count > 0); /* dimensions */
    put_int4(&out, 1);         /* may hold nulls */
    put_int4(&out, (int32_t)ELEMENT[kind]);
    if (count > 0) {
        put_int4(&out, (int32_t)count);
        put_int4(&out, 1); /* lower bound */
    }
    for (size_t i = 0; i < count; i++)
        put_element(&out, kind, (const char *)first + i * stride);
    put(params, ARRAY[kind], text_span(&out));
}

/* ---- results ---- */

struct span pg_get_span(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return SPAN_NONE;
    return (struct span){PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column)};
}

struct span pg_get_text(const PGresult *result, int row, int column, struct arena *arena)
{
    return arena_copy(arena, pg_get_span(result, row, column));
}

struct id pg_get_id(const PGresult *result, int row, int column)
{
    struct id id = ID_NONE;
    struct span bytes = pg_get_span(result, row, column);
    if (bytes.len == sizeof id.bytes)
        memcpy(id.bytes, bytes.ptr, sizeof id.bytes);
    return id;
}

int64_t pg_get_int(const PGresult *result, int row, int column)
{
    struct span bytes = pg_get_span(result, row, column);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.ptr[i];
    return bytes.len == 4 ? (int32_t)(uint32_t)value : (int64_t)value;
}

bool pg_get_bool(const PGresult *result, int row, int column)
{
    struct span bytes = pg_get_span(result, row, column);
    return bytes.len == 1 && bytes.ptr[0] != 0;
}

int64_t pg_get_time(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return 0;
    return pg_get_int(result, row, column) / 1000 + EPOCH_2000_MS;
}
