/* Fused kernels. Plain C99 with the vector extension of gcc and clang, no headers
 * beyond the C library; `ase_les/kernels/library.py` calls it through ctypes, without the GIL.
 *
 * fused.c is written by `python -m ase_les.kernels.generate` from template.c and the tables of
 * ase_les.representation.angular. Edit template.c, never fused.c.
 *
 * The file includes itself once for every precision and instruction set. Lengths that vectors
 * run over are padded to PAD in all tables that come from outside.
 */
#ifndef REAL

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PAD 8
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(name) JOIN(name, SUFFIX)
#define PADDED(n) (((n) + PAD - 1) / PAD * PAD)
#define INLINE static inline __attribute__((always_inline))

enum { DONE = 0, NO_MEMORY = 1, NOT_SUPPORTED = 2 };

/* A representation without messages. Kinds are pairs of element and charge state. Mixed functions
 * are the products of mixed radial functions and receiver channels. */
typedef struct {
    int64_t l_max, nu_max, n_embedding, n_radial, n_mixed, n_kinds, n_intervals;
    double cutoff;          /* Å */
    const void *radial;     /* [interval][power][radial, padded], of the place in it, -1 to 1 */
    const void *sender;     /* [kind][embedding] */
    const void *receiver;   /* [kind][mixed, padded] */
    const void *mixing;     /* [degree][embedding][radial][mixed, padded] */
    const void *unmixing;   /* [degree][embedding][mixed][radial, padded] */
} fused_model;

/* A representation in training: `model` without radial polynomials; edges in slots of the atoms,
 * those beyond the cutoff do not count; sines and cosines of frequency times distance. */
typedef struct {
    fused_model model;
    int64_t exponent, n_atoms, n_slots;
    const void *frequencies;             /* [radial] */
    const void *vectors;                 /* [3][atom][slot], Å */
    const void *sines, *cosines;         /* [atom][radial][slot] */
    const int64_t *kinds, *sender_kinds; /* [atom], [atom][slot] */
} fused_cace;

/* Where gradients of a representation go; NULL if not wanted. Those by vectors are written, those
 * by parameters are added in the shapes of `fused_model`. */
typedef struct {
    void *features;  /* rates of the features: the gradient by the gradient they had */
    void *vectors, *sender, *receiver, *mixing, *frequencies;
} fused_cace_results;

/* See ase_les.graph.Graph. */
typedef struct {
    int64_t n_edges;
    const double *positions, *cells, *shifts;
    const int64_t *receivers, *senders, *structures, *kinds;
} fused_graph;

/* Split charges; kinds of the graph are elements. */
typedef struct {
    int64_t n_channels, n_kinds;
    double cutoff, wave_height, bonded, not_bonded;
    const double *weights;          /* [receiver][sender][channel][2][function], e */
    const double *inverse_lengths;  /* [receiver][sender], 1/Å */
} fused_split;

/* A periodic mesh with a margin of order - 1 points beyond the far faces. */
typedef struct {
    int64_t order, size[3];
    const double *spline;  /* [power][point, padded], powers of the place within a step */
} fused_mesh;

/* Wave vectors of a direct Ewald sum: some indices of the first axis, those from -bound to bound
 * of the others; bounds[0] is the largest modulus of the first ones. */
typedef struct {
    int64_t n_first, bounds[3];
    const int64_t *first;
} fused_ewald;

/* Messages of MACE; paths are (first component of the message, 2 l1 + 1, 2 l3 + 1), angles of an
 * edge are [path][m1][m3]. Edges of an atom lie between its start and the next one. */
typedef struct {
    int64_t n_atoms, n_channels, n_paths, n_sent, n_angles, n_rows;
    const int64_t *paths, *starts, *senders;
} fused_messages;

/* Values and slopes times the step at points of a table, [point][2][path][channel]; one more
 * interval of zeros follows the last point. */
typedef struct {
    int64_t n_intervals;
    double step;  /* Å */
    const void *rows;
} fused_radial;

/* Polynomials of MACE: pairs of factors of every pair and term, factors of the terms; terms of a
 * value and values of a result lie between its start and the next one. */
typedef struct {
    int64_t n_channels, n_components, n_pairs, n_results, n_weights, component_stride;
    const int64_t *pairs, *terms, *value_starts, *result_starts, *weight_rows, *elements;
    const void *factors;
    const void *weights;  /* [element][weight][channel] */
} fused_polynomials;

