/* ---- split charges ---- */

INLINE REAL NAME(sum_of_lanes)(vec values)
{
    REAL total = 0;
    for (int64_t k = 0; k < LANES; ++k)
        total += values[k];
    return total;
}

/* Functions [function][lane] of distance and their slopes, see ase_les.charges. */
INLINE void NAME(split_functions)(const fused_split *split, int64_t receiver, scratch *s,
                                  const int slopes)
{
    const double pi = 3.14159265358979323846;
    const int64_t capacity = s->capacity;
    const REAL cutoff = (REAL)split->cutoff, rate = (REAL)(pi / split->cutoff);
    const REAL height = (REAL)split->wave_height, bonded = (REAL)split->bonded;
    const REAL width = (REAL)(1 / (split->not_bonded - split->bonded));
    for (int64_t kind = 0; kind < split->n_kinds; ++kind) {
        const double *inverse_length = split->inverse_lengths + receiver * split->n_kinds + kind;
        const REAL inverse = (REAL)*inverse_length;
        for (int64_t lane = s->start[kind]; lane < s->start[kind + 1]; lane += LANES) {
            const vec r = NAME(load)(s->distance + lane), x = r / cutoff, rest = 1 - x;
            const vec x4 = x * x * x * x;
            vec within = 1 - x4 * x * (21 - x * (35 - x * 15));
            vec tilt = x4 * rest * rest * (-105 / cutoff);
            vec y = (r * inverse - bonded) * width;
            for (int64_t k = 0; k < LANES; ++k) {
                within[k] = r[k] < cutoff ? within[k] : 0;
                tilt[k] = r[k] < cutoff ? tilt[k] : 0;
                y[k] = y[k] < 0 ? 0 : (y[k] > 1 ? 1 : y[k]);
            }
            /* cos(πx) and sin(πx) from their series about π/2. */
            const vec angle = (x - (REAL)0.5) * (REAL)pi, square = angle * angle;
            vec cosine = square - square, sine = square - square;
            for (int n = 22; n >= 2; n -= 2) {
                sine = (sine * square + 1) * (REAL)(-1.0 / (n * (n - 1)));
                cosine = (cosine * square + 1) * (REAL)(-1.0 / (n * (n + 1)));
            }
            sine = sine * square + 1;
            cosine = -angle * (cosine * square + 1);
            const vec bond = 1 - y * y * y * (10 - y * (15 - y * 6));
            const vec waves[4] = {cosine - cosine + 1, cosine, 2 * cosine * cosine - 1,
                                  cosine * (4 * cosine * cosine - 3)};
            NAME(store)(s->radial + lane, within * bond);
            for (int n = 0; n < 4; ++n)
                NAME(store)(s->radial + (n + 1) * capacity + lane, height * within * waves[n]);
            if (!slopes)
                continue;
            const vec bond_tilt = y * y * (1 - y) * (1 - y) * (-30 * inverse * width);
            const vec sines[4] = {sine - sine, sine, 2 * sine * cosine,
                                  sine * (4 * cosine * cosine - 1)};
            NAME(store)(s->slopes + lane, tilt * bond + within * bond_tilt);
            for (int n = 0; n < 4; ++n)
                NAME(store)(s->slopes + (n + 1) * capacity + lane,
                            height * (tilt * waves[n] - within * sines[n] * (n * rate)));
        }
    }
}

/* The model of a scratch that holds the functions, and 8 numbers per lane in `angular`. */
static fused_model NAME(split_model)(const fused_split *split)
{
    fused_model model;
    memset(&model, 0, sizeof model);
    model.n_embedding = 1;
    model.n_radial = N_FUNCTIONS;
    model.n_mixed = 1;
    model.n_kinds = split->n_kinds;
    return model;
}

/* Weights of the functions for one pair: of the receiver's own numbers and of the elements. */
INLINE void NAME(split_weights)(const fused_split *split, const double *latent, int64_t receiver,
                                int64_t kind, int64_t channel, REAL *weights)
{
    const double *pair = split->weights
        + ((receiver * split->n_kinds + kind) * split->n_channels + channel) * 2 * N_FUNCTIONS;
    for (int n = 0; n < 2 * N_FUNCTIONS; ++n)
        weights[n] = (REAL)latent[n] + (REAL)pair[n];
}

