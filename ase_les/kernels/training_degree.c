/* ---- training up to degree @L@ ---- */

static void NAME(angular_rates_@L@)(training *t)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const vec x = NAME(load)(t->unit_rate[0] + lane), y = NAME(load)(t->unit_rate[1] + lane);
        const vec z = NAME(load)(t->unit_rate[2] + lane);
        (void)x, (void)y, (void)z, (void)angular;
@ANGULAR_RATES@
    }
}

/* Rates of the sums of one kind, to s.sums. */
static void NAME(sum_rates_@L@)(const training *t, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular, *angular_rates = t->angular_rates;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = t->s.radial + v, *radial_rates = t->radial_rates + v;
        REAL *sums = t->s.sums + v;
@SUM_RATES@
    }
}

/* Gradients by the vectors of one kind. */
static void NAME(vectors_@L@)(const fused_cace *cace, const training *own, int64_t kind,
                              int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sums, *angular = own->s.angular;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        vec unit[3], t[@NL@], along = {0}, across[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
@EDGES@
@PULL_BACK@
        for (int axis = 0; axis < 3; ++axis) {
            across[axis] *= inverse;
            along -= across[axis] * unit[axis];
        }
        for (int axis = 0; axis < 3; ++axis)
            across[axis] += along * unit[axis];
        NAME(write_vectors)(cace, own, lane, atom, across, by_vectors);
    }
}

/* Gradients by the vectors of one kind of a function of sums and of their rates: the rate of the
 * gradient from the rates. */
static void NAME(second_vectors_@L@)(const fused_cace *cace, const training *own, int64_t kind,
                                     int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sum_rates, *sum_rates = own->by_sums;
    const REAL *angular = own->s.angular, *angular_rates = own->angular_rates;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const REAL *curves = own->curves + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        const vec rate = NAME(load)(own->distance_rate + lane);
        vec unit[3], unit_rate[3], t[@NL@], t_rate[@NL@], along = {0}, along_rate = {0};
        vec across[3] = {{0}, {0}, {0}}, across_rate[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis) {
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
            unit_rate[axis] = NAME(load)(own->unit_rate[axis] + lane);
        }
@EDGES_RATES@
@PULL_BACK_RATES@
        for (int axis = 0; axis < 3; ++axis) {
            across_rate[axis] = (across_rate[axis] - across[axis] * rate * inverse) * inverse;
            across[axis] *= inverse;
            along -= across[axis] * unit[axis];
            along_rate -= across_rate[axis] * unit[axis] + across[axis] * unit_rate[axis];
        }
        for (int axis = 0; axis < 3; ++axis)
            across_rate[axis] += along_rate * unit[axis] + along * unit_rate[axis];
        NAME(write_vectors)(cace, own, lane, atom, across_rate, by_vectors);
    }
}

/* Sums, mixed sums and, with a change of the vectors, their rates of one atom. */
static void NAME(sums_of_atom_@L@)(const fused_cace *cace, int64_t atom, const REAL *change,
                                   training *t)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = @NL@ * width;
    const int64_t n_embedding = model->n_embedding;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    NAME(fill_lanes)(cace, atom, change, t);
    NAME(monomials_@L@)(&t->s);
    memset(t->raw, 0, n_embedding * block * sizeof *t->raw);
    if (change) {
        NAME(angular_rates_@L@)(t);
        memset(t->raw_rates, 0, n_embedding * block * sizeof *t->raw);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        const int64_t begin = t->s.start[kind], end = t->s.start[kind + 1];
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        if (begin == end)
            continue;
        t->s.sums = t->sums + kind * block;
        NAME(sum_@L@)(&t->s, begin, end, width);
        for (int64_t e = 0; e < n_embedding; ++e)
            NAME(add_times)(t->raw + e * block, t->s.sums, sender[e], block);
        if (change) {
            t->s.sums = t->sum_rates + kind * block;
            NAME(sum_rates_@L@)(t, begin, end, width);
            for (int64_t e = 0; e < n_embedding; ++e)
                NAME(add_times)(t->raw_rates + e * block, t->s.sums, sender[e], block);
        }
    }
    const int64_t n_mixed = PADDED(model->n_mixed), n_rows = @NL@ * n_embedding;
    const REAL *own = (const REAL *)model->receiver + cace->kinds[atom] * n_mixed;
    NAME(mix_@L@)(&without_receiver, 0, t->raw, t->plain);
    NAME(times_receiver)(t->mixed, t->plain, own, n_rows, n_mixed);
    if (change) {
        NAME(mix_@L@)(&without_receiver, 0, t->raw_rates, t->plain_rates);
        NAME(times_receiver)(t->mixed_rates, t->plain_rates, own, n_rows, n_mixed);
    }
}

static void NAME(by_mixing_@L@)(const fused_model *model, const REAL *raw, const REAL *by_mixed,
                                REAL *by_mixing)
{
    static const int64_t starts[] = {@STARTS@};
    const int64_t n_embedding = model->n_embedding, width = PADDED(model->n_radial);
    const int64_t n_mixed = PADDED(model->n_mixed), columns = n_embedding * n_mixed;
    for (int degree = 0; degree <= @L@; ++degree)
        for (int64_t e = 0; e < n_embedding; ++e)
            for (int64_t n = 0; n < model->n_radial; ++n, by_mixing += n_mixed)
                for (int64_t m = 0; m < n_mixed; m += LANES) {
                    vec total = NAME(load)(by_mixing + m);
                    for (int64_t l = starts[degree]; l < starts[degree + 1]; ++l)
                        total += raw[(e * @NL@ + l) * width + n]
                            * NAME(load)(by_mixed + l * columns + e * n_mixed + m);
                    NAME(store)(by_mixing + m, total);
                }
}