#define N_FUNCTIONS 5  /* one of bonds and four waves */

#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

/* First edge that ends at an atom or a later one. */
static int64_t first_edge(const fused_graph *graph, int64_t atom)
{
    int64_t low = 0, high = graph->n_edges;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (graph->receivers[middle] < atom)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t most_neighbors(const fused_graph *graph, int64_t first, int64_t last)
{
    int64_t most = 0, edge = first_edge(graph, first);
    while (edge < graph->n_edges && graph->receivers[edge] < last) {
        const int64_t begin = edge, atom = graph->receivers[edge];
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        if (edge - begin > most)
            most = edge - begin;
    }
    return most;
}

/* Memory of one call, cut into aligned pieces. */
typedef struct {
    char *memory;
    size_t used, size;
} arena;

static void *piece(arena *from, size_t size)
{
    void *here = from->memory + from->used;
    from->used += (size + 63) / 64 * 64;
    return here;
}

@DISPATCH@

/* Copy the edges that are shorter than the cutoff, with their lengths; the number of them. */
ENTRY int64_t fused_select_edges(const fused_graph *graph, double cutoff, int64_t *receivers,
                                 int64_t *senders, double *shifts, double *lengths)
{
    const double limit = cutoff * cutoff;
    int64_t n = 0;
    for (int64_t edge = 0; edge < graph->n_edges; ++edge) {
        const int64_t receiver = graph->receivers[edge], sender = graph->senders[edge];
        const double *here = graph->positions + 3 * receiver;
        const double *there = graph->positions + 3 * sender, *shift = graph->shifts + 3 * edge;
        const double *cell = graph->cells + 9 * graph->structures[receiver];
        double square = 0;
        for (int axis = 0; axis < 3; ++axis) {
            const double d = there[axis] - here[axis]
                + (shift[0] * cell[axis] + shift[1] * cell[3 + axis] + shift[2] * cell[6 + axis]);
            square += d * d;
        }
        /* Written in any case: no branch to predict. */
        receivers[n] = receiver;
        senders[n] = sender;
        for (int axis = 0; axis < 3; ++axis)
            shifts[3 * n + axis] = shift[axis];
        lengths[n] = sqrt(square);
        n += square < limit;
    }
    return n;
}

#else /* REAL: what follows is read once for every precision and instruction set. */

#define vec NAME(vec)
#define scratch NAME(scratch)
typedef REAL vec __attribute__((vector_size(VECTOR_BYTES)));
#define LANES ((int64_t)(VECTOR_BYTES / sizeof(REAL)))

INLINE vec NAME(load)(const REAL *from)
{
    vec value;
    memcpy(&value, from, sizeof value);
    return value;
}

INLINE void NAME(store)(REAL *to, vec value)
{
    memcpy(to, &value, sizeof value);
}

/* Neighbors of one atom, grouped by kind; idle lanes fill the last vector of each kind. */
typedef struct {
    int64_t capacity, n;
    int64_t *start;               /* [kind + 1] first lane of each kind */
    int64_t *edge;                /* of a lane; -1 if idle */
    int64_t *found, *found_kind;
    REAL *found_vector;
    REAL *unit[3], *distance, *inverse;
    REAL *angular;                /* [function][lane] */
    REAL *radial, *slopes;        /* forward [lane][radial], backward [radial][lane] */
    REAL *sums;                   /* of one kind, [function][radial] */
    REAL *raw;                    /* [embedding][function][radial] */
    REAL *mixed, *by_mixed;       /* [function][embedding][mixed] */
    REAL *features;               /* [invariant][embedding][mixed] */
} scratch;

static size_t NAME(lay_out)(scratch *s, arena *from, const fused_model *model, int64_t n_angular,
                            int64_t n_invariants)
{
    const size_t real = sizeof(REAL), whole = sizeof(int64_t);
    const size_t capacity = s->capacity, n_radial = PADDED(model->n_radial);
    const size_t columns = model->n_embedding * PADDED(model->n_mixed);
    s->start = piece(from, (model->n_kinds + 1) * whole);
    s->edge = piece(from, capacity * whole);
    s->found = piece(from, capacity * whole);
    s->found_kind = piece(from, capacity * whole);
    s->found_vector = piece(from, 3 * capacity * real);
    for (int axis = 0; axis < 3; ++axis)
        s->unit[axis] = piece(from, capacity * real);
    s->distance = piece(from, capacity * real);
    s->inverse = piece(from, capacity * real);
    s->angular = piece(from, n_angular * capacity * real);
    s->radial = piece(from, n_radial * capacity * real);
    s->slopes = piece(from, n_radial * capacity * real);
    s->sums = piece(from, n_angular * n_radial * real);
    s->raw = piece(from, model->n_embedding * n_angular * n_radial * real);
    s->mixed = piece(from, n_angular * columns * real);
    s->by_mixed = piece(from, n_angular * columns * real);
    s->features = piece(from, n_invariants * columns * real);
    return from->used;
}

static int NAME(allocate)(scratch *s, arena *from, const fused_model *model,
                          const fused_graph *graph, int64_t first, int64_t last,
                          int64_t n_angular, int64_t n_invariants)
{
    arena counting = {NULL, 0, 0};
    s->capacity = PADDED(most_neighbors(graph, first, last)) + PAD * (model->n_kinds + 1);
    from->size = NAME(lay_out)(s, &counting, model, n_angular, n_invariants) + 64;
    from->memory = malloc(from->size);
    if (!from->memory)
        return NO_MEMORY;
    from->used = (64 - (uintptr_t)from->memory % 64) % 64;
    NAME(lay_out)(s, from, model, n_angular, n_invariants);
    return DONE;
}

/* Lanes of the first n neighbors in `found`, grouped by kind, and their unit vectors. */
static void NAME(arrange)(scratch *s, int64_t n, int64_t n_kinds, double cutoff)
{
    int64_t *start = s->start;
    memset(start, 0, (n_kinds + 1) * sizeof *start);
    for (int64_t k = 0; k < n; ++k)
        ++start[s->found_kind[k] + 1];
    for (int64_t kind = 0; kind < n_kinds; ++kind)
        start[kind + 1] = start[kind] + (start[kind + 1] + LANES - 1) / LANES * LANES;
    s->n = start[n_kinds];
    for (int64_t lane = 0; lane < s->n; ++lane) {
        s->edge[lane] = -1;
        s->unit[0][lane] = (REAL)(2 * cutoff);
        s->unit[1][lane] = s->unit[2][lane] = 0;
    }
    for (int64_t k = 0; k < n; ++k) {
        const int64_t lane = start[s->found_kind[k]]++;
        s->edge[lane] = s->found[k];
        for (int axis = 0; axis < 3; ++axis)
            s->unit[axis][lane] = s->found_vector[3 * k + axis];
    }
    /* Filling moved every start to the last lane in use: move them back. */
    for (int64_t kind = n_kinds; kind > 0; --kind)
        start[kind] = (start[kind - 1] + LANES - 1) / LANES * LANES;
    start[0] = 0;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        vec z = NAME(load)(s->unit[2] + lane), square = x * x + y * y + z * z, r, one;
        for (int64_t k = 0; k < LANES; ++k) {
            r[k] = SQRT(square[k]);
            one[k] = 1;
        }
        const vec inverse = one / r;
        NAME(store)(s->unit[0] + lane, x * inverse);
        NAME(store)(s->unit[1] + lane, y * inverse);
        NAME(store)(s->unit[2] + lane, z * inverse);
        NAME(store)(s->distance + lane, r);
        NAME(store)(s->inverse + lane, inverse);
    }
}

