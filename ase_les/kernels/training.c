/* ---- training: features, their gradients, and rates along a change of the vectors ---- */

#define training NAME(training)

/* Lanes of one atom as in `scratch`, with what second derivatives need. */
typedef struct {
    scratch s;                     /* s.radial is [lane][radial], s.sums of one kind */
    REAL *distance_rate, *unit_rate[3];
    REAL *angular_rates;           /* [function][lane] */
    /* [radial][lane]: functions, derivatives by the distance; derivatives by the frequency, theirs
     * by the distance */
    REAL *functions, *slopes, *curves, *turns, *turn_slopes;
    REAL *radial_rates;            /* [lane][radial] */
    REAL *sums, *sum_rates;        /* [kind][function][radial] */
    REAL *by_sums, *by_sum_rates;  /* of one kind */
    REAL *raw, *raw_rates, *by_raw, *by_raw_rates;
    REAL *plain, *plain_rates;     /* mixed sums before the receiver is multiplied */
    REAL *mixed, *mixed_rates, *by_mixed, *by_mixed_rates;
    REAL *by_features, *feature_rates, *ones;
} training;

static size_t NAME(lay_out_training)(training *t, arena *from, const fused_cace *cace,
                                     int64_t n_angular, int64_t n_invariants)
{
    const fused_model *model = &cace->model;
    const size_t real = sizeof(REAL), capacity = t->s.capacity;
    const size_t n_radial = PADDED(model->n_radial), block = n_angular * n_radial * real;
    const size_t columns = model->n_embedding * PADDED(model->n_mixed) * real;
    NAME(lay_out)(&t->s, from, model, n_angular, n_invariants);
    REAL **by_lane[] = {&t->distance_rate, t->unit_rate, t->unit_rate + 1, t->unit_rate + 2};
    for (int k = 0; k < 4; ++k)
        *by_lane[k] = piece(from, capacity * real);
    t->angular_rates = piece(from, n_angular * capacity * real);
    REAL **by_radial[] = {&t->functions, &t->slopes, &t->curves, &t->turns, &t->turn_slopes,
                          &t->radial_rates};
    for (int k = 0; k < 6; ++k)
        *by_radial[k] = piece(from, n_radial * capacity * real);
    t->sums = piece(from, model->n_kinds * block);
    t->sum_rates = piece(from, model->n_kinds * block);
    t->by_sums = piece(from, block);
    t->by_sum_rates = piece(from, block);
    REAL **raw[] = {&t->raw, &t->raw_rates, &t->by_raw, &t->by_raw_rates};
    for (int k = 0; k < 4; ++k)
        *raw[k] = piece(from, model->n_embedding * block);
    REAL **mixed[] = {&t->plain, &t->plain_rates, &t->mixed, &t->mixed_rates, &t->by_mixed,
                      &t->by_mixed_rates};
    for (int k = 0; k < 6; ++k)
        *mixed[k] = piece(from, n_angular * columns);
    t->by_features = piece(from, n_invariants * columns);
    t->feature_rates = piece(from, n_invariants * columns);
    t->ones = piece(from, PADDED(model->n_mixed) * real);
    return from->used;
}

static int NAME(allocate_training)(training *t, arena *from, const fused_cace *cace,
                                   int64_t n_angular, int64_t n_invariants)
{
    arena counting = {NULL, 0, 0};
    t->s.capacity = PADDED(cace->n_slots) + PAD * (cace->model.n_kinds + 1);
    from->size = NAME(lay_out_training)(t, &counting, cace, n_angular, n_invariants) + 64;
    /* Zeros: padding is read and has to stay finite. */
    from->memory = calloc(from->size, 1);
    if (!from->memory)
        return NO_MEMORY;
    from->used = (64 - (uintptr_t)from->memory % 64) % 64;
    NAME(lay_out_training)(t, from, cace, n_angular, n_invariants);
    for (int64_t m = 0; m < PADDED(cace->model.n_mixed); ++m)
        t->ones[m] = 1;
    return DONE;
}

INLINE vec NAME(gather)(const REAL *from, const int64_t *slots)
{
    vec value;
    for (int64_t k = 0; k < LANES; ++k)
        value[k] = slots[k] < 0 ? 0 : from[slots[k]];
    return value;
}

