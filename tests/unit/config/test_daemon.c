/* config/daemon.h: layers, every type of setting, participants, and that each problem is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/daemon.h"

#define PROBLEMS_MAX 20

struct load {
    struct arena arena;
    struct config_daemon config;
    struct config_problem problems[PROBLEMS_MAX];
    size_t problem_count;
    enum err err;
    char path[64];
};

static int setup(void **state)
{
    static struct load load;
    load = (struct load){0};
    arena_init(&load.arena);
    snprintf(load.path, sizeof load.path, "/tmp/sagad-settings-XXXXXX");
    int file = mkstemp(load.path);
    assert_true(file >= 0);
    close(file);
    *state = &load;
    return 0;
}

static int teardown(void **state)
{
    struct load *load = *state;
    unlink(load->path);
    arena_release(&load->arena);
    return 0;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void run(struct load *load, const char *yaml, const char *const *environment,
                const struct config_override *overrides, size_t override_count)
{
    if (yaml)
        write_file(load->path, yaml);
    load->err = config_daemon_load(yaml ? load->path : NULL, (char *const *)environment, overrides,
                                   override_count, &load->arena, &load->config, load->problems,
                                   PROBLEMS_MAX, &load->problem_count);
}

static void run_file(struct load *load, const char *yaml)
{
    run(load, yaml, NULL, NULL, 0);
}

static void run_variable(struct load *load, const char *variable)
{
    const char *const environment[] = {"PATH=/bin", variable, NULL};
    run(load, NULL, environment, NULL, 0);
}

static void run_flag(struct load *load, const char *name, const char *value)
{
    struct config_override override = {span_of(name), span_of(value), SPAN_LIT("--set")};
    run(load, NULL, NULL, &override, 1);
}

static void assert_fine(const struct load *load)
{
    if (load->problem_count)
        fail_msg("%.*s", SPAN_ARG(load->problems[0].text));
    assert_int_equal(load->err, ERR_OK);
}

static void assert_holds(struct span text, const char *words)
{
    if (!text.len || !memmem(text.ptr, text.len, words, strlen(words)))
        fail_msg("\"%s\" is not in: %.*s", words, SPAN_ARG(text));
}

/* Exactly one problem, which starts with its origin and holds the words. */
static void assert_problem(const struct load *load, const char *origin, const char *words)
{
    for (size_t i = 1; i < load->problem_count; i++)
        print_error("also: %.*s\n", SPAN_ARG(load->problems[i].text));
    assert_int_equal(load->problem_count, 1);
    assert_int_equal(load->err, ERR_INVALID);
    struct span text = load->problems[0].text;
    assert_holds(text, words);
    assert_true(text.len > strlen(origin));
    if (memcmp(text.ptr, origin, strlen(origin)) != 0)
        fail_msg("does not begin with \"%s\": %.*s", origin, SPAN_ARG(text));
}

/* The same, at a place in the file. */
static void assert_problem_at(const struct load *load, const char *place, const char *words)
{
    char origin[128];
    snprintf(origin, sizeof origin, "%s:%s: ", load->path, place);
    assert_problem(load, origin, words);
}

/* ---- layers ---- */