/* Find the neighbors of an atom among its edges; unit vectors, distances and their inverse. */
static void NAME(find_neighbors)(const fused_graph *graph, int64_t n_kinds, double cutoff,
                                 int64_t atom, int64_t begin, int64_t end, scratch *s)
{
    const double *here = graph->positions + 3 * atom;
    const double *cell = graph->cells + 9 * graph->structures[atom];
    const double limit = cutoff * cutoff;
    int64_t n = 0;
    for (int64_t edge = begin; edge < end; ++edge) {
        const int64_t sender = graph->senders[edge];
        const double *there = graph->positions + 3 * sender, *shift = graph->shifts + 3 * edge;
        double d[3];
        for (int axis = 0; axis < 3; ++axis)
            d[axis] = there[axis] - here[axis] + (shift[0] * cell[axis] + shift[1] * cell[3 + axis]
                                                  + shift[2] * cell[6 + axis]);
        if (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < limit) {
            for (int axis = 0; axis < 3; ++axis)
                s->found_vector[3 * n + axis] = (REAL)d[axis];
            s->found[n] = edge;
            s->found_kind[n++] = graph->kinds[sender];
        }
    }
    NAME(arrange)(s, n, n_kinds, cutoff);
}

/* Polynomials on equal intervals; zero from the cutoff on. */
INLINE void NAME(radial)(const fused_model *model, scratch *s, const int slopes)
{
    const int64_t width = PADDED(model->n_radial), capacity = s->capacity;
    const double scale = model->n_intervals / model->cutoff;
    const REAL cutoff = (REAL)model->cutoff;
    for (int64_t lane = 0; lane < s->n; ++lane) {
        const REAL distance = s->distance[lane];
        REAL *values = s->radial + lane * width;
        if (!(distance < cutoff)) {
            for (int64_t n = 0; n < width; ++n) {
                if (slopes)
                    s->radial[n * capacity + lane] = s->slopes[n * capacity + lane] = 0;
                else
                    values[n] = 0;
            }
            continue;
        }
        /* In double: a rounded place would be a rounded distance. */
        const double place = (double)distance * scale;
        int64_t interval = (int64_t)place;
        if (interval > model->n_intervals - 1)
            interval = model->n_intervals - 1;
        const REAL t = (REAL)(2 * (place - (double)interval) - 1);
        const REAL *powers = (const REAL *)model->radial + interval * N_POWERS * width;
        for (int64_t v = 0; v < width; v += LANES) {
            vec value = NAME(load)(powers + (N_POWERS - 1) * width + v), slope = value - value;
            for (int power = N_POWERS - 2; power >= 0; --power) {
                if (slopes)
                    slope = slope * t + value;
                value = value * t + NAME(load)(powers + power * width + v);
            }
            if (slopes) {
                slope = slope * (REAL)(2 * scale);
                for (int64_t k = 0; k < LANES; ++k) {
                    s->radial[(v + k) * capacity + lane] = value[k];
                    s->slopes[(v + k) * capacity + lane] = slope[k];
                }
            } else {
                NAME(store)(values + v, value);
            }
        }
    }
}