/* Bessel functions times the cutoff function, and their derivatives; zero in idle lanes. */
static void NAME(bessel)(const fused_cace *cace, int64_t atom, training *t, int with_rates)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = t->s.capacity, n_slots = cace->n_slots, p = cace->exponent;
    const REAL cutoff = (REAL)cace->model.cutoff, *frequencies = cace->frequencies;
    const REAL norm = SQRT(2 / cutoff), factor = (REAL)(p * (p + 1) * (p + 2)) / 2;
    const REAL *sines = (const REAL *)cace->sines + atom * n_radial * n_slots;
    const REAL *cosines = (const REAL *)cace->cosines + atom * n_radial * n_slots;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const int64_t *slots = t->s.edge + lane;
        const vec r = NAME(load)(t->s.distance + lane), inverse = NAME(load)(t->s.inverse + lane);
        const vec x = r / cutoff;
        vec power = x - x + 1, used = x - x;
        for (int64_t k = 0; k < LANES; ++k)
            used[k] = slots[k] < 0 ? 0 : norm;
        for (int64_t k = 2; k < p; ++k)
            power *= x;
        const vec value = 1 - power * x * x * (REAL)0.5
            * ((REAL)((p + 1) * (p + 2)) - x * ((REAL)(2 * p * (p + 2)) - x * (REAL)(p * (p + 1))));
        const vec slope = -factor / cutoff * power * x * (1 - x) * (1 - x);
        const vec curve = -factor / (cutoff * cutoff) * power * (1 - x)
            * ((REAL)(p - 1) * (1 - x) - 2 * x);
        /* The cutoff function divided by the distance. */
        const vec h = used * value * inverse, h1 = (used * slope - h) * inverse;
        const vec h2 = (used * curve - 2 * h1) * inverse;
        const vec rate = NAME(load)(t->distance_rate + lane);
        for (int64_t n = 0; n < n_radial; ++n) {
            const REAL w = frequencies[n];
            const int64_t place = n * capacity + lane;
            const vec sine = NAME(gather)(sines + n * n_slots, slots);
            const vec cosine = NAME(gather)(cosines + n * n_slots, slots);
            const vec f = h * sine, f1 = h1 * sine + h * w * cosine;
            NAME(store)(t->functions + place, f);
            NAME(store)(t->slopes + place, f1);
            NAME(store)(t->curves + place, h2 * sine + 2 * w * h1 * cosine - h * w * w * sine);
            NAME(store)(t->turns + place, h * r * cosine);
            NAME(store)(t->turn_slopes + place, (h1 * r + h) * cosine - h * r * w * sine);
            const vec f_rate = f1 * rate;
            for (int64_t k = 0; k < LANES; ++k) {
                t->s.radial[(lane + k) * width + n] = f[k];
                if (with_rates)
                    t->radial_rates[(lane + k) * width + n] = f_rate[k];
            }
        }
    }
}

/* Lanes of an atom; with the change of its vectors if there is one. */
static void NAME(fill_lanes)(const fused_cace *cace, int64_t atom, const REAL *change, training *t)
{
    const int64_t n_slots = cace->n_slots, plane = cace->n_atoms * n_slots;
    const int64_t *kinds = cace->sender_kinds + atom * n_slots;
    const REAL *vectors = (const REAL *)cace->vectors + atom * n_slots;
    const REAL limit = (REAL)(cace->model.cutoff * cace->model.cutoff);
    scratch *s = &t->s;
    int64_t n = 0;
    for (int64_t slot = 0; slot < n_slots; ++slot) {
        const REAL x = vectors[slot], y = vectors[plane + slot], z = vectors[2 * plane + slot];
        if (x * x + y * y + z * z < limit) {
            s->found_vector[3 * n] = x;
            s->found_vector[3 * n + 1] = y;
            s->found_vector[3 * n + 2] = z;
            s->found[n] = slot;
            s->found_kind[n++] = kinds[slot];
        }
    }
    NAME(arrange)(s, n, cace->model.n_kinds, cace->model.cutoff);
    if (change) {
        for (int64_t lane = 0; lane < s->n; lane += LANES) {
            vec rate[3], along = {0};
            for (int axis = 0; axis < 3; ++axis) {
                const REAL *own = change + axis * plane + atom * n_slots;
                rate[axis] = NAME(gather)(own, s->edge + lane);
                along += rate[axis] * NAME(load)(s->unit[axis] + lane);
            }
            NAME(store)(t->distance_rate + lane, along);
            for (int axis = 0; axis < 3; ++axis)
                NAME(store)(t->unit_rate[axis] + lane,
                            (rate[axis] - along * NAME(load)(s->unit[axis] + lane))
                                * NAME(load)(s->inverse + lane));
        }
    }
    NAME(bessel)(cace, atom, t, change != NULL);
}

