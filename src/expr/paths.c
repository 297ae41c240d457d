/*
 * expr/paths.c - which parts of its context an expression reads, found without evaluating it.
 *
 * The walk knows of each node where its value stands below the root context, as far as names alone
 * say it. A path is told where its value is used, and ends where it becomes dynamic.
 */
#include "expr/internal.h"

struct place {
    bool known; /* else: not (or not only) of the root context */
    struct expr_path path;
};

struct scope {
    struct span name;
    struct place place;
    const struct scope *outer;
};

#define TESTED_MAX 8

struct walk {
    expr_path_fn *fn;
    void *ctx;
    bool guarded;
    bool testing;                        /* in the condition of something */
    struct expr_path tested[TESTED_MAX]; /* that conditions around this place have looked at */
    size_t tested_count;
    const struct scope *scope;
};

static const struct place NOWHERE = {0};

static struct place walk(struct walk *w, const struct node *node, const struct place *input);

static bool begins_with(const struct expr_path *path, const struct expr_path *start)
{
    if (start->count > path->count)
        return false;
    for (size_t i = 0; i < start->count; i++) {
        if (!span_equal(path->parts[i], start->parts[i]))
            return false;
    }
    return true;
}

static bool was_tested(const struct walk *w, const struct expr_path *path)
{
    for (size_t i = 0; i < w->tested_count; i++) {
        if (begins_with(path, &w->tested[i]))
            return true;
    }
    return false;
}

static void tell(struct walk *w, const struct place *place)
{
    if (!place->known)
        return;
    struct expr_path path = place->path;
    path.guarded |= w->guarded || was_tested(w, &path);
    if (w->testing && path.count > 0 && w->tested_count < TESTED_MAX)
        w->tested[w->tested_count++] = path;
    w->fn(w->ctx, &path);
}

/* The value is used as a whole. */
static void use(struct walk *w, const struct node *node, const struct place *input)
{
    if (node == NULL)
        return;
    struct place place = walk(w, node, input);
    tell(w, &place);
}

static void use_guarded(struct walk *w, const struct node *node, const struct place *input)
{
    bool outer = w->guarded;
    w->guarded = true;
    use(w, node, input);
    w->guarded = outer;
}

/* A condition takes null for false; what follows knows what it has looked at. */
static void use_tested(struct walk *w, const struct node *node, const struct place *input)
{
    bool outer = w->testing;
    w->testing = true;
    use_guarded(w, node, input);
    w->testing = outer;
}

static struct place field(struct walk *w, const struct node *node, const struct place *input)
{
    struct place place = walk(w, node->left, input);
    if (!place.known)
        return NOWHERE;
    if (place.path.count == EXPR_PATH_PARTS_MAX) {
        tell(w, &place);
        return NOWHERE;
    }
    place.path.parts[place.path.count] = node->text;
    place.path.offsets[place.path.count++] = node->name_offset;
    return place;
}

/* ."name" and .["name"] are names as well. */
static struct place index_(struct walk *w, const struct node *node, const struct place *input)
{
    if (node->right->kind == NODE_LITERAL && node->right->literal == LITERAL_STRING) {
        struct node name = *node;
        name.text = node->right->text;
        name.name_offset = node->right->offset + 1;
        return field(w, &name, input);
    }
    use(w, node->left, input);
    use(w, node->right, input);
    return NOWHERE;
}

static bool is_null(const struct node *node)
{
    return node->kind == NODE_LITERAL && node->literal == LITERAL_NULL;
}

static struct place binary(struct walk *w, const struct node *node, const struct place *input)
{
    bool null_test = (node->operator_ == OP_EQ || node->operator_ == OP_NE) &&
                     (is_null(node->left) || is_null(node->right));
    void (*how)(struct walk *, const struct node *, const struct place *) =
        null_test ? use_guarded : use;
    how(w, node->left, input);
    how(w, node->right, input);
    return NOWHERE;
}

static struct place pipe(struct walk *w, const struct node *node, const struct place *input)
{
    struct place left = walk(w, node->left, input);
    return walk(w, node->right, &left);
}

