/* ---- direct Ewald sum: structure factors, potentials and forces, see
 * ase_les.electrostatics.ewald. Pairs n, -n of the third axis share cosine and sine. ---- */
#ifdef IN_DOUBLE

/* Memory of one call. Lanes are atoms; axis 0 has powers 0, 1 ... of exp(2 pi i f). */
typedef struct {
    double *real[3], *imaginary[3];            /* [power][lane] */
    double *weighted_real, *weighted_imaginary; /* n cos, n sin of the third axis, [n][lane] */
    double *cosines, *sines;                   /* forward, third axis, [lane][n, padded] */
    double *sums;                              /* forward [first][second][4][n, padded] */
    double *pull;                              /* backward [first][second][n][4] */
} NAME(ewald_tables);

static size_t NAME(ewald_lay_out)(NAME(ewald_tables) *t, arena *from, const fused_ewald *ewald)
{
    const int64_t rows = ewald->n_first * (2 * ewald->bounds[1] + 1);
    for (int axis = 0; axis < 3; ++axis) {
        const size_t size = (ewald->bounds[axis] + 1) * LANES * sizeof(double);
        t->real[axis] = piece(from, size);
        t->imaginary[axis] = piece(from, size);
    }
    t->weighted_real = piece(from, (ewald->bounds[2] + 1) * LANES * sizeof(double));
    t->weighted_imaginary = piece(from, (ewald->bounds[2] + 1) * LANES * sizeof(double));
    const size_t columns = PADDED(ewald->bounds[2] + 1) * sizeof(double);
    t->cosines = piece(from, LANES * columns);
    t->sines = piece(from, LANES * columns);
    t->sums = piece(from, rows * 4 * columns);
    t->pull = piece(from, rows * 4 * (ewald->bounds[2] + 1) * sizeof(double));
    return from->used;
}

static int NAME(ewald_allocate)(NAME(ewald_tables) *t, arena *from, const fused_ewald *ewald)
{
    arena counting = {NULL, 0, 0};
    from->size = NAME(ewald_lay_out)(t, &counting, ewald) + 64;
    from->memory = malloc(from->size);
    if (!from->memory)
        return NO_MEMORY;
    from->used = (64 - (uintptr_t)from->memory % 64) % 64;
    NAME(ewald_lay_out)(t, from, ewald);
    return DONE;
}

/* Phases of the atoms from `atom` on; idle lanes repeat the last atom. */
static void NAME(phases)(const fused_ewald *ewald, const double *fractional, int64_t atom,
                         int64_t last, const NAME(ewald_tables) *t)
{
    for (int axis = 0; axis < 3; ++axis) {
        double *real = t->real[axis], *imaginary = t->imaginary[axis];
        vec c, s, one = {0};
        for (int64_t lane = 0; lane < LANES; ++lane) {
            const int64_t own = atom + lane < last ? atom + lane : last - 1;
            const double place = fractional[3 * own + axis];
            const double angle = 6.283185307179586476925 * (place - floor(place));
            c[lane] = cos(angle);
            s[lane] = sin(angle);
        }
        one = one + 1;
        NAME(store)(real, one);
        NAME(store)(imaginary, one - one);
        vec x = c, y = s;
        for (int64_t n = 1; n <= ewald->bounds[axis]; ++n) {
            NAME(store)(real + n * LANES, x);
            NAME(store)(imaginary + n * LANES, y);
            const vec before = x;
            x = before * c - y * s;
            y = before * s + y * c;
        }
    }
}

