/* ---- messages of MACE ----
 *
 * Sums of one atom over its edges e, for every path p = (l1, l2, l3) and channel c:
 *     S[p, m3] = sum_e R[e, p] sum_m1 A[e, p, m1, m3] H[sender(e), l1, m1]
 * Arrays are [edge][path][channel], [edge][angle], [atom][component][channel]. */

/* Call a function of a path with constant numbers of components, which are unrolled. */
#define FOR_PATH(function, d1, d3, ...)                                        \
    switch (10 * (d1) + (d3)) {                                                \
    case 11: NAME(function)(1, 1, __VA_ARGS__); break;                         \
    case 13: NAME(function)(1, 3, __VA_ARGS__); break;                         \
    case 15: NAME(function)(1, 5, __VA_ARGS__); break;                         \
    case 17: NAME(function)(1, 7, __VA_ARGS__); break;                         \
    case 31: NAME(function)(3, 1, __VA_ARGS__); break;                         \
    case 33: NAME(function)(3, 3, __VA_ARGS__); break;                         \
    case 35: NAME(function)(3, 5, __VA_ARGS__); break;                         \
    case 37: NAME(function)(3, 7, __VA_ARGS__); break;                         \
    case 51: NAME(function)(5, 1, __VA_ARGS__); break;                         \
    case 53: NAME(function)(5, 3, __VA_ARGS__); break;                         \
    case 55: NAME(function)(5, 5, __VA_ARGS__); break;                         \
    case 57: NAME(function)(5, 7, __VA_ARGS__); break;                         \
    default: return NOT_SUPPORTED;                                             \
    }

INLINE void NAME(path_sum)(const int d1, const int d3, int64_t n, const REAL *radial,
                           const REAL *angles, const REAL *sent, REAL *sums)
{
    for (int64_t c = 0; c < n; c += LANES) {
        const vec r = NAME(load)(radial + c);
        vec weighted[5];
        for (int i = 0; i < d1; ++i)
            weighted[i] = r * NAME(load)(sent + i * n + c);
        for (int k = 0; k < d3; ++k) {
            vec sum = NAME(load)(sums + k * n + c);
            for (int i = 0; i < d1; ++i)
                sum += weighted[i] * angles[i * d3 + k];
            NAME(store)(sums + k * n + c, sum);
        }
    }
}

INLINE void NAME(path_gradient)(const int d1, const int d3, int64_t n, const REAL *radial,
                                const REAL *angles, const REAL *sent, const REAL *by_sums,
                                REAL *by_radial, REAL *by_angles, REAL *by_sent)
{
    vec totals[35];
    for (int i = 0; i < d1 * d3; ++i)
        totals[i] = (vec){0};
    for (int64_t c = 0; c < n; c += LANES) {
        const vec r = NAME(load)(radial + c);
        vec g[7], by_r = {0};
        for (int k = 0; k < d3; ++k)
            g[k] = NAME(load)(by_sums + k * n + c);
        for (int i = 0; i < d1; ++i) {
            const vec h = NAME(load)(sent + i * n + c), weighted = r * h;
            vec t = {0};
            for (int k = 0; k < d3; ++k) {
                t += g[k] * angles[i * d3 + k];
                totals[i * d3 + k] += weighted * g[k];
            }
            by_r += t * h;
            NAME(store)(by_sent + i * n + c, NAME(load)(by_sent + i * n + c) + t * r);
        }
        NAME(store)(by_radial + c, by_r);
    }
    for (int i = 0; i < d1 * d3; ++i)
        by_angles[i] = NAME(sum_of_lanes)(totals[i]);
}