static void without_anything_every_default_is_filled_in(void **state)
{
    struct load *load = *state;
    run(load, NULL, NULL, NULL, 0);
    assert_fine(load);
    const struct config_daemon *config = &load->config;
    assert_int_equal(config->database_url.len, 0);
    assert_true(span_is(config->listen, "127.0.0.1:8080"));
    assert_int_equal(config->saga_count, 1);
    assert_true(span_is(config->sagas[0], "sagas"));
    assert_int_equal(config->workers, 2);
    assert_int_equal(config->database.read_connections, 4);
    assert_int_equal(config->database.connect_timeout_ms, 5000);
    assert_int_equal(config->database.statement_timeout_ms, 10000);
    assert_true(config->database.prepared_statements);
    assert_false(config->allow_unauthenticated);
    assert_int_equal(config->batch.events_max, 200);
    assert_int_equal(config->batch.wait_max_ms, 1);
    assert_int_equal(config->limits.body_bytes, 1048576);
    assert_int_equal(config->limits.json_depth, 64);
    assert_int_equal(config->limits.queue_events, 10000);
    assert_int_equal(config->limits.wait_max_ms, 60000);
    assert_int_equal(config->heartbeat.interval_ms, 1000);
    assert_int_equal(config->heartbeat.timeout_ms, 5000);
    assert_int_equal(config->attention.failing_after_ms, 300000);
    assert_int_equal(config->attention.no_consumer_after_ms, 120000);
    assert_int_equal(config->attention.lock_wait_after_ms, 300000);
    assert_int_equal(config->idempotency_retention_ms, INT64_C(86400000));
    assert_int_equal(config->retention_ms, INT64_C(30) * 86400000);
    assert_int_equal(config->shutdown_grace_ms, 20000);
    assert_int_equal(config->log.level, CONFIG_LOG_INFO);
    assert_int_equal(config->log.format, CONFIG_LOG_JSON);
    assert_int_equal(config->participant_count, 0);
}

static void an_empty_file_gives_the_defaults(void **state)
{
    struct load *load = *state;
    run_file(load, "# nothing yet\n");
    assert_fine(load);
    assert_int_equal(load->config.workers, 2);
}

static void the_file_gives_every_kind_of_value(void **state)
{
    struct load *load = *state;
    run_file(load, "database_url: postgres://localhost/sagas\n"
                   "listen: unix:/run/sagad.sock\n"
                   "public_url: https://sagas.example.com/\n"
                   "sagas: [a, b/c.yaml]\n"
                   "workers: 8\n"
                   "database: {prepared_statements: false, connect_timeout: 1m30s}\n"
                   "participants:\n"
                   "log:\n"
                   "  level: debug\n"
                   "  format: logfmt\n");
    assert_fine(load);
    const struct config_daemon *config = &load->config;
    assert_true(span_is(config->database_url, "postgres://localhost/sagas"));
    assert_true(span_is(config->listen, "unix:/run/sagad.sock"));
    assert_true(span_is(config->public_url, "https://sagas.example.com"));
    assert_int_equal(config->saga_count, 2);
    assert_true(span_is(config->sagas[1], "b/c.yaml"));
    assert_int_equal(config->workers, 8);
    assert_false(config->database.prepared_statements);
    assert_int_equal(config->database.connect_timeout_ms, 90000);
    assert_int_equal(config->database.statement_timeout_ms, 10000);
    assert_int_equal(config->log.level, CONFIG_LOG_DEBUG);
    assert_int_equal(config->log.format, CONFIG_LOG_LOGFMT);
}

static void environment_goes_before_file_and_flag_before_both(void **state)
{
    struct load *load = *state;
    const char *const environment[] = {"SAGAD_HEARTBEAT_INTERVAL=300ms", "SAGAD_WORKERS=5",
                                       "SAGAD_SAGAS=x,y", NULL};
    const struct config_override flags[] = {
        {SPAN_LIT("workers"), SPAN_LIT("6"), SPAN_LIT("--set")},
        {SPAN_LIT("workers"), SPAN_LIT("7"), SPAN_LIT("--set")},
    };
    run(load, "workers: 4\nheartbeat: {interval: 200ms, timeout: 2s}\n", environment, flags, 2);
    assert_fine(load);
    assert_int_equal(load->config.workers, 7);
    assert_int_equal(load->config.heartbeat.interval_ms, 300);
    assert_int_equal(load->config.heartbeat.timeout_ms, 2000);
    assert_int_equal(load->config.saga_count, 2);
    assert_true(span_is(load->config.sagas[1], "y"));
}

/* "heartbeat.interval" gives "SAGAD_HEARTBEAT_INTERVAL". */
static struct span variable_of(struct load *load, const char *setting)
{
    struct span name = arena_printf(&load->arena, "SAGAD_%s", setting);
    char *out = arena_zero(&load->arena, name.len + 1, 1);
    for (size_t i = 0; i < name.len; i++) {
        bool lower = name.ptr[i] >= 'a' && name.ptr[i] <= 'z';
        out[i] = name.ptr[i] == '.' ? '_' : lower ? (char)(name.ptr[i] - 'a' + 'A') : name.ptr[i];
    }
    return (struct span){out, name.len};
}

