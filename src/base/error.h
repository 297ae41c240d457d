/*
 * base/error.h - the closed list of operating errors, and what to do about each.
 *
 * A programmer error is an ASSERT (base/assert.h). An operating error is a value that the compiler
 * makes you look at: functions return `enum err` and are marked MUST_CHECK. Detail goes to the log
 * or into a problem struct where it is known; it does not travel with the value.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define MUST_CHECK __attribute__((warn_unused_result))

/* What the receiver of an error can do. */
enum err_class {
    ERR_CLASS_NONE = 0, /* ERR_OK only */
    ERR_CLASS_RETRY,    /* again, with backoff */
    ERR_CLASS_CALLER,   /* the request is at fault: 4xx, no log noise */
    ERR_CLASS_OPERATOR, /* 5xx, log, count, park: a person must look */
};

#define ERR_LIST(X)                                                                                \
    X(ERR_BUSY, RETRY, "a queue is full, try again")                                               \
    X(ERR_UNAVAILABLE, RETRY, "a dependency did not answer")                                       \
    X(ERR_UNKNOWN, RETRY, "it may or may not have happened")                                       \
    X(ERR_CONFLICT, RETRY, "it changed meanwhile")                                                 \
    X(ERR_NOT_FOUND, CALLER, "not found")                                                          \
    X(ERR_EXISTS, CALLER, "it exists already")                                                     \
    X(ERR_INVALID, CALLER, "the input makes no sense")                                             \
    X(ERR_LIMIT, CALLER, "a named limit was exceeded")                                             \
    X(ERR_REFUSED, CALLER, "not allowed in this state")                                            \
    X(ERR_STOPPED, OPERATOR, "it was stopped")                                                     \
    X(ERR_SYSTEM, OPERATOR, "the operating system said no")                                        \
    X(ERR_BROKEN, OPERATOR, "stored data breaks an invariant")

enum err {
    ERR_OK = 0,
#define ERR_ENUM(name, class, text) name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

enum err_class err_class(enum err err);

/* The name ("ERR_BUSY") and the text of an error; static, never NULL. */
const char *err_name(enum err err);
const char *err_text(enum err err);

#endif