/* Gradients of u_radial . by_radial + u_angles . by_angles + u_sent . by_sent. */
INLINE void NAME(path_second)(const int d1, const int d3, int64_t n, const REAL *radial,
                              const REAL *angles, const REAL *sent, const REAL *by_sums,
                              const REAL *u_radial, const REAL *u_angles, const REAL *u_sent,
                              REAL *to_radial, REAL *to_angles, REAL *to_sent, REAL *to_sums)
{
    vec totals[35];
    for (int i = 0; i < d1 * d3; ++i)
        totals[i] = (vec){0};
    for (int64_t c = 0; c < n; c += LANES) {
        const vec r = NAME(load)(radial + c), ur = NAME(load)(u_radial + c);
        vec g[7], to_g[7], to_r = {0};
        for (int k = 0; k < d3; ++k) {
            g[k] = NAME(load)(by_sums + k * n + c);
            to_g[k] = NAME(load)(to_sums + k * n + c);
        }
        for (int i = 0; i < d1; ++i) {
            const vec h = NAME(load)(sent + i * n + c), uh = NAME(load)(u_sent + i * n + c);
            const vec weighted = r * h, changed = ur * h + r * uh;
            vec t = {0}, ut = {0};
            for (int k = 0; k < d3; ++k) {
                const REAL a = angles[i * d3 + k], ua = u_angles[i * d3 + k];
                t += g[k] * a;
                ut += g[k] * ua;
                totals[i * d3 + k] += changed * g[k];
                to_g[k] += changed * a + weighted * ua;
            }
            to_r += ut * h + t * uh;
            NAME(store)(to_sent + i * n + c,
                        NAME(load)(to_sent + i * n + c) + t * ur + ut * r);
        }
        for (int k = 0; k < d3; ++k)
            NAME(store)(to_sums + k * n + c, to_g[k]);
        NAME(store)(to_radial + c, to_r);
    }
    for (int i = 0; i < d1 * d3; ++i)
        to_angles[i] = NAME(sum_of_lanes)(totals[i]);
}

#define EACH_PATH                                                              \
    for (int64_t p = 0, angle = 0, row = 0; p < m->n_paths;                    \
         angle += m->paths[3 * p + 1] * m->paths[3 * p + 2],                   \
         row += m->paths[3 * p + 2], ++p)

static int NAME(messages_sum)(const fused_messages *m, const REAL *radial, const REAL *angles,
                              const REAL *sent, REAL *sums)
{
    const int64_t n = m->n_channels;
    for (int64_t atom = 0; atom < m->n_atoms; ++atom) {
        REAL *own = sums + atom * m->n_rows * n;
        memset(own, 0, m->n_rows * n * sizeof(REAL));
        for (int64_t edge = m->starts[atom]; edge < m->starts[atom + 1]; ++edge) {
            const REAL *from = sent + m->senders[edge] * m->n_sent * n;
            const REAL *r = radial + edge * m->n_paths * n, *a = angles + edge * m->n_angles;
            EACH_PATH
            {
                const int64_t *path = m->paths + 3 * p;
                FOR_PATH(path_sum, path[1], path[2], n, r + p * n, a + angle, from + path[0] * n,
                         own + row * n)
            }
        }
    }
    return DONE;
}

static int NAME(messages_gradient)(const fused_messages *m, const REAL *radial,
                                   const REAL *angles, const REAL *sent, const REAL *by_sums,
                                   REAL *by_radial, REAL *by_angles, REAL *by_sent)
{
    const int64_t n = m->n_channels;
    for (int64_t atom = 0; atom < m->n_atoms; ++atom) {
        const REAL *own = by_sums + atom * m->n_rows * n;
        for (int64_t edge = m->starts[atom]; edge < m->starts[atom + 1]; ++edge) {
            const int64_t place = m->senders[edge] * m->n_sent * n, e = edge * m->n_paths * n;
            const int64_t f = edge * m->n_angles;
            EACH_PATH
            {
                const int64_t *path = m->paths + 3 * p, first = place + path[0] * n;
                FOR_PATH(path_gradient, path[1], path[2], n, radial + e + p * n,
                         angles + f + angle, sent + first, own + row * n, by_radial + e + p * n,
                         by_angles + f + angle, by_sent + first)
            }
        }
    }
    return DONE;
}