static void every_setting_has_a_variable(void **state)
{
    struct load *load = *state;
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    for (size_t i = 0; i < count; i++) {
        struct span variable = variable_of(load, settings[i].name);
        run_variable(load, arena_printf(&load->arena, "%.*s=\n", SPAN_ARG(variable)).ptr);
        bool any_text =
            strcmp(settings[i].name, "database_url") == 0 || strcmp(settings[i].name, "sagas") == 0;
        assert_int_equal(load->problem_count, any_text ? 0 : 1);
    }
}

/* ---- problems ---- */

static void every_problem_is_told_in_one_run(void **state)
{
    struct load *load = *state;
    const char *const environment[] = {"SAGAD_LOG_LEVEL=loud", NULL};
    const struct config_override flag = {SPAN_LIT("batch.events_max"), SPAN_LIT("0"),
                                         SPAN_LIT("--set")};
    run(load, "workers: many\nretention: 3x\n", environment, &flag, 1);
    assert_int_equal(load->problem_count, 4);
    assert_holds(load->problems[0].text, "workers is \"many\"; it wants a whole number");
    assert_holds(load->problems[1].text, ":2:12: retention is \"3x\", which is no duration");
    assert_holds(load->problems[2].text, "SAGAD_LOG_LEVEL: log.level is \"loud\"");
    assert_holds(load->problems[3].text, "--set: batch.events_max is \"0\"");
}

static void more_problems_than_fit_are_counted(void **state)
{
    struct load *load = *state;
    char yaml[PROBLEMS_MAX * 40] = "";
    size_t length = 0;
    for (int i = 0; i < PROBLEMS_MAX + 3; i++)
        length += (size_t)snprintf(yaml + length, sizeof yaml - length, "nothing_%d: 1\n", i);
    run_file(load, yaml);
    assert_int_equal(load->err, ERR_INVALID);
    assert_int_equal(load->problem_count, PROBLEMS_MAX);
    assert_holds(load->problems[PROBLEMS_MAX - 1].text, "and 4 more problems");
}

static void a_missing_file_is_told(void **state)
{
    struct load *load = *state;
    load->err =
        config_daemon_load("/nowhere/sagad.yaml", NULL, NULL, 0, &load->arena, &load->config,
                           load->problems, PROBLEMS_MAX, &load->problem_count);
    assert_problem(load, "--config: ", "/nowhere/sagad.yaml cannot be read");
}

static void broken_yaml_is_told_with_its_place(void **state)
{
    struct load *load = *state;
    run_file(load, "workers: 2\nlog: {level: info\n");
    assert_problem_at(load, "3:1", "this is not YAML");
}

static void a_second_document_is_refused(void **state)
{
    struct load *load = *state;
    run_file(load, "workers: 2\n---\nworkers: 3\n");
    assert_problem(load, load->path, "a second document");
}

static void a_list_is_no_settings_file(void **state)
{
    struct load *load = *state;
    run_file(load, "- workers\n");
    assert_problem_at(load, "1:1", "wants a mapping of settings");
}

static void an_unknown_setting_is_refused_with_a_suggestion(void **state)
{
    struct load *load = *state;
    run_file(load, "worker: 2\n");
    assert_problem_at(load, "1:1", "did you mean \"workers\"?");
}

static void an_unknown_setting_in_a_group_is_refused_with_a_suggestion(void **state)
{
    struct load *load = *state;
    run_file(load, "heartbeat: {intervall: 1s}\n");
    assert_problem_at(load, "1:13",
                      "unknown setting \"intervall\" in heartbeat; did you mean \"interval\"?");
}

static void an_unknown_setting_that_is_near_to_none_points_to_the_help(void **state)
{
    struct load *load = *state;
    run_file(load, "colour: blue\n");
    assert_problem_at(load, "1:1", "sagad --help lists them");
}

