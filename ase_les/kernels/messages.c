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