static int NAME(messages_second)(const fused_messages *m, const REAL *radial, const REAL *angles,
                                 const REAL *sent, const REAL *by_sums, const REAL *u_radial,
                                 const REAL *u_angles, const REAL *u_sent, REAL *to_radial,
                                 REAL *to_angles, REAL *to_sent, REAL *to_sums)
{
    const int64_t n = m->n_channels;
    for (int64_t atom = 0; atom < m->n_atoms; ++atom) {
        const int64_t own = atom * m->n_rows * n;
        for (int64_t edge = m->starts[atom]; edge < m->starts[atom + 1]; ++edge) {
            const int64_t place = m->senders[edge] * m->n_sent * n, e = edge * m->n_paths * n;
            const int64_t f = edge * m->n_angles;
            EACH_PATH
            {
                const int64_t *path = m->paths + 3 * p, first = place + path[0] * n;
                const int64_t at = own + row * n, of = e + p * n, from = f + angle;
                FOR_PATH(path_second, path[1], path[2], n, radial + of, angles + from,
                         sent + first, by_sums + at, u_radial + of, u_angles + from,
                         u_sent + first, to_radial + of, to_angles + from, to_sent + first,
                         to_sums + at)
            }
        }
    }
    return DONE;
}

/* Radial functions of a path between two points of their table, and their slopes. */
INLINE void NAME(interpolate)(const fused_radial *table, const REAL *rows, int64_t n, int64_t stride,
                              const REAL t, REAL *values, REAL *slopes)
{
    const REAL rest = 1 - t, inverse = (REAL)(1 / table->step);
    const REAL v0 = (1 + 2 * t) * rest * rest, v1 = t * rest * rest;
    const REAL v2 = t * t * (3 - 2 * t), v3 = -t * t * rest;
    const REAL s0 = -6 * t * rest * inverse, s1 = rest * (1 - 3 * t) * inverse;
    const REAL s2 = -s0, s3 = t * (3 * t - 2) * inverse;
    for (int64_t c = 0; c < n; c += LANES) {
        const vec a = NAME(load)(rows + c), b = NAME(load)(rows + stride + c);
        const vec d = NAME(load)(rows + 2 * stride + c), e = NAME(load)(rows + 3 * stride + c);
        NAME(store)(values + c, a * v0 + b * v1 + d * v2 + e * v3);
        if (slopes)
            NAME(store)(slopes + c, a * s0 + b * s1 + d * s2 + e * s3);
    }
}

INLINE const REAL *NAME(interval)(const fused_radial *table, int64_t stride, REAL distance, REAL *t)
{
    REAL scaled = distance / (REAL)table->step;
    if (!(scaled < (REAL)table->n_intervals))
        scaled = (REAL)table->n_intervals;
    const int64_t lower = (int64_t)scaled;
    *t = scaled - (REAL)lower;
    return (const REAL *)table->rows + 2 * lower * stride;
}

static int NAME(table_sum)(const fused_messages *m, const fused_radial *table, int64_t first,
                           int64_t last, const REAL *distances, const REAL *angles,
                           const REAL *sent, REAL *sums)
{
    const int64_t n = m->n_channels, stride = m->n_paths * n;
    REAL *values = malloc(n * sizeof(REAL));
    if (!values)
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        REAL *own = sums + atom * m->n_rows * n, t;
        memset(own, 0, m->n_rows * n * sizeof(REAL));
        for (int64_t edge = m->starts[atom]; edge < m->starts[atom + 1]; ++edge) {
            const REAL *from = sent + m->senders[edge] * m->n_sent * n;
            const REAL *rows = NAME(interval)(table, stride, distances[edge], &t);
            const REAL *a = angles + edge * m->n_angles;
            EACH_PATH
            {
                const int64_t *path = m->paths + 3 * p;
                NAME(interpolate)(table, rows + p * n, n, stride, t, values, NULL);
                FOR_PATH(path_sum, path[1], path[2], n, values, a + angle, from + path[0] * n,
                         own + row * n)
            }
        }
    }
    free(values);
    return DONE;
}