/* Phase of index n of an axis, which may be negative. */
#define PHASE(axis, n, x, y)                                                                  \
    const int64_t x##_n = (n) < 0 ? -(n) : (n);                                               \
    const vec x = NAME(load)(t.real[axis] + x##_n * LANES);                                   \
    const vec y = NAME(load)(t.imaginary[axis] + x##_n * LANES) * ((n) < 0 ? -1.0 : 1.0)

/* Structure factors [first][second][third][real, imaginary] of some atoms. */
static int NAME(ewald_factors)(const fused_ewald *ewald, int64_t first, int64_t last,
                               const double *fractional, const double *charges, int64_t stride,
                               double *factors)
{
    const int64_t second = ewald->bounds[1], third = ewald->bounds[2], width = PADDED(third + 1);
    NAME(ewald_tables) t;
    arena memory;
    if (NAME(ewald_allocate)(&t, &memory, ewald))
        return NO_MEMORY;
    const int64_t rows = ewald->n_first * (2 * second + 1);
    memset(t.sums, 0, rows * 4 * width * sizeof *t.sums);
    memset(t.cosines, 0, LANES * width * sizeof *t.cosines);
    memset(t.sines, 0, LANES * width * sizeof *t.sines);
    for (int64_t atom = first; atom < last; atom += LANES) {
        NAME(phases)(ewald, fractional, atom, last, &t);
        vec charge;
        for (int64_t lane = 0; lane < LANES; ++lane) {
            charge[lane] = atom + lane < last ? charges[(atom + lane) * stride] : 0;
            for (int64_t n = 0; n <= third; ++n) {
                t.cosines[lane * width + n] = t.real[2][n * LANES + lane];
                t.sines[lane * width + n] = t.imaginary[2][n * LANES + lane];
            }
        }
        double *sums = t.sums;
        for (int64_t row = 0; row < ewald->n_first; ++row) {
            PHASE(0, ewald->first[row], x, y);
            for (int64_t n = -second; n <= second; ++n, sums += 4 * width) {
                PHASE(1, n, u, v);
                const vec re = charge * (x * u - y * v), im = charge * (x * v + y * u);
                for (int64_t w = 0; w < width; w += LANES) {
                    vec a = NAME(load)(sums + w), b = NAME(load)(sums + width + w);
                    vec c = NAME(load)(sums + 2 * width + w);
                    vec d = NAME(load)(sums + 3 * width + w);
                    for (int64_t lane = 0; lane < LANES; ++lane) {
                        const vec cosine = NAME(load)(t.cosines + lane * width + w);
                        const vec sine = NAME(load)(t.sines + lane * width + w);
                        a += cosine * re[lane];
                        b += cosine * im[lane];
                        c += sine * re[lane];
                        d += sine * im[lane];
                    }
                    NAME(store)(sums + w, a);
                    NAME(store)(sums + width + w, b);
                    NAME(store)(sums + 2 * width + w, c);
                    NAME(store)(sums + 3 * width + w, d);
                }
            }
        }
    }
    for (int64_t row = 0; row < rows; ++row) {
        const double *a = t.sums + row * 4 * width, *b = a + width, *c = b + width, *d = c + width;
        double *middle = factors + 2 * (row * (2 * third + 1) + third);
        for (int64_t n = 0; n <= third; ++n) {
            middle[-2 * n] = a[n] + d[n];
            middle[-2 * n + 1] = b[n] - c[n];
            middle[2 * n] = a[n] - d[n];
            middle[2 * n + 1] = b[n] + c[n];
        }
    }
    free(memory.memory);
    return DONE;
}

/* Potentials Re sum_k K*(k) exp(ik r) of some atoms for K = `factors`, laid out as above, and
 * their charges times the slopes along the fractional coordinates added to by_fractional. */
static int NAME(ewald_potentials)(const fused_ewald *ewald, int64_t first, int64_t last,
                                  const double *fractional, const double *charges, int64_t stride,
                                  const double *factors, double *potentials,
                                  double *by_fractional)
{
    const int64_t second = ewald->bounds[1], third = ewald->bounds[2];
    NAME(ewald_tables) t;
    arena memory;
    if (NAME(ewald_allocate)(&t, &memory, ewald))
        return NO_MEMORY;
    /* Sum and difference of the conjugates for n and -n. */
    for (int64_t row = 0; row < ewald->n_first * (2 * second + 1); ++row) {
        const double *middle = factors + 2 * (row * (2 * third + 1) + third);
        double *pull = t.pull + row * 4 * (third + 1);
        for (int64_t n = 0; n <= third; ++n, pull += 4) {
            const double half = n ? 1 : 0.5;
            pull[0] = half * (middle[2 * n] + middle[-2 * n]);
            pull[1] = -half * (middle[2 * n + 1] + middle[-2 * n + 1]);
            pull[2] = middle[2 * n] - middle[-2 * n];
            pull[3] = -(middle[2 * n + 1] - middle[-2 * n + 1]);
        }
    }
    for (int64_t atom = first; atom < last; atom += LANES) {
        NAME(phases)(ewald, fractional, atom, last, &t);
        for (int64_t n = 0; n <= third; ++n) {
            double *c = t.weighted_real + n * LANES, *s = t.weighted_imaginary + n * LANES;
            NAME(store)(c, (double)n * NAME(load)(t.real[2] + n * LANES));
            NAME(store)(s, (double)n * NAME(load)(t.imaginary[2] + n * LANES));
        }
        const double *pull = t.pull;
        vec value = {0}, slope[3] = {{0}, {0}, {0}};
        for (int64_t row = 0; row < ewald->n_first; ++row) {
            vec f[2] = {{0}, {0}}, g = {0}, h = {0}, twist[2] = {{0}, {0}};
            PHASE(0, ewald->first[row], x, y);
            for (int64_t n = -second; n <= second; ++n) {
                vec plain[2] = {{0}, {0}}, tilted[2] = {{0}, {0}};
                for (int64_t k = 0; k <= third; ++k, pull += 4) {
                    const vec c = NAME(load)(t.real[2] + k * LANES);
                    const vec s = NAME(load)(t.imaginary[2] + k * LANES);
                    const vec kc = NAME(load)(t.weighted_real + k * LANES);
                    const vec ks = NAME(load)(t.weighted_imaginary + k * LANES);
                    plain[0] += c * pull[0];
                    plain[1] += c * pull[1];
                    tilted[0] += kc * pull[2];
                    tilted[1] += kc * pull[3];
                    plain[0] -= s * pull[3];
                    plain[1] += s * pull[2];
                    tilted[0] -= ks * pull[1];
                    tilted[1] += ks * pull[0];
                }
                PHASE(1, n, u, v);
                const vec re = plain[0] * u - plain[1] * v, im = plain[0] * v + plain[1] * u;
                f[0] += re;
                f[1] += im;
                g += (double)n * (x * im + y * re);
                twist[0] += tilted[0] * u - tilted[1] * v;
                twist[1] += tilted[0] * v + tilted[1] * u;
            }
            value += x * f[0] - y * f[1];
            slope[0] -= (double)ewald->first[row] * (x * f[1] + y * f[0]);
            slope[1] -= g;
            h = x * twist[1] + y * twist[0];
            slope[2] -= h;
        }
        for (int64_t lane = 0; lane < LANES && atom + lane < last; ++lane) {
            const int64_t own = atom + lane;
            potentials[own * stride] = value[lane];
            for (int axis = 0; axis < 3; ++axis)
                by_fractional[3 * own + axis]
                    += 6.283185307179586476925 * charges[own * stride] * slope[axis][lane];
        }
    }
    free(memory.memory);
    return DONE;
}
#undef PHASE
#endif
