/*
 * saga-demo/ledger.c - one entry an idempotency key, for ever: the answer, or a tombstone (S-13).
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "demo.h"

#define BUCKETS 262144

enum entry_status { AT_WORK = 0, ANSWERED, TOMBSTONE };

struct entry {
    struct entry *next;
    enum entry_status status;
    struct answer answer;
    size_t key_len;
    char key[];
};

struct ledger {
    pthread_mutex_t mutex;
    struct entry *buckets[BUCKETS];
    uint64_t done, undone;
    int log;
};

struct ledger *ledger_new(const char *log)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    ASSERT(ledger != NULL);
    pthread_mutex_init(&ledger->mutex, NULL);
    ledger->log = log ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (log == NULL || ledger->log >= 0)
        return ledger;
    fprintf(stderr, "saga-demo: %s: %s\n", log, strerror(errno));
    ledger_free(ledger);
    return NULL;
}

void ledger_free(struct ledger *ledger)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (ledger->buckets[i]) {
            struct entry *entry = ledger->buckets[i];
            ledger->buckets[i] = entry->next;
            free(entry);
        }
    }
    if (ledger->log >= 0)
        close(ledger->log);
    pthread_mutex_destroy(&ledger->mutex);
    free(ledger);
}

static struct entry **bucket_of(struct ledger *ledger, struct span key)
{
    return &ledger->buckets[hash_mix(1, key) % BUCKETS];
}

static struct entry *find(struct ledger *ledger, struct span key)
{
    struct entry *entry = *bucket_of(ledger, key);
    while (entry && !span_equal((struct span){entry->key, entry->key_len}, key))
        entry = entry->next;
    return entry;
}

static struct entry *add(struct ledger *ledger, struct span key, enum entry_status status)
{
    struct entry *entry = calloc(1, sizeof *entry + key.len);
    struct entry **bucket = bucket_of(ledger, key);
    ASSERT(entry != NULL);
    memcpy(entry->key, key.ptr, key.len);
    entry->key_len = key.len;
    entry->status = status;
    entry->next = *bucket;
    *bucket = entry;
    return entry;
}

/* One write a line, so that lines of threads and processes never mix. The effect is on record
   before anybody hears of it. */
static void log_effect(struct ledger *ledger, const char *what, struct span key)
{
    char line[DEMO_KEY_BYTES_MAX + 16];
    int len = snprintf(line, sizeof line, "%s %.*s\n", what, SPAN_ARG(key));
    ASSERT(len > 0 && (size_t)len < sizeof line);
    if (ledger->log >= 0)
        ASSERT(write(ledger->log, line, (size_t)len) == len);
}

static void refuse(struct answer *out, const char *code)
{
    *out = (struct answer){.kind = ANSWER_REJECTED};
    snprintf(out->code, sizeof out->code, "%s", code);
}

/* Ask for it without the lock: a copy that comes meanwhile is told that it is at work. */
static void decide_do(struct ledger *ledger, const struct command *command, struct entry *entry,
                      decide_fn *decide, void *ctx, struct answer *out)
{
    pthread_mutex_unlock(&ledger->mutex);
    decide(ctx, command, out);
    pthread_mutex_lock(&ledger->mutex);
    if (entry->status == TOMBSTONE) {
        refuse(out, "undone_before");
        return;
    }
    entry->status = ANSWERED;
    entry->answer = *out;
    if (out->kind == ANSWER_OK) {
        ledger->done++;
        log_effect(ledger, "do", command->key);
    }
}

static void carry_out_do(struct ledger *ledger, const struct command *command, decide_fn *decide,
                         void *ctx, struct answer *out)
{
    struct entry *entry = find(ledger, command->key);
    if (entry == NULL)
        decide_do(ledger, command, add(ledger, command->key, AT_WORK), decide, ctx, out);
    else if (entry->status == TOMBSTONE)
        refuse(out, "undone_before");
    else if (entry->status == AT_WORK)
        *out = (struct answer){.kind = ANSWER_IN_PROGRESS};
    else
        *out = entry->answer;
}

/* An undo never says no; of a do that is at work it says later. */
static void carry_out_undo(struct ledger *ledger, const struct command *command, struct answer *out)
{
    struct entry *done = find(ledger, command->undoes);
    struct entry *undone = find(ledger, command->key);
    *out = (struct answer){.kind = ANSWER_OK, .data = "{}"};
    if (undone)
        return;
    if (done && done->status == AT_WORK) {
        out->kind = ANSWER_IN_PROGRESS;
        return;
    }
    if (done == NULL)
        done = add(ledger, command->undoes, TOMBSTONE);
    undone = add(ledger, command->key, ANSWERED);
    undone->answer = *out;
    if (done->status == ANSWERED && done->answer.kind == ANSWER_OK) {
        ledger->undone++;
        log_effect(ledger, "undo", command->undoes);
    }
}

void ledger_carry_out(struct ledger *ledger, const struct command *command, decide_fn *decide,
                      void *ctx, struct answer *out)
{
    pthread_mutex_lock(&ledger->mutex);
    if (span_is(command->phase, "undo"))
        carry_out_undo(ledger, command, out);
    else
        carry_out_do(ledger, command, decide, ctx, out);
    pthread_mutex_unlock(&ledger->mutex);
}

struct span ledger_print(struct ledger *ledger, struct arena *arena)
{
    pthread_mutex_lock(&ledger->mutex);
    struct span text =
        arena_printf(arena, "{\"done\":%llu,\"undone\":%llu}\n", (unsigned long long)ledger->done,
                     (unsigned long long)ledger->undone);
    pthread_mutex_unlock(&ledger->mutex);
    return text;
}
