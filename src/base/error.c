/*
 * base/error.c - names, classes and texts from the one list.
 */
#include "base/error.h"

#include "base/assert.h"

enum err_class err_class(enum err err)
{
    switch (err) {
    case ERR_OK:
        return ERR_CLASS_NONE;
#define ERR_CASE(name, class, text)                                                                \
    case name:                                                                                     \
        return ERR_CLASS_##class;
        ERR_LIST(ERR_CASE)
#undef ERR_CASE
    }
    ASSERT(!"an error that is not in the list");
    return ERR_CLASS_OPERATOR;
}

const char *err_name(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "ERR_OK";
#define ERR_CASE(name, class, text)                                                                \
    case name:                                                                                     \
        return #name;
        ERR_LIST(ERR_CASE)
#undef ERR_CASE
    }
    return "ERR_?";
}

const char *err_text(enum err err)
{
    switch (err) {
    case ERR_OK:
        return "no error";
#define ERR_CASE(name, class, text)                                                                \
    case name:                                                                                     \
        return text;
        ERR_LIST(ERR_CASE)
#undef ERR_CASE
    }
    return "unknown error";
}