/* Add gradients along the edges of a vector of lanes; `atom` is the receiver. */
INLINE void NAME(scatter)(const fused_graph *graph, const scratch *s, int64_t lane, int64_t atom,
                          const vec *by_edge, double *by_positions, double *by_cells)
{
    double total[3] = {0, 0, 0};
    for (int64_t k = 0; k < LANES; ++k) {
        const int64_t edge = s->edge[lane + k];
        if (edge < 0)
            continue;
        double *there = by_positions + 3 * graph->senders[edge];
        for (int axis = 0; axis < 3; ++axis) {
            there[axis] += (double)by_edge[axis][k];
            total[axis] += (double)by_edge[axis][k];
        }
        if (by_cells) {
            double *cell = by_cells + 9 * graph->structures[atom];
            const double *shift = graph->shifts + 3 * edge;
            for (int row = 0; row < 3; ++row)
                for (int axis = 0; axis < 3; ++axis)
                    cell[3 * row + axis] += shift[row] * (double)by_edge[axis][k];
        }
    }
    for (int axis = 0; axis < 3; ++axis)
        by_positions[3 * atom + axis] -= total[axis];
}

@TRAINING@
@DEGREES@

static int NAME(forward)(const fused_model *model, const fused_graph *graph, int64_t first,
                         int64_t last, void *raw, void *features)
{
    switch (model->l_max) {
@FORWARD_CASES@
    }
    return NOT_SUPPORTED;
}

static int NAME(backward)(const fused_model *model, const fused_graph *graph, int64_t first,
                          int64_t last, const void *raw, const void *by_features,
                          double *by_positions, double *by_cells)
{
    switch (model->l_max) {
@BACKWARD_CASES@
    }
    return NOT_SUPPORTED;
}

static int NAME(cace_values)(const fused_cace *cace, int64_t first, int64_t last, void *features)
{
    switch (cace->model.l_max) {
@CACE_VALUES_CASES@
    }
    return NOT_SUPPORTED;
}

static int NAME(cace_gradients)(const fused_cace *cace, int64_t first, int64_t last,
                                const void *by_features, const void *change,
                                const fused_cace_results *to)
{
    switch (cace->model.l_max) {
@CACE_GRADIENTS_CASES@
    }
    return NOT_SUPPORTED;
}

@SPLIT@
@MESSAGES@
@MESH@
@EWALD@

#undef vec
#undef scratch
#undef training
#undef LANES
#endif
