/*
 * store/where.c - for messages: libpq takes the string apart and knows which parts are secret.
 */
#include "store/where.h"

#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

static void add(char *shown, const PQconninfoOption *option)
{
    size_t length = strlen(shown);
    bool quote = !*option->val || strpbrk(option->val, " '\\");
    snprintf(shown + length, STORE_WHERE_BYTES - length, "%s%s=%s%s%s", length ? " " : "",
             option->keyword, quote ? "'" : "", option->val, quote ? "'" : "");
}

bool store_where(const char *url, char shown[STORE_WHERE_BYTES])
{
    char *problem = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &problem);
    shown[0] = '\0';
    if (!options) {
        const char *why = problem ? problem : "out of memory";
        snprintf(shown, STORE_WHERE_BYTES, "%.*s", (int)strcspn(why, "\n"), why);
        PQfreemem(problem);
        return false;
    }
    for (const PQconninfoOption *option = options; option->keyword; option++)
        if (option->val && !strchr(option->dispchar, '*'))
            add(shown, option);
    PQconninfoFree(options);
    return true;
}