static void a_setting_given_twice_is_refused(void **state)
{
    struct load *load = *state;
    run_file(load, "workers: 2\nworkers: 3\n");
    assert_problem_at(load, "2:1", "workers is given twice");
}

static void a_dotted_name_belongs_into_a_mapping(void **state)
{
    struct load *load = *state;
    run_file(load, "log.level: info\n");
    assert_problem_at(load, "1:1", "written as a mapping");
}

static void a_group_is_a_mapping(void **state)
{
    struct load *load = *state;
    run_file(load, "log: info\n");
    assert_problem_at(load, "1:6", "log is text; it wants a mapping");
}

static void a_value_is_no_mapping(void **state)
{
    struct load *load = *state;
    run_file(load, "workers: {count: 2}\n");
    assert_problem_at(load, "1:10", "workers is a mapping; it wants one value (number)");
}

static void a_flag_of_an_unknown_setting_is_refused_with_a_suggestion(void **state)
{
    struct load *load = *state;
    run_flag(load, "heartbeat.intreval", "1s");
    assert_problem(load, "--set: ", "did you mean \"heartbeat.interval\"?");
}

static void a_variable_that_is_nearly_a_setting_is_refused(void **state)
{
    struct load *load = *state;
    run_variable(load, "SAGAD_LISTN=127.0.0.1:1");
    assert_problem(load, "SAGAD_LISTN: ", "did you mean SAGAD_LISTEN?");
}

static void variables_that_cluster_managers_set_are_left_alone(void **state)
{
    struct load *load = *state;
    const char *const environment[] = {"SAGAD_SERVICE_HOST=10.0.0.1", "SAGAD_SERVICE_PORT=8080",
                                       "SAGAD_PORT_8080_TCP_ADDR=10.0.0.1",
                                       "SAGAD_PORT=tcp://10.0.0.1:8080", NULL};
    run(load, NULL, environment, NULL, 0);
    assert_fine(load);
}

static void numbers_are_whole_and_within_bounds(void **state)
{
    struct load *load = *state;
    static const char *const wrong[] = {"0",  "-1",          "+2", "02", "2.0",
                                        "65", "99999999999", "",   "2 "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        run_flag(load, "workers", wrong[i]);
        assert_problem(load, "--set: ", "it wants a whole number from 1 to 64");
    }
    run_flag(load, "workers", "64");
    assert_fine(load);
}

static void durations_are_within_bounds(void **state)
{
    struct load *load = *state;
    run_flag(load, "batch.wait_max", "2s");
    assert_problem(load, "--set: ", "it may be from PT0S to PT1S");
}

static void flags_are_true_or_false(void **state)
{
    struct load *load = *state;
    run_flag(load, "allow_unauthenticated", "yes");
    assert_problem(load, "--set: ", "it is true or false");
}

static void words_are_suggested(void **state)
{
    struct load *load = *state;
    run_flag(load, "log.format", "jsn");
    assert_problem(load, "--set: ", "one of json, logfmt, text (did you mean json?)");
}

static void participants_are_for_the_file(void **state)
{
    struct load *load = *state;
    run_variable(load, "SAGAD_PARTICIPANTS=[]");
    assert_problem(load, "SAGAD_PARTICIPANTS: ", "can only be given in the file");
}

/* ---- several settings together ---- */

static void the_database_may_stand_in_a_file_of_its_own(void **state)
{
    struct load *load = *state;
    write_file(load->path, "  postgres://sagad:secret@db/sagas\n");
    run_flag(load, "database_url_file", load->path);
    assert_fine(load);
    assert_true(span_is(load->config.database_url, "postgres://sagad:secret@db/sagas"));
}

static void a_database_url_from_a_higher_layer_holds(void **state)
{
    struct load *load = *state;
    const char *const environment[] = {"SAGAD_DATABASE_URL=postgres://here", NULL};
    run(load, "database_url_file: /nowhere\n", environment, NULL, 0);
    assert_fine(load);
    assert_true(span_is(load->config.database_url, "postgres://here"));
}

