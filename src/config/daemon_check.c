/*
 * config/daemon_check.c - what no single setting shows, and what several make together.
 */
#include "config/daemon_load.h"

static struct span origin_of(const struct daemon_load *load, const char *name)
{
    return load->given[daemon_setting_find(span_of(name))].origin;
}

static enum setting_layer layer_of(const struct daemon_load *load, const char *name)
{
    return load->given[daemon_setting_find(span_of(name))].layer;
}

static bool starts_with(struct span text, const char *start)
{
    size_t length = strlen(start);
    return text.len > length && memcmp(text.ptr, start, length) == 0;
}

static struct span trimmed(struct span text)
{
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1]))
        text.len--;
    while (text.len && strchr(" \t\r\n", text.ptr[0]))
        text.ptr++, text.len--;
    return text;
}

/* Of database_url and database_url_file the one from the higher layer holds. */
static void check_database(struct daemon_load *load)
{
    struct config_daemon *out = load->out;
    enum setting_layer url = layer_of(load, "database_url");
    enum setting_layer file = layer_of(load, "database_url_file");
    struct span origin = origin_of(load, "database_url_file");
    struct span content;
    if (out->database_url_file.len == 0 || (url > file && out->database_url.len))
        return;
    if (url == file && out->database_url.len > 0) {
        daemon_problem(load, origin,
                       "database_url and database_url_file are both given; leave one out");
        return;
    }
    if (!daemon_read_file(load, out->database_url_file.ptr, origin, &content))
        return;
    content = trimmed(content);
    if (content.len == 0)
        daemon_problem(load, origin, "%.*s is empty; it holds the database_url",
                       SPAN_ARG(out->database_url_file));
    out->database_url = arena_copy(load->arena, content);
}

static bool is_loopback(struct span host)
{
    return span_is(host, "localhost") || span_is(host, "[::1]") || starts_with(host, "127.");
}

static void check_listen(struct daemon_load *load)
{
    struct span listen = load->out->listen, origin = origin_of(load, "listen");
    uint32_t port;
    if (starts_with(listen, "unix:"))
        return;
    const char *colon = listen.len ? memrchr(listen.ptr, ':', listen.len) : NULL;
    struct span host = {listen.ptr, colon ? (size_t)(colon - listen.ptr) : 0};
    struct span digits = {colon ? colon + 1 : NULL, colon ? listen.len - host.len - 1 : 0};
    bool bare_six = host.len && host.ptr[0] != '[' && memchr(host.ptr, ':', host.len);
    if (host.len == 0 || bare_six || !daemon_count_parse(digits, 0, 65535, &port)) {
        daemon_problem(load, origin,
                       "listen is \"%.*s\"; write HOST:PORT (0.0.0.0:8080 is every address, "
                       "[::1]:8080 IPv6) or unix:PATH",
                       SPAN_ARG(listen));
        return;
    }
    if (!is_loopback(host) && !load->out->allow_unauthenticated)
        daemon_problem(load, origin,
                       "listen is \"%.*s\", which others can reach, and there is no "
                       "authentication: listen on 127.0.0.1, or say allow_unauthenticated: true "
                       "if something in front of it keeps strangers out",
                       SPAN_ARG(listen));
}

static void check_public_url(struct daemon_load *load)
{
    struct span url = load->out->public_url;
    if (url.len == 0)
        return;
    if (!starts_with(url, "http://") && !starts_with(url, "https://")) {
        daemon_problem(load, origin_of(load, "public_url"),
                       "public_url is \"%.*s\"; it begins with http:// or https://", SPAN_ARG(url));
        return;
    }
    while (url.ptr[url.len - 1] == '/')
        url.len--;
    load->out->public_url = arena_copy(load->arena, url);
}

static void check_heartbeat(struct daemon_load *load)
{
    const struct config_daemon *out = load->out;
    if (out->heartbeat.timeout_ms >= 2 * out->heartbeat.interval_ms)
        return;
    bool timeout_is_later =
        layer_of(load, "heartbeat.timeout") >= layer_of(load, "heartbeat.interval");
    daemon_problem(load,
                   origin_of(load, timeout_is_later ? "heartbeat.timeout" : "heartbeat.interval"),
                   "heartbeat.timeout (%lld ms) wants to be at least twice heartbeat.interval "
                   "(%lld ms), or one late beat looks like a death",
                   (long long)out->heartbeat.timeout_ms, (long long)out->heartbeat.interval_ms);
}

void daemon_check(struct daemon_load *load)
{
    check_database(load);
    check_listen(load);
    check_public_url(load);
    check_heartbeat(load);
}
