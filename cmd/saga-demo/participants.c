/*
 * saga-demo/participants.c - what the services of the example sagas answer, and which are down.
 */
#include <pthread.h>
#include <stdio.h>

#include "base/hash.h"
#include "demo.h"
#include "saga/definition.h"

#define CARD_LIMIT    1000.0
#define ACCOUNT_LIMIT 10000.0

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char down[DEMO_DOWN_MAX][SAGA_NAME_BYTES_MAX + 1];

/* ---- which services are down ---- */

static bool slot_is(size_t slot, struct span name)
{
    return down[slot][0] && span_is(name, down[slot]);
}

bool participant_is_down(struct span type)
{
    struct span domain = saga_type_domain(type);
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < DEMO_DOWN_MAX; i++)
        found = found || slot_is(i, domain);
    pthread_mutex_unlock(&mutex);
    return found;
}

static void set_down(struct span name, bool is_down)
{
    for (size_t i = 0; i < DEMO_DOWN_MAX; i++) {
        if (slot_is(i, name))
            down[i][0] = '\0';
    }
    for (size_t i = 0; is_down && i < DEMO_DOWN_MAX; i++) {
        if (down[i][0])
            continue;
        snprintf(down[i], sizeof down[i], "%.*s", SPAN_ARG(name));
        return;
    }
}

void participant_control(const json_t *body)
{
    size_t i;
    json_t *name;
    pthread_mutex_lock(&mutex);
    json_array_foreach (json_object_get(body, "down"), i, name)
        set_down(json_span(name), true);
    json_array_foreach (json_object_get(body, "up"), i, name)
        set_down(json_span(name), false);
    pthread_mutex_unlock(&mutex);
}

/* ---- answers ---- */

static bool has_text(const json_t *data, const char *member, const char *part)
{
    struct span text = json_span(json_object_get(data, member));
    return text.len && memmem(text.ptr, text.len, part, strlen(part));
}

static double number(const json_t *data, const char *member)
{
    return json_number_value(json_object_get(data, member));
}

static const char *refusal(const struct command *command)
{
    const json_t *data = command->data;
    double amount = number(data, "amount") + number(data, "total");
    if (span_is(command->type, "payments.payment.authorise"))
        return has_text(data, "token", "declined") || amount > CARD_LIMIT ? "card_declined" : NULL;
    if (span_is(command->type, "inventory.stock.reserve"))
        return has_text(data, "order_id", "no-stock") ? "out_of_stock" : NULL;
    if (span_is(command->type, "cars.car.book"))
        return has_text(data, "trip", "no-car") ? "no_car_left" : NULL;
    if (span_is(command->type, "accounts.account.debit"))
        return amount > ACCOUNT_LIMIT ? "insufficient_funds" : NULL;
    return NULL;
}

/* The name by which the service will know it again: made of the key, so the same every time. */
static const char *identifier(struct span type)
{
    static const struct {
        const char *type, *member;
    } NAMES[] = {
        {"inventory.stock.reserve", "reservation_id"},
        {"payments.payment.authorise", "authorisation_id"},
        {"payments.payment.capture", "payment_id"},
        {"shipping.parcel.dispatch", "tracking_number"},
        {"accounts.account.debit", "entry_id"},
        {"accounts.account.credit", "entry_id"},
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (span_is(type, NAMES[i].type))
            return NAMES[i].member;
    }
    return "id";
}

void participant_decide(void *ctx, const struct command *command, struct answer *out)
{
    const char *code = refusal(command);
    (void)ctx;
    *out = (struct answer){.kind = code ? ANSWER_REJECTED : ANSWER_OK};
    if (code)
        snprintf(out->code, sizeof out->code, "%s", code);
    else
        snprintf(out->data, sizeof out->data, "{\"%s\":\"%08llx\"}", identifier(command->type),
                 (unsigned long long)(hash_mix(7, command->key) & 0xFFFFFFFF));
}
