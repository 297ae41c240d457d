/*
 * expr/lexer.c - from text to tokens, with positions.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "expr/internal.h"

void lexer_fail(struct lexer *lexer, enum err err, uint32_t offset, uint32_t length,
                const char *format, ...)
{
    va_list arguments;
    if (lexer->err)
        return;
    lexer->err = err;
    lexer->problem->offset = offset;
    lexer->problem->length = length ? length : 1;
    va_start(arguments, format);
    vsnprintf(lexer->problem->message, sizeof lexer->problem->message, format, arguments);
    va_end(arguments);
}

/* The bytes of the character at `at`; 0: it is none. */
static size_t character_bytes(struct span text, size_t at)
{
    unsigned char lead = (unsigned char)text.ptr[at];
    size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t code = lead < 0x80 ? lead : lead & (0x7FU >> bytes);
    if (bytes > text.len - at || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        unsigned char next = (unsigned char)text.ptr[at + i];
        if ((next & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3F);
    }
    bool surrogate = code >= 0xD800 && code < 0xE000;
    bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
    return surrogate || overlong || code > 0x10FFFF ? 0 : bytes;
}

void lexer_check_text(struct lexer *lexer)
{
    for (size_t at = 0; at < lexer->source.len;) {
        size_t bytes = character_bytes(lexer->source, at);
        if (bytes == 0) {
            lexer_fail(lexer, ERR_INVALID, (uint32_t)at, 1, "this is not text in UTF-8");
            return;
        }
        at += bytes;
    }
}

static bool name_start(char c)
{
    return isalpha((unsigned char)c) || c == '_';
}

static bool name_part(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static char peek(const struct lexer *lexer, size_t ahead)
{
    size_t at = lexer->at + ahead;
    return at < lexer->source.len ? lexer->source.ptr[at] : '\0';
}

static void skip_space(struct lexer *lexer)
{
    while (lexer->at < lexer->source.len) {
        char c = lexer->source.ptr[lexer->at];
        if (c == '#') {
            while (lexer->at < lexer->source.len && lexer->source.ptr[lexer->at] != '\n')
                lexer->at++;
        } else if (isspace((unsigned char)c)) {
            lexer->at++;
        } else {
            return;
        }
    }
}

static struct token token(struct lexer *lexer, enum token_kind kind, size_t start, size_t skip)
{
    return (struct token){
        .kind = kind,
        .text = {lexer->source.ptr + start + skip, lexer->at - start - skip},
        .offset = (uint32_t)start,
        .length = (uint32_t)(lexer->at - start),
    };
}

static void read_name(struct lexer *lexer)
{
    while (name_part(peek(lexer, 0)))
        lexer->at++;
}

static struct token number(struct lexer *lexer, size_t start)
{
    while (isdigit((unsigned char)peek(lexer, 0)))
        lexer->at++;
    if (peek(lexer, 0) == '.') {
        lexer->at++;
        while (isdigit((unsigned char)peek(lexer, 0)))
            lexer->at++;
    }
    if (peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') {
        size_t sign = peek(lexer, 1) == '+' || peek(lexer, 1) == '-';
        if (isdigit((unsigned char)peek(lexer, 1 + sign))) {
            lexer->at += 1 + sign;
            while (isdigit((unsigned char)peek(lexer, 0)))
                lexer->at++;
        }
    }
    return token(lexer, TOKEN_NUMBER, start, 0);
}

static bool two_characters(const struct lexer *lexer)
{
    static const char *const PAIRS[] = {"==", "!=", "<=", ">=", "//", ".."};
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        if (peek(lexer, 0) == PAIRS[i][0] && peek(lexer, 1) == PAIRS[i][1])
            return true;
    }
    return false;
}

struct token lexer_next(struct lexer *lexer)
{
    skip_space(lexer);
    size_t start = lexer->at;
    char c = peek(lexer, 0);
    if (start >= lexer->source.len || lexer->err)
        return (struct token){.kind = TOKEN_END, .offset = (uint32_t)start, .length = 1};
    if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(lexer, 1))))
        return number(lexer, start);
    if ((c == '.' || c == '$') && name_start(peek(lexer, 1))) {
        lexer->at++;
        read_name(lexer);
        return token(lexer, c == '.' ? TOKEN_FIELD : TOKEN_VARIABLE, start, 1);
    }
    if (name_start(c)) {
        read_name(lexer);
        return token(lexer, TOKEN_NAME, start, 0);
    }
    lexer->at += two_characters(lexer) ? 2 : 1;
    if (c == '"')
        return token(lexer, TOKEN_QUOTE, start, 0);
    if ((unsigned char)c < ' ' || (unsigned char)c > '~')
        lexer_fail(lexer, ERR_INVALID, (uint32_t)start, 1, "this character has no meaning here");
    else if (strchr(".[]{}()|,:;=!<>+-*/%?", c) == NULL)
        lexer_fail(lexer, ERR_INVALID, (uint32_t)start, 1, "'%c' has no meaning here", c);
    return token(lexer, TOKEN_PUNCTUATION, start, 0);
}