static void a_database_url_and_its_file_are_not_both_given(void **state)
{
    struct load *load = *state;
    run_file(load, "database_url: postgres://here\ndatabase_url_file: /nowhere\n");
    assert_problem_at(load, "2:20", "both given");
}

static void a_missing_database_url_file_is_told(void **state)
{
    struct load *load = *state;
    run_variable(load, "SAGAD_DATABASE_URL_FILE=/nowhere");
    assert_problem(load, "SAGAD_DATABASE_URL_FILE: ", "/nowhere cannot be read");
}

static void listening_wants_host_and_port(void **state)
{
    struct load *load = *state;
    static const char *const wrong[] = {
        "8080",  ":8080", "localhost", "localhost:", "a:b", "::1:80", "127.0.0.1:65536",
        "unix:", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        run_flag(load, "listen", wrong[i]);
        assert_problem(load, "--set: ", "write HOST:PORT");
    }
    static const char *const right[] = {"localhost:0", "[::1]:80", "127.9.9.9:65535", "unix:s"};
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        run_flag(load, "listen", right[i]);
        assert_fine(load);
    }
}

static void beyond_loopback_wants_a_word(void **state)
{
    struct load *load = *state;
    run_file(load, "listen: 0.0.0.0:8080\n");
    assert_problem_at(load, "1:9", "allow_unauthenticated: true");
    run_file(load, "listen: 0.0.0.0:8080\nallow_unauthenticated: true\n");
    assert_fine(load);
}

static void a_heartbeat_dies_no_sooner_than_two_beats(void **state)
{
    struct load *load = *state;
    run_file(load, "heartbeat: {interval: 3s}\n");
    assert_problem_at(load, "1:23", "at least twice heartbeat.interval (3000 ms)");
}

static void the_public_url_is_a_web_address(void **state)
{
    struct load *load = *state;
    run_flag(load, "public_url", "sagas.example.com");
    assert_problem(load, "--set: ", "begins with http:// or https://");
}

/* ---- participants ---- */

static void participants_are_read_with_their_defaults(void **state)
{
    struct load *load = *state;
    run_file(load, "participants:\n"
                   "  - {match: stock.*, url: 'http://stock/commands'}\n"
                   "  - match: pay.card.void\n"
                   "    transport: http\n"
                   "    url: https://pay/{entity}/{action}?d={domain}\n"
                   "    format: plain\n"
                   "    in_flight_max: 7\n");
    assert_fine(load);
    assert_int_equal(load->config.participant_count, 2);
    const struct config_participant *first = &load->config.participants[0], *second = first + 1;
    assert_true(span_is(first->match, "stock.*"));
    assert_true(span_is(first->url, "http://stock/commands"));
    assert_int_equal(first->format, CONFIG_FORMAT_ENVELOPE);
    assert_int_equal(first->in_flight_max, 100);
    assert_int_equal(second->format, CONFIG_FORMAT_PLAIN);
    assert_int_equal(second->in_flight_max, 7);
}