static struct place as(struct walk *w, const struct node *node, const struct place *input)
{
    struct scope scope = {node->text, walk(w, node->left, input), w->scope};
    w->scope = &scope;
    struct place place = walk(w, node->right, input);
    w->scope = scope.outer;
    return place;
}

static struct place variable(const struct walk *w, const struct node *node)
{
    for (const struct scope *s = w->scope; s; s = s->outer) {
        if (span_equal(s->name, node->text))
            return s->place;
    }
    return NOWHERE;
}

static struct place logic(struct walk *w, const struct node *node, const struct place *input)
{
    size_t outer = w->tested_count;
    use_tested(w, node->left, input);
    use_guarded(w, node->right, input);
    if (!w->testing)
        w->tested_count = outer;
    return NOWHERE;
}

static struct place branches(struct walk *w, const struct node *node, const struct place *input)
{
    size_t outer = w->tested_count;
    use_tested(w, node->left, input);
    if (node->third == NULL)
        tell(w, input);
    use(w, node->right, input);
    use(w, node->third, input);
    w->tested_count = outer;
    return NOWHERE;
}

static void strings_and_pairs(struct walk *w, const struct node *node, const struct place *input)
{
    for (const struct part *part = node->parts; part; part = part->next)
        use(w, part->node, input);
    for (const struct pair *pair = node->pairs; pair; pair = pair->next) {
        use(w, pair->key, input);
        use(w, pair->value, input);
    }
}

static bool reads_input(const struct node *node)
{
    return !span_is(node->text, "now") && !span_is(node->text, "range") &&
           !(span_is(node->text, "error") && node->left) &&
           !((span_is(node->text, "first") || span_is(node->text, "last")) && node->left);
}

static struct place call(struct walk *w, const struct node *node, const struct place *input)
{
    bool outer = w->guarded;
    bool below = reads_input(node) && node->function->keeps_path;
    w->guarded |= span_is(node->text, "not");
    if (reads_input(node))
        tell(w, input);
    w->guarded = outer;
    use(w, node->left, below ? &NOWHERE : input);
    use(w, node->right, input);
    return NOWHERE;
}

static struct place walk(struct walk *w, const struct node *node, const struct place *input)
{
    switch (node->kind) {
    case NODE_IDENTITY:
        return *input;
    case NODE_FIELD:
        return field(w, node, input);
    case NODE_INDEX:
        return index_(w, node, input);
    case NODE_SLICE:
    case NODE_ITERATE:
        use(w, node->left, input);
        use(w, node->right, input);
        use(w, node->third, input);
        return NOWHERE;
    case NODE_TRY:
        use_guarded(w, node->left, input);
        return NOWHERE;
    case NODE_LITERAL:
        return NOWHERE;
    case NODE_STRING:
    case NODE_OBJECT:
        strings_and_pairs(w, node, input);
        return NOWHERE;
    case NODE_ARRAY:
    case NODE_NEGATE:
        use(w, node->left, input);
        return NOWHERE;
    case NODE_BINARY:
        return binary(w, node, input);
    case NODE_AND:
    case NODE_OR:
        return logic(w, node, input);
    case NODE_COMMA:
        use(w, node->left, input);
        use(w, node->right, input);
        return NOWHERE;
    case NODE_ALTERNATIVE:
        use_guarded(w, node->left, input);
        use(w, node->right, input);
        return NOWHERE;
    case NODE_PIPE:
        return pipe(w, node, input);
    case NODE_IF:
        return branches(w, node, input);
    case NODE_AS:
        return as(w, node, input);
    case NODE_VARIABLE:
        return variable(w, node);
    case NODE_CALL:
        return call(w, node, input);
    }
    return NOWHERE;
}

void expr_paths(const struct expr *expr, expr_path_fn *fn, void *ctx)
{
    struct walk w = {.fn = fn, .ctx = ctx};
    struct place root = {.known = true};
    use(&w, expr->root, &root);
}