/* What is taken from each lane, in row 0, and pulled, in row 1 of `angular`; the sum of the
 * pulls along the unit vectors. */
INLINE void NAME(split_take)(const fused_split *split, const double *latent, int64_t receiver,
                             int64_t channel, scratch *s, REAL *polarized)
{
    const int64_t capacity = s->capacity;
    REAL weights[2 * N_FUNCTIONS];
    vec sum[3];
    memset(sum, 0, sizeof sum);
    for (int64_t kind = 0; kind < split->n_kinds; ++kind) {
        NAME(split_weights)(split, latent, receiver, kind, channel, weights);
        for (int64_t lane = s->start[kind]; lane < s->start[kind + 1]; lane += LANES) {
            vec taken, pull;
            memset(&taken, 0, sizeof taken);
            memset(&pull, 0, sizeof pull);
            for (int n = 0; n < N_FUNCTIONS; ++n) {
                const vec function = NAME(load)(s->radial + n * capacity + lane);
                taken += function * weights[n];
                pull += function * weights[N_FUNCTIONS + n];
            }
            NAME(store)(s->angular + lane, taken);
            NAME(store)(s->angular + capacity + lane, pull);
            for (int axis = 0; axis < 3; ++axis)
                sum[axis] += pull * NAME(load)(s->unit[axis] + lane);
        }
    }
    for (int axis = 0; axis < 3; ++axis)
        polarized[axis] = NAME(sum_of_lanes)(sum[axis]);
}

INLINE vec NAME(along)(const scratch *s, int64_t lane, const REAL *vector)
{
    return NAME(load)(s->unit[0] + lane) * vector[0] + NAME(load)(s->unit[1] + lane) * vector[1]
        + NAME(load)(s->unit[2] + lane) * vector[2];
}

static int NAME(split_forward)(const fused_split *split, const fused_graph *graph, int64_t first,
                               int64_t last, const double *latent, double *charges)
{
    const fused_model model = NAME(split_model)(split);
    const int64_t n_channels = split->n_channels, row = n_channels * 2 * N_FUNCTIONS + 1;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, &model, graph, first, last, 8, 1))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge, receiver = graph->kinds[atom];
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, split->n_kinds, split->cutoff, atom, begin, edge, &s);
        NAME(split_functions)(split, receiver, &s, 0);
        for (int64_t channel = 0; channel < n_channels; ++channel) {
            const double *own = latent + atom * row + channel * 2 * N_FUNCTIONS;
            REAL polarized[3];
            double gained = 0;
            NAME(split_take)(split, own, receiver, channel, &s, polarized);
            for (int64_t lane = 0; lane < s.n; lane += LANES) {
                const vec moved = NAME(load)(s.angular + lane)
                    - NAME(load)(s.radial + s.capacity + lane) * NAME(along)(&s, lane, polarized);
                for (int64_t k = 0; k < LANES; ++k) {
                    if (s.edge[lane + k] < 0)
                        continue;
                    gained += (double)moved[k];
                    charges[graph->senders[s.edge[lane + k]] * n_channels + channel]
                        -= (double)moved[k];
                }
            }
            charges[atom * n_channels + channel] += gained;
        }
    }
    free(memory.memory);
    return DONE;
}

