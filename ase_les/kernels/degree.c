/* ---- angular functions up to degree @L@ ---- */

static void NAME(monomials_@L@)(scratch *s)
{
    const int64_t capacity = s->capacity;
    REAL *values = s->angular;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        const vec z = NAME(load)(s->unit[2] + lane);
        (void)x, (void)y, (void)z;
@MONOMIALS@
    }
}

/* Sums over the lanes of one kind. */
static void NAME(sum_@L@)(const scratch *s, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = s->capacity;
    const REAL *angular = s->angular;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = s->radial + v;
        REAL *sums = s->sums + v;
@SUMS@
    }
}

/* Mixed sums [function][embedding][mixed] of an atom of a kind from raw ones
 * [embedding][function][radial]. */
static void NAME(mix_@L@)(const fused_model *model, int64_t kind, const REAL *raw, REAL *mixed)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial);
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t columns = n_embedding * n_mixed;
    const REAL *receiver = (const REAL *)model->receiver + kind * n_mixed;
    for (int64_t s = 0; s < n_embedding; ++s, raw += @NL@ * width) {
        for (int64_t m = 0; m < n_mixed; m += LANES) {
            REAL *to = mixed + s * n_mixed + m;
            const vec own = NAME(load)(receiver + m);
            const REAL *weights;
            (void)columns;
@MIX@
        }
    }
}

/* Gradient by the raw sums of one embedding from that by the mixed ones. */
static void NAME(unmix_@L@)(const fused_model *model, int64_t kind, const REAL *by_mixed,
                            REAL *by_raw)
{
    const int64_t n_embedding = model->n_embedding, n_mixed = model->n_mixed;
    const int64_t width = PADDED(model->n_radial), columns = n_embedding * PADDED(n_mixed);
    const REAL *receiver = (const REAL *)model->receiver + kind * PADDED(n_mixed);
    for (int64_t s = 0; s < n_embedding; ++s, by_raw += @NL@ * width) {
        const REAL *from = by_mixed + s * PADDED(n_mixed);
        for (int64_t v = 0; v < width; v += LANES) {
            REAL *to = by_raw + v;
            const REAL *weights;
            (void)columns;
@UNMIX@
        }
    }
}

@PRODUCTS@

typedef void (*NAME(products_@L@))(const REAL *, const REAL *, REAL *, int64_t);

static int NAME(forward_@L@)(const fused_model *model, const fused_graph *graph, int64_t first,
                             int64_t last, REAL *raw, REAL *features)
{
    NAME(products_@L@) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
@VALUE_CASES@
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * @NL@ * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, @NL@, n_invariants))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 0);
        NAME(monomials_@L@)(&s);
        REAL *own = raw ? raw + atom * n_raw : s.raw;
        memset(own, 0, n_raw * sizeof *own);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            NAME(sum_@L@)(&s, s.start[kind], s.start[kind + 1], width);
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                REAL *to = own + e * @NL@ * width;
                for (int64_t k = 0; k < @NL@ * width; ++k)
                    to[k] += sender[e] * s.sums[k];
            }
        }
        NAME(mix_@L@)(model, graph->kinds[atom], own, s.mixed);
        products(s.mixed, NULL, s.features, model->n_embedding * PADDED(n_mixed));
        REAL *row = features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(row + k * n_mixed, s.features + k * PADDED(n_mixed), n_mixed * sizeof *row);
    }
    free(memory.memory);
    return DONE;
}

/* Gradient by the edges of one kind, whose gradient by the sums is s->sums. */
static void NAME(edges_@L@)(const fused_model *model, const fused_graph *graph, const scratch *s,
                            int64_t begin, int64_t end, int64_t atom, double *by_positions,
                            double *by_cells)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial), capacity = s->capacity;
    const REAL *sums = s->sums, *angular = s->angular;
    for (int64_t lane = begin; lane < end; lane += LANES) {
        const REAL *radial = s->radial + lane, *slopes = s->slopes + lane;
        const vec inverse = NAME(load)(s->inverse + lane);
        vec unit[3], t[@NL@], along = inverse - inverse;
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(s->unit[axis] + lane);
@EDGES@
        vec across[3] = {inverse - inverse, inverse - inverse, inverse - inverse};
@PULL_BACK@
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] * inverse;
        along = along
            - (across[0] * unit[0] + across[1] * unit[1] + across[2] * unit[2]);
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] + along * unit[axis];
        NAME(scatter)(graph, s, lane, atom, across, by_positions, by_cells);
    }
}

static int NAME(backward_@L@)(const fused_model *model, const fused_graph *graph, int64_t first,
                              int64_t last, const REAL *raw, const REAL *by_features,
                              double *by_positions, double *by_cells)
{
    NAME(products_@L@) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
@GRADIENT_CASES@
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * @NL@ * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, @NL@, n_invariants))
        return NO_MEMORY;
    memset(s.features, 0, rows * PADDED(n_mixed) * sizeof *s.features);
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 1);
        NAME(monomials_@L@)(&s);
        const REAL *row = by_features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(s.features + k * PADDED(n_mixed), row + k * n_mixed, n_mixed * sizeof *row);
        NAME(mix_@L@)(model, graph->kinds[atom], raw + atom * n_raw, s.mixed);
        products(s.mixed, s.features, s.by_mixed, model->n_embedding * PADDED(n_mixed));
        NAME(unmix_@L@)(model, graph->kinds[atom], s.by_mixed, s.raw);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            memset(s.sums, 0, @NL@ * width * sizeof *s.sums);
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                const REAL *from = s.raw + e * @NL@ * width;
                for (int64_t k = 0; k < @NL@ * width; ++k)
                    s.sums[k] += sender[e] * from[k];
            }
            NAME(edges_@L@)(model, graph, &s, s.start[kind], s.start[kind + 1], atom,
                            by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