static int NAME(table_gradient)(const fused_messages *m, const fused_radial *table, int64_t first,
                                int64_t last, const REAL *distances, const REAL *angles,
                                const REAL *sent, const REAL *by_sums, REAL *by_distances,
                                REAL *by_angles, REAL *by_sent)
{
    const int64_t n = m->n_channels, stride = m->n_paths * n;
    REAL *values = malloc(3 * n * sizeof(REAL)), *slopes = values + n, *by_radial = slopes + n;
    if (!values)
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        const REAL *own = by_sums + atom * m->n_rows * n;
        for (int64_t edge = m->starts[atom]; edge < m->starts[atom + 1]; ++edge) {
            REAL t;
            const int64_t place = m->senders[edge] * m->n_sent * n, f = edge * m->n_angles;
            const REAL *rows = NAME(interval)(table, stride, distances[edge], &t);
            vec along = {0};
            EACH_PATH
            {
                const int64_t *path = m->paths + 3 * p, start = place + path[0] * n;
                NAME(interpolate)(table, rows + p * n, n, stride, t, values, slopes);
                FOR_PATH(path_gradient, path[1], path[2], n, values, angles + f + angle,
                         sent + start, own + row * n, by_radial, by_angles + f + angle,
                         by_sent + start)
                for (int64_t c = 0; c < n; c += LANES)
                    along += NAME(load)(by_radial + c) * NAME(load)(slopes + c);
            }
            by_distances[edge] = NAME(sum_of_lanes)(along);
        }
    }
    free(values);
    return DONE;
}

/* ---- weighted polynomials of MACE ----
 *
 * Rows of one atom are components, products of two earlier rows (pairs), and ones; a value is a sum
 * of terms w x_a x_b, and a result the sum of its values times the weights of the element. One
 * block of channels is worked on at a time: its rows stay in the cache. */

#define WIDTH 16

INLINE void NAME(fill_rows)(const fused_polynomials *q, const REAL *sums, REAL *rows)
{
    for (int64_t k = 0; k < q->n_components; ++k)
        memcpy(rows + k * WIDTH, sums + k * q->component_stride, WIDTH * sizeof(REAL));
    for (int64_t k = 0; k < q->n_pairs; ++k) {
        const REAL *a = rows + q->pairs[2 * k] * WIDTH, *b = rows + q->pairs[2 * k + 1] * WIDTH;
        REAL *to = rows + (q->n_components + k) * WIDTH;
        for (int64_t c = 0; c < WIDTH; c += LANES)
            NAME(store)(to + c, NAME(load)(a + c) * NAME(load)(b + c));
    }
    for (int64_t c = 0; c < WIDTH; ++c)
        rows[(q->n_components + q->n_pairs) * WIDTH + c] = 1;
}

static int NAME(polynomials_values)(const fused_polynomials *q, int64_t first, int64_t last,
                                    const REAL *sums, REAL *results)
{
    const int64_t n_rows = q->n_components + q->n_pairs + 1, n = q->n_channels;
    const REAL *factors = q->factors, *weights = q->weights;
    REAL *rows = malloc(n_rows * WIDTH * sizeof(REAL));
    if (!rows)
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        const REAL *own = weights + q->elements[atom] * q->n_weights * n;
        for (int64_t c0 = 0; c0 < n; c0 += WIDTH) {
            NAME(fill_rows)(q, sums + atom * n + c0, rows);
            for (int64_t r = 0; r < q->n_results; ++r) {
                vec total[WIDTH / LANES] = {{0}};
                for (int64_t v = q->result_starts[r]; v < q->result_starts[r + 1]; ++v) {
                    vec value[WIDTH / LANES] = {{0}};
                    for (int64_t k = q->value_starts[v]; k < q->value_starts[v + 1]; ++k) {
                        const REAL *a = rows + q->terms[2 * k] * WIDTH;
                        const REAL *b = rows + q->terms[2 * k + 1] * WIDTH;
                        for (int64_t j = 0; j < WIDTH / LANES; ++j)
                            value[j] += NAME(load)(a + j * LANES) * NAME(load)(b + j * LANES)
                                * factors[k];
                    }
                    const REAL *w = own + q->weight_rows[v] * n + c0;
                    for (int64_t j = 0; j < WIDTH / LANES; ++j)
                        total[j] += value[j] * NAME(load)(w + j * LANES);
                }
                REAL *to = results + r * q->component_stride + atom * n + c0;
                for (int64_t j = 0; j < WIDTH / LANES; ++j)
                    NAME(store)(to + j * LANES, total[j]);
            }
        }
    }
    free(rows);
    return DONE;
}