/* ---- strings ---- */

static void put_utf8(struct text *text, uint32_t code)
{
    if (code < 0x80) {
        text_char(text, (char)code);
    } else if (code < 0x800) {
        text_char(text, (char)(unsigned char)(0xC0 | code >> 6));
        text_char(text, (char)(unsigned char)(0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
        text_char(text, (char)(unsigned char)(0xE0 | code >> 12));
        text_char(text, (char)(unsigned char)(0x80 | (code >> 6 & 0x3F)));
        text_char(text, (char)(unsigned char)(0x80 | (code & 0x3F)));
    } else {
        text_char(text, (char)(unsigned char)(0xF0 | code >> 18));
        text_char(text, (char)(unsigned char)(0x80 | (code >> 12 & 0x3F)));
        text_char(text, (char)(unsigned char)(0x80 | (code >> 6 & 0x3F)));
        text_char(text, (char)(unsigned char)(0x80 | (code & 0x3F)));
    }
}

static bool hex4(struct lexer *lexer, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        char c = peek(lexer, i);
        if (!isxdigit((unsigned char)c))
            return false;
        *out = *out * 16 + (uint32_t)(isdigit((unsigned char)c) ? c - '0' : (c | 32) - 'a' + 10);
    }
    lexer->at += 4;
    return true;
}

static void unicode_escape(struct lexer *lexer, struct text *text)
{
    uint32_t code = 0, low = 0;
    size_t start = lexer->at - 2;
    bool good = hex4(lexer, &code);
    if (good && code >= 0xD800 && code < 0xDC00) {
        good = peek(lexer, 0) == '\\' && peek(lexer, 1) == 'u';
        lexer->at += good ? 2 : 0;
        good = good && hex4(lexer, &low) && low >= 0xDC00 && low < 0xE000;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code == 0 || (code >= 0xDC00 && code < 0xE000)) {
        good = false;
    }
    if (good)
        put_utf8(text, code);
    else
        lexer_fail(lexer, ERR_INVALID, (uint32_t)start, 6, "not a character that text can hold");
}

static void escape(struct lexer *lexer, struct text *text)
{
    static const char FROM[] = "\"\\/bfnrt";
    static const char TO[] = "\"\\/\b\f\n\r\t";
    char c = peek(lexer, 0);
    const char *at = c ? strchr(FROM, c) : NULL;
    lexer->at++;
    if (c == 'u')
        unicode_escape(lexer, text);
    else if (at)
        text_char(text, TO[at - FROM]);
    else
        lexer_fail(lexer, ERR_INVALID, (uint32_t)lexer->at - 2, 2, "no such escape in a string");
}

bool lexer_string(struct lexer *lexer, struct span *out)
{
    struct text text;
    size_t start = lexer->at;
    text_init(&text, lexer->arena);
    while (!lexer->err) {
        char c = peek(lexer, 0);
        if (lexer->at >= lexer->source.len) {
            lexer_fail(lexer, ERR_INVALID, (uint32_t)start - 1, 1, "this string does not end");
            break;
        }
        lexer->at++;
        if (c == '"' || (c == '\\' && peek(lexer, 0) == '(')) {
            lexer->at += c == '\\';
            *out = arena_copy(lexer->arena, text.len ? text_span(&text) : SPAN_LIT(""));
            return c == '"';
        }
        if (c == '\\')
            escape(lexer, &text);
        else if (c == '\0')
            lexer_fail(lexer, ERR_INVALID, (uint32_t)lexer->at - 1, 1, "text cannot hold this");
        else
            text_char(&text, c);
    }
    *out = SPAN_LIT("");
    return true;
}