static void what_is_wrong_with_a_participant_is_told(void **state)
{
    struct load *load = *state;
    static const struct {
        const char *entry, *place, *words;
    } cases[] = {
        {"{match: Stock.*, url: 'http://s/'}", "1:25", "match is \"Stock.*\""},
        {"{match: '*', url: 'http://s/'}", "1:25", "match is \"*\""},
        {"{match: a.*.c, url: 'http://s/'}", "1:25", "match is \"a.*.c\""},
        {"{match: a.*, url: 'ftp://s/'}", "1:35", "begins with http://"},
        {"{match: a.*, url: 'http://s/{verb}'}", "1:35", "url holds \"{verb}\""},
        {"{match: a.*, url: 'http://s/{action'}", "1:35", "url holds \"{action\""},
        {"{match: a.*, url: 'http://s/a b'}", "1:35", "no URL may hold"},
        {"{match: a.*, url: [x]}", "1:35", "url is a list"},
        {"{match: a.*, url: 'http://s', transport: pull}", "1:58", "pull is not supported yet"},
        {"{match: a.*, url: 'http://s', transport: post}", "1:58", "there is http"},
        {"{match: a.*, url: 'http://s', format: xml}", "1:55", "envelope or plain"},
        {"{match: a.*, url: 'http://s', in_flight_max: 0}", "1:62", "from 1 to 100000"},
        {"{match: a.*, url: 'http://s', in_flight: 9}", "1:47", "did you mean \"in_flight_max\"?"},
        {"{match: a.*, url: 'http://s', pubsub: x}", "1:47", "unknown key \"pubsub\""},
        {"{match: a.*, url: 'http://s', match: b.*}", "1:47", "match is given twice"},
        {"{match: a.*}", "1:17", "a participant needs url"},
        {"{url: 'http://s'}", "1:17", "a participant needs match"},
        {"stock", "1:17", "a participant is text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[200];
        snprintf(yaml, sizeof yaml, "participants: [ %s ]\n", cases[i].entry);
        run_file(load, yaml);
        assert_problem_at(load, cases[i].place, cases[i].words);
    }
}

static void there_is_an_end_to_participants(void **state)
{
    struct load *load = *state;
    char yaml[16 * (CONFIG_PARTICIPANTS_MAX + 4)] = "participants:\n";
    for (size_t i = 0, length = strlen(yaml); i < CONFIG_PARTICIPANTS_MAX + 1; i++)
        length += (size_t)snprintf(yaml + length, sizeof yaml - length, " - x\n");
    run_file(load, yaml);
    assert_problem_at(load, "2:2", "has 201 entries, 200 are allowed");
}

static void a_trailing_asterisk_stands_for_one_or_more_segments(void **state)
{
    (void)state;
    assert_true(config_type_matches(SPAN_LIT("pay.*"), SPAN_LIT("pay.card")));
    assert_true(config_type_matches(SPAN_LIT("pay.*"), SPAN_LIT("pay.card.void")));
    assert_true(config_type_matches(SPAN_LIT("pay.card.*"), SPAN_LIT("pay.card.void")));
    assert_true(config_type_matches(SPAN_LIT("pay.card.void"), SPAN_LIT("pay.card.void")));
    assert_false(config_type_matches(SPAN_LIT("pay.*"), SPAN_LIT("pay")));
    assert_false(config_type_matches(SPAN_LIT("pay.*"), SPAN_LIT("pay.")));
    assert_false(config_type_matches(SPAN_LIT("pay.*"), SPAN_LIT("payments.card")));
    assert_false(config_type_matches(SPAN_LIT("pay.card"), SPAN_LIT("pay.card.void")));
    assert_false(config_type_matches(SPAN_LIT("pay.card.*"), SPAN_LIT("pay.bank.void")));
}

static void the_first_match_takes_a_command(void **state)
{
    (void)state;
    const struct config_participant all[] = {{.match = SPAN_LIT("pay.card.*")},
                                             {.match = SPAN_LIT("pay.*")},
                                             {.match = SPAN_LIT("stock.item.take")}};
    const struct config_daemon config = {.participants = all, .participant_count = 3};
    assert_ptr_equal(config_participant_for(&config, SPAN_LIT("pay.card.void"), SPAN_NONE),
                     &all[0]);
    assert_ptr_equal(config_participant_for(&config, SPAN_LIT("pay.bank.void"), SPAN_NONE),
                     &all[1]);
    assert_null(config_participant_for(&config, SPAN_LIT("stock.item.give"), SPAN_NONE));
}

static void to_goes_before_the_event_type(void **state)
{
    (void)state;
    const struct config_participant all[] = {{.match = SPAN_LIT("pay.*")},
                                             {.match = SPAN_LIT("stock.*")}};
    const struct config_daemon config = {.participants = all, .participant_count = 2};
    struct span type = SPAN_LIT("pay.card.void");
    assert_ptr_equal(config_participant_for(&config, type, SPAN_LIT("stock")), &all[1]);
    assert_ptr_equal(config_participant_for(&config, type, SPAN_LIT("stock.*")), &all[1]);
    assert_ptr_equal(config_participant_for(&config, type, SPAN_LIT("stock.eu")), &all[1]);
    assert_null(config_participant_for(&config, type, SPAN_LIT("mail")));
}

/* ---- the repository agrees with the table ---- */

static struct span read_repository_file(struct load *load, const char *path)
{
    const size_t bytes_max = 100000;
    char *bytes = arena_alloc(&load->arena, bytes_max);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    struct span text = {bytes, fread(bytes, 1, bytes_max, file)};
    assert_int_equal(fclose(file), 0);
    assert_true(text.len < bytes_max);
    return text;
}

static void every_setting_is_documented_with_its_default(void **state)
{
    struct load *load = *state;
    size_t count;
    const struct config_setting *settings = config_settings(&count);
    struct span docs = read_repository_file(load, "docs/configuration.md");
    for (size_t i = 0; i < count; i++) {
        bool single = settings[i].fallback[0] && strcmp(settings[i].type, "list") != 0;
        struct span variable = variable_of(load, settings[i].name);
        struct span row =
            single ? arena_printf(&load->arena, "\n| `%s` | `%.*s` | `%s` |", settings[i].name,
                                  SPAN_ARG(variable), settings[i].fallback)
                   : arena_printf(&load->arena, "\n| `%s` |", settings[i].name);
        assert_holds(docs, row.ptr);
    }
}

static void the_settings_files_of_the_repository_are_fine(void **state)
{
    struct load *load = *state;
    static const char *const paths[] = {"demo/sagad.yaml", "deploy/compose.yaml"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        load->err = config_daemon_load(paths[i], NULL, NULL, 0, &load->arena, &load->config,
                                       load->problems, PROBLEMS_MAX, &load->problem_count);
        assert_fine(load);
        assert_true(load->config.participant_count > 5);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_anything_every_default_is_filled_in),
        TEST(an_empty_file_gives_the_defaults),
        TEST(the_file_gives_every_kind_of_value),
        TEST(environment_goes_before_file_and_flag_before_both),
        TEST(every_setting_has_a_variable),
        TEST(every_problem_is_told_in_one_run),
        TEST(more_problems_than_fit_are_counted),
        TEST(a_missing_file_is_told),
        TEST(broken_yaml_is_told_with_its_place),
        TEST(a_second_document_is_refused),
        TEST(a_list_is_no_settings_file),
        TEST(an_unknown_setting_is_refused_with_a_suggestion),
        TEST(an_unknown_setting_in_a_group_is_refused_with_a_suggestion),
        TEST(an_unknown_setting_that_is_near_to_none_points_to_the_help),
        TEST(a_setting_given_twice_is_refused),
        TEST(a_dotted_name_belongs_into_a_mapping),
        TEST(a_group_is_a_mapping),
        TEST(a_value_is_no_mapping),
        TEST(a_flag_of_an_unknown_setting_is_refused_with_a_suggestion),
        TEST(a_variable_that_is_nearly_a_setting_is_refused),
        TEST(variables_that_cluster_managers_set_are_left_alone),
        TEST(numbers_are_whole_and_within_bounds),
        TEST(durations_are_within_bounds),
        TEST(flags_are_true_or_false),
        TEST(words_are_suggested),
        TEST(participants_are_for_the_file),
        TEST(the_database_may_stand_in_a_file_of_its_own),
        TEST(a_database_url_from_a_higher_layer_holds),
        TEST(a_database_url_and_its_file_are_not_both_given),
        TEST(a_missing_database_url_file_is_told),
        TEST(listening_wants_host_and_port),
        TEST(beyond_loopback_wants_a_word),
        TEST(a_heartbeat_dies_no_sooner_than_two_beats),
        TEST(the_public_url_is_a_web_address),
        TEST(participants_are_read_with_their_defaults),
        TEST(what_is_wrong_with_a_participant_is_told),
        TEST(there_is_an_end_to_participants),
        TEST(a_trailing_asterisk_stands_for_one_or_more_segments),
        TEST(the_first_match_takes_a_command),
        TEST(to_goes_before_the_event_type),
        TEST(every_setting_is_documented_with_its_default),
        TEST(the_settings_files_of_the_repository_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