/* Gradients of one atom from those by its mixed sums and, with a change, by their rates. */
static void NAME(gradients_of_atom_@L@)(const fused_cace *cace, int64_t atom, int has_rates,
                                        training *t, const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = @NL@ * width;
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t n_rows = @NL@ * n_embedding, place = cace->kinds[atom] * n_mixed;
    const REAL *own = (const REAL *)model->receiver + place;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    if (to->receiver) {
        NAME(by_receiver)((REAL *)to->receiver + place, t->plain, t->by_mixed, n_rows, n_mixed);
        if (has_rates)
            NAME(by_receiver)((REAL *)to->receiver + place, t->plain_rates, t->by_mixed_rates,
                              n_rows, n_mixed);
    }
    NAME(times_receiver)(t->by_mixed, t->by_mixed, own, n_rows, n_mixed);
    NAME(unmix_@L@)(&without_receiver, 0, t->by_mixed, t->by_raw);
    if (to->mixing)
        NAME(by_mixing_@L@)(model, t->raw, t->by_mixed, to->mixing);
    if (has_rates) {
        NAME(times_receiver)(t->by_mixed_rates, t->by_mixed_rates, own, n_rows, n_mixed);
        NAME(unmix_@L@)(&without_receiver, 0, t->by_mixed_rates, t->by_raw_rates);
        if (to->mixing)
            NAME(by_mixing_@L@)(model, t->raw_rates, t->by_mixed_rates, to->mixing);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        if (t->s.start[kind] == t->s.start[kind + 1])
            continue;
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        memset(t->by_sums, 0, block * sizeof *t->by_sums);
        memset(t->by_sum_rates, 0, block * sizeof *t->by_sum_rates);
        for (int64_t e = 0; e < n_embedding; ++e) {
            const int64_t from = e * block;
            NAME(add_times)(t->by_sums, t->by_raw + from, sender[e], block);
            if (has_rates)
                NAME(add_times)(t->by_sum_rates, t->by_raw_rates + from, sender[e], block);
            if (to->sender) {
                REAL *by_sender = (REAL *)to->sender + kind * n_embedding + e;
                *by_sender += NAME(dot)(t->by_raw + from, t->sums + kind * block, block);
                if (has_rates)
                    *by_sender += NAME(dot)(t->by_raw_rates + from, t->sum_rates + kind * block,
                                            block);
            }
        }
        if (to->frequencies)
            NAME(by_frequencies)(cace, t, kind, @NL@, has_rates, to->frequencies);
        if (to->vectors && has_rates)
            NAME(second_vectors_@L@)(cace, t, kind, atom, to->vectors);
        else if (to->vectors)
            NAME(vectors_@L@)(cace, t, kind, atom, to->vectors);
    }
}

typedef void (*NAME(second_products_@L@))(const REAL *, const REAL *, const REAL *, REAL *, REAL *,
                                          REAL *, int64_t);

@SECOND_PRODUCTS@

static int NAME(cace_values_@L@)(const fused_cace *cace, int64_t first, int64_t last,
                                 REAL *features)
{
    const fused_model *model = &cace->model;
    NAME(products_@L@) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
@VALUE_CASES@
    default: return NOT_SUPPORTED;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, @NL@, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_@L@)(cace, atom, NULL, &t);
        products(t.mixed, NULL, t.by_features, model->n_embedding * PADDED(n_mixed));
        NAME(copy_rows)(features + atom * rows * n_mixed, n_mixed, t.by_features, PADDED(n_mixed),
                        rows, n_mixed);
    }
    free(memory.memory);
    return DONE;
}

static int NAME(cace_gradients_@L@)(const fused_cace *cace, int64_t first, int64_t last,
                                    const REAL *by_features, const REAL *change,
                                    const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    NAME(products_@L@) products = NULL;
    NAME(second_products_@L@) second_products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
@GRADIENT_CASES@
    default: return NOT_SUPPORTED;
    }
    switch (model->nu_max) {
@SECOND_CASES@
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    const int64_t columns = model->n_embedding * PADDED(n_mixed);
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, @NL@, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_@L@)(cace, atom, change, &t);
        NAME(copy_rows)(t.by_features, PADDED(n_mixed), by_features + atom * rows * n_mixed,
                        n_mixed, rows, n_mixed);
        if (change) {
            second_products(t.mixed, t.mixed_rates, t.by_features, t.feature_rates,
                            t.by_mixed_rates, t.by_mixed, columns);
            if (to->features)
                NAME(copy_rows)((REAL *)to->features + atom * rows * n_mixed, n_mixed,
                                t.feature_rates, PADDED(n_mixed), rows, n_mixed);
        } else {
            products(t.mixed, t.by_features, t.by_mixed, columns);
        }
        NAME(gradients_of_atom_@L@)(cace, atom, change != NULL, &t, to);
    }
    free(memory.memory);
    return DONE;
}
