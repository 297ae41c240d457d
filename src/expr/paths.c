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

struct walk {
    expr_path_fn *fn;
    void *ctx;
    bool guarded;
    const struct scope *scope;
};

static const struct place NOWHERE = {0};

static struct place walk(struct walk *w, const struct node *node, const struct place *input);

static void tell(struct walk *w, const struct place *place)
{
    if (!place->known)
        return;
    struct expr_path path = place->path;
    path.guarded |= w->guarded;
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

/* The value of a branch may be either: each is used. */
static struct place either(struct walk *w, const struct node *a, const struct node *b,
                           const struct place *input)
{
    use(w, a, input);
    use(w, b, input);
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

static struct place call(struct walk *w, const struct node *node, const struct place *input)
{
    tell(w, input);
    if (node->function->keeps_path) {
        use(w, node->left, &NOWHERE);
        return NOWHERE;
    }
    use(w, node->left, input);
    use(w, node->right, input);
    return NOWHERE;
}

static bool reads_input(const struct node *node)
{
    return !span_is(node->text, "now") && !span_is(node->text, "range") &&
           !(span_is(node->text, "error") && node->left) &&
           !((span_is(node->text, "first") || span_is(node->text, "last")) && node->left);
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
    case NODE_COMMA:
        return either(w, node->left, node->right, input);
    case NODE_ALTERNATIVE:
        use_guarded(w, node->left, input);
        use(w, node->right, input);
        return NOWHERE;
    case NODE_PIPE:
        return pipe(w, node, input);
    case NODE_IF:
        use_guarded(w, node->left, input);
        if (node->third == NULL)
            tell(w, input);
        return either(w, node->right, node->third, input);
    case NODE_AS:
        return as(w, node, input);
    case NODE_VARIABLE:
        return variable(w, node);
    case NODE_CALL:
        if (!reads_input(node)) {
            use(w, node->left, input);
            use(w, node->right, input);
            return NOWHERE;
        }
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