static int NAME(polynomials_gradients)(const fused_polynomials *q, int64_t first, int64_t last,
                                       const REAL *sums, const REAL *by_results, REAL *by_sums)
{
    const int64_t n_rows = q->n_components + q->n_pairs + 1, n = q->n_channels;
    const REAL *factors = q->factors, *weights = q->weights;
    REAL *rows = malloc(2 * n_rows * WIDTH * sizeof(REAL)), *by_rows = rows + n_rows * WIDTH;
    if (!rows)
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        const REAL *own = weights + q->elements[atom] * q->n_weights * n;
        for (int64_t c0 = 0; c0 < n; c0 += WIDTH) {
            NAME(fill_rows)(q, sums + atom * n + c0, rows);
            memset(by_rows, 0, n_rows * WIDTH * sizeof(REAL));
            for (int64_t r = 0; r < q->n_results; ++r) {
                const REAL *g = by_results + r * q->component_stride + atom * n + c0;
                for (int64_t v = q->result_starts[r]; v < q->result_starts[r + 1]; ++v) {
                    const REAL *w = own + q->weight_rows[v] * n + c0;
                    vec by_value[WIDTH / LANES];
                    for (int64_t j = 0; j < WIDTH / LANES; ++j)
                        by_value[j] = NAME(load)(g + j * LANES) * NAME(load)(w + j * LANES);
                    for (int64_t k = q->value_starts[v]; k < q->value_starts[v + 1]; ++k) {
                        const int64_t a = q->terms[2 * k] * WIDTH, b = q->terms[2 * k + 1] * WIDTH;
                        for (int64_t j = 0; j < WIDTH / LANES; ++j) {
                            const vec f = by_value[j] * factors[k];
                            const int64_t at = a + j * LANES, bt = b + j * LANES;
                            NAME(store)(by_rows + at,
                                        NAME(load)(by_rows + at) + f * NAME(load)(rows + bt));
                            NAME(store)(by_rows + bt,
                                        NAME(load)(by_rows + bt) + f * NAME(load)(rows + at));
                        }
                    }
                }
            }
            for (int64_t k = 0; k < q->n_pairs; ++k) {
                const int64_t a = q->pairs[2 * k] * WIDTH, b = q->pairs[2 * k + 1] * WIDTH;
                const REAL *g = by_rows + (q->n_components + k) * WIDTH;
                for (int64_t c = 0; c < WIDTH; c += LANES) {
                    const vec f = NAME(load)(g + c);
                    NAME(store)(by_rows + a + c,
                                NAME(load)(by_rows + a + c) + f * NAME(load)(rows + b + c));
                    NAME(store)(by_rows + b + c,
                                NAME(load)(by_rows + b + c) + f * NAME(load)(rows + a + c));
                }
            }
            for (int64_t k = 0; k < q->n_components; ++k)
                memcpy(by_sums + k * q->component_stride + atom * n + c0, by_rows + k * WIDTH,
                       WIDTH * sizeof(REAL));
        }
    }
    free(rows);
    return DONE;
}
#undef WIDTH