/* Gradients of one channel and atom; those by the edges are added to rows 4 to 6 of `angular`. */
static void NAME(split_channel)(const fused_split *split, const double *latent, int64_t receiver,
                                int64_t channel, scratch *s, double *by_latent)
{
    const int64_t capacity = s->capacity;
    const REAL *given = s->angular + 3 * capacity;
    REAL polarized[3], turned[3], weights[2 * N_FUNCTIONS];
    vec sum[3], by_weights[2 * N_FUNCTIONS];
    memset(sum, 0, sizeof sum);
    memset(by_weights, 0, sizeof by_weights);
    NAME(split_take)(split, latent, receiver, channel, s, polarized);
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec weight = NAME(load)(given + lane) * NAME(load)(s->radial + capacity + lane);
        for (int axis = 0; axis < 3; ++axis)
            sum[axis] -= weight * NAME(load)(s->unit[axis] + lane);
    }
    for (int axis = 0; axis < 3; ++axis)
        turned[axis] = NAME(sum_of_lanes)(sum[axis]);
    for (int64_t kind = 0; kind < split->n_kinds; ++kind) {
        NAME(split_weights)(split, latent, receiver, kind, channel, weights);
        for (int64_t lane = s->start[kind]; lane < s->start[kind + 1]; lane += LANES) {
            const vec h = NAME(load)(given + lane), pull = NAME(load)(s->angular + capacity + lane);
            const vec back = NAME(along)(s, lane, turned);
            const vec wave = NAME(load)(s->radial + capacity + lane);
            const vec wave_slope = NAME(load)(s->slopes + capacity + lane);
            vec by_length = -wave_slope * h * NAME(along)(s, lane, polarized), by_unit[3], radial;
            for (int n = 0; n < N_FUNCTIONS; ++n) {
                const vec function = NAME(load)(s->radial + n * capacity + lane);
                by_weights[n] += h * function;
                by_weights[N_FUNCTIONS + n] += back * function;
                by_length += NAME(load)(s->slopes + n * capacity + lane)
                    * (h * weights[n] + back * weights[N_FUNCTIONS + n]);
            }
            memset(&radial, 0, sizeof radial);
            for (int axis = 0; axis < 3; ++axis) {
                by_unit[axis] = pull * turned[axis] - h * wave * polarized[axis];
                radial += by_unit[axis] * NAME(load)(s->unit[axis] + lane);
            }
            for (int axis = 0; axis < 3; ++axis) {
                const vec unit = NAME(load)(s->unit[axis] + lane);
                REAL *to = s->angular + (4 + axis) * capacity + lane;
                NAME(store)(to, NAME(load)(to) + by_length * unit
                                    + (by_unit[axis] - radial * unit)
                                        * NAME(load)(s->inverse + lane));
            }
        }
    }
    for (int n = 0; n < 2 * N_FUNCTIONS; ++n)
        by_latent[n] = (double)NAME(sum_of_lanes)(by_weights[n]);
}

static int NAME(split_backward)(const fused_split *split, const fused_graph *graph, int64_t first,
                                int64_t last, const double *latent, const double *by_charges,
                                double *by_latent, double *by_positions, double *by_cells)
{
    const fused_model model = NAME(split_model)(split);
    const int64_t n_channels = split->n_channels, row = n_channels * 2 * N_FUNCTIONS + 1;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, &model, graph, first, last, 8, 1))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge, receiver = graph->kinds[atom];
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, split->n_kinds, split->cutoff, atom, begin, edge, &s);
        NAME(split_functions)(split, receiver, &s, 1);
        REAL *given = s.angular + 3 * s.capacity, *by_edges = s.angular + 4 * s.capacity;
        memset(by_edges, 0, 3 * s.capacity * sizeof *by_edges);
        for (int64_t channel = 0; channel < n_channels; ++channel) {
            for (int64_t lane = 0; lane < s.n; ++lane)
                given[lane] = s.edge[lane] < 0 ? 0
                    : (REAL)(by_charges[atom * n_channels + channel]
                             - by_charges[graph->senders[s.edge[lane]] * n_channels + channel]);
            const int64_t at = atom * row + channel * 2 * N_FUNCTIONS;
            NAME(split_channel)(split, latent + at, receiver, channel, &s, by_latent + at);
        }
        for (int64_t lane = 0; lane < s.n; lane += LANES) {
            vec by_edge[3];
            for (int axis = 0; axis < 3; ++axis)
                by_edge[axis] = NAME(load)(by_edges + axis * s.capacity + lane);
            NAME(scatter)(graph, &s, lane, atom, by_edge, by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