static void NAME(add_times)(REAL *to, const REAL *from, REAL factor, int64_t length)
{
    for (int64_t k = 0; k < length; ++k)
        to[k] += factor * from[k];
}

static REAL NAME(dot)(const REAL *a, const REAL *b, int64_t length)
{
    vec total = {0};
    REAL sum = 0;
    for (int64_t k = 0; k < length; k += LANES)
        total += NAME(load)(a + k) * NAME(load)(b + k);
    for (int64_t k = 0; k < LANES; ++k)
        sum += total[k];
    return sum;
}

/* Multiply [row][mixed] by the receiver. */
static void NAME(times_receiver)(REAL *to, const REAL *from, const REAL *own, int64_t n_rows,
                                 int64_t n_mixed)
{
    for (int64_t row = 0; row < n_rows; ++row)
        for (int64_t m = 0; m < n_mixed; ++m)
            to[row * n_mixed + m] = from[row * n_mixed + m] * own[m];
}

/* Add a gradient by the receiver, of [row][mixed] sums and gradients. */
static void NAME(by_receiver)(REAL *to, const REAL *sums, const REAL *by_sums, int64_t n_rows,
                              int64_t n_mixed)
{
    for (int64_t row = 0; row < n_rows; ++row)
        for (int64_t m = 0; m < n_mixed; ++m)
            to[m] += sums[row * n_mixed + m] * by_sums[row * n_mixed + m];
}

/* Rows of features without and with the padding of mixed functions. */
static void NAME(copy_rows)(REAL *to, int64_t to_width, const REAL *from, int64_t from_width,
                            int64_t n_rows, int64_t n_mixed)
{
    for (int64_t row = 0; row < n_rows; ++row)
        memcpy(to + row * to_width, from + row * from_width, n_mixed * sizeof *to);
}

/* Add gradients by the frequencies from those by the sums of one kind, `with_rates` also from
 * those by their rates. */
static void NAME(by_frequencies)(const fused_cace *cace, const training *t, int64_t kind,
                                 int64_t n_angular, int with_rates, REAL *to)
{
    const int64_t capacity = t->s.capacity, width = PADDED(cace->model.n_radial);
    for (int64_t n = 0; n < cace->model.n_radial; ++n) {
        vec total = {0};
        for (int64_t lane = t->s.start[kind]; lane < t->s.start[kind + 1]; lane += LANES) {
            vec by_value = {0}, by_rate = {0};
            for (int64_t l = 0; l < n_angular; ++l) {
                const vec y = NAME(load)(t->s.angular + l * capacity + lane);
                by_value += t->by_sums[l * width + n] * y;
                if (with_rates) {
                    const REAL own = t->by_sum_rates[l * width + n];
                    by_value += own * NAME(load)(t->angular_rates + l * capacity + lane);
                    by_rate += own * y;
                }
            }
            const int64_t place = n * capacity + lane;
            total += by_value * NAME(load)(t->turns + place);
            if (with_rates)
                total += by_rate * NAME(load)(t->turn_slopes + place)
                    * NAME(load)(t->distance_rate + lane);
        }
        for (int64_t k = 0; k < LANES; ++k)
            to[n] += total[k];
    }
}

/* Write gradients by the vectors of a group of lanes. */
INLINE void NAME(write_vectors)(const fused_cace *cace, const training *t, int64_t lane,
                                int64_t atom, const vec *by_vector, REAL *by_vectors)
{
    for (int64_t k = 0; k < LANES; ++k) {
        const int64_t slot = t->s.edge[lane + k];
        for (int axis = 0; axis < 3 && slot >= 0; ++axis)
            by_vectors[(axis * cace->n_atoms + atom) * cace->n_slots + slot] = by_vector[axis][k];
    }
}
