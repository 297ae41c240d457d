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

/* Asked first, if set: the simulator takes a failed assertion as a finding and jumps out of it. */
typedef void assert_handler_fn(const char *file, int line, const char *expression);
void assert_set_handler(assert_handler_fn *handler);

/* Where branches are counted (make coverage), the one that stops the process is left out. */
#ifdef ASSERT_WITHOUT_BRANCH
#define ASSERT(expression) ((void)(expression))
#else
#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(__FILE__, __LINE__, #expression))
#endif

/* Of a check that says in a sentence what is broken: that it says nothing (NULL). */
void assert_none(const char *file, int line, const char *sentence);
#define ASSERT_NONE(sentence) assert_none(__FILE__, __LINE__, (sentence))

#endif
