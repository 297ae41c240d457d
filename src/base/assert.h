/*
 * base/assert.h - an assert that stays on in release builds.
 *
 * For programmer errors only: state is in PostgreSQL, so to stop and be started again is safe and
 * to go on is not. Prefer two small asserts to one with `&&`.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

/* Prints file, line and expression to stderr and aborts. */
_Noreturn void assert_failed(const char *file, int line, const char *expression);

#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(__FILE__, __LINE__, #expression))

#endif
