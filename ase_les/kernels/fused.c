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

#define REAL float
#define SQRT sqrtf
#define N_POWERS 8
#define SUFFIX _float_base
#define VECTOR_BYTES 16
#include "fused.c"
#undef REAL
#undef SQRT
#undef N_POWERS
#undef SUFFIX
#undef VECTOR_BYTES
#define REAL double
#define SQRT sqrt
#define N_POWERS 12
#define SUFFIX _double_base
#define VECTOR_BYTES 16
#define IN_DOUBLE
#include "fused.c"
#undef REAL
#undef SQRT
#undef N_POWERS
#undef SUFFIX
#undef VECTOR_BYTES
#undef IN_DOUBLE
#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_LEVELS
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define REAL float
#define SQRT sqrtf
#define N_POWERS 8
#define SUFFIX _float_avx2
#define VECTOR_BYTES 32
#include "fused.c"
#undef REAL
#undef SQRT
#undef N_POWERS
#undef SUFFIX
#undef VECTOR_BYTES
#define REAL double
#define SQRT sqrt
#define N_POWERS 12
#define SUFFIX _double_avx2
#define VECTOR_BYTES 32
#define IN_DOUBLE
#include "fused.c"
#undef REAL
#undef SQRT
#undef N_POWERS
#undef SUFFIX
#undef VECTOR_BYTES
#undef IN_DOUBLE
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#define REAL float
#define SQRT sqrtf
#define N_POWERS 8
#define SUFFIX _float_avx512
#define VECTOR_BYTES 32
#include "fused.c"
#undef REAL
#undef SQRT
#undef N_POWERS
#undef SUFFIX
#undef VECTOR_BYTES
#define REAL double
#define SQRT sqrt
#define N_POWERS 12
#define SUFFIX _double_avx512
#define VECTOR_BYTES 64
#define IN_DOUBLE
#include "fused.c"
#undef REAL
#undef SQRT
#undef N_POWERS
#undef SUFFIX
#undef VECTOR_BYTES
#undef IN_DOUBLE
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#define ENTRY __attribute__((visibility("default")))
/* Instruction sets: 0 what the compiler assumes, 1 AVX2, 2 AVX-512. */
ENTRY int fused_best_level(void)
{
#ifdef HAS_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 2;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 1;
#endif
    return 0;
}

ENTRY int fused_forward(int is_double, int level, const fused_model *model, const fused_graph *graph, int64_t first, int64_t last, void *raw, void *features)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return forward_float_avx512(model, graph, first, last, raw, features);
        return forward_double_avx512(model, graph, first, last, raw, features);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return forward_float_avx2(model, graph, first, last, raw, features);
        return forward_double_avx2(model, graph, first, last, raw, features);
    }
#endif
    {
        if (is_double == 0) return forward_float_base(model, graph, first, last, raw, features);
        return forward_double_base(model, graph, first, last, raw, features);
    }
}

ENTRY int fused_backward(int is_double, int level, const fused_model *model, const fused_graph *graph, int64_t first, int64_t last, const void *raw, const void *by_features, double *by_positions, double *by_cells)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return backward_float_avx512(model, graph, first, last, raw, by_features, by_positions, by_cells);
        return backward_double_avx512(model, graph, first, last, raw, by_features, by_positions, by_cells);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return backward_float_avx2(model, graph, first, last, raw, by_features, by_positions, by_cells);
        return backward_double_avx2(model, graph, first, last, raw, by_features, by_positions, by_cells);
    }
#endif
    {
        if (is_double == 0) return backward_float_base(model, graph, first, last, raw, by_features, by_positions, by_cells);
        return backward_double_base(model, graph, first, last, raw, by_features, by_positions, by_cells);
    }
}

ENTRY int fused_cace_values(int is_double, int level, const fused_cace *cace, int64_t first, int64_t last, void *features)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return cace_values_float_avx512(cace, first, last, features);
        return cace_values_double_avx512(cace, first, last, features);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return cace_values_float_avx2(cace, first, last, features);
        return cace_values_double_avx2(cace, first, last, features);
    }
#endif
    {
        if (is_double == 0) return cace_values_float_base(cace, first, last, features);
        return cace_values_double_base(cace, first, last, features);
    }
}

ENTRY int fused_cace_gradients(int is_double, int level, const fused_cace *cace, int64_t first, int64_t last, const void *by_features, const void *change, const fused_cace_results *to)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return cace_gradients_float_avx512(cace, first, last, by_features, change, to);
        return cace_gradients_double_avx512(cace, first, last, by_features, change, to);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return cace_gradients_float_avx2(cace, first, last, by_features, change, to);
        return cace_gradients_double_avx2(cace, first, last, by_features, change, to);
    }
#endif
    {
        if (is_double == 0) return cace_gradients_float_base(cace, first, last, by_features, change, to);
        return cace_gradients_double_base(cace, first, last, by_features, change, to);
    }
}

ENTRY int fused_split_forward(int is_double, int level, const fused_split *split, const fused_graph *graph, int64_t first, int64_t last, const double *latent, double *charges)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return split_forward_float_avx512(split, graph, first, last, latent, charges);
        return split_forward_double_avx512(split, graph, first, last, latent, charges);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return split_forward_float_avx2(split, graph, first, last, latent, charges);
        return split_forward_double_avx2(split, graph, first, last, latent, charges);
    }
#endif
    {
        if (is_double == 0) return split_forward_float_base(split, graph, first, last, latent, charges);
        return split_forward_double_base(split, graph, first, last, latent, charges);
    }
}

ENTRY int fused_split_backward(int is_double, int level, const fused_split *split, const fused_graph *graph, int64_t first, int64_t last, const double *latent, const double *by_charges, double *by_latent, double *by_positions, double *by_cells)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return split_backward_float_avx512(split, graph, first, last, latent, by_charges, by_latent, by_positions, by_cells);
        return split_backward_double_avx512(split, graph, first, last, latent, by_charges, by_latent, by_positions, by_cells);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return split_backward_float_avx2(split, graph, first, last, latent, by_charges, by_latent, by_positions, by_cells);
        return split_backward_double_avx2(split, graph, first, last, latent, by_charges, by_latent, by_positions, by_cells);
    }
#endif
    {
        if (is_double == 0) return split_backward_float_base(split, graph, first, last, latent, by_charges, by_latent, by_positions, by_cells);
        return split_backward_double_base(split, graph, first, last, latent, by_charges, by_latent, by_positions, by_cells);
    }
}

ENTRY int fused_messages_sum(int is_double, int level, const fused_messages *messages, const void *radial, const void *angles, const void *sent, void *sums)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return messages_sum_float_avx512(messages, radial, angles, sent, sums);
        return messages_sum_double_avx512(messages, radial, angles, sent, sums);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return messages_sum_float_avx2(messages, radial, angles, sent, sums);
        return messages_sum_double_avx2(messages, radial, angles, sent, sums);
    }
#endif
    {
        if (is_double == 0) return messages_sum_float_base(messages, radial, angles, sent, sums);
        return messages_sum_double_base(messages, radial, angles, sent, sums);
    }
}

ENTRY int fused_messages_gradient(int is_double, int level, const fused_messages *messages, const void *radial, const void *angles, const void *sent, const void *by_sums, void *by_radial, void *by_angles, void *by_sent)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return messages_gradient_float_avx512(messages, radial, angles, sent, by_sums, by_radial, by_angles, by_sent);
        return messages_gradient_double_avx512(messages, radial, angles, sent, by_sums, by_radial, by_angles, by_sent);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return messages_gradient_float_avx2(messages, radial, angles, sent, by_sums, by_radial, by_angles, by_sent);
        return messages_gradient_double_avx2(messages, radial, angles, sent, by_sums, by_radial, by_angles, by_sent);
    }
#endif
    {
        if (is_double == 0) return messages_gradient_float_base(messages, radial, angles, sent, by_sums, by_radial, by_angles, by_sent);
        return messages_gradient_double_base(messages, radial, angles, sent, by_sums, by_radial, by_angles, by_sent);
    }
}

ENTRY int fused_messages_second(int is_double, int level, const fused_messages *messages, const void *radial, const void *angles, const void *sent, const void *by_sums, const void *u_radial, const void *u_angles, const void *u_sent, void *to_radial, void *to_angles, void *to_sent, void *to_sums)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return messages_second_float_avx512(messages, radial, angles, sent, by_sums, u_radial, u_angles, u_sent, to_radial, to_angles, to_sent, to_sums);
        return messages_second_double_avx512(messages, radial, angles, sent, by_sums, u_radial, u_angles, u_sent, to_radial, to_angles, to_sent, to_sums);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return messages_second_float_avx2(messages, radial, angles, sent, by_sums, u_radial, u_angles, u_sent, to_radial, to_angles, to_sent, to_sums);
        return messages_second_double_avx2(messages, radial, angles, sent, by_sums, u_radial, u_angles, u_sent, to_radial, to_angles, to_sent, to_sums);
    }
#endif
    {
        if (is_double == 0) return messages_second_float_base(messages, radial, angles, sent, by_sums, u_radial, u_angles, u_sent, to_radial, to_angles, to_sent, to_sums);
        return messages_second_double_base(messages, radial, angles, sent, by_sums, u_radial, u_angles, u_sent, to_radial, to_angles, to_sent, to_sums);
    }
}

ENTRY int fused_table_sum(int is_double, int level, const fused_messages *messages, const fused_radial *table, int64_t first, int64_t last, const void *distances, const void *angles, const void *sent, void *sums)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return table_sum_float_avx512(messages, table, first, last, distances, angles, sent, sums);
        return table_sum_double_avx512(messages, table, first, last, distances, angles, sent, sums);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return table_sum_float_avx2(messages, table, first, last, distances, angles, sent, sums);
        return table_sum_double_avx2(messages, table, first, last, distances, angles, sent, sums);
    }
#endif
    {
        if (is_double == 0) return table_sum_float_base(messages, table, first, last, distances, angles, sent, sums);
        return table_sum_double_base(messages, table, first, last, distances, angles, sent, sums);
    }
}

ENTRY int fused_table_gradient(int is_double, int level, const fused_messages *messages, const fused_radial *table, int64_t first, int64_t last, const void *distances, const void *angles, const void *sent, const void *by_sums, void *by_distances, void *by_angles, void *by_sent)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return table_gradient_float_avx512(messages, table, first, last, distances, angles, sent, by_sums, by_distances, by_angles, by_sent);
        return table_gradient_double_avx512(messages, table, first, last, distances, angles, sent, by_sums, by_distances, by_angles, by_sent);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return table_gradient_float_avx2(messages, table, first, last, distances, angles, sent, by_sums, by_distances, by_angles, by_sent);
        return table_gradient_double_avx2(messages, table, first, last, distances, angles, sent, by_sums, by_distances, by_angles, by_sent);
    }
#endif
    {
        if (is_double == 0) return table_gradient_float_base(messages, table, first, last, distances, angles, sent, by_sums, by_distances, by_angles, by_sent);
        return table_gradient_double_base(messages, table, first, last, distances, angles, sent, by_sums, by_distances, by_angles, by_sent);
    }
}

ENTRY int fused_polynomials_values(int is_double, int level, const fused_polynomials *polynomials, int64_t first, int64_t last, const void *sums, void *results)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return polynomials_values_float_avx512(polynomials, first, last, sums, results);
        return polynomials_values_double_avx512(polynomials, first, last, sums, results);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return polynomials_values_float_avx2(polynomials, first, last, sums, results);
        return polynomials_values_double_avx2(polynomials, first, last, sums, results);
    }
#endif
    {
        if (is_double == 0) return polynomials_values_float_base(polynomials, first, last, sums, results);
        return polynomials_values_double_base(polynomials, first, last, sums, results);
    }
}

ENTRY int fused_polynomials_gradients(int is_double, int level, const fused_polynomials *polynomials, int64_t first, int64_t last, const void *sums, const void *by_results, void *by_sums)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        if (is_double == 0) return polynomials_gradients_float_avx512(polynomials, first, last, sums, by_results, by_sums);
        return polynomials_gradients_double_avx512(polynomials, first, last, sums, by_results, by_sums);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        if (is_double == 0) return polynomials_gradients_float_avx2(polynomials, first, last, sums, by_results, by_sums);
        return polynomials_gradients_double_avx2(polynomials, first, last, sums, by_results, by_sums);
    }
#endif
    {
        if (is_double == 0) return polynomials_gradients_float_base(polynomials, first, last, sums, by_results, by_sums);
        return polynomials_gradients_double_base(polynomials, first, last, sums, by_results, by_sums);
    }
}

ENTRY void fused_mesh_spread(int is_double, int level, const fused_mesh *mesh, int64_t n_atoms, const double *fractional, const double *charges, int64_t stride, double *density)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        mesh_spread_double_avx512(mesh, n_atoms, fractional, charges, stride, density);
        return;
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        mesh_spread_double_avx2(mesh, n_atoms, fractional, charges, stride, density);
        return;
    }
#endif
    {
        mesh_spread_double_base(mesh, n_atoms, fractional, charges, stride, density);
        return;
    }
}

ENTRY void fused_mesh_gather(int is_double, int level, const fused_mesh *mesh, int64_t n_atoms, const double *fractional, const double *charges, int64_t stride, const double *surface, double *potentials, double *by_fractional)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        mesh_gather_double_avx512(mesh, n_atoms, fractional, charges, stride, surface, potentials, by_fractional);
        return;
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        mesh_gather_double_avx2(mesh, n_atoms, fractional, charges, stride, surface, potentials, by_fractional);
        return;
    }
#endif
    {
        mesh_gather_double_base(mesh, n_atoms, fractional, charges, stride, surface, potentials, by_fractional);
        return;
    }
}

ENTRY int fused_ewald_factors(int is_double, int level, const fused_ewald *ewald, int64_t first, int64_t last, const double *fractional, const double *charges, int64_t stride, double *factors)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        return ewald_factors_double_avx512(ewald, first, last, fractional, charges, stride, factors);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        return ewald_factors_double_avx2(ewald, first, last, fractional, charges, stride, factors);
    }
#endif
    {
        return ewald_factors_double_base(ewald, first, last, fractional, charges, stride, factors);
    }
}

ENTRY int fused_ewald_potentials(int is_double, int level, const fused_ewald *ewald, int64_t first, int64_t last, const double *fractional, const double *charges, int64_t stride, const double *factors, double *potentials, double *by_fractional)
{
    (void)is_double;
#ifdef HAS_LEVELS
    if (level >= 2) {
        return ewald_potentials_double_avx512(ewald, first, last, fractional, charges, stride, factors, potentials, by_fractional);
    }
#endif
#ifdef HAS_LEVELS
    if (level >= 1) {
        return ewald_potentials_double_avx2(ewald, first, last, fractional, charges, stride, factors, potentials, by_fractional);
    }
#endif
    {
        return ewald_potentials_double_base(ewald, first, last, fractional, charges, stride, factors, potentials, by_fractional);
    }
}

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

/* ---- angular functions up to degree 0 ---- */

static void NAME(monomials_0)(scratch *s)
{
    const int64_t capacity = s->capacity;
    REAL *values = s->angular;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        const vec z = NAME(load)(s->unit[2] + lane);
        (void)x, (void)y, (void)z;
        const vec y0 = x - x + 1;
        NAME(store)(values + 0 * capacity + lane, y0);
    }
}

/* Sums over the lanes of one kind. */
static void NAME(sum_0)(const scratch *s, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = s->capacity;
    const REAL *angular = s->angular;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = s->radial + v;
        REAL *sums = s->sums + v;
        {
            vec a0 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[0 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
        }
    }
}

/* Mixed sums [function][embedding][mixed] of an atom of a kind from raw ones
 * [embedding][function][radial]. */
static void NAME(mix_0)(const fused_model *model, int64_t kind, const REAL *raw, REAL *mixed)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial);
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t columns = n_embedding * n_mixed;
    const REAL *receiver = (const REAL *)model->receiver + kind * n_mixed;
    for (int64_t s = 0; s < n_embedding; ++s, raw += 1 * width) {
        for (int64_t m = 0; m < n_mixed; m += LANES) {
            REAL *to = mixed + s * n_mixed + m;
            const vec own = NAME(load)(receiver + m);
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->mixing + (0 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[0 * width + n];
                }
                NAME(store)(to + 0 * columns, a0 * own);
            }
        }
    }
}

/* Gradient by the raw sums of one embedding from that by the mixed ones. */
static void NAME(unmix_0)(const fused_model *model, int64_t kind, const REAL *by_mixed,
                            REAL *by_raw)
{
    const int64_t n_embedding = model->n_embedding, n_mixed = model->n_mixed;
    const int64_t width = PADDED(model->n_radial), columns = n_embedding * PADDED(n_mixed);
    const REAL *receiver = (const REAL *)model->receiver + kind * PADDED(n_mixed);
    for (int64_t s = 0; s < n_embedding; ++s, by_raw += 1 * width) {
        const REAL *from = by_mixed + s * PADDED(n_mixed);
        for (int64_t v = 0; v < width; v += LANES) {
            REAL *to = by_raw + v;
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->unmixing + (0 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[0 * columns + m];
                }
                NAME(store)(to + 0 * width, a0);
            }
        }
    }
}

static void NAME(values_0_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        NAME(store)(result + c, a0);
    }
}

static void NAME(gradients_0_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        NAME(store)(result + 0 * columns + c, g0);
    }
}


typedef void (*NAME(products_0))(const REAL *, const REAL *, REAL *, int64_t);

static int NAME(forward_0)(const fused_model *model, const fused_graph *graph, int64_t first,
                             int64_t last, REAL *raw, REAL *features)
{
    NAME(products_0) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_0_1); n_invariants = 1; break;
    case 2: products = NAME(values_0_1); n_invariants = 1; break;
    case 3: products = NAME(values_0_1); n_invariants = 1; break;
    case 4: products = NAME(values_0_1); n_invariants = 1; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 1 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 1, n_invariants))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 0);
        NAME(monomials_0)(&s);
        REAL *own = raw ? raw + atom * n_raw : s.raw;
        memset(own, 0, n_raw * sizeof *own);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            NAME(sum_0)(&s, s.start[kind], s.start[kind + 1], width);
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                REAL *to = own + e * 1 * width;
                for (int64_t k = 0; k < 1 * width; ++k)
                    to[k] += sender[e] * s.sums[k];
            }
        }
        NAME(mix_0)(model, graph->kinds[atom], own, s.mixed);
        products(s.mixed, NULL, s.features, model->n_embedding * PADDED(n_mixed));
        REAL *row = features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(row + k * n_mixed, s.features + k * PADDED(n_mixed), n_mixed * sizeof *row);
    }
    free(memory.memory);
    return DONE;
}

/* Gradient by the edges of one kind, whose gradient by the sums is s->sums. */
static void NAME(edges_0)(const fused_model *model, const fused_graph *graph, const scratch *s,
                            int64_t begin, int64_t end, int64_t atom, double *by_positions,
                            double *by_cells)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial), capacity = s->capacity;
    const REAL *sums = s->sums, *angular = s->angular;
    for (int64_t lane = begin; lane < end; lane += LANES) {
        const REAL *radial = s->radial + lane, *slopes = s->slopes + lane;
        const vec inverse = NAME(load)(s->inverse + lane);
        vec unit[3], t[1], along = inverse - inverse;
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(s->unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
        }
        vec across[3] = {inverse - inverse, inverse - inverse, inverse - inverse};

        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] * inverse;
        along = along
            - (across[0] * unit[0] + across[1] * unit[1] + across[2] * unit[2]);
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] + along * unit[axis];
        NAME(scatter)(graph, s, lane, atom, across, by_positions, by_cells);
    }
}

static int NAME(backward_0)(const fused_model *model, const fused_graph *graph, int64_t first,
                              int64_t last, const REAL *raw, const REAL *by_features,
                              double *by_positions, double *by_cells)
{
    NAME(products_0) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_0_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_0_1); n_invariants = 1; break;
    case 3: products = NAME(gradients_0_1); n_invariants = 1; break;
    case 4: products = NAME(gradients_0_1); n_invariants = 1; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 1 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 1, n_invariants))
        return NO_MEMORY;
    memset(s.features, 0, rows * PADDED(n_mixed) * sizeof *s.features);
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 1);
        NAME(monomials_0)(&s);
        const REAL *row = by_features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(s.features + k * PADDED(n_mixed), row + k * n_mixed, n_mixed * sizeof *row);
        NAME(mix_0)(model, graph->kinds[atom], raw + atom * n_raw, s.mixed);
        products(s.mixed, s.features, s.by_mixed, model->n_embedding * PADDED(n_mixed));
        NAME(unmix_0)(model, graph->kinds[atom], s.by_mixed, s.raw);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            memset(s.sums, 0, 1 * width * sizeof *s.sums);
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                const REAL *from = s.raw + e * 1 * width;
                for (int64_t k = 0; k < 1 * width; ++k)
                    s.sums[k] += sender[e] * from[k];
            }
            NAME(edges_0)(model, graph, &s, s.start[kind], s.start[kind + 1], atom,
                            by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
/* ---- training up to degree 0 ---- */

static void NAME(angular_rates_0)(training *t)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const vec x = NAME(load)(t->unit_rate[0] + lane), y = NAME(load)(t->unit_rate[1] + lane);
        const vec z = NAME(load)(t->unit_rate[2] + lane);
        (void)x, (void)y, (void)z, (void)angular;
        NAME(store)(t->angular_rates + 0 * capacity + lane, x - x);
    }
}

/* Rates of the sums of one kind, to s.sums. */
static void NAME(sum_rates_0)(const training *t, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular, *angular_rates = t->angular_rates;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = t->s.radial + v, *radial_rates = t->radial_rates + v;
        REAL *sums = t->s.sums + v;
        {
            vec a0 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[0 * capacity + lane] + r * angular_rates[0 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
        }
    }
}

/* Gradients by the vectors of one kind. */
static void NAME(vectors_0)(const fused_cace *cace, const training *own, int64_t kind,
                              int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sums, *angular = own->s.angular;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        vec unit[3], t[1], along = {0}, across[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
        }

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
static void NAME(second_vectors_0)(const fused_cace *cace, const training *own, int64_t kind,
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
        vec unit[3], unit_rate[3], t[1], t_rate[1], along = {0}, along_rate = {0};
        vec across[3] = {{0}, {0}, {0}}, across_rate[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis) {
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
            unit_rate[axis] = NAME(load)(own->unit_rate[axis] + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[0 * width + n];
                const REAL h0 = sum_rates[0 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
            }
            t[0] = a0;
            t_rate[0] = c0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 0 * capacity + lane) + b0 * NAME(load)(angular_rates + 0 * capacity + lane);
        }

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
static void NAME(sums_of_atom_0)(const fused_cace *cace, int64_t atom, const REAL *change,
                                   training *t)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 1 * width;
    const int64_t n_embedding = model->n_embedding;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    NAME(fill_lanes)(cace, atom, change, t);
    NAME(monomials_0)(&t->s);
    memset(t->raw, 0, n_embedding * block * sizeof *t->raw);
    if (change) {
        NAME(angular_rates_0)(t);
        memset(t->raw_rates, 0, n_embedding * block * sizeof *t->raw);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        const int64_t begin = t->s.start[kind], end = t->s.start[kind + 1];
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        if (begin == end)
            continue;
        t->s.sums = t->sums + kind * block;
        NAME(sum_0)(&t->s, begin, end, width);
        for (int64_t e = 0; e < n_embedding; ++e)
            NAME(add_times)(t->raw + e * block, t->s.sums, sender[e], block);
        if (change) {
            t->s.sums = t->sum_rates + kind * block;
            NAME(sum_rates_0)(t, begin, end, width);
            for (int64_t e = 0; e < n_embedding; ++e)
                NAME(add_times)(t->raw_rates + e * block, t->s.sums, sender[e], block);
        }
    }
    const int64_t n_mixed = PADDED(model->n_mixed), n_rows = 1 * n_embedding;
    const REAL *own = (const REAL *)model->receiver + cace->kinds[atom] * n_mixed;
    NAME(mix_0)(&without_receiver, 0, t->raw, t->plain);
    NAME(times_receiver)(t->mixed, t->plain, own, n_rows, n_mixed);
    if (change) {
        NAME(mix_0)(&without_receiver, 0, t->raw_rates, t->plain_rates);
        NAME(times_receiver)(t->mixed_rates, t->plain_rates, own, n_rows, n_mixed);
    }
}

static void NAME(by_mixing_0)(const fused_model *model, const REAL *raw, const REAL *by_mixed,
                                REAL *by_mixing)
{
    static const int64_t starts[] = {0, 1};
    const int64_t n_embedding = model->n_embedding, width = PADDED(model->n_radial);
    const int64_t n_mixed = PADDED(model->n_mixed), columns = n_embedding * n_mixed;
    for (int degree = 0; degree <= 0; ++degree)
        for (int64_t e = 0; e < n_embedding; ++e)
            for (int64_t n = 0; n < model->n_radial; ++n, by_mixing += n_mixed)
                for (int64_t m = 0; m < n_mixed; m += LANES) {
                    vec total = NAME(load)(by_mixing + m);
                    for (int64_t l = starts[degree]; l < starts[degree + 1]; ++l)
                        total += raw[(e * 1 + l) * width + n]
                            * NAME(load)(by_mixed + l * columns + e * n_mixed + m);
                    NAME(store)(by_mixing + m, total);
                }
}

/* Gradients of one atom from those by its mixed sums and, with a change, by their rates. */
static void NAME(gradients_of_atom_0)(const fused_cace *cace, int64_t atom, int has_rates,
                                        training *t, const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 1 * width;
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t n_rows = 1 * n_embedding, place = cace->kinds[atom] * n_mixed;
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
    NAME(unmix_0)(&without_receiver, 0, t->by_mixed, t->by_raw);
    if (to->mixing)
        NAME(by_mixing_0)(model, t->raw, t->by_mixed, to->mixing);
    if (has_rates) {
        NAME(times_receiver)(t->by_mixed_rates, t->by_mixed_rates, own, n_rows, n_mixed);
        NAME(unmix_0)(&without_receiver, 0, t->by_mixed_rates, t->by_raw_rates);
        if (to->mixing)
            NAME(by_mixing_0)(model, t->raw_rates, t->by_mixed_rates, to->mixing);
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
            NAME(by_frequencies)(cace, t, kind, 1, has_rates, to->frequencies);
        if (to->vectors && has_rates)
            NAME(second_vectors_0)(cace, t, kind, atom, to->vectors);
        else if (to->vectors)
            NAME(vectors_0)(cace, t, kind, atom, to->vectors);
    }
}

typedef void (*NAME(second_products_0))(const REAL *, const REAL *, const REAL *, REAL *, REAL *,
                                          REAL *, int64_t);

static void NAME(second_0_1)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        NAME(store)(value_rates + c, e0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
    }
}


static int NAME(cace_values_0)(const fused_cace *cace, int64_t first, int64_t last,
                                 REAL *features)
{
    const fused_model *model = &cace->model;
    NAME(products_0) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_0_1); n_invariants = 1; break;
    case 2: products = NAME(values_0_1); n_invariants = 1; break;
    case 3: products = NAME(values_0_1); n_invariants = 1; break;
    case 4: products = NAME(values_0_1); n_invariants = 1; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 1, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_0)(cace, atom, NULL, &t);
        products(t.mixed, NULL, t.by_features, model->n_embedding * PADDED(n_mixed));
        NAME(copy_rows)(features + atom * rows * n_mixed, n_mixed, t.by_features, PADDED(n_mixed),
                        rows, n_mixed);
    }
    free(memory.memory);
    return DONE;
}

static int NAME(cace_gradients_0)(const fused_cace *cace, int64_t first, int64_t last,
                                    const REAL *by_features, const REAL *change,
                                    const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    NAME(products_0) products = NULL;
    NAME(second_products_0) second_products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_0_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_0_1); n_invariants = 1; break;
    case 3: products = NAME(gradients_0_1); n_invariants = 1; break;
    case 4: products = NAME(gradients_0_1); n_invariants = 1; break;
    default: return NOT_SUPPORTED;
    }
    switch (model->nu_max) {
    case 1: second_products = NAME(second_0_1); break;
    case 2: second_products = NAME(second_0_1); break;
    case 3: second_products = NAME(second_0_1); break;
    case 4: second_products = NAME(second_0_1); break;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    const int64_t columns = model->n_embedding * PADDED(n_mixed);
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 1, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_0)(cace, atom, change, &t);
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
        NAME(gradients_of_atom_0)(cace, atom, change != NULL, &t, to);
    }
    free(memory.memory);
    return DONE;
}

/* ---- angular functions up to degree 1 ---- */

static void NAME(monomials_1)(scratch *s)
{
    const int64_t capacity = s->capacity;
    REAL *values = s->angular;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        const vec z = NAME(load)(s->unit[2] + lane);
        (void)x, (void)y, (void)z;
        const vec y0 = x - x + 1;
        const vec y1 = x;
        const vec y2 = y;
        const vec y3 = z;
        NAME(store)(values + 0 * capacity + lane, y0);
        NAME(store)(values + 1 * capacity + lane, y1);
        NAME(store)(values + 2 * capacity + lane, y2);
        NAME(store)(values + 3 * capacity + lane, y3);
    }
}

/* Sums over the lanes of one kind. */
static void NAME(sum_1)(const scratch *s, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = s->capacity;
    const REAL *angular = s->angular;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = s->radial + v;
        REAL *sums = s->sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[0 * capacity + lane];
                a1 += r * angular[1 * capacity + lane];
                a2 += r * angular[2 * capacity + lane];
                a3 += r * angular[3 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
        }
    }
}

/* Mixed sums [function][embedding][mixed] of an atom of a kind from raw ones
 * [embedding][function][radial]. */
static void NAME(mix_1)(const fused_model *model, int64_t kind, const REAL *raw, REAL *mixed)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial);
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t columns = n_embedding * n_mixed;
    const REAL *receiver = (const REAL *)model->receiver + kind * n_mixed;
    for (int64_t s = 0; s < n_embedding; ++s, raw += 4 * width) {
        for (int64_t m = 0; m < n_mixed; m += LANES) {
            REAL *to = mixed + s * n_mixed + m;
            const vec own = NAME(load)(receiver + m);
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->mixing + (0 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[0 * width + n];
                }
                NAME(store)(to + 0 * columns, a0 * own);
            }
            weights = (const REAL *)model->mixing + (1 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[1 * width + n];
                    a1 += w * raw[2 * width + n];
                    a2 += w * raw[3 * width + n];
                }
                NAME(store)(to + 1 * columns, a0 * own);
                NAME(store)(to + 2 * columns, a1 * own);
                NAME(store)(to + 3 * columns, a2 * own);
            }
        }
    }
}

/* Gradient by the raw sums of one embedding from that by the mixed ones. */
static void NAME(unmix_1)(const fused_model *model, int64_t kind, const REAL *by_mixed,
                            REAL *by_raw)
{
    const int64_t n_embedding = model->n_embedding, n_mixed = model->n_mixed;
    const int64_t width = PADDED(model->n_radial), columns = n_embedding * PADDED(n_mixed);
    const REAL *receiver = (const REAL *)model->receiver + kind * PADDED(n_mixed);
    for (int64_t s = 0; s < n_embedding; ++s, by_raw += 4 * width) {
        const REAL *from = by_mixed + s * PADDED(n_mixed);
        for (int64_t v = 0; v < width; v += LANES) {
            REAL *to = by_raw + v;
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->unmixing + (0 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[0 * columns + m];
                }
                NAME(store)(to + 0 * width, a0);
            }
            weights = (const REAL *)model->unmixing + (1 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[1 * columns + m];
                    a1 += w * from[2 * columns + m];
                    a2 += w * from[3 * columns + m];
                }
                NAME(store)(to + 1 * width, a0);
                NAME(store)(to + 2 * width, a1);
                NAME(store)(to + 3 * width, a2);
            }
        }
    }
}

static void NAME(values_1_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        NAME(store)(result + c, a0);
    }
}

static void NAME(gradients_1_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
    }
}

static void NAME(values_1_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
    }
}

static void NAME(gradients_1_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
    }
}


typedef void (*NAME(products_1))(const REAL *, const REAL *, REAL *, int64_t);

static int NAME(forward_1)(const fused_model *model, const fused_graph *graph, int64_t first,
                             int64_t last, REAL *raw, REAL *features)
{
    NAME(products_1) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_1_1); n_invariants = 1; break;
    case 2: products = NAME(values_1_2); n_invariants = 2; break;
    case 3: products = NAME(values_1_2); n_invariants = 2; break;
    case 4: products = NAME(values_1_2); n_invariants = 2; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 4 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 4, n_invariants))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 0);
        NAME(monomials_1)(&s);
        REAL *own = raw ? raw + atom * n_raw : s.raw;
        memset(own, 0, n_raw * sizeof *own);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            NAME(sum_1)(&s, s.start[kind], s.start[kind + 1], width);
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                REAL *to = own + e * 4 * width;
                for (int64_t k = 0; k < 4 * width; ++k)
                    to[k] += sender[e] * s.sums[k];
            }
        }
        NAME(mix_1)(model, graph->kinds[atom], own, s.mixed);
        products(s.mixed, NULL, s.features, model->n_embedding * PADDED(n_mixed));
        REAL *row = features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(row + k * n_mixed, s.features + k * PADDED(n_mixed), n_mixed * sizeof *row);
    }
    free(memory.memory);
    return DONE;
}

/* Gradient by the edges of one kind, whose gradient by the sums is s->sums. */
static void NAME(edges_1)(const fused_model *model, const fused_graph *graph, const scratch *s,
                            int64_t begin, int64_t end, int64_t atom, double *by_positions,
                            double *by_cells)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial), capacity = s->capacity;
    const REAL *sums = s->sums, *angular = s->angular;
    for (int64_t lane = begin; lane < end; lane += LANES) {
        const REAL *radial = s->radial + lane, *slopes = s->slopes + lane;
        const vec inverse = NAME(load)(s->inverse + lane);
        vec unit[3], t[4], along = inverse - inverse;
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(s->unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[3 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
            t[3] = a3;
            along += b3 * NAME(load)(angular + 3 * capacity + lane);
        }
        vec across[3] = {inverse - inverse, inverse - inverse, inverse - inverse};
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] * inverse;
        along = along
            - (across[0] * unit[0] + across[1] * unit[1] + across[2] * unit[2]);
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] + along * unit[axis];
        NAME(scatter)(graph, s, lane, atom, across, by_positions, by_cells);
    }
}

static int NAME(backward_1)(const fused_model *model, const fused_graph *graph, int64_t first,
                              int64_t last, const REAL *raw, const REAL *by_features,
                              double *by_positions, double *by_cells)
{
    NAME(products_1) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_1_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_1_2); n_invariants = 2; break;
    case 3: products = NAME(gradients_1_2); n_invariants = 2; break;
    case 4: products = NAME(gradients_1_2); n_invariants = 2; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 4 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 4, n_invariants))
        return NO_MEMORY;
    memset(s.features, 0, rows * PADDED(n_mixed) * sizeof *s.features);
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 1);
        NAME(monomials_1)(&s);
        const REAL *row = by_features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(s.features + k * PADDED(n_mixed), row + k * n_mixed, n_mixed * sizeof *row);
        NAME(mix_1)(model, graph->kinds[atom], raw + atom * n_raw, s.mixed);
        products(s.mixed, s.features, s.by_mixed, model->n_embedding * PADDED(n_mixed));
        NAME(unmix_1)(model, graph->kinds[atom], s.by_mixed, s.raw);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            memset(s.sums, 0, 4 * width * sizeof *s.sums);
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                const REAL *from = s.raw + e * 4 * width;
                for (int64_t k = 0; k < 4 * width; ++k)
                    s.sums[k] += sender[e] * from[k];
            }
            NAME(edges_1)(model, graph, &s, s.start[kind], s.start[kind + 1], atom,
                            by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
/* ---- training up to degree 1 ---- */

static void NAME(angular_rates_1)(training *t)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const vec x = NAME(load)(t->unit_rate[0] + lane), y = NAME(load)(t->unit_rate[1] + lane);
        const vec z = NAME(load)(t->unit_rate[2] + lane);
        (void)x, (void)y, (void)z, (void)angular;
        NAME(store)(t->angular_rates + 0 * capacity + lane, x - x);
        NAME(store)(t->angular_rates + 1 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * x * (REAL)1);
        NAME(store)(t->angular_rates + 2 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 3 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * z * (REAL)1);
    }
}

/* Rates of the sums of one kind, to s.sums. */
static void NAME(sum_rates_1)(const training *t, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular, *angular_rates = t->angular_rates;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = t->s.radial + v, *radial_rates = t->radial_rates + v;
        REAL *sums = t->s.sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[0 * capacity + lane] + r * angular_rates[0 * capacity + lane];
                a1 += d * angular[1 * capacity + lane] + r * angular_rates[1 * capacity + lane];
                a2 += d * angular[2 * capacity + lane] + r * angular_rates[2 * capacity + lane];
                a3 += d * angular[3 * capacity + lane] + r * angular_rates[3 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
        }
    }
}

/* Gradients by the vectors of one kind. */
static void NAME(vectors_1)(const fused_cace *cace, const training *own, int64_t kind,
                              int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sums, *angular = own->s.angular;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        vec unit[3], t[4], along = {0}, across[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[3 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
            t[3] = a3;
            along += b3 * NAME(load)(angular + 3 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
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
static void NAME(second_vectors_1)(const fused_cace *cace, const training *own, int64_t kind,
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
        vec unit[3], unit_rate[3], t[4], t_rate[4], along = {0}, along_rate = {0};
        vec across[3] = {{0}, {0}, {0}}, across_rate[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis) {
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
            unit_rate[axis] = NAME(load)(own->unit_rate[axis] + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[0 * width + n];
                const REAL h0 = sum_rates[0 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[1 * width + n];
                const REAL h1 = sum_rates[1 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
            }
            t[0] = a0;
            t_rate[0] = c0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 0 * capacity + lane) + b0 * NAME(load)(angular_rates + 0 * capacity + lane);
            t[1] = a1;
            t_rate[1] = c1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 1 * capacity + lane) + b1 * NAME(load)(angular_rates + 1 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[2 * width + n];
                const REAL h0 = sum_rates[2 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[3 * width + n];
                const REAL h1 = sum_rates[3 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
            }
            t[2] = a0;
            t_rate[2] = c0;
            along += b0 * NAME(load)(angular + 2 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 2 * capacity + lane) + b0 * NAME(load)(angular_rates + 2 * capacity + lane);
            t[3] = a1;
            t_rate[3] = c1;
            along += b1 * NAME(load)(angular + 3 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 3 * capacity + lane) + b1 * NAME(load)(angular_rates + 3 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[1] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[2] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[3] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
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
static void NAME(sums_of_atom_1)(const fused_cace *cace, int64_t atom, const REAL *change,
                                   training *t)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 4 * width;
    const int64_t n_embedding = model->n_embedding;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    NAME(fill_lanes)(cace, atom, change, t);
    NAME(monomials_1)(&t->s);
    memset(t->raw, 0, n_embedding * block * sizeof *t->raw);
    if (change) {
        NAME(angular_rates_1)(t);
        memset(t->raw_rates, 0, n_embedding * block * sizeof *t->raw);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        const int64_t begin = t->s.start[kind], end = t->s.start[kind + 1];
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        if (begin == end)
            continue;
        t->s.sums = t->sums + kind * block;
        NAME(sum_1)(&t->s, begin, end, width);
        for (int64_t e = 0; e < n_embedding; ++e)
            NAME(add_times)(t->raw + e * block, t->s.sums, sender[e], block);
        if (change) {
            t->s.sums = t->sum_rates + kind * block;
            NAME(sum_rates_1)(t, begin, end, width);
            for (int64_t e = 0; e < n_embedding; ++e)
                NAME(add_times)(t->raw_rates + e * block, t->s.sums, sender[e], block);
        }
    }
    const int64_t n_mixed = PADDED(model->n_mixed), n_rows = 4 * n_embedding;
    const REAL *own = (const REAL *)model->receiver + cace->kinds[atom] * n_mixed;
    NAME(mix_1)(&without_receiver, 0, t->raw, t->plain);
    NAME(times_receiver)(t->mixed, t->plain, own, n_rows, n_mixed);
    if (change) {
        NAME(mix_1)(&without_receiver, 0, t->raw_rates, t->plain_rates);
        NAME(times_receiver)(t->mixed_rates, t->plain_rates, own, n_rows, n_mixed);
    }
}

static void NAME(by_mixing_1)(const fused_model *model, const REAL *raw, const REAL *by_mixed,
                                REAL *by_mixing)
{
    static const int64_t starts[] = {0, 1, 4};
    const int64_t n_embedding = model->n_embedding, width = PADDED(model->n_radial);
    const int64_t n_mixed = PADDED(model->n_mixed), columns = n_embedding * n_mixed;
    for (int degree = 0; degree <= 1; ++degree)
        for (int64_t e = 0; e < n_embedding; ++e)
            for (int64_t n = 0; n < model->n_radial; ++n, by_mixing += n_mixed)
                for (int64_t m = 0; m < n_mixed; m += LANES) {
                    vec total = NAME(load)(by_mixing + m);
                    for (int64_t l = starts[degree]; l < starts[degree + 1]; ++l)
                        total += raw[(e * 4 + l) * width + n]
                            * NAME(load)(by_mixed + l * columns + e * n_mixed + m);
                    NAME(store)(by_mixing + m, total);
                }
}

/* Gradients of one atom from those by its mixed sums and, with a change, by their rates. */
static void NAME(gradients_of_atom_1)(const fused_cace *cace, int64_t atom, int has_rates,
                                        training *t, const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 4 * width;
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t n_rows = 4 * n_embedding, place = cace->kinds[atom] * n_mixed;
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
    NAME(unmix_1)(&without_receiver, 0, t->by_mixed, t->by_raw);
    if (to->mixing)
        NAME(by_mixing_1)(model, t->raw, t->by_mixed, to->mixing);
    if (has_rates) {
        NAME(times_receiver)(t->by_mixed_rates, t->by_mixed_rates, own, n_rows, n_mixed);
        NAME(unmix_1)(&without_receiver, 0, t->by_mixed_rates, t->by_raw_rates);
        if (to->mixing)
            NAME(by_mixing_1)(model, t->raw_rates, t->by_mixed_rates, to->mixing);
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
            NAME(by_frequencies)(cace, t, kind, 4, has_rates, to->frequencies);
        if (to->vectors && has_rates)
            NAME(second_vectors_1)(cace, t, kind, atom, to->vectors);
        else if (to->vectors)
            NAME(vectors_1)(cace, t, kind, atom, to->vectors);
    }
}

typedef void (*NAME(second_products_1))(const REAL *, const REAL *, const REAL *, REAL *, REAL *,
                                          REAL *, int64_t);

static void NAME(second_1_1)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        NAME(store)(value_rates + c, e0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
    }
}

static void NAME(second_1_2)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
    }
}


static int NAME(cace_values_1)(const fused_cace *cace, int64_t first, int64_t last,
                                 REAL *features)
{
    const fused_model *model = &cace->model;
    NAME(products_1) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_1_1); n_invariants = 1; break;
    case 2: products = NAME(values_1_2); n_invariants = 2; break;
    case 3: products = NAME(values_1_2); n_invariants = 2; break;
    case 4: products = NAME(values_1_2); n_invariants = 2; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 4, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_1)(cace, atom, NULL, &t);
        products(t.mixed, NULL, t.by_features, model->n_embedding * PADDED(n_mixed));
        NAME(copy_rows)(features + atom * rows * n_mixed, n_mixed, t.by_features, PADDED(n_mixed),
                        rows, n_mixed);
    }
    free(memory.memory);
    return DONE;
}

static int NAME(cace_gradients_1)(const fused_cace *cace, int64_t first, int64_t last,
                                    const REAL *by_features, const REAL *change,
                                    const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    NAME(products_1) products = NULL;
    NAME(second_products_1) second_products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_1_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_1_2); n_invariants = 2; break;
    case 3: products = NAME(gradients_1_2); n_invariants = 2; break;
    case 4: products = NAME(gradients_1_2); n_invariants = 2; break;
    default: return NOT_SUPPORTED;
    }
    switch (model->nu_max) {
    case 1: second_products = NAME(second_1_1); break;
    case 2: second_products = NAME(second_1_2); break;
    case 3: second_products = NAME(second_1_2); break;
    case 4: second_products = NAME(second_1_2); break;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    const int64_t columns = model->n_embedding * PADDED(n_mixed);
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 4, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_1)(cace, atom, change, &t);
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
        NAME(gradients_of_atom_1)(cace, atom, change != NULL, &t, to);
    }
    free(memory.memory);
    return DONE;
}

/* ---- angular functions up to degree 2 ---- */

static void NAME(monomials_2)(scratch *s)
{
    const int64_t capacity = s->capacity;
    REAL *values = s->angular;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        const vec z = NAME(load)(s->unit[2] + lane);
        (void)x, (void)y, (void)z;
        const vec y0 = x - x + 1;
        const vec y1 = x;
        const vec y2 = y;
        const vec y3 = z;
        const vec y4 = y1 * x;
        const vec y5 = y2 * x;
        const vec y6 = y3 * x;
        const vec y7 = y2 * y;
        const vec y8 = y3 * y;
        const vec y9 = y3 * z;
        NAME(store)(values + 0 * capacity + lane, y0);
        NAME(store)(values + 1 * capacity + lane, y1);
        NAME(store)(values + 2 * capacity + lane, y2);
        NAME(store)(values + 3 * capacity + lane, y3);
        NAME(store)(values + 4 * capacity + lane, y4);
        NAME(store)(values + 5 * capacity + lane, y5);
        NAME(store)(values + 6 * capacity + lane, y6);
        NAME(store)(values + 7 * capacity + lane, y7);
        NAME(store)(values + 8 * capacity + lane, y8);
        NAME(store)(values + 9 * capacity + lane, y9);
    }
}

/* Sums over the lanes of one kind. */
static void NAME(sum_2)(const scratch *s, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = s->capacity;
    const REAL *angular = s->angular;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = s->radial + v;
        REAL *sums = s->sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[0 * capacity + lane];
                a1 += r * angular[1 * capacity + lane];
                a2 += r * angular[2 * capacity + lane];
                a3 += r * angular[3 * capacity + lane];
                a4 += r * angular[4 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
            NAME(store)(sums + 4 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[5 * capacity + lane];
                a1 += r * angular[6 * capacity + lane];
                a2 += r * angular[7 * capacity + lane];
                a3 += r * angular[8 * capacity + lane];
                a4 += r * angular[9 * capacity + lane];
            }
            NAME(store)(sums + 5 * width, a0);
            NAME(store)(sums + 6 * width, a1);
            NAME(store)(sums + 7 * width, a2);
            NAME(store)(sums + 8 * width, a3);
            NAME(store)(sums + 9 * width, a4);
        }
    }
}

/* Mixed sums [function][embedding][mixed] of an atom of a kind from raw ones
 * [embedding][function][radial]. */
static void NAME(mix_2)(const fused_model *model, int64_t kind, const REAL *raw, REAL *mixed)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial);
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t columns = n_embedding * n_mixed;
    const REAL *receiver = (const REAL *)model->receiver + kind * n_mixed;
    for (int64_t s = 0; s < n_embedding; ++s, raw += 10 * width) {
        for (int64_t m = 0; m < n_mixed; m += LANES) {
            REAL *to = mixed + s * n_mixed + m;
            const vec own = NAME(load)(receiver + m);
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->mixing + (0 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[0 * width + n];
                }
                NAME(store)(to + 0 * columns, a0 * own);
            }
            weights = (const REAL *)model->mixing + (1 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[1 * width + n];
                    a1 += w * raw[2 * width + n];
                    a2 += w * raw[3 * width + n];
                }
                NAME(store)(to + 1 * columns, a0 * own);
                NAME(store)(to + 2 * columns, a1 * own);
                NAME(store)(to + 3 * columns, a2 * own);
            }
            weights = (const REAL *)model->mixing + (2 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                vec a5 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[4 * width + n];
                    a1 += w * raw[5 * width + n];
                    a2 += w * raw[6 * width + n];
                    a3 += w * raw[7 * width + n];
                    a4 += w * raw[8 * width + n];
                    a5 += w * raw[9 * width + n];
                }
                NAME(store)(to + 4 * columns, a0 * own);
                NAME(store)(to + 5 * columns, a1 * own);
                NAME(store)(to + 6 * columns, a2 * own);
                NAME(store)(to + 7 * columns, a3 * own);
                NAME(store)(to + 8 * columns, a4 * own);
                NAME(store)(to + 9 * columns, a5 * own);
            }
        }
    }
}

/* Gradient by the raw sums of one embedding from that by the mixed ones. */
static void NAME(unmix_2)(const fused_model *model, int64_t kind, const REAL *by_mixed,
                            REAL *by_raw)
{
    const int64_t n_embedding = model->n_embedding, n_mixed = model->n_mixed;
    const int64_t width = PADDED(model->n_radial), columns = n_embedding * PADDED(n_mixed);
    const REAL *receiver = (const REAL *)model->receiver + kind * PADDED(n_mixed);
    for (int64_t s = 0; s < n_embedding; ++s, by_raw += 10 * width) {
        const REAL *from = by_mixed + s * PADDED(n_mixed);
        for (int64_t v = 0; v < width; v += LANES) {
            REAL *to = by_raw + v;
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->unmixing + (0 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[0 * columns + m];
                }
                NAME(store)(to + 0 * width, a0);
            }
            weights = (const REAL *)model->unmixing + (1 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[1 * columns + m];
                    a1 += w * from[2 * columns + m];
                    a2 += w * from[3 * columns + m];
                }
                NAME(store)(to + 1 * width, a0);
                NAME(store)(to + 2 * width, a1);
                NAME(store)(to + 3 * width, a2);
            }
            weights = (const REAL *)model->unmixing + (2 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                vec a5 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[4 * columns + m];
                    a1 += w * from[5 * columns + m];
                    a2 += w * from[6 * columns + m];
                    a3 += w * from[7 * columns + m];
                    a4 += w * from[8 * columns + m];
                    a5 += w * from[9 * columns + m];
                }
                NAME(store)(to + 4 * width, a0);
                NAME(store)(to + 5 * width, a1);
                NAME(store)(to + 6 * width, a2);
                NAME(store)(to + 7 * width, a3);
                NAME(store)(to + 8 * width, a4);
                NAME(store)(to + 9 * width, a5);
            }
        }
    }
}

static void NAME(values_2_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        NAME(store)(result + c, a0);
    }
}

static void NAME(gradients_2_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
    }
}

static void NAME(values_2_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
    }
}

static void NAME(gradients_2_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
    }
}

static void NAME(values_2_3)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a1 * t0 * (REAL)1.0 + a2 * t1 * (REAL)1.0 + a3 * t2 * (REAL)1.0);
    }
}

static void NAME(gradients_2_3)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec h0 = {0};
        vec h1 = {0};
        vec h2 = {0};
        const vec q0 = NAME(load)(by_values + 3 * columns + c);
        g1 += q0 * t0 * (REAL)1.0;
        h0 += q0 * a1 * (REAL)1.0;
        g2 += q0 * t1 * (REAL)1.0;
        h1 += q0 * a2 * (REAL)1.0;
        g3 += q0 * t2 * (REAL)1.0;
        h2 += q0 * a3 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
    }
}


typedef void (*NAME(products_2))(const REAL *, const REAL *, REAL *, int64_t);

static int NAME(forward_2)(const fused_model *model, const fused_graph *graph, int64_t first,
                             int64_t last, REAL *raw, REAL *features)
{
    NAME(products_2) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_2_1); n_invariants = 1; break;
    case 2: products = NAME(values_2_2); n_invariants = 3; break;
    case 3: products = NAME(values_2_3); n_invariants = 4; break;
    case 4: products = NAME(values_2_3); n_invariants = 4; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 10 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 10, n_invariants))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 0);
        NAME(monomials_2)(&s);
        REAL *own = raw ? raw + atom * n_raw : s.raw;
        memset(own, 0, n_raw * sizeof *own);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            NAME(sum_2)(&s, s.start[kind], s.start[kind + 1], width);
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                REAL *to = own + e * 10 * width;
                for (int64_t k = 0; k < 10 * width; ++k)
                    to[k] += sender[e] * s.sums[k];
            }
        }
        NAME(mix_2)(model, graph->kinds[atom], own, s.mixed);
        products(s.mixed, NULL, s.features, model->n_embedding * PADDED(n_mixed));
        REAL *row = features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(row + k * n_mixed, s.features + k * PADDED(n_mixed), n_mixed * sizeof *row);
    }
    free(memory.memory);
    return DONE;
}

/* Gradient by the edges of one kind, whose gradient by the sums is s->sums. */
static void NAME(edges_2)(const fused_model *model, const fused_graph *graph, const scratch *s,
                            int64_t begin, int64_t end, int64_t atom, double *by_positions,
                            double *by_cells)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial), capacity = s->capacity;
    const REAL *sums = s->sums, *angular = s->angular;
    for (int64_t lane = begin; lane < end; lane += LANES) {
        const REAL *radial = s->radial + lane, *slopes = s->slopes + lane;
        const vec inverse = NAME(load)(s->inverse + lane);
        vec unit[3], t[10], along = inverse - inverse;
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(s->unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[3 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[4 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[5 * width + n];
                a2 += r * g2;
                b2 += d * g2;
            }
            t[3] = a0;
            along += b0 * NAME(load)(angular + 3 * capacity + lane);
            t[4] = a1;
            along += b1 * NAME(load)(angular + 4 * capacity + lane);
            t[5] = a2;
            along += b2 * NAME(load)(angular + 5 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[6 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[7 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[8 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[9 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[6] = a0;
            along += b0 * NAME(load)(angular + 6 * capacity + lane);
            t[7] = a1;
            along += b1 * NAME(load)(angular + 7 * capacity + lane);
            t[8] = a2;
            along += b2 * NAME(load)(angular + 8 * capacity + lane);
            t[9] = a3;
            along += b3 * NAME(load)(angular + 9 * capacity + lane);
        }
        vec across[3] = {inverse - inverse, inverse - inverse, inverse - inverse};
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] * inverse;
        along = along
            - (across[0] * unit[0] + across[1] * unit[1] + across[2] * unit[2]);
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] + along * unit[axis];
        NAME(scatter)(graph, s, lane, atom, across, by_positions, by_cells);
    }
}

static int NAME(backward_2)(const fused_model *model, const fused_graph *graph, int64_t first,
                              int64_t last, const REAL *raw, const REAL *by_features,
                              double *by_positions, double *by_cells)
{
    NAME(products_2) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_2_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_2_2); n_invariants = 3; break;
    case 3: products = NAME(gradients_2_3); n_invariants = 4; break;
    case 4: products = NAME(gradients_2_3); n_invariants = 4; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 10 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 10, n_invariants))
        return NO_MEMORY;
    memset(s.features, 0, rows * PADDED(n_mixed) * sizeof *s.features);
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 1);
        NAME(monomials_2)(&s);
        const REAL *row = by_features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(s.features + k * PADDED(n_mixed), row + k * n_mixed, n_mixed * sizeof *row);
        NAME(mix_2)(model, graph->kinds[atom], raw + atom * n_raw, s.mixed);
        products(s.mixed, s.features, s.by_mixed, model->n_embedding * PADDED(n_mixed));
        NAME(unmix_2)(model, graph->kinds[atom], s.by_mixed, s.raw);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            memset(s.sums, 0, 10 * width * sizeof *s.sums);
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                const REAL *from = s.raw + e * 10 * width;
                for (int64_t k = 0; k < 10 * width; ++k)
                    s.sums[k] += sender[e] * from[k];
            }
            NAME(edges_2)(model, graph, &s, s.start[kind], s.start[kind + 1], atom,
                            by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
/* ---- training up to degree 2 ---- */

static void NAME(angular_rates_2)(training *t)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const vec x = NAME(load)(t->unit_rate[0] + lane), y = NAME(load)(t->unit_rate[1] + lane);
        const vec z = NAME(load)(t->unit_rate[2] + lane);
        (void)x, (void)y, (void)z, (void)angular;
        NAME(store)(t->angular_rates + 0 * capacity + lane, x - x);
        NAME(store)(t->angular_rates + 1 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * x * (REAL)1);
        NAME(store)(t->angular_rates + 2 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 3 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 4 * capacity + lane, NAME(load)(angular + 1 * capacity + lane) * x * (REAL)2);
        NAME(store)(t->angular_rates + 5 * capacity + lane, NAME(load)(angular + 2 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 1 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 6 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 1 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 7 * capacity + lane, NAME(load)(angular + 2 * capacity + lane) * y * (REAL)2);
        NAME(store)(t->angular_rates + 8 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 2 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 9 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * z * (REAL)2);
    }
}

/* Rates of the sums of one kind, to s.sums. */
static void NAME(sum_rates_2)(const training *t, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular, *angular_rates = t->angular_rates;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = t->s.radial + v, *radial_rates = t->radial_rates + v;
        REAL *sums = t->s.sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[0 * capacity + lane] + r * angular_rates[0 * capacity + lane];
                a1 += d * angular[1 * capacity + lane] + r * angular_rates[1 * capacity + lane];
                a2 += d * angular[2 * capacity + lane] + r * angular_rates[2 * capacity + lane];
                a3 += d * angular[3 * capacity + lane] + r * angular_rates[3 * capacity + lane];
                a4 += d * angular[4 * capacity + lane] + r * angular_rates[4 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
            NAME(store)(sums + 4 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[5 * capacity + lane] + r * angular_rates[5 * capacity + lane];
                a1 += d * angular[6 * capacity + lane] + r * angular_rates[6 * capacity + lane];
                a2 += d * angular[7 * capacity + lane] + r * angular_rates[7 * capacity + lane];
                a3 += d * angular[8 * capacity + lane] + r * angular_rates[8 * capacity + lane];
                a4 += d * angular[9 * capacity + lane] + r * angular_rates[9 * capacity + lane];
            }
            NAME(store)(sums + 5 * width, a0);
            NAME(store)(sums + 6 * width, a1);
            NAME(store)(sums + 7 * width, a2);
            NAME(store)(sums + 8 * width, a3);
            NAME(store)(sums + 9 * width, a4);
        }
    }
}

/* Gradients by the vectors of one kind. */
static void NAME(vectors_2)(const fused_cace *cace, const training *own, int64_t kind,
                              int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sums, *angular = own->s.angular;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        vec unit[3], t[10], along = {0}, across[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[3 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[4 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[5 * width + n];
                a2 += r * g2;
                b2 += d * g2;
            }
            t[3] = a0;
            along += b0 * NAME(load)(angular + 3 * capacity + lane);
            t[4] = a1;
            along += b1 * NAME(load)(angular + 4 * capacity + lane);
            t[5] = a2;
            along += b2 * NAME(load)(angular + 5 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[6 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[7 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[8 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[9 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[6] = a0;
            along += b0 * NAME(load)(angular + 6 * capacity + lane);
            t[7] = a1;
            along += b1 * NAME(load)(angular + 7 * capacity + lane);
            t[8] = a2;
            along += b2 * NAME(load)(angular + 8 * capacity + lane);
            t[9] = a3;
            along += b3 * NAME(load)(angular + 9 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
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
static void NAME(second_vectors_2)(const fused_cace *cace, const training *own, int64_t kind,
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
        vec unit[3], unit_rate[3], t[10], t_rate[10], along = {0}, along_rate = {0};
        vec across[3] = {{0}, {0}, {0}}, across_rate[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis) {
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
            unit_rate[axis] = NAME(load)(own->unit_rate[axis] + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[0 * width + n];
                const REAL h0 = sum_rates[0 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[1 * width + n];
                const REAL h1 = sum_rates[1 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
            }
            t[0] = a0;
            t_rate[0] = c0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 0 * capacity + lane) + b0 * NAME(load)(angular_rates + 0 * capacity + lane);
            t[1] = a1;
            t_rate[1] = c1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 1 * capacity + lane) + b1 * NAME(load)(angular_rates + 1 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[2 * width + n];
                const REAL h0 = sum_rates[2 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[3 * width + n];
                const REAL h1 = sum_rates[3 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[4 * width + n];
                const REAL h2 = sum_rates[4 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[2] = a0;
            t_rate[2] = c0;
            along += b0 * NAME(load)(angular + 2 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 2 * capacity + lane) + b0 * NAME(load)(angular_rates + 2 * capacity + lane);
            t[3] = a1;
            t_rate[3] = c1;
            along += b1 * NAME(load)(angular + 3 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 3 * capacity + lane) + b1 * NAME(load)(angular_rates + 3 * capacity + lane);
            t[4] = a2;
            t_rate[4] = c2;
            along += b2 * NAME(load)(angular + 4 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 4 * capacity + lane) + b2 * NAME(load)(angular_rates + 4 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[5 * width + n];
                const REAL h0 = sum_rates[5 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[6 * width + n];
                const REAL h1 = sum_rates[6 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
            }
            t[5] = a0;
            t_rate[5] = c0;
            along += b0 * NAME(load)(angular + 5 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 5 * capacity + lane) + b0 * NAME(load)(angular_rates + 5 * capacity + lane);
            t[6] = a1;
            t_rate[6] = c1;
            along += b1 * NAME(load)(angular + 6 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 6 * capacity + lane) + b1 * NAME(load)(angular_rates + 6 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[7 * width + n];
                const REAL h0 = sum_rates[7 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[8 * width + n];
                const REAL h1 = sum_rates[8 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[9 * width + n];
                const REAL h2 = sum_rates[9 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[7] = a0;
            t_rate[7] = c0;
            along += b0 * NAME(load)(angular + 7 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 7 * capacity + lane) + b0 * NAME(load)(angular_rates + 7 * capacity + lane);
            t[8] = a1;
            t_rate[8] = c1;
            along += b1 * NAME(load)(angular + 8 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 8 * capacity + lane) + b1 * NAME(load)(angular_rates + 8 * capacity + lane);
            t[9] = a2;
            t_rate[9] = c2;
            along += b2 * NAME(load)(angular + 9 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 9 * capacity + lane) + b2 * NAME(load)(angular_rates + 9 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[1] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[2] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[3] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2 + t[4] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1 + t[5] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1 + t[5] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1 + t[6] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1 + t[6] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2 + t[7] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1 + t[8] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1 + t[8] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2 + t[9] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)2;
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
static void NAME(sums_of_atom_2)(const fused_cace *cace, int64_t atom, const REAL *change,
                                   training *t)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 10 * width;
    const int64_t n_embedding = model->n_embedding;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    NAME(fill_lanes)(cace, atom, change, t);
    NAME(monomials_2)(&t->s);
    memset(t->raw, 0, n_embedding * block * sizeof *t->raw);
    if (change) {
        NAME(angular_rates_2)(t);
        memset(t->raw_rates, 0, n_embedding * block * sizeof *t->raw);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        const int64_t begin = t->s.start[kind], end = t->s.start[kind + 1];
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        if (begin == end)
            continue;
        t->s.sums = t->sums + kind * block;
        NAME(sum_2)(&t->s, begin, end, width);
        for (int64_t e = 0; e < n_embedding; ++e)
            NAME(add_times)(t->raw + e * block, t->s.sums, sender[e], block);
        if (change) {
            t->s.sums = t->sum_rates + kind * block;
            NAME(sum_rates_2)(t, begin, end, width);
            for (int64_t e = 0; e < n_embedding; ++e)
                NAME(add_times)(t->raw_rates + e * block, t->s.sums, sender[e], block);
        }
    }
    const int64_t n_mixed = PADDED(model->n_mixed), n_rows = 10 * n_embedding;
    const REAL *own = (const REAL *)model->receiver + cace->kinds[atom] * n_mixed;
    NAME(mix_2)(&without_receiver, 0, t->raw, t->plain);
    NAME(times_receiver)(t->mixed, t->plain, own, n_rows, n_mixed);
    if (change) {
        NAME(mix_2)(&without_receiver, 0, t->raw_rates, t->plain_rates);
        NAME(times_receiver)(t->mixed_rates, t->plain_rates, own, n_rows, n_mixed);
    }
}

static void NAME(by_mixing_2)(const fused_model *model, const REAL *raw, const REAL *by_mixed,
                                REAL *by_mixing)
{
    static const int64_t starts[] = {0, 1, 4, 10};
    const int64_t n_embedding = model->n_embedding, width = PADDED(model->n_radial);
    const int64_t n_mixed = PADDED(model->n_mixed), columns = n_embedding * n_mixed;
    for (int degree = 0; degree <= 2; ++degree)
        for (int64_t e = 0; e < n_embedding; ++e)
            for (int64_t n = 0; n < model->n_radial; ++n, by_mixing += n_mixed)
                for (int64_t m = 0; m < n_mixed; m += LANES) {
                    vec total = NAME(load)(by_mixing + m);
                    for (int64_t l = starts[degree]; l < starts[degree + 1]; ++l)
                        total += raw[(e * 10 + l) * width + n]
                            * NAME(load)(by_mixed + l * columns + e * n_mixed + m);
                    NAME(store)(by_mixing + m, total);
                }
}

/* Gradients of one atom from those by its mixed sums and, with a change, by their rates. */
static void NAME(gradients_of_atom_2)(const fused_cace *cace, int64_t atom, int has_rates,
                                        training *t, const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 10 * width;
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t n_rows = 10 * n_embedding, place = cace->kinds[atom] * n_mixed;
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
    NAME(unmix_2)(&without_receiver, 0, t->by_mixed, t->by_raw);
    if (to->mixing)
        NAME(by_mixing_2)(model, t->raw, t->by_mixed, to->mixing);
    if (has_rates) {
        NAME(times_receiver)(t->by_mixed_rates, t->by_mixed_rates, own, n_rows, n_mixed);
        NAME(unmix_2)(&without_receiver, 0, t->by_mixed_rates, t->by_raw_rates);
        if (to->mixing)
            NAME(by_mixing_2)(model, t->raw_rates, t->by_mixed_rates, to->mixing);
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
            NAME(by_frequencies)(cace, t, kind, 10, has_rates, to->frequencies);
        if (to->vectors && has_rates)
            NAME(second_vectors_2)(cace, t, kind, atom, to->vectors);
        else if (to->vectors)
            NAME(vectors_2)(cace, t, kind, atom, to->vectors);
    }
}

typedef void (*NAME(second_products_2))(const REAL *, const REAL *, const REAL *, REAL *, REAL *,
                                          REAL *, int64_t);

static void NAME(second_2_1)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        NAME(store)(value_rates + c, e0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
    }
}

static void NAME(second_2_2)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
    }
}

static void NAME(second_2_3)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec u0 = (e1 * a4 + a1 * e4) * (REAL)1.0 + (e2 * a5 + a2 * e5) * (REAL)1.0 + (e3 * a6 + a3 * e6) * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec u1 = (e1 * a5 + a1 * e5) * (REAL)1.0 + (e2 * a7 + a2 * e7) * (REAL)1.0 + (e3 * a8 + a3 * e8) * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec u2 = (e1 * a6 + a1 * e6) * (REAL)1.0 + (e2 * a8 + a2 * e8) * (REAL)1.0 + (e3 * a9 + a3 * e9) * (REAL)1.0;
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e1 * t0 + a1 * u0) * (REAL)1.0 + (e2 * t1 + a2 * u1) * (REAL)1.0 + (e3 * t2 + a3 * u2) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec h0 = {0}, q0 = {0};
        vec h1 = {0}, q1 = {0};
        vec h2 = {0}, q2 = {0};
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        g1 += w3 * t0 * (REAL)1.0;
        p1 += w3 * u0 * (REAL)1.0;
        h0 += w3 * a1 * (REAL)1.0;
        q0 += w3 * e1 * (REAL)1.0;
        g2 += w3 * t1 * (REAL)1.0;
        p2 += w3 * u1 * (REAL)1.0;
        h1 += w3 * a2 * (REAL)1.0;
        q1 += w3 * e2 * (REAL)1.0;
        g3 += w3 * t2 * (REAL)1.0;
        p3 += w3 * u2 * (REAL)1.0;
        h2 += w3 * a3 * (REAL)1.0;
        q2 += w3 * e3 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        p1 += (q0 * a4 + h0 * e4) * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        p4 += (q0 * a1 + h0 * e1) * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        p2 += (q0 * a5 + h0 * e5) * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        p5 += (q0 * a2 + h0 * e2) * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        p3 += (q0 * a6 + h0 * e6) * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        p6 += (q0 * a3 + h0 * e3) * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        p1 += (q1 * a5 + h1 * e5) * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        p5 += (q1 * a1 + h1 * e1) * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        p2 += (q1 * a7 + h1 * e7) * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        p7 += (q1 * a2 + h1 * e2) * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        p3 += (q1 * a8 + h1 * e8) * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        p8 += (q1 * a3 + h1 * e3) * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        p1 += (q2 * a6 + h2 * e6) * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        p6 += (q2 * a1 + h2 * e1) * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        p2 += (q2 * a8 + h2 * e8) * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        p8 += (q2 * a2 + h2 * e2) * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        p3 += (q2 * a9 + h2 * e9) * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        p9 += (q2 * a3 + h2 * e3) * (REAL)1.0;
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
    }
}


static int NAME(cace_values_2)(const fused_cace *cace, int64_t first, int64_t last,
                                 REAL *features)
{
    const fused_model *model = &cace->model;
    NAME(products_2) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_2_1); n_invariants = 1; break;
    case 2: products = NAME(values_2_2); n_invariants = 3; break;
    case 3: products = NAME(values_2_3); n_invariants = 4; break;
    case 4: products = NAME(values_2_3); n_invariants = 4; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 10, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_2)(cace, atom, NULL, &t);
        products(t.mixed, NULL, t.by_features, model->n_embedding * PADDED(n_mixed));
        NAME(copy_rows)(features + atom * rows * n_mixed, n_mixed, t.by_features, PADDED(n_mixed),
                        rows, n_mixed);
    }
    free(memory.memory);
    return DONE;
}

static int NAME(cace_gradients_2)(const fused_cace *cace, int64_t first, int64_t last,
                                    const REAL *by_features, const REAL *change,
                                    const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    NAME(products_2) products = NULL;
    NAME(second_products_2) second_products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_2_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_2_2); n_invariants = 3; break;
    case 3: products = NAME(gradients_2_3); n_invariants = 4; break;
    case 4: products = NAME(gradients_2_3); n_invariants = 4; break;
    default: return NOT_SUPPORTED;
    }
    switch (model->nu_max) {
    case 1: second_products = NAME(second_2_1); break;
    case 2: second_products = NAME(second_2_2); break;
    case 3: second_products = NAME(second_2_3); break;
    case 4: second_products = NAME(second_2_3); break;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    const int64_t columns = model->n_embedding * PADDED(n_mixed);
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 10, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_2)(cace, atom, change, &t);
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
        NAME(gradients_of_atom_2)(cace, atom, change != NULL, &t, to);
    }
    free(memory.memory);
    return DONE;
}

/* ---- angular functions up to degree 3 ---- */

static void NAME(monomials_3)(scratch *s)
{
    const int64_t capacity = s->capacity;
    REAL *values = s->angular;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        const vec z = NAME(load)(s->unit[2] + lane);
        (void)x, (void)y, (void)z;
        const vec y0 = x - x + 1;
        const vec y1 = x;
        const vec y2 = y;
        const vec y3 = z;
        const vec y4 = y1 * x;
        const vec y5 = y2 * x;
        const vec y6 = y3 * x;
        const vec y7 = y2 * y;
        const vec y8 = y3 * y;
        const vec y9 = y3 * z;
        const vec y10 = y4 * x;
        const vec y11 = y5 * x;
        const vec y12 = y6 * x;
        const vec y13 = y7 * x;
        const vec y14 = y8 * x;
        const vec y15 = y9 * x;
        const vec y16 = y7 * y;
        const vec y17 = y8 * y;
        const vec y18 = y9 * y;
        const vec y19 = y9 * z;
        NAME(store)(values + 0 * capacity + lane, y0);
        NAME(store)(values + 1 * capacity + lane, y1);
        NAME(store)(values + 2 * capacity + lane, y2);
        NAME(store)(values + 3 * capacity + lane, y3);
        NAME(store)(values + 4 * capacity + lane, y4);
        NAME(store)(values + 5 * capacity + lane, y5);
        NAME(store)(values + 6 * capacity + lane, y6);
        NAME(store)(values + 7 * capacity + lane, y7);
        NAME(store)(values + 8 * capacity + lane, y8);
        NAME(store)(values + 9 * capacity + lane, y9);
        NAME(store)(values + 10 * capacity + lane, y10);
        NAME(store)(values + 11 * capacity + lane, y11);
        NAME(store)(values + 12 * capacity + lane, y12);
        NAME(store)(values + 13 * capacity + lane, y13);
        NAME(store)(values + 14 * capacity + lane, y14);
        NAME(store)(values + 15 * capacity + lane, y15);
        NAME(store)(values + 16 * capacity + lane, y16);
        NAME(store)(values + 17 * capacity + lane, y17);
        NAME(store)(values + 18 * capacity + lane, y18);
        NAME(store)(values + 19 * capacity + lane, y19);
    }
}

/* Sums over the lanes of one kind. */
static void NAME(sum_3)(const scratch *s, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = s->capacity;
    const REAL *angular = s->angular;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = s->radial + v;
        REAL *sums = s->sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[0 * capacity + lane];
                a1 += r * angular[1 * capacity + lane];
                a2 += r * angular[2 * capacity + lane];
                a3 += r * angular[3 * capacity + lane];
                a4 += r * angular[4 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
            NAME(store)(sums + 4 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[5 * capacity + lane];
                a1 += r * angular[6 * capacity + lane];
                a2 += r * angular[7 * capacity + lane];
                a3 += r * angular[8 * capacity + lane];
                a4 += r * angular[9 * capacity + lane];
            }
            NAME(store)(sums + 5 * width, a0);
            NAME(store)(sums + 6 * width, a1);
            NAME(store)(sums + 7 * width, a2);
            NAME(store)(sums + 8 * width, a3);
            NAME(store)(sums + 9 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[10 * capacity + lane];
                a1 += r * angular[11 * capacity + lane];
                a2 += r * angular[12 * capacity + lane];
                a3 += r * angular[13 * capacity + lane];
                a4 += r * angular[14 * capacity + lane];
            }
            NAME(store)(sums + 10 * width, a0);
            NAME(store)(sums + 11 * width, a1);
            NAME(store)(sums + 12 * width, a2);
            NAME(store)(sums + 13 * width, a3);
            NAME(store)(sums + 14 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[15 * capacity + lane];
                a1 += r * angular[16 * capacity + lane];
                a2 += r * angular[17 * capacity + lane];
                a3 += r * angular[18 * capacity + lane];
                a4 += r * angular[19 * capacity + lane];
            }
            NAME(store)(sums + 15 * width, a0);
            NAME(store)(sums + 16 * width, a1);
            NAME(store)(sums + 17 * width, a2);
            NAME(store)(sums + 18 * width, a3);
            NAME(store)(sums + 19 * width, a4);
        }
    }
}

/* Mixed sums [function][embedding][mixed] of an atom of a kind from raw ones
 * [embedding][function][radial]. */
static void NAME(mix_3)(const fused_model *model, int64_t kind, const REAL *raw, REAL *mixed)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial);
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t columns = n_embedding * n_mixed;
    const REAL *receiver = (const REAL *)model->receiver + kind * n_mixed;
    for (int64_t s = 0; s < n_embedding; ++s, raw += 20 * width) {
        for (int64_t m = 0; m < n_mixed; m += LANES) {
            REAL *to = mixed + s * n_mixed + m;
            const vec own = NAME(load)(receiver + m);
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->mixing + (0 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[0 * width + n];
                }
                NAME(store)(to + 0 * columns, a0 * own);
            }
            weights = (const REAL *)model->mixing + (1 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[1 * width + n];
                    a1 += w * raw[2 * width + n];
                    a2 += w * raw[3 * width + n];
                }
                NAME(store)(to + 1 * columns, a0 * own);
                NAME(store)(to + 2 * columns, a1 * own);
                NAME(store)(to + 3 * columns, a2 * own);
            }
            weights = (const REAL *)model->mixing + (2 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                vec a5 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[4 * width + n];
                    a1 += w * raw[5 * width + n];
                    a2 += w * raw[6 * width + n];
                    a3 += w * raw[7 * width + n];
                    a4 += w * raw[8 * width + n];
                    a5 += w * raw[9 * width + n];
                }
                NAME(store)(to + 4 * columns, a0 * own);
                NAME(store)(to + 5 * columns, a1 * own);
                NAME(store)(to + 6 * columns, a2 * own);
                NAME(store)(to + 7 * columns, a3 * own);
                NAME(store)(to + 8 * columns, a4 * own);
                NAME(store)(to + 9 * columns, a5 * own);
            }
            weights = (const REAL *)model->mixing + (3 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[10 * width + n];
                    a1 += w * raw[11 * width + n];
                    a2 += w * raw[12 * width + n];
                    a3 += w * raw[13 * width + n];
                    a4 += w * raw[14 * width + n];
                }
                NAME(store)(to + 10 * columns, a0 * own);
                NAME(store)(to + 11 * columns, a1 * own);
                NAME(store)(to + 12 * columns, a2 * own);
                NAME(store)(to + 13 * columns, a3 * own);
                NAME(store)(to + 14 * columns, a4 * own);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[15 * width + n];
                    a1 += w * raw[16 * width + n];
                    a2 += w * raw[17 * width + n];
                    a3 += w * raw[18 * width + n];
                    a4 += w * raw[19 * width + n];
                }
                NAME(store)(to + 15 * columns, a0 * own);
                NAME(store)(to + 16 * columns, a1 * own);
                NAME(store)(to + 17 * columns, a2 * own);
                NAME(store)(to + 18 * columns, a3 * own);
                NAME(store)(to + 19 * columns, a4 * own);
            }
        }
    }
}

/* Gradient by the raw sums of one embedding from that by the mixed ones. */
static void NAME(unmix_3)(const fused_model *model, int64_t kind, const REAL *by_mixed,
                            REAL *by_raw)
{
    const int64_t n_embedding = model->n_embedding, n_mixed = model->n_mixed;
    const int64_t width = PADDED(model->n_radial), columns = n_embedding * PADDED(n_mixed);
    const REAL *receiver = (const REAL *)model->receiver + kind * PADDED(n_mixed);
    for (int64_t s = 0; s < n_embedding; ++s, by_raw += 20 * width) {
        const REAL *from = by_mixed + s * PADDED(n_mixed);
        for (int64_t v = 0; v < width; v += LANES) {
            REAL *to = by_raw + v;
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->unmixing + (0 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[0 * columns + m];
                }
                NAME(store)(to + 0 * width, a0);
            }
            weights = (const REAL *)model->unmixing + (1 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[1 * columns + m];
                    a1 += w * from[2 * columns + m];
                    a2 += w * from[3 * columns + m];
                }
                NAME(store)(to + 1 * width, a0);
                NAME(store)(to + 2 * width, a1);
                NAME(store)(to + 3 * width, a2);
            }
            weights = (const REAL *)model->unmixing + (2 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                vec a5 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[4 * columns + m];
                    a1 += w * from[5 * columns + m];
                    a2 += w * from[6 * columns + m];
                    a3 += w * from[7 * columns + m];
                    a4 += w * from[8 * columns + m];
                    a5 += w * from[9 * columns + m];
                }
                NAME(store)(to + 4 * width, a0);
                NAME(store)(to + 5 * width, a1);
                NAME(store)(to + 6 * width, a2);
                NAME(store)(to + 7 * width, a3);
                NAME(store)(to + 8 * width, a4);
                NAME(store)(to + 9 * width, a5);
            }
            weights = (const REAL *)model->unmixing + (3 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[10 * columns + m];
                    a1 += w * from[11 * columns + m];
                    a2 += w * from[12 * columns + m];
                    a3 += w * from[13 * columns + m];
                    a4 += w * from[14 * columns + m];
                }
                NAME(store)(to + 10 * width, a0);
                NAME(store)(to + 11 * width, a1);
                NAME(store)(to + 12 * width, a2);
                NAME(store)(to + 13 * width, a3);
                NAME(store)(to + 14 * width, a4);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[15 * columns + m];
                    a1 += w * from[16 * columns + m];
                    a2 += w * from[17 * columns + m];
                    a3 += w * from[18 * columns + m];
                    a4 += w * from[19 * columns + m];
                }
                NAME(store)(to + 15 * width, a0);
                NAME(store)(to + 16 * width, a1);
                NAME(store)(to + 17 * width, a2);
                NAME(store)(to + 18 * width, a3);
                NAME(store)(to + 19 * width, a4);
            }
        }
    }
}

static void NAME(values_3_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        NAME(store)(result + c, a0);
    }
}

static void NAME(gradients_3_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
    }
}

static void NAME(values_3_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a10 * a10 * (REAL)1.0 + a11 * a11 * (REAL)3.0 + a12 * a12 * (REAL)3.0 + a13 * a13 * (REAL)3.0 + a14 * a14 * (REAL)6.0 + a15 * a15 * (REAL)3.0 + a16 * a16 * (REAL)1.0 + a17 * a17 * (REAL)3.0 + a18 * a18 * (REAL)3.0 + a19 * a19 * (REAL)1.0);
    }
}

static void NAME(gradients_3_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        const vec z2 = NAME(load)(by_values + 3 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g11 += z2 * a11 * (REAL)3.0;
        g11 += z2 * a11 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g14 += z2 * a14 * (REAL)6.0;
        g14 += z2 * a14 * (REAL)6.0;
        g15 += z2 * a15 * (REAL)3.0;
        g15 += z2 * a15 * (REAL)3.0;
        g16 += z2 * a16 * (REAL)1.0;
        g16 += z2 * a16 * (REAL)1.0;
        g17 += z2 * a17 * (REAL)3.0;
        g17 += z2 * a17 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g19 += z2 * a19 * (REAL)1.0;
        g19 += z2 * a19 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
    }
}

static void NAME(values_3_3)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a10 * a10 * (REAL)1.0 + a11 * a11 * (REAL)3.0 + a12 * a12 * (REAL)3.0 + a13 * a13 * (REAL)3.0 + a14 * a14 * (REAL)6.0 + a15 * a15 * (REAL)3.0 + a16 * a16 * (REAL)1.0 + a17 * a17 * (REAL)3.0 + a18 * a18 * (REAL)3.0 + a19 * a19 * (REAL)1.0);
        NAME(store)(result + 4 * columns + c, a1 * t0 * (REAL)1.0 + a2 * t1 * (REAL)1.0 + a3 * t2 * (REAL)1.0);
        NAME(store)(result + 5 * columns + c, a1 * t3 * (REAL)1.0 + a2 * t4 * (REAL)1.0 + a3 * t5 * (REAL)1.0);
    }
}

static void NAME(gradients_3_3)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        vec h0 = {0};
        vec h1 = {0};
        vec h2 = {0};
        vec h3 = {0};
        vec h4 = {0};
        vec h5 = {0};
        const vec q0 = NAME(load)(by_values + 4 * columns + c);
        const vec q1 = NAME(load)(by_values + 5 * columns + c);
        g1 += q0 * t0 * (REAL)1.0;
        h0 += q0 * a1 * (REAL)1.0;
        g2 += q0 * t1 * (REAL)1.0;
        h1 += q0 * a2 * (REAL)1.0;
        g3 += q0 * t2 * (REAL)1.0;
        h2 += q0 * a3 * (REAL)1.0;
        g1 += q1 * t3 * (REAL)1.0;
        h3 += q1 * a1 * (REAL)1.0;
        g2 += q1 * t4 * (REAL)1.0;
        h4 += q1 * a2 * (REAL)1.0;
        g3 += q1 * t5 * (REAL)1.0;
        h5 += q1 * a3 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        g4 += h3 * a10 * (REAL)1.0;
        g10 += h3 * a4 * (REAL)1.0;
        g5 += h3 * a11 * (REAL)2.0;
        g11 += h3 * a5 * (REAL)2.0;
        g6 += h3 * a12 * (REAL)2.0;
        g12 += h3 * a6 * (REAL)2.0;
        g7 += h3 * a13 * (REAL)1.0;
        g13 += h3 * a7 * (REAL)1.0;
        g8 += h3 * a14 * (REAL)2.0;
        g14 += h3 * a8 * (REAL)2.0;
        g9 += h3 * a15 * (REAL)1.0;
        g15 += h3 * a9 * (REAL)1.0;
        g4 += h4 * a11 * (REAL)1.0;
        g11 += h4 * a4 * (REAL)1.0;
        g5 += h4 * a13 * (REAL)2.0;
        g13 += h4 * a5 * (REAL)2.0;
        g6 += h4 * a14 * (REAL)2.0;
        g14 += h4 * a6 * (REAL)2.0;
        g7 += h4 * a16 * (REAL)1.0;
        g16 += h4 * a7 * (REAL)1.0;
        g8 += h4 * a17 * (REAL)2.0;
        g17 += h4 * a8 * (REAL)2.0;
        g9 += h4 * a18 * (REAL)1.0;
        g18 += h4 * a9 * (REAL)1.0;
        g4 += h5 * a12 * (REAL)1.0;
        g12 += h5 * a4 * (REAL)1.0;
        g5 += h5 * a14 * (REAL)2.0;
        g14 += h5 * a5 * (REAL)2.0;
        g6 += h5 * a15 * (REAL)2.0;
        g15 += h5 * a6 * (REAL)2.0;
        g7 += h5 * a17 * (REAL)1.0;
        g17 += h5 * a7 * (REAL)1.0;
        g8 += h5 * a18 * (REAL)2.0;
        g18 += h5 * a8 * (REAL)2.0;
        g9 += h5 * a19 * (REAL)1.0;
        g19 += h5 * a9 * (REAL)1.0;
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        const vec z2 = NAME(load)(by_values + 3 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g11 += z2 * a11 * (REAL)3.0;
        g11 += z2 * a11 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g14 += z2 * a14 * (REAL)6.0;
        g14 += z2 * a14 * (REAL)6.0;
        g15 += z2 * a15 * (REAL)3.0;
        g15 += z2 * a15 * (REAL)3.0;
        g16 += z2 * a16 * (REAL)1.0;
        g16 += z2 * a16 * (REAL)1.0;
        g17 += z2 * a17 * (REAL)3.0;
        g17 += z2 * a17 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g19 += z2 * a19 * (REAL)1.0;
        g19 += z2 * a19 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
    }
}

static void NAME(values_3_4)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a10 * a10 * (REAL)1.0 + a11 * a11 * (REAL)3.0 + a12 * a12 * (REAL)3.0 + a13 * a13 * (REAL)3.0 + a14 * a14 * (REAL)6.0 + a15 * a15 * (REAL)3.0 + a16 * a16 * (REAL)1.0 + a17 * a17 * (REAL)3.0 + a18 * a18 * (REAL)3.0 + a19 * a19 * (REAL)1.0);
        NAME(store)(result + 4 * columns + c, a1 * t0 * (REAL)1.0 + a2 * t1 * (REAL)1.0 + a3 * t2 * (REAL)1.0);
        NAME(store)(result + 5 * columns + c, a1 * t3 * (REAL)1.0 + a2 * t4 * (REAL)1.0 + a3 * t5 * (REAL)1.0);
        NAME(store)(result + 6 * columns + c, t0 * t3 * (REAL)1.0 + t1 * t4 * (REAL)1.0 + t2 * t5 * (REAL)1.0);
    }
}

static void NAME(gradients_3_4)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        vec h0 = {0};
        vec h1 = {0};
        vec h2 = {0};
        vec h3 = {0};
        vec h4 = {0};
        vec h5 = {0};
        const vec q0 = NAME(load)(by_values + 4 * columns + c);
        const vec q1 = NAME(load)(by_values + 5 * columns + c);
        const vec q2 = NAME(load)(by_values + 6 * columns + c);
        g1 += q0 * t0 * (REAL)1.0;
        h0 += q0 * a1 * (REAL)1.0;
        g2 += q0 * t1 * (REAL)1.0;
        h1 += q0 * a2 * (REAL)1.0;
        g3 += q0 * t2 * (REAL)1.0;
        h2 += q0 * a3 * (REAL)1.0;
        g1 += q1 * t3 * (REAL)1.0;
        h3 += q1 * a1 * (REAL)1.0;
        g2 += q1 * t4 * (REAL)1.0;
        h4 += q1 * a2 * (REAL)1.0;
        g3 += q1 * t5 * (REAL)1.0;
        h5 += q1 * a3 * (REAL)1.0;
        h0 += q2 * t3 * (REAL)1.0;
        h3 += q2 * t0 * (REAL)1.0;
        h1 += q2 * t4 * (REAL)1.0;
        h4 += q2 * t1 * (REAL)1.0;
        h2 += q2 * t5 * (REAL)1.0;
        h5 += q2 * t2 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        g4 += h3 * a10 * (REAL)1.0;
        g10 += h3 * a4 * (REAL)1.0;
        g5 += h3 * a11 * (REAL)2.0;
        g11 += h3 * a5 * (REAL)2.0;
        g6 += h3 * a12 * (REAL)2.0;
        g12 += h3 * a6 * (REAL)2.0;
        g7 += h3 * a13 * (REAL)1.0;
        g13 += h3 * a7 * (REAL)1.0;
        g8 += h3 * a14 * (REAL)2.0;
        g14 += h3 * a8 * (REAL)2.0;
        g9 += h3 * a15 * (REAL)1.0;
        g15 += h3 * a9 * (REAL)1.0;
        g4 += h4 * a11 * (REAL)1.0;
        g11 += h4 * a4 * (REAL)1.0;
        g5 += h4 * a13 * (REAL)2.0;
        g13 += h4 * a5 * (REAL)2.0;
        g6 += h4 * a14 * (REAL)2.0;
        g14 += h4 * a6 * (REAL)2.0;
        g7 += h4 * a16 * (REAL)1.0;
        g16 += h4 * a7 * (REAL)1.0;
        g8 += h4 * a17 * (REAL)2.0;
        g17 += h4 * a8 * (REAL)2.0;
        g9 += h4 * a18 * (REAL)1.0;
        g18 += h4 * a9 * (REAL)1.0;
        g4 += h5 * a12 * (REAL)1.0;
        g12 += h5 * a4 * (REAL)1.0;
        g5 += h5 * a14 * (REAL)2.0;
        g14 += h5 * a5 * (REAL)2.0;
        g6 += h5 * a15 * (REAL)2.0;
        g15 += h5 * a6 * (REAL)2.0;
        g7 += h5 * a17 * (REAL)1.0;
        g17 += h5 * a7 * (REAL)1.0;
        g8 += h5 * a18 * (REAL)2.0;
        g18 += h5 * a8 * (REAL)2.0;
        g9 += h5 * a19 * (REAL)1.0;
        g19 += h5 * a9 * (REAL)1.0;
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        const vec z2 = NAME(load)(by_values + 3 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g11 += z2 * a11 * (REAL)3.0;
        g11 += z2 * a11 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g14 += z2 * a14 * (REAL)6.0;
        g14 += z2 * a14 * (REAL)6.0;
        g15 += z2 * a15 * (REAL)3.0;
        g15 += z2 * a15 * (REAL)3.0;
        g16 += z2 * a16 * (REAL)1.0;
        g16 += z2 * a16 * (REAL)1.0;
        g17 += z2 * a17 * (REAL)3.0;
        g17 += z2 * a17 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g19 += z2 * a19 * (REAL)1.0;
        g19 += z2 * a19 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
    }
}


typedef void (*NAME(products_3))(const REAL *, const REAL *, REAL *, int64_t);

static int NAME(forward_3)(const fused_model *model, const fused_graph *graph, int64_t first,
                             int64_t last, REAL *raw, REAL *features)
{
    NAME(products_3) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_3_1); n_invariants = 1; break;
    case 2: products = NAME(values_3_2); n_invariants = 4; break;
    case 3: products = NAME(values_3_3); n_invariants = 6; break;
    case 4: products = NAME(values_3_4); n_invariants = 7; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 20 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 20, n_invariants))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 0);
        NAME(monomials_3)(&s);
        REAL *own = raw ? raw + atom * n_raw : s.raw;
        memset(own, 0, n_raw * sizeof *own);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            NAME(sum_3)(&s, s.start[kind], s.start[kind + 1], width);
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                REAL *to = own + e * 20 * width;
                for (int64_t k = 0; k < 20 * width; ++k)
                    to[k] += sender[e] * s.sums[k];
            }
        }
        NAME(mix_3)(model, graph->kinds[atom], own, s.mixed);
        products(s.mixed, NULL, s.features, model->n_embedding * PADDED(n_mixed));
        REAL *row = features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(row + k * n_mixed, s.features + k * PADDED(n_mixed), n_mixed * sizeof *row);
    }
    free(memory.memory);
    return DONE;
}

/* Gradient by the edges of one kind, whose gradient by the sums is s->sums. */
static void NAME(edges_3)(const fused_model *model, const fused_graph *graph, const scratch *s,
                            int64_t begin, int64_t end, int64_t atom, double *by_positions,
                            double *by_cells)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial), capacity = s->capacity;
    const REAL *sums = s->sums, *angular = s->angular;
    for (int64_t lane = begin; lane < end; lane += LANES) {
        const REAL *radial = s->radial + lane, *slopes = s->slopes + lane;
        const vec inverse = NAME(load)(s->inverse + lane);
        vec unit[3], t[20], along = inverse - inverse;
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(s->unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[3 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
            t[3] = a3;
            along += b3 * NAME(load)(angular + 3 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[4 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[5 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[6 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[7 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[4] = a0;
            along += b0 * NAME(load)(angular + 4 * capacity + lane);
            t[5] = a1;
            along += b1 * NAME(load)(angular + 5 * capacity + lane);
            t[6] = a2;
            along += b2 * NAME(load)(angular + 6 * capacity + lane);
            t[7] = a3;
            along += b3 * NAME(load)(angular + 7 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[8 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[9 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[10 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[11 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[8] = a0;
            along += b0 * NAME(load)(angular + 8 * capacity + lane);
            t[9] = a1;
            along += b1 * NAME(load)(angular + 9 * capacity + lane);
            t[10] = a2;
            along += b2 * NAME(load)(angular + 10 * capacity + lane);
            t[11] = a3;
            along += b3 * NAME(load)(angular + 11 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[12 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[13 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[14 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[15 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[12] = a0;
            along += b0 * NAME(load)(angular + 12 * capacity + lane);
            t[13] = a1;
            along += b1 * NAME(load)(angular + 13 * capacity + lane);
            t[14] = a2;
            along += b2 * NAME(load)(angular + 14 * capacity + lane);
            t[15] = a3;
            along += b3 * NAME(load)(angular + 15 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[16 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[17 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[18 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[19 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[16] = a0;
            along += b0 * NAME(load)(angular + 16 * capacity + lane);
            t[17] = a1;
            along += b1 * NAME(load)(angular + 17 * capacity + lane);
            t[18] = a2;
            along += b2 * NAME(load)(angular + 18 * capacity + lane);
            t[19] = a3;
            along += b3 * NAME(load)(angular + 19 * capacity + lane);
        }
        vec across[3] = {inverse - inverse, inverse - inverse, inverse - inverse};
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across[0] += t[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3;
        across[0] += t[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[1] += t[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[2] += t[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[0] += t[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1;
        across[1] += t[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1;
        across[2] += t[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1;
        across[0] += t[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[1] += t[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3;
        across[1] += t[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3;
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] * inverse;
        along = along
            - (across[0] * unit[0] + across[1] * unit[1] + across[2] * unit[2]);
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] + along * unit[axis];
        NAME(scatter)(graph, s, lane, atom, across, by_positions, by_cells);
    }
}

static int NAME(backward_3)(const fused_model *model, const fused_graph *graph, int64_t first,
                              int64_t last, const REAL *raw, const REAL *by_features,
                              double *by_positions, double *by_cells)
{
    NAME(products_3) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_3_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_3_2); n_invariants = 4; break;
    case 3: products = NAME(gradients_3_3); n_invariants = 6; break;
    case 4: products = NAME(gradients_3_4); n_invariants = 7; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 20 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 20, n_invariants))
        return NO_MEMORY;
    memset(s.features, 0, rows * PADDED(n_mixed) * sizeof *s.features);
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 1);
        NAME(monomials_3)(&s);
        const REAL *row = by_features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(s.features + k * PADDED(n_mixed), row + k * n_mixed, n_mixed * sizeof *row);
        NAME(mix_3)(model, graph->kinds[atom], raw + atom * n_raw, s.mixed);
        products(s.mixed, s.features, s.by_mixed, model->n_embedding * PADDED(n_mixed));
        NAME(unmix_3)(model, graph->kinds[atom], s.by_mixed, s.raw);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            memset(s.sums, 0, 20 * width * sizeof *s.sums);
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                const REAL *from = s.raw + e * 20 * width;
                for (int64_t k = 0; k < 20 * width; ++k)
                    s.sums[k] += sender[e] * from[k];
            }
            NAME(edges_3)(model, graph, &s, s.start[kind], s.start[kind + 1], atom,
                            by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
/* ---- training up to degree 3 ---- */

static void NAME(angular_rates_3)(training *t)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const vec x = NAME(load)(t->unit_rate[0] + lane), y = NAME(load)(t->unit_rate[1] + lane);
        const vec z = NAME(load)(t->unit_rate[2] + lane);
        (void)x, (void)y, (void)z, (void)angular;
        NAME(store)(t->angular_rates + 0 * capacity + lane, x - x);
        NAME(store)(t->angular_rates + 1 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * x * (REAL)1);
        NAME(store)(t->angular_rates + 2 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 3 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 4 * capacity + lane, NAME(load)(angular + 1 * capacity + lane) * x * (REAL)2);
        NAME(store)(t->angular_rates + 5 * capacity + lane, NAME(load)(angular + 2 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 1 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 6 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 1 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 7 * capacity + lane, NAME(load)(angular + 2 * capacity + lane) * y * (REAL)2);
        NAME(store)(t->angular_rates + 8 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 2 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 9 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 10 * capacity + lane, NAME(load)(angular + 4 * capacity + lane) * x * (REAL)3);
        NAME(store)(t->angular_rates + 11 * capacity + lane, NAME(load)(angular + 5 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 4 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 12 * capacity + lane, NAME(load)(angular + 6 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 4 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 13 * capacity + lane, NAME(load)(angular + 7 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 5 * capacity + lane) * y * (REAL)2);
        NAME(store)(t->angular_rates + 14 * capacity + lane, NAME(load)(angular + 8 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 6 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 5 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 15 * capacity + lane, NAME(load)(angular + 9 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 6 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 16 * capacity + lane, NAME(load)(angular + 7 * capacity + lane) * y * (REAL)3);
        NAME(store)(t->angular_rates + 17 * capacity + lane, NAME(load)(angular + 8 * capacity + lane) * y * (REAL)2 + NAME(load)(angular + 7 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 18 * capacity + lane, NAME(load)(angular + 9 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 8 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 19 * capacity + lane, NAME(load)(angular + 9 * capacity + lane) * z * (REAL)3);
    }
}

/* Rates of the sums of one kind, to s.sums. */
static void NAME(sum_rates_3)(const training *t, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular, *angular_rates = t->angular_rates;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = t->s.radial + v, *radial_rates = t->radial_rates + v;
        REAL *sums = t->s.sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[0 * capacity + lane] + r * angular_rates[0 * capacity + lane];
                a1 += d * angular[1 * capacity + lane] + r * angular_rates[1 * capacity + lane];
                a2 += d * angular[2 * capacity + lane] + r * angular_rates[2 * capacity + lane];
                a3 += d * angular[3 * capacity + lane] + r * angular_rates[3 * capacity + lane];
                a4 += d * angular[4 * capacity + lane] + r * angular_rates[4 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
            NAME(store)(sums + 4 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[5 * capacity + lane] + r * angular_rates[5 * capacity + lane];
                a1 += d * angular[6 * capacity + lane] + r * angular_rates[6 * capacity + lane];
                a2 += d * angular[7 * capacity + lane] + r * angular_rates[7 * capacity + lane];
                a3 += d * angular[8 * capacity + lane] + r * angular_rates[8 * capacity + lane];
                a4 += d * angular[9 * capacity + lane] + r * angular_rates[9 * capacity + lane];
            }
            NAME(store)(sums + 5 * width, a0);
            NAME(store)(sums + 6 * width, a1);
            NAME(store)(sums + 7 * width, a2);
            NAME(store)(sums + 8 * width, a3);
            NAME(store)(sums + 9 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[10 * capacity + lane] + r * angular_rates[10 * capacity + lane];
                a1 += d * angular[11 * capacity + lane] + r * angular_rates[11 * capacity + lane];
                a2 += d * angular[12 * capacity + lane] + r * angular_rates[12 * capacity + lane];
                a3 += d * angular[13 * capacity + lane] + r * angular_rates[13 * capacity + lane];
                a4 += d * angular[14 * capacity + lane] + r * angular_rates[14 * capacity + lane];
            }
            NAME(store)(sums + 10 * width, a0);
            NAME(store)(sums + 11 * width, a1);
            NAME(store)(sums + 12 * width, a2);
            NAME(store)(sums + 13 * width, a3);
            NAME(store)(sums + 14 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[15 * capacity + lane] + r * angular_rates[15 * capacity + lane];
                a1 += d * angular[16 * capacity + lane] + r * angular_rates[16 * capacity + lane];
                a2 += d * angular[17 * capacity + lane] + r * angular_rates[17 * capacity + lane];
                a3 += d * angular[18 * capacity + lane] + r * angular_rates[18 * capacity + lane];
                a4 += d * angular[19 * capacity + lane] + r * angular_rates[19 * capacity + lane];
            }
            NAME(store)(sums + 15 * width, a0);
            NAME(store)(sums + 16 * width, a1);
            NAME(store)(sums + 17 * width, a2);
            NAME(store)(sums + 18 * width, a3);
            NAME(store)(sums + 19 * width, a4);
        }
    }
}

/* Gradients by the vectors of one kind. */
static void NAME(vectors_3)(const fused_cace *cace, const training *own, int64_t kind,
                              int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sums, *angular = own->s.angular;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        vec unit[3], t[20], along = {0}, across[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[3 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
            t[3] = a3;
            along += b3 * NAME(load)(angular + 3 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[4 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[5 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[6 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[7 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[4] = a0;
            along += b0 * NAME(load)(angular + 4 * capacity + lane);
            t[5] = a1;
            along += b1 * NAME(load)(angular + 5 * capacity + lane);
            t[6] = a2;
            along += b2 * NAME(load)(angular + 6 * capacity + lane);
            t[7] = a3;
            along += b3 * NAME(load)(angular + 7 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[8 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[9 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[10 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[11 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[8] = a0;
            along += b0 * NAME(load)(angular + 8 * capacity + lane);
            t[9] = a1;
            along += b1 * NAME(load)(angular + 9 * capacity + lane);
            t[10] = a2;
            along += b2 * NAME(load)(angular + 10 * capacity + lane);
            t[11] = a3;
            along += b3 * NAME(load)(angular + 11 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[12 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[13 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[14 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[15 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[12] = a0;
            along += b0 * NAME(load)(angular + 12 * capacity + lane);
            t[13] = a1;
            along += b1 * NAME(load)(angular + 13 * capacity + lane);
            t[14] = a2;
            along += b2 * NAME(load)(angular + 14 * capacity + lane);
            t[15] = a3;
            along += b3 * NAME(load)(angular + 15 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[16 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[17 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[18 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[19 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[16] = a0;
            along += b0 * NAME(load)(angular + 16 * capacity + lane);
            t[17] = a1;
            along += b1 * NAME(load)(angular + 17 * capacity + lane);
            t[18] = a2;
            along += b2 * NAME(load)(angular + 18 * capacity + lane);
            t[19] = a3;
            along += b3 * NAME(load)(angular + 19 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across[0] += t[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3;
        across[0] += t[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[1] += t[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[2] += t[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[0] += t[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1;
        across[1] += t[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1;
        across[2] += t[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1;
        across[0] += t[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[1] += t[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3;
        across[1] += t[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3;
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
static void NAME(second_vectors_3)(const fused_cace *cace, const training *own, int64_t kind,
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
        vec unit[3], unit_rate[3], t[20], t_rate[20], along = {0}, along_rate = {0};
        vec across[3] = {{0}, {0}, {0}}, across_rate[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis) {
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
            unit_rate[axis] = NAME(load)(own->unit_rate[axis] + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[0 * width + n];
                const REAL h0 = sum_rates[0 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[1 * width + n];
                const REAL h1 = sum_rates[1 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
            }
            t[0] = a0;
            t_rate[0] = c0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 0 * capacity + lane) + b0 * NAME(load)(angular_rates + 0 * capacity + lane);
            t[1] = a1;
            t_rate[1] = c1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 1 * capacity + lane) + b1 * NAME(load)(angular_rates + 1 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[2 * width + n];
                const REAL h0 = sum_rates[2 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[3 * width + n];
                const REAL h1 = sum_rates[3 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[4 * width + n];
                const REAL h2 = sum_rates[4 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[2] = a0;
            t_rate[2] = c0;
            along += b0 * NAME(load)(angular + 2 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 2 * capacity + lane) + b0 * NAME(load)(angular_rates + 2 * capacity + lane);
            t[3] = a1;
            t_rate[3] = c1;
            along += b1 * NAME(load)(angular + 3 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 3 * capacity + lane) + b1 * NAME(load)(angular_rates + 3 * capacity + lane);
            t[4] = a2;
            t_rate[4] = c2;
            along += b2 * NAME(load)(angular + 4 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 4 * capacity + lane) + b2 * NAME(load)(angular_rates + 4 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[5 * width + n];
                const REAL h0 = sum_rates[5 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[6 * width + n];
                const REAL h1 = sum_rates[6 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[7 * width + n];
                const REAL h2 = sum_rates[7 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[5] = a0;
            t_rate[5] = c0;
            along += b0 * NAME(load)(angular + 5 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 5 * capacity + lane) + b0 * NAME(load)(angular_rates + 5 * capacity + lane);
            t[6] = a1;
            t_rate[6] = c1;
            along += b1 * NAME(load)(angular + 6 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 6 * capacity + lane) + b1 * NAME(load)(angular_rates + 6 * capacity + lane);
            t[7] = a2;
            t_rate[7] = c2;
            along += b2 * NAME(load)(angular + 7 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 7 * capacity + lane) + b2 * NAME(load)(angular_rates + 7 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[8 * width + n];
                const REAL h0 = sum_rates[8 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[9 * width + n];
                const REAL h1 = sum_rates[9 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[10 * width + n];
                const REAL h2 = sum_rates[10 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[8] = a0;
            t_rate[8] = c0;
            along += b0 * NAME(load)(angular + 8 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 8 * capacity + lane) + b0 * NAME(load)(angular_rates + 8 * capacity + lane);
            t[9] = a1;
            t_rate[9] = c1;
            along += b1 * NAME(load)(angular + 9 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 9 * capacity + lane) + b1 * NAME(load)(angular_rates + 9 * capacity + lane);
            t[10] = a2;
            t_rate[10] = c2;
            along += b2 * NAME(load)(angular + 10 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 10 * capacity + lane) + b2 * NAME(load)(angular_rates + 10 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[11 * width + n];
                const REAL h0 = sum_rates[11 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[12 * width + n];
                const REAL h1 = sum_rates[12 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[13 * width + n];
                const REAL h2 = sum_rates[13 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[11] = a0;
            t_rate[11] = c0;
            along += b0 * NAME(load)(angular + 11 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 11 * capacity + lane) + b0 * NAME(load)(angular_rates + 11 * capacity + lane);
            t[12] = a1;
            t_rate[12] = c1;
            along += b1 * NAME(load)(angular + 12 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 12 * capacity + lane) + b1 * NAME(load)(angular_rates + 12 * capacity + lane);
            t[13] = a2;
            t_rate[13] = c2;
            along += b2 * NAME(load)(angular + 13 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 13 * capacity + lane) + b2 * NAME(load)(angular_rates + 13 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[14 * width + n];
                const REAL h0 = sum_rates[14 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[15 * width + n];
                const REAL h1 = sum_rates[15 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[16 * width + n];
                const REAL h2 = sum_rates[16 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[14] = a0;
            t_rate[14] = c0;
            along += b0 * NAME(load)(angular + 14 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 14 * capacity + lane) + b0 * NAME(load)(angular_rates + 14 * capacity + lane);
            t[15] = a1;
            t_rate[15] = c1;
            along += b1 * NAME(load)(angular + 15 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 15 * capacity + lane) + b1 * NAME(load)(angular_rates + 15 * capacity + lane);
            t[16] = a2;
            t_rate[16] = c2;
            along += b2 * NAME(load)(angular + 16 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 16 * capacity + lane) + b2 * NAME(load)(angular_rates + 16 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[17 * width + n];
                const REAL h0 = sum_rates[17 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[18 * width + n];
                const REAL h1 = sum_rates[18 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[19 * width + n];
                const REAL h2 = sum_rates[19 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[17] = a0;
            t_rate[17] = c0;
            along += b0 * NAME(load)(angular + 17 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 17 * capacity + lane) + b0 * NAME(load)(angular_rates + 17 * capacity + lane);
            t[18] = a1;
            t_rate[18] = c1;
            along += b1 * NAME(load)(angular + 18 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 18 * capacity + lane) + b1 * NAME(load)(angular_rates + 18 * capacity + lane);
            t[19] = a2;
            t_rate[19] = c2;
            along += b2 * NAME(load)(angular + 19 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 19 * capacity + lane) + b2 * NAME(load)(angular_rates + 19 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[1] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[2] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[3] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2 + t[4] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1 + t[5] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1 + t[5] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1 + t[6] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1 + t[6] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2 + t[7] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1 + t[8] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1 + t[8] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2 + t[9] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)2;
        across[0] += t[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3;
        across_rate[0] += t_rate[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3 + t[10] * NAME(load)(angular_rates + 4 * capacity + lane) * (REAL)3;
        across[0] += t[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2 + t[11] * NAME(load)(angular_rates + 5 * capacity + lane) * (REAL)2;
        across[1] += t[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1 + t[11] * NAME(load)(angular_rates + 4 * capacity + lane) * (REAL)1;
        across[0] += t[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2 + t[12] * NAME(load)(angular_rates + 6 * capacity + lane) * (REAL)2;
        across[2] += t[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1 + t[12] * NAME(load)(angular_rates + 4 * capacity + lane) * (REAL)1;
        across[0] += t[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1 + t[13] * NAME(load)(angular_rates + 7 * capacity + lane) * (REAL)1;
        across[1] += t[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2 + t[13] * NAME(load)(angular_rates + 5 * capacity + lane) * (REAL)2;
        across[0] += t[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1 + t[14] * NAME(load)(angular_rates + 8 * capacity + lane) * (REAL)1;
        across[1] += t[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1 + t[14] * NAME(load)(angular_rates + 6 * capacity + lane) * (REAL)1;
        across[2] += t[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1 + t[14] * NAME(load)(angular_rates + 5 * capacity + lane) * (REAL)1;
        across[0] += t[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1 + t[15] * NAME(load)(angular_rates + 9 * capacity + lane) * (REAL)1;
        across[2] += t[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2 + t[15] * NAME(load)(angular_rates + 6 * capacity + lane) * (REAL)2;
        across[1] += t[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3;
        across_rate[1] += t_rate[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3 + t[16] * NAME(load)(angular_rates + 7 * capacity + lane) * (REAL)3;
        across[1] += t[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2 + t[17] * NAME(load)(angular_rates + 8 * capacity + lane) * (REAL)2;
        across[2] += t[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1 + t[17] * NAME(load)(angular_rates + 7 * capacity + lane) * (REAL)1;
        across[1] += t[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1 + t[18] * NAME(load)(angular_rates + 9 * capacity + lane) * (REAL)1;
        across[2] += t[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2 + t[18] * NAME(load)(angular_rates + 8 * capacity + lane) * (REAL)2;
        across[2] += t[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3;
        across_rate[2] += t_rate[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3 + t[19] * NAME(load)(angular_rates + 9 * capacity + lane) * (REAL)3;
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
static void NAME(sums_of_atom_3)(const fused_cace *cace, int64_t atom, const REAL *change,
                                   training *t)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 20 * width;
    const int64_t n_embedding = model->n_embedding;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    NAME(fill_lanes)(cace, atom, change, t);
    NAME(monomials_3)(&t->s);
    memset(t->raw, 0, n_embedding * block * sizeof *t->raw);
    if (change) {
        NAME(angular_rates_3)(t);
        memset(t->raw_rates, 0, n_embedding * block * sizeof *t->raw);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        const int64_t begin = t->s.start[kind], end = t->s.start[kind + 1];
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        if (begin == end)
            continue;
        t->s.sums = t->sums + kind * block;
        NAME(sum_3)(&t->s, begin, end, width);
        for (int64_t e = 0; e < n_embedding; ++e)
            NAME(add_times)(t->raw + e * block, t->s.sums, sender[e], block);
        if (change) {
            t->s.sums = t->sum_rates + kind * block;
            NAME(sum_rates_3)(t, begin, end, width);
            for (int64_t e = 0; e < n_embedding; ++e)
                NAME(add_times)(t->raw_rates + e * block, t->s.sums, sender[e], block);
        }
    }
    const int64_t n_mixed = PADDED(model->n_mixed), n_rows = 20 * n_embedding;
    const REAL *own = (const REAL *)model->receiver + cace->kinds[atom] * n_mixed;
    NAME(mix_3)(&without_receiver, 0, t->raw, t->plain);
    NAME(times_receiver)(t->mixed, t->plain, own, n_rows, n_mixed);
    if (change) {
        NAME(mix_3)(&without_receiver, 0, t->raw_rates, t->plain_rates);
        NAME(times_receiver)(t->mixed_rates, t->plain_rates, own, n_rows, n_mixed);
    }
}

static void NAME(by_mixing_3)(const fused_model *model, const REAL *raw, const REAL *by_mixed,
                                REAL *by_mixing)
{
    static const int64_t starts[] = {0, 1, 4, 10, 20};
    const int64_t n_embedding = model->n_embedding, width = PADDED(model->n_radial);
    const int64_t n_mixed = PADDED(model->n_mixed), columns = n_embedding * n_mixed;
    for (int degree = 0; degree <= 3; ++degree)
        for (int64_t e = 0; e < n_embedding; ++e)
            for (int64_t n = 0; n < model->n_radial; ++n, by_mixing += n_mixed)
                for (int64_t m = 0; m < n_mixed; m += LANES) {
                    vec total = NAME(load)(by_mixing + m);
                    for (int64_t l = starts[degree]; l < starts[degree + 1]; ++l)
                        total += raw[(e * 20 + l) * width + n]
                            * NAME(load)(by_mixed + l * columns + e * n_mixed + m);
                    NAME(store)(by_mixing + m, total);
                }
}

/* Gradients of one atom from those by its mixed sums and, with a change, by their rates. */
static void NAME(gradients_of_atom_3)(const fused_cace *cace, int64_t atom, int has_rates,
                                        training *t, const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 20 * width;
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t n_rows = 20 * n_embedding, place = cace->kinds[atom] * n_mixed;
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
    NAME(unmix_3)(&without_receiver, 0, t->by_mixed, t->by_raw);
    if (to->mixing)
        NAME(by_mixing_3)(model, t->raw, t->by_mixed, to->mixing);
    if (has_rates) {
        NAME(times_receiver)(t->by_mixed_rates, t->by_mixed_rates, own, n_rows, n_mixed);
        NAME(unmix_3)(&without_receiver, 0, t->by_mixed_rates, t->by_raw_rates);
        if (to->mixing)
            NAME(by_mixing_3)(model, t->raw_rates, t->by_mixed_rates, to->mixing);
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
            NAME(by_frequencies)(cace, t, kind, 20, has_rates, to->frequencies);
        if (to->vectors && has_rates)
            NAME(second_vectors_3)(cace, t, kind, atom, to->vectors);
        else if (to->vectors)
            NAME(vectors_3)(cace, t, kind, atom, to->vectors);
    }
}

typedef void (*NAME(second_products_3))(const REAL *, const REAL *, const REAL *, REAL *, REAL *,
                                          REAL *, int64_t);

static void NAME(second_3_1)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        NAME(store)(value_rates + c, e0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
    }
}

static void NAME(second_3_2)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e10 * a10 + a10 * e10) * (REAL)1.0 + (e11 * a11 + a11 * e11) * (REAL)3.0 + (e12 * a12 + a12 * e12) * (REAL)3.0 + (e13 * a13 + a13 * e13) * (REAL)3.0 + (e14 * a14 + a14 * e14) * (REAL)6.0 + (e15 * a15 + a15 * e15) * (REAL)3.0 + (e16 * a16 + a16 * e16) * (REAL)1.0 + (e17 * a17 + a17 * e17) * (REAL)3.0 + (e18 * a18 + a18 * e18) * (REAL)3.0 + (e19 * a19 + a19 * e19) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
    }
}

static void NAME(second_3_3)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec u0 = (e1 * a4 + a1 * e4) * (REAL)1.0 + (e2 * a5 + a2 * e5) * (REAL)1.0 + (e3 * a6 + a3 * e6) * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec u1 = (e1 * a5 + a1 * e5) * (REAL)1.0 + (e2 * a7 + a2 * e7) * (REAL)1.0 + (e3 * a8 + a3 * e8) * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec u2 = (e1 * a6 + a1 * e6) * (REAL)1.0 + (e2 * a8 + a2 * e8) * (REAL)1.0 + (e3 * a9 + a3 * e9) * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec u3 = (e4 * a10 + a4 * e10) * (REAL)1.0 + (e5 * a11 + a5 * e11) * (REAL)2.0 + (e6 * a12 + a6 * e12) * (REAL)2.0 + (e7 * a13 + a7 * e13) * (REAL)1.0 + (e8 * a14 + a8 * e14) * (REAL)2.0 + (e9 * a15 + a9 * e15) * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec u4 = (e4 * a11 + a4 * e11) * (REAL)1.0 + (e5 * a13 + a5 * e13) * (REAL)2.0 + (e6 * a14 + a6 * e14) * (REAL)2.0 + (e7 * a16 + a7 * e16) * (REAL)1.0 + (e8 * a17 + a8 * e17) * (REAL)2.0 + (e9 * a18 + a9 * e18) * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec u5 = (e4 * a12 + a4 * e12) * (REAL)1.0 + (e5 * a14 + a5 * e14) * (REAL)2.0 + (e6 * a15 + a6 * e15) * (REAL)2.0 + (e7 * a17 + a7 * e17) * (REAL)1.0 + (e8 * a18 + a8 * e18) * (REAL)2.0 + (e9 * a19 + a9 * e19) * (REAL)1.0;
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e10 * a10 + a10 * e10) * (REAL)1.0 + (e11 * a11 + a11 * e11) * (REAL)3.0 + (e12 * a12 + a12 * e12) * (REAL)3.0 + (e13 * a13 + a13 * e13) * (REAL)3.0 + (e14 * a14 + a14 * e14) * (REAL)6.0 + (e15 * a15 + a15 * e15) * (REAL)3.0 + (e16 * a16 + a16 * e16) * (REAL)1.0 + (e17 * a17 + a17 * e17) * (REAL)3.0 + (e18 * a18 + a18 * e18) * (REAL)3.0 + (e19 * a19 + a19 * e19) * (REAL)1.0);
        NAME(store)(value_rates + 4 * columns + c, (e1 * t0 + a1 * u0) * (REAL)1.0 + (e2 * t1 + a2 * u1) * (REAL)1.0 + (e3 * t2 + a3 * u2) * (REAL)1.0);
        NAME(store)(value_rates + 5 * columns + c, (e1 * t3 + a1 * u3) * (REAL)1.0 + (e2 * t4 + a2 * u4) * (REAL)1.0 + (e3 * t5 + a3 * u5) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        vec h0 = {0}, q0 = {0};
        vec h1 = {0}, q1 = {0};
        vec h2 = {0}, q2 = {0};
        vec h3 = {0}, q3 = {0};
        vec h4 = {0}, q4 = {0};
        vec h5 = {0}, q5 = {0};
        const vec w4 = NAME(load)(by_values + 4 * columns + c);
        const vec w5 = NAME(load)(by_values + 5 * columns + c);
        g1 += w4 * t0 * (REAL)1.0;
        p1 += w4 * u0 * (REAL)1.0;
        h0 += w4 * a1 * (REAL)1.0;
        q0 += w4 * e1 * (REAL)1.0;
        g2 += w4 * t1 * (REAL)1.0;
        p2 += w4 * u1 * (REAL)1.0;
        h1 += w4 * a2 * (REAL)1.0;
        q1 += w4 * e2 * (REAL)1.0;
        g3 += w4 * t2 * (REAL)1.0;
        p3 += w4 * u2 * (REAL)1.0;
        h2 += w4 * a3 * (REAL)1.0;
        q2 += w4 * e3 * (REAL)1.0;
        g1 += w5 * t3 * (REAL)1.0;
        p1 += w5 * u3 * (REAL)1.0;
        h3 += w5 * a1 * (REAL)1.0;
        q3 += w5 * e1 * (REAL)1.0;
        g2 += w5 * t4 * (REAL)1.0;
        p2 += w5 * u4 * (REAL)1.0;
        h4 += w5 * a2 * (REAL)1.0;
        q4 += w5 * e2 * (REAL)1.0;
        g3 += w5 * t5 * (REAL)1.0;
        p3 += w5 * u5 * (REAL)1.0;
        h5 += w5 * a3 * (REAL)1.0;
        q5 += w5 * e3 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        p1 += (q0 * a4 + h0 * e4) * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        p4 += (q0 * a1 + h0 * e1) * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        p2 += (q0 * a5 + h0 * e5) * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        p5 += (q0 * a2 + h0 * e2) * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        p3 += (q0 * a6 + h0 * e6) * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        p6 += (q0 * a3 + h0 * e3) * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        p1 += (q1 * a5 + h1 * e5) * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        p5 += (q1 * a1 + h1 * e1) * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        p2 += (q1 * a7 + h1 * e7) * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        p7 += (q1 * a2 + h1 * e2) * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        p3 += (q1 * a8 + h1 * e8) * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        p8 += (q1 * a3 + h1 * e3) * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        p1 += (q2 * a6 + h2 * e6) * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        p6 += (q2 * a1 + h2 * e1) * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        p2 += (q2 * a8 + h2 * e8) * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        p8 += (q2 * a2 + h2 * e2) * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        p3 += (q2 * a9 + h2 * e9) * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        p9 += (q2 * a3 + h2 * e3) * (REAL)1.0;
        g4 += h3 * a10 * (REAL)1.0;
        p4 += (q3 * a10 + h3 * e10) * (REAL)1.0;
        g10 += h3 * a4 * (REAL)1.0;
        p10 += (q3 * a4 + h3 * e4) * (REAL)1.0;
        g5 += h3 * a11 * (REAL)2.0;
        p5 += (q3 * a11 + h3 * e11) * (REAL)2.0;
        g11 += h3 * a5 * (REAL)2.0;
        p11 += (q3 * a5 + h3 * e5) * (REAL)2.0;
        g6 += h3 * a12 * (REAL)2.0;
        p6 += (q3 * a12 + h3 * e12) * (REAL)2.0;
        g12 += h3 * a6 * (REAL)2.0;
        p12 += (q3 * a6 + h3 * e6) * (REAL)2.0;
        g7 += h3 * a13 * (REAL)1.0;
        p7 += (q3 * a13 + h3 * e13) * (REAL)1.0;
        g13 += h3 * a7 * (REAL)1.0;
        p13 += (q3 * a7 + h3 * e7) * (REAL)1.0;
        g8 += h3 * a14 * (REAL)2.0;
        p8 += (q3 * a14 + h3 * e14) * (REAL)2.0;
        g14 += h3 * a8 * (REAL)2.0;
        p14 += (q3 * a8 + h3 * e8) * (REAL)2.0;
        g9 += h3 * a15 * (REAL)1.0;
        p9 += (q3 * a15 + h3 * e15) * (REAL)1.0;
        g15 += h3 * a9 * (REAL)1.0;
        p15 += (q3 * a9 + h3 * e9) * (REAL)1.0;
        g4 += h4 * a11 * (REAL)1.0;
        p4 += (q4 * a11 + h4 * e11) * (REAL)1.0;
        g11 += h4 * a4 * (REAL)1.0;
        p11 += (q4 * a4 + h4 * e4) * (REAL)1.0;
        g5 += h4 * a13 * (REAL)2.0;
        p5 += (q4 * a13 + h4 * e13) * (REAL)2.0;
        g13 += h4 * a5 * (REAL)2.0;
        p13 += (q4 * a5 + h4 * e5) * (REAL)2.0;
        g6 += h4 * a14 * (REAL)2.0;
        p6 += (q4 * a14 + h4 * e14) * (REAL)2.0;
        g14 += h4 * a6 * (REAL)2.0;
        p14 += (q4 * a6 + h4 * e6) * (REAL)2.0;
        g7 += h4 * a16 * (REAL)1.0;
        p7 += (q4 * a16 + h4 * e16) * (REAL)1.0;
        g16 += h4 * a7 * (REAL)1.0;
        p16 += (q4 * a7 + h4 * e7) * (REAL)1.0;
        g8 += h4 * a17 * (REAL)2.0;
        p8 += (q4 * a17 + h4 * e17) * (REAL)2.0;
        g17 += h4 * a8 * (REAL)2.0;
        p17 += (q4 * a8 + h4 * e8) * (REAL)2.0;
        g9 += h4 * a18 * (REAL)1.0;
        p9 += (q4 * a18 + h4 * e18) * (REAL)1.0;
        g18 += h4 * a9 * (REAL)1.0;
        p18 += (q4 * a9 + h4 * e9) * (REAL)1.0;
        g4 += h5 * a12 * (REAL)1.0;
        p4 += (q5 * a12 + h5 * e12) * (REAL)1.0;
        g12 += h5 * a4 * (REAL)1.0;
        p12 += (q5 * a4 + h5 * e4) * (REAL)1.0;
        g5 += h5 * a14 * (REAL)2.0;
        p5 += (q5 * a14 + h5 * e14) * (REAL)2.0;
        g14 += h5 * a5 * (REAL)2.0;
        p14 += (q5 * a5 + h5 * e5) * (REAL)2.0;
        g6 += h5 * a15 * (REAL)2.0;
        p6 += (q5 * a15 + h5 * e15) * (REAL)2.0;
        g15 += h5 * a6 * (REAL)2.0;
        p15 += (q5 * a6 + h5 * e6) * (REAL)2.0;
        g7 += h5 * a17 * (REAL)1.0;
        p7 += (q5 * a17 + h5 * e17) * (REAL)1.0;
        g17 += h5 * a7 * (REAL)1.0;
        p17 += (q5 * a7 + h5 * e7) * (REAL)1.0;
        g8 += h5 * a18 * (REAL)2.0;
        p8 += (q5 * a18 + h5 * e18) * (REAL)2.0;
        g18 += h5 * a8 * (REAL)2.0;
        p18 += (q5 * a8 + h5 * e8) * (REAL)2.0;
        g9 += h5 * a19 * (REAL)1.0;
        p9 += (q5 * a19 + h5 * e19) * (REAL)1.0;
        g19 += h5 * a9 * (REAL)1.0;
        p19 += (q5 * a9 + h5 * e9) * (REAL)1.0;
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
    }
}

static void NAME(second_3_4)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec u0 = (e1 * a4 + a1 * e4) * (REAL)1.0 + (e2 * a5 + a2 * e5) * (REAL)1.0 + (e3 * a6 + a3 * e6) * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec u1 = (e1 * a5 + a1 * e5) * (REAL)1.0 + (e2 * a7 + a2 * e7) * (REAL)1.0 + (e3 * a8 + a3 * e8) * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec u2 = (e1 * a6 + a1 * e6) * (REAL)1.0 + (e2 * a8 + a2 * e8) * (REAL)1.0 + (e3 * a9 + a3 * e9) * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec u3 = (e4 * a10 + a4 * e10) * (REAL)1.0 + (e5 * a11 + a5 * e11) * (REAL)2.0 + (e6 * a12 + a6 * e12) * (REAL)2.0 + (e7 * a13 + a7 * e13) * (REAL)1.0 + (e8 * a14 + a8 * e14) * (REAL)2.0 + (e9 * a15 + a9 * e15) * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec u4 = (e4 * a11 + a4 * e11) * (REAL)1.0 + (e5 * a13 + a5 * e13) * (REAL)2.0 + (e6 * a14 + a6 * e14) * (REAL)2.0 + (e7 * a16 + a7 * e16) * (REAL)1.0 + (e8 * a17 + a8 * e17) * (REAL)2.0 + (e9 * a18 + a9 * e18) * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec u5 = (e4 * a12 + a4 * e12) * (REAL)1.0 + (e5 * a14 + a5 * e14) * (REAL)2.0 + (e6 * a15 + a6 * e15) * (REAL)2.0 + (e7 * a17 + a7 * e17) * (REAL)1.0 + (e8 * a18 + a8 * e18) * (REAL)2.0 + (e9 * a19 + a9 * e19) * (REAL)1.0;
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e10 * a10 + a10 * e10) * (REAL)1.0 + (e11 * a11 + a11 * e11) * (REAL)3.0 + (e12 * a12 + a12 * e12) * (REAL)3.0 + (e13 * a13 + a13 * e13) * (REAL)3.0 + (e14 * a14 + a14 * e14) * (REAL)6.0 + (e15 * a15 + a15 * e15) * (REAL)3.0 + (e16 * a16 + a16 * e16) * (REAL)1.0 + (e17 * a17 + a17 * e17) * (REAL)3.0 + (e18 * a18 + a18 * e18) * (REAL)3.0 + (e19 * a19 + a19 * e19) * (REAL)1.0);
        NAME(store)(value_rates + 4 * columns + c, (e1 * t0 + a1 * u0) * (REAL)1.0 + (e2 * t1 + a2 * u1) * (REAL)1.0 + (e3 * t2 + a3 * u2) * (REAL)1.0);
        NAME(store)(value_rates + 5 * columns + c, (e1 * t3 + a1 * u3) * (REAL)1.0 + (e2 * t4 + a2 * u4) * (REAL)1.0 + (e3 * t5 + a3 * u5) * (REAL)1.0);
        NAME(store)(value_rates + 6 * columns + c, (u0 * t3 + t0 * u3) * (REAL)1.0 + (u1 * t4 + t1 * u4) * (REAL)1.0 + (u2 * t5 + t2 * u5) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        vec h0 = {0}, q0 = {0};
        vec h1 = {0}, q1 = {0};
        vec h2 = {0}, q2 = {0};
        vec h3 = {0}, q3 = {0};
        vec h4 = {0}, q4 = {0};
        vec h5 = {0}, q5 = {0};
        const vec w4 = NAME(load)(by_values + 4 * columns + c);
        const vec w5 = NAME(load)(by_values + 5 * columns + c);
        const vec w6 = NAME(load)(by_values + 6 * columns + c);
        g1 += w4 * t0 * (REAL)1.0;
        p1 += w4 * u0 * (REAL)1.0;
        h0 += w4 * a1 * (REAL)1.0;
        q0 += w4 * e1 * (REAL)1.0;
        g2 += w4 * t1 * (REAL)1.0;
        p2 += w4 * u1 * (REAL)1.0;
        h1 += w4 * a2 * (REAL)1.0;
        q1 += w4 * e2 * (REAL)1.0;
        g3 += w4 * t2 * (REAL)1.0;
        p3 += w4 * u2 * (REAL)1.0;
        h2 += w4 * a3 * (REAL)1.0;
        q2 += w4 * e3 * (REAL)1.0;
        g1 += w5 * t3 * (REAL)1.0;
        p1 += w5 * u3 * (REAL)1.0;
        h3 += w5 * a1 * (REAL)1.0;
        q3 += w5 * e1 * (REAL)1.0;
        g2 += w5 * t4 * (REAL)1.0;
        p2 += w5 * u4 * (REAL)1.0;
        h4 += w5 * a2 * (REAL)1.0;
        q4 += w5 * e2 * (REAL)1.0;
        g3 += w5 * t5 * (REAL)1.0;
        p3 += w5 * u5 * (REAL)1.0;
        h5 += w5 * a3 * (REAL)1.0;
        q5 += w5 * e3 * (REAL)1.0;
        h0 += w6 * t3 * (REAL)1.0;
        q0 += w6 * u3 * (REAL)1.0;
        h3 += w6 * t0 * (REAL)1.0;
        q3 += w6 * u0 * (REAL)1.0;
        h1 += w6 * t4 * (REAL)1.0;
        q1 += w6 * u4 * (REAL)1.0;
        h4 += w6 * t1 * (REAL)1.0;
        q4 += w6 * u1 * (REAL)1.0;
        h2 += w6 * t5 * (REAL)1.0;
        q2 += w6 * u5 * (REAL)1.0;
        h5 += w6 * t2 * (REAL)1.0;
        q5 += w6 * u2 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        p1 += (q0 * a4 + h0 * e4) * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        p4 += (q0 * a1 + h0 * e1) * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        p2 += (q0 * a5 + h0 * e5) * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        p5 += (q0 * a2 + h0 * e2) * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        p3 += (q0 * a6 + h0 * e6) * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        p6 += (q0 * a3 + h0 * e3) * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        p1 += (q1 * a5 + h1 * e5) * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        p5 += (q1 * a1 + h1 * e1) * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        p2 += (q1 * a7 + h1 * e7) * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        p7 += (q1 * a2 + h1 * e2) * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        p3 += (q1 * a8 + h1 * e8) * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        p8 += (q1 * a3 + h1 * e3) * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        p1 += (q2 * a6 + h2 * e6) * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        p6 += (q2 * a1 + h2 * e1) * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        p2 += (q2 * a8 + h2 * e8) * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        p8 += (q2 * a2 + h2 * e2) * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        p3 += (q2 * a9 + h2 * e9) * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        p9 += (q2 * a3 + h2 * e3) * (REAL)1.0;
        g4 += h3 * a10 * (REAL)1.0;
        p4 += (q3 * a10 + h3 * e10) * (REAL)1.0;
        g10 += h3 * a4 * (REAL)1.0;
        p10 += (q3 * a4 + h3 * e4) * (REAL)1.0;
        g5 += h3 * a11 * (REAL)2.0;
        p5 += (q3 * a11 + h3 * e11) * (REAL)2.0;
        g11 += h3 * a5 * (REAL)2.0;
        p11 += (q3 * a5 + h3 * e5) * (REAL)2.0;
        g6 += h3 * a12 * (REAL)2.0;
        p6 += (q3 * a12 + h3 * e12) * (REAL)2.0;
        g12 += h3 * a6 * (REAL)2.0;
        p12 += (q3 * a6 + h3 * e6) * (REAL)2.0;
        g7 += h3 * a13 * (REAL)1.0;
        p7 += (q3 * a13 + h3 * e13) * (REAL)1.0;
        g13 += h3 * a7 * (REAL)1.0;
        p13 += (q3 * a7 + h3 * e7) * (REAL)1.0;
        g8 += h3 * a14 * (REAL)2.0;
        p8 += (q3 * a14 + h3 * e14) * (REAL)2.0;
        g14 += h3 * a8 * (REAL)2.0;
        p14 += (q3 * a8 + h3 * e8) * (REAL)2.0;
        g9 += h3 * a15 * (REAL)1.0;
        p9 += (q3 * a15 + h3 * e15) * (REAL)1.0;
        g15 += h3 * a9 * (REAL)1.0;
        p15 += (q3 * a9 + h3 * e9) * (REAL)1.0;
        g4 += h4 * a11 * (REAL)1.0;
        p4 += (q4 * a11 + h4 * e11) * (REAL)1.0;
        g11 += h4 * a4 * (REAL)1.0;
        p11 += (q4 * a4 + h4 * e4) * (REAL)1.0;
        g5 += h4 * a13 * (REAL)2.0;
        p5 += (q4 * a13 + h4 * e13) * (REAL)2.0;
        g13 += h4 * a5 * (REAL)2.0;
        p13 += (q4 * a5 + h4 * e5) * (REAL)2.0;
        g6 += h4 * a14 * (REAL)2.0;
        p6 += (q4 * a14 + h4 * e14) * (REAL)2.0;
        g14 += h4 * a6 * (REAL)2.0;
        p14 += (q4 * a6 + h4 * e6) * (REAL)2.0;
        g7 += h4 * a16 * (REAL)1.0;
        p7 += (q4 * a16 + h4 * e16) * (REAL)1.0;
        g16 += h4 * a7 * (REAL)1.0;
        p16 += (q4 * a7 + h4 * e7) * (REAL)1.0;
        g8 += h4 * a17 * (REAL)2.0;
        p8 += (q4 * a17 + h4 * e17) * (REAL)2.0;
        g17 += h4 * a8 * (REAL)2.0;
        p17 += (q4 * a8 + h4 * e8) * (REAL)2.0;
        g9 += h4 * a18 * (REAL)1.0;
        p9 += (q4 * a18 + h4 * e18) * (REAL)1.0;
        g18 += h4 * a9 * (REAL)1.0;
        p18 += (q4 * a9 + h4 * e9) * (REAL)1.0;
        g4 += h5 * a12 * (REAL)1.0;
        p4 += (q5 * a12 + h5 * e12) * (REAL)1.0;
        g12 += h5 * a4 * (REAL)1.0;
        p12 += (q5 * a4 + h5 * e4) * (REAL)1.0;
        g5 += h5 * a14 * (REAL)2.0;
        p5 += (q5 * a14 + h5 * e14) * (REAL)2.0;
        g14 += h5 * a5 * (REAL)2.0;
        p14 += (q5 * a5 + h5 * e5) * (REAL)2.0;
        g6 += h5 * a15 * (REAL)2.0;
        p6 += (q5 * a15 + h5 * e15) * (REAL)2.0;
        g15 += h5 * a6 * (REAL)2.0;
        p15 += (q5 * a6 + h5 * e6) * (REAL)2.0;
        g7 += h5 * a17 * (REAL)1.0;
        p7 += (q5 * a17 + h5 * e17) * (REAL)1.0;
        g17 += h5 * a7 * (REAL)1.0;
        p17 += (q5 * a7 + h5 * e7) * (REAL)1.0;
        g8 += h5 * a18 * (REAL)2.0;
        p8 += (q5 * a18 + h5 * e18) * (REAL)2.0;
        g18 += h5 * a8 * (REAL)2.0;
        p18 += (q5 * a8 + h5 * e8) * (REAL)2.0;
        g9 += h5 * a19 * (REAL)1.0;
        p9 += (q5 * a19 + h5 * e19) * (REAL)1.0;
        g19 += h5 * a9 * (REAL)1.0;
        p19 += (q5 * a9 + h5 * e9) * (REAL)1.0;
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
    }
}


static int NAME(cace_values_3)(const fused_cace *cace, int64_t first, int64_t last,
                                 REAL *features)
{
    const fused_model *model = &cace->model;
    NAME(products_3) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_3_1); n_invariants = 1; break;
    case 2: products = NAME(values_3_2); n_invariants = 4; break;
    case 3: products = NAME(values_3_3); n_invariants = 6; break;
    case 4: products = NAME(values_3_4); n_invariants = 7; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 20, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_3)(cace, atom, NULL, &t);
        products(t.mixed, NULL, t.by_features, model->n_embedding * PADDED(n_mixed));
        NAME(copy_rows)(features + atom * rows * n_mixed, n_mixed, t.by_features, PADDED(n_mixed),
                        rows, n_mixed);
    }
    free(memory.memory);
    return DONE;
}

static int NAME(cace_gradients_3)(const fused_cace *cace, int64_t first, int64_t last,
                                    const REAL *by_features, const REAL *change,
                                    const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    NAME(products_3) products = NULL;
    NAME(second_products_3) second_products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_3_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_3_2); n_invariants = 4; break;
    case 3: products = NAME(gradients_3_3); n_invariants = 6; break;
    case 4: products = NAME(gradients_3_4); n_invariants = 7; break;
    default: return NOT_SUPPORTED;
    }
    switch (model->nu_max) {
    case 1: second_products = NAME(second_3_1); break;
    case 2: second_products = NAME(second_3_2); break;
    case 3: second_products = NAME(second_3_3); break;
    case 4: second_products = NAME(second_3_4); break;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    const int64_t columns = model->n_embedding * PADDED(n_mixed);
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 20, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_3)(cace, atom, change, &t);
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
        NAME(gradients_of_atom_3)(cace, atom, change != NULL, &t, to);
    }
    free(memory.memory);
    return DONE;
}

/* ---- angular functions up to degree 4 ---- */

static void NAME(monomials_4)(scratch *s)
{
    const int64_t capacity = s->capacity;
    REAL *values = s->angular;
    for (int64_t lane = 0; lane < s->n; lane += LANES) {
        const vec x = NAME(load)(s->unit[0] + lane), y = NAME(load)(s->unit[1] + lane);
        const vec z = NAME(load)(s->unit[2] + lane);
        (void)x, (void)y, (void)z;
        const vec y0 = x - x + 1;
        const vec y1 = x;
        const vec y2 = y;
        const vec y3 = z;
        const vec y4 = y1 * x;
        const vec y5 = y2 * x;
        const vec y6 = y3 * x;
        const vec y7 = y2 * y;
        const vec y8 = y3 * y;
        const vec y9 = y3 * z;
        const vec y10 = y4 * x;
        const vec y11 = y5 * x;
        const vec y12 = y6 * x;
        const vec y13 = y7 * x;
        const vec y14 = y8 * x;
        const vec y15 = y9 * x;
        const vec y16 = y7 * y;
        const vec y17 = y8 * y;
        const vec y18 = y9 * y;
        const vec y19 = y9 * z;
        const vec y20 = y10 * x;
        const vec y21 = y11 * x;
        const vec y22 = y12 * x;
        const vec y23 = y13 * x;
        const vec y24 = y14 * x;
        const vec y25 = y15 * x;
        const vec y26 = y16 * x;
        const vec y27 = y17 * x;
        const vec y28 = y18 * x;
        const vec y29 = y19 * x;
        const vec y30 = y16 * y;
        const vec y31 = y17 * y;
        const vec y32 = y18 * y;
        const vec y33 = y19 * y;
        const vec y34 = y19 * z;
        NAME(store)(values + 0 * capacity + lane, y0);
        NAME(store)(values + 1 * capacity + lane, y1);
        NAME(store)(values + 2 * capacity + lane, y2);
        NAME(store)(values + 3 * capacity + lane, y3);
        NAME(store)(values + 4 * capacity + lane, y4);
        NAME(store)(values + 5 * capacity + lane, y5);
        NAME(store)(values + 6 * capacity + lane, y6);
        NAME(store)(values + 7 * capacity + lane, y7);
        NAME(store)(values + 8 * capacity + lane, y8);
        NAME(store)(values + 9 * capacity + lane, y9);
        NAME(store)(values + 10 * capacity + lane, y10);
        NAME(store)(values + 11 * capacity + lane, y11);
        NAME(store)(values + 12 * capacity + lane, y12);
        NAME(store)(values + 13 * capacity + lane, y13);
        NAME(store)(values + 14 * capacity + lane, y14);
        NAME(store)(values + 15 * capacity + lane, y15);
        NAME(store)(values + 16 * capacity + lane, y16);
        NAME(store)(values + 17 * capacity + lane, y17);
        NAME(store)(values + 18 * capacity + lane, y18);
        NAME(store)(values + 19 * capacity + lane, y19);
        NAME(store)(values + 20 * capacity + lane, y20);
        NAME(store)(values + 21 * capacity + lane, y21);
        NAME(store)(values + 22 * capacity + lane, y22);
        NAME(store)(values + 23 * capacity + lane, y23);
        NAME(store)(values + 24 * capacity + lane, y24);
        NAME(store)(values + 25 * capacity + lane, y25);
        NAME(store)(values + 26 * capacity + lane, y26);
        NAME(store)(values + 27 * capacity + lane, y27);
        NAME(store)(values + 28 * capacity + lane, y28);
        NAME(store)(values + 29 * capacity + lane, y29);
        NAME(store)(values + 30 * capacity + lane, y30);
        NAME(store)(values + 31 * capacity + lane, y31);
        NAME(store)(values + 32 * capacity + lane, y32);
        NAME(store)(values + 33 * capacity + lane, y33);
        NAME(store)(values + 34 * capacity + lane, y34);
    }
}

/* Sums over the lanes of one kind. */
static void NAME(sum_4)(const scratch *s, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = s->capacity;
    const REAL *angular = s->angular;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = s->radial + v;
        REAL *sums = s->sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[0 * capacity + lane];
                a1 += r * angular[1 * capacity + lane];
                a2 += r * angular[2 * capacity + lane];
                a3 += r * angular[3 * capacity + lane];
                a4 += r * angular[4 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
            NAME(store)(sums + 4 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[5 * capacity + lane];
                a1 += r * angular[6 * capacity + lane];
                a2 += r * angular[7 * capacity + lane];
                a3 += r * angular[8 * capacity + lane];
                a4 += r * angular[9 * capacity + lane];
                a5 += r * angular[10 * capacity + lane];
            }
            NAME(store)(sums + 5 * width, a0);
            NAME(store)(sums + 6 * width, a1);
            NAME(store)(sums + 7 * width, a2);
            NAME(store)(sums + 8 * width, a3);
            NAME(store)(sums + 9 * width, a4);
            NAME(store)(sums + 10 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[11 * capacity + lane];
                a1 += r * angular[12 * capacity + lane];
                a2 += r * angular[13 * capacity + lane];
                a3 += r * angular[14 * capacity + lane];
                a4 += r * angular[15 * capacity + lane];
                a5 += r * angular[16 * capacity + lane];
            }
            NAME(store)(sums + 11 * width, a0);
            NAME(store)(sums + 12 * width, a1);
            NAME(store)(sums + 13 * width, a2);
            NAME(store)(sums + 14 * width, a3);
            NAME(store)(sums + 15 * width, a4);
            NAME(store)(sums + 16 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[17 * capacity + lane];
                a1 += r * angular[18 * capacity + lane];
                a2 += r * angular[19 * capacity + lane];
                a3 += r * angular[20 * capacity + lane];
                a4 += r * angular[21 * capacity + lane];
                a5 += r * angular[22 * capacity + lane];
            }
            NAME(store)(sums + 17 * width, a0);
            NAME(store)(sums + 18 * width, a1);
            NAME(store)(sums + 19 * width, a2);
            NAME(store)(sums + 20 * width, a3);
            NAME(store)(sums + 21 * width, a4);
            NAME(store)(sums + 22 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[23 * capacity + lane];
                a1 += r * angular[24 * capacity + lane];
                a2 += r * angular[25 * capacity + lane];
                a3 += r * angular[26 * capacity + lane];
                a4 += r * angular[27 * capacity + lane];
                a5 += r * angular[28 * capacity + lane];
            }
            NAME(store)(sums + 23 * width, a0);
            NAME(store)(sums + 24 * width, a1);
            NAME(store)(sums + 25 * width, a2);
            NAME(store)(sums + 26 * width, a3);
            NAME(store)(sums + 27 * width, a4);
            NAME(store)(sums + 28 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width);
                a0 += r * angular[29 * capacity + lane];
                a1 += r * angular[30 * capacity + lane];
                a2 += r * angular[31 * capacity + lane];
                a3 += r * angular[32 * capacity + lane];
                a4 += r * angular[33 * capacity + lane];
                a5 += r * angular[34 * capacity + lane];
            }
            NAME(store)(sums + 29 * width, a0);
            NAME(store)(sums + 30 * width, a1);
            NAME(store)(sums + 31 * width, a2);
            NAME(store)(sums + 32 * width, a3);
            NAME(store)(sums + 33 * width, a4);
            NAME(store)(sums + 34 * width, a5);
        }
    }
}

/* Mixed sums [function][embedding][mixed] of an atom of a kind from raw ones
 * [embedding][function][radial]. */
static void NAME(mix_4)(const fused_model *model, int64_t kind, const REAL *raw, REAL *mixed)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial);
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t columns = n_embedding * n_mixed;
    const REAL *receiver = (const REAL *)model->receiver + kind * n_mixed;
    for (int64_t s = 0; s < n_embedding; ++s, raw += 35 * width) {
        for (int64_t m = 0; m < n_mixed; m += LANES) {
            REAL *to = mixed + s * n_mixed + m;
            const vec own = NAME(load)(receiver + m);
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->mixing + (0 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[0 * width + n];
                }
                NAME(store)(to + 0 * columns, a0 * own);
            }
            weights = (const REAL *)model->mixing + (1 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[1 * width + n];
                    a1 += w * raw[2 * width + n];
                    a2 += w * raw[3 * width + n];
                }
                NAME(store)(to + 1 * columns, a0 * own);
                NAME(store)(to + 2 * columns, a1 * own);
                NAME(store)(to + 3 * columns, a2 * own);
            }
            weights = (const REAL *)model->mixing + (2 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                vec a5 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[4 * width + n];
                    a1 += w * raw[5 * width + n];
                    a2 += w * raw[6 * width + n];
                    a3 += w * raw[7 * width + n];
                    a4 += w * raw[8 * width + n];
                    a5 += w * raw[9 * width + n];
                }
                NAME(store)(to + 4 * columns, a0 * own);
                NAME(store)(to + 5 * columns, a1 * own);
                NAME(store)(to + 6 * columns, a2 * own);
                NAME(store)(to + 7 * columns, a3 * own);
                NAME(store)(to + 8 * columns, a4 * own);
                NAME(store)(to + 9 * columns, a5 * own);
            }
            weights = (const REAL *)model->mixing + (3 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[10 * width + n];
                    a1 += w * raw[11 * width + n];
                    a2 += w * raw[12 * width + n];
                    a3 += w * raw[13 * width + n];
                    a4 += w * raw[14 * width + n];
                }
                NAME(store)(to + 10 * columns, a0 * own);
                NAME(store)(to + 11 * columns, a1 * own);
                NAME(store)(to + 12 * columns, a2 * own);
                NAME(store)(to + 13 * columns, a3 * own);
                NAME(store)(to + 14 * columns, a4 * own);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[15 * width + n];
                    a1 += w * raw[16 * width + n];
                    a2 += w * raw[17 * width + n];
                    a3 += w * raw[18 * width + n];
                    a4 += w * raw[19 * width + n];
                }
                NAME(store)(to + 15 * columns, a0 * own);
                NAME(store)(to + 16 * columns, a1 * own);
                NAME(store)(to + 17 * columns, a2 * own);
                NAME(store)(to + 18 * columns, a3 * own);
                NAME(store)(to + 19 * columns, a4 * own);
            }
            weights = (const REAL *)model->mixing + (4 * n_embedding + s) * n_radial * n_mixed + m;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[20 * width + n];
                    a1 += w * raw[21 * width + n];
                    a2 += w * raw[22 * width + n];
                    a3 += w * raw[23 * width + n];
                    a4 += w * raw[24 * width + n];
                }
                NAME(store)(to + 20 * columns, a0 * own);
                NAME(store)(to + 21 * columns, a1 * own);
                NAME(store)(to + 22 * columns, a2 * own);
                NAME(store)(to + 23 * columns, a3 * own);
                NAME(store)(to + 24 * columns, a4 * own);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[25 * width + n];
                    a1 += w * raw[26 * width + n];
                    a2 += w * raw[27 * width + n];
                    a3 += w * raw[28 * width + n];
                    a4 += w * raw[29 * width + n];
                }
                NAME(store)(to + 25 * columns, a0 * own);
                NAME(store)(to + 26 * columns, a1 * own);
                NAME(store)(to + 27 * columns, a2 * own);
                NAME(store)(to + 28 * columns, a3 * own);
                NAME(store)(to + 29 * columns, a4 * own);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t n = 0; n < n_radial; ++n) {
                    const vec w = NAME(load)(weights + n * n_mixed);
                    a0 += w * raw[30 * width + n];
                    a1 += w * raw[31 * width + n];
                    a2 += w * raw[32 * width + n];
                    a3 += w * raw[33 * width + n];
                    a4 += w * raw[34 * width + n];
                }
                NAME(store)(to + 30 * columns, a0 * own);
                NAME(store)(to + 31 * columns, a1 * own);
                NAME(store)(to + 32 * columns, a2 * own);
                NAME(store)(to + 33 * columns, a3 * own);
                NAME(store)(to + 34 * columns, a4 * own);
            }
        }
    }
}

/* Gradient by the raw sums of one embedding from that by the mixed ones. */
static void NAME(unmix_4)(const fused_model *model, int64_t kind, const REAL *by_mixed,
                            REAL *by_raw)
{
    const int64_t n_embedding = model->n_embedding, n_mixed = model->n_mixed;
    const int64_t width = PADDED(model->n_radial), columns = n_embedding * PADDED(n_mixed);
    const REAL *receiver = (const REAL *)model->receiver + kind * PADDED(n_mixed);
    for (int64_t s = 0; s < n_embedding; ++s, by_raw += 35 * width) {
        const REAL *from = by_mixed + s * PADDED(n_mixed);
        for (int64_t v = 0; v < width; v += LANES) {
            REAL *to = by_raw + v;
            const REAL *weights;
            (void)columns;
            weights = (const REAL *)model->unmixing + (0 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[0 * columns + m];
                }
                NAME(store)(to + 0 * width, a0);
            }
            weights = (const REAL *)model->unmixing + (1 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[1 * columns + m];
                    a1 += w * from[2 * columns + m];
                    a2 += w * from[3 * columns + m];
                }
                NAME(store)(to + 1 * width, a0);
                NAME(store)(to + 2 * width, a1);
                NAME(store)(to + 3 * width, a2);
            }
            weights = (const REAL *)model->unmixing + (2 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                vec a5 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[4 * columns + m];
                    a1 += w * from[5 * columns + m];
                    a2 += w * from[6 * columns + m];
                    a3 += w * from[7 * columns + m];
                    a4 += w * from[8 * columns + m];
                    a5 += w * from[9 * columns + m];
                }
                NAME(store)(to + 4 * width, a0);
                NAME(store)(to + 5 * width, a1);
                NAME(store)(to + 6 * width, a2);
                NAME(store)(to + 7 * width, a3);
                NAME(store)(to + 8 * width, a4);
                NAME(store)(to + 9 * width, a5);
            }
            weights = (const REAL *)model->unmixing + (3 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[10 * columns + m];
                    a1 += w * from[11 * columns + m];
                    a2 += w * from[12 * columns + m];
                    a3 += w * from[13 * columns + m];
                    a4 += w * from[14 * columns + m];
                }
                NAME(store)(to + 10 * width, a0);
                NAME(store)(to + 11 * width, a1);
                NAME(store)(to + 12 * width, a2);
                NAME(store)(to + 13 * width, a3);
                NAME(store)(to + 14 * width, a4);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[15 * columns + m];
                    a1 += w * from[16 * columns + m];
                    a2 += w * from[17 * columns + m];
                    a3 += w * from[18 * columns + m];
                    a4 += w * from[19 * columns + m];
                }
                NAME(store)(to + 15 * width, a0);
                NAME(store)(to + 16 * width, a1);
                NAME(store)(to + 17 * width, a2);
                NAME(store)(to + 18 * width, a3);
                NAME(store)(to + 19 * width, a4);
            }
            weights = (const REAL *)model->unmixing + (4 * n_embedding + s) * n_mixed * width + v;
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[20 * columns + m];
                    a1 += w * from[21 * columns + m];
                    a2 += w * from[22 * columns + m];
                    a3 += w * from[23 * columns + m];
                    a4 += w * from[24 * columns + m];
                }
                NAME(store)(to + 20 * width, a0);
                NAME(store)(to + 21 * width, a1);
                NAME(store)(to + 22 * width, a2);
                NAME(store)(to + 23 * width, a3);
                NAME(store)(to + 24 * width, a4);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[25 * columns + m];
                    a1 += w * from[26 * columns + m];
                    a2 += w * from[27 * columns + m];
                    a3 += w * from[28 * columns + m];
                    a4 += w * from[29 * columns + m];
                }
                NAME(store)(to + 25 * width, a0);
                NAME(store)(to + 26 * width, a1);
                NAME(store)(to + 27 * width, a2);
                NAME(store)(to + 28 * width, a3);
                NAME(store)(to + 29 * width, a4);
            }
            {
                vec a0 = {0};
                vec a1 = {0};
                vec a2 = {0};
                vec a3 = {0};
                vec a4 = {0};
                for (int64_t m = 0; m < n_mixed; ++m) {
                    const vec w = NAME(load)(weights + m * width) * receiver[m];
                    a0 += w * from[30 * columns + m];
                    a1 += w * from[31 * columns + m];
                    a2 += w * from[32 * columns + m];
                    a3 += w * from[33 * columns + m];
                    a4 += w * from[34 * columns + m];
                }
                NAME(store)(to + 30 * width, a0);
                NAME(store)(to + 31 * width, a1);
                NAME(store)(to + 32 * width, a2);
                NAME(store)(to + 33 * width, a3);
                NAME(store)(to + 34 * width, a4);
            }
        }
    }
}

static void NAME(values_4_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        NAME(store)(result + c, a0);
    }
}

static void NAME(gradients_4_1)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        vec g20 = {0};
        vec g21 = {0};
        vec g22 = {0};
        vec g23 = {0};
        vec g24 = {0};
        vec g25 = {0};
        vec g26 = {0};
        vec g27 = {0};
        vec g28 = {0};
        vec g29 = {0};
        vec g30 = {0};
        vec g31 = {0};
        vec g32 = {0};
        vec g33 = {0};
        vec g34 = {0};
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
        NAME(store)(result + 20 * columns + c, g20);
        NAME(store)(result + 21 * columns + c, g21);
        NAME(store)(result + 22 * columns + c, g22);
        NAME(store)(result + 23 * columns + c, g23);
        NAME(store)(result + 24 * columns + c, g24);
        NAME(store)(result + 25 * columns + c, g25);
        NAME(store)(result + 26 * columns + c, g26);
        NAME(store)(result + 27 * columns + c, g27);
        NAME(store)(result + 28 * columns + c, g28);
        NAME(store)(result + 29 * columns + c, g29);
        NAME(store)(result + 30 * columns + c, g30);
        NAME(store)(result + 31 * columns + c, g31);
        NAME(store)(result + 32 * columns + c, g32);
        NAME(store)(result + 33 * columns + c, g33);
        NAME(store)(result + 34 * columns + c, g34);
    }
}

static void NAME(values_4_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a10 * a10 * (REAL)1.0 + a11 * a11 * (REAL)3.0 + a12 * a12 * (REAL)3.0 + a13 * a13 * (REAL)3.0 + a14 * a14 * (REAL)6.0 + a15 * a15 * (REAL)3.0 + a16 * a16 * (REAL)1.0 + a17 * a17 * (REAL)3.0 + a18 * a18 * (REAL)3.0 + a19 * a19 * (REAL)1.0);
        NAME(store)(result + 4 * columns + c, a20 * a20 * (REAL)1.0 + a21 * a21 * (REAL)4.0 + a22 * a22 * (REAL)4.0 + a23 * a23 * (REAL)6.0 + a24 * a24 * (REAL)12.0 + a25 * a25 * (REAL)6.0 + a26 * a26 * (REAL)4.0 + a27 * a27 * (REAL)12.0 + a28 * a28 * (REAL)12.0 + a29 * a29 * (REAL)4.0 + a30 * a30 * (REAL)1.0 + a31 * a31 * (REAL)4.0 + a32 * a32 * (REAL)6.0 + a33 * a33 * (REAL)4.0 + a34 * a34 * (REAL)1.0);
    }
}

static void NAME(gradients_4_2)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        vec g20 = {0};
        vec g21 = {0};
        vec g22 = {0};
        vec g23 = {0};
        vec g24 = {0};
        vec g25 = {0};
        vec g26 = {0};
        vec g27 = {0};
        vec g28 = {0};
        vec g29 = {0};
        vec g30 = {0};
        vec g31 = {0};
        vec g32 = {0};
        vec g33 = {0};
        vec g34 = {0};
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        const vec z2 = NAME(load)(by_values + 3 * columns + c);
        const vec z3 = NAME(load)(by_values + 4 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g11 += z2 * a11 * (REAL)3.0;
        g11 += z2 * a11 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g14 += z2 * a14 * (REAL)6.0;
        g14 += z2 * a14 * (REAL)6.0;
        g15 += z2 * a15 * (REAL)3.0;
        g15 += z2 * a15 * (REAL)3.0;
        g16 += z2 * a16 * (REAL)1.0;
        g16 += z2 * a16 * (REAL)1.0;
        g17 += z2 * a17 * (REAL)3.0;
        g17 += z2 * a17 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g19 += z2 * a19 * (REAL)1.0;
        g19 += z2 * a19 * (REAL)1.0;
        g20 += z3 * a20 * (REAL)1.0;
        g20 += z3 * a20 * (REAL)1.0;
        g21 += z3 * a21 * (REAL)4.0;
        g21 += z3 * a21 * (REAL)4.0;
        g22 += z3 * a22 * (REAL)4.0;
        g22 += z3 * a22 * (REAL)4.0;
        g23 += z3 * a23 * (REAL)6.0;
        g23 += z3 * a23 * (REAL)6.0;
        g24 += z3 * a24 * (REAL)12.0;
        g24 += z3 * a24 * (REAL)12.0;
        g25 += z3 * a25 * (REAL)6.0;
        g25 += z3 * a25 * (REAL)6.0;
        g26 += z3 * a26 * (REAL)4.0;
        g26 += z3 * a26 * (REAL)4.0;
        g27 += z3 * a27 * (REAL)12.0;
        g27 += z3 * a27 * (REAL)12.0;
        g28 += z3 * a28 * (REAL)12.0;
        g28 += z3 * a28 * (REAL)12.0;
        g29 += z3 * a29 * (REAL)4.0;
        g29 += z3 * a29 * (REAL)4.0;
        g30 += z3 * a30 * (REAL)1.0;
        g30 += z3 * a30 * (REAL)1.0;
        g31 += z3 * a31 * (REAL)4.0;
        g31 += z3 * a31 * (REAL)4.0;
        g32 += z3 * a32 * (REAL)6.0;
        g32 += z3 * a32 * (REAL)6.0;
        g33 += z3 * a33 * (REAL)4.0;
        g33 += z3 * a33 * (REAL)4.0;
        g34 += z3 * a34 * (REAL)1.0;
        g34 += z3 * a34 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
        NAME(store)(result + 20 * columns + c, g20);
        NAME(store)(result + 21 * columns + c, g21);
        NAME(store)(result + 22 * columns + c, g22);
        NAME(store)(result + 23 * columns + c, g23);
        NAME(store)(result + 24 * columns + c, g24);
        NAME(store)(result + 25 * columns + c, g25);
        NAME(store)(result + 26 * columns + c, g26);
        NAME(store)(result + 27 * columns + c, g27);
        NAME(store)(result + 28 * columns + c, g28);
        NAME(store)(result + 29 * columns + c, g29);
        NAME(store)(result + 30 * columns + c, g30);
        NAME(store)(result + 31 * columns + c, g31);
        NAME(store)(result + 32 * columns + c, g32);
        NAME(store)(result + 33 * columns + c, g33);
        NAME(store)(result + 34 * columns + c, g34);
    }
}

static void NAME(values_4_3)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec t6 = a4 * a20 * (REAL)1.0 + a5 * a21 * (REAL)2.0 + a6 * a22 * (REAL)2.0 + a7 * a23 * (REAL)1.0 + a8 * a24 * (REAL)2.0 + a9 * a25 * (REAL)1.0;
        const vec t7 = a4 * a21 * (REAL)1.0 + a5 * a23 * (REAL)2.0 + a6 * a24 * (REAL)2.0 + a7 * a26 * (REAL)1.0 + a8 * a27 * (REAL)2.0 + a9 * a28 * (REAL)1.0;
        const vec t8 = a4 * a22 * (REAL)1.0 + a5 * a24 * (REAL)2.0 + a6 * a25 * (REAL)2.0 + a7 * a27 * (REAL)1.0 + a8 * a28 * (REAL)2.0 + a9 * a29 * (REAL)1.0;
        const vec t9 = a4 * a23 * (REAL)1.0 + a5 * a26 * (REAL)2.0 + a6 * a27 * (REAL)2.0 + a7 * a30 * (REAL)1.0 + a8 * a31 * (REAL)2.0 + a9 * a32 * (REAL)1.0;
        const vec t10 = a4 * a24 * (REAL)1.0 + a5 * a27 * (REAL)2.0 + a6 * a28 * (REAL)2.0 + a7 * a31 * (REAL)1.0 + a8 * a32 * (REAL)2.0 + a9 * a33 * (REAL)1.0;
        const vec t11 = a4 * a25 * (REAL)1.0 + a5 * a28 * (REAL)2.0 + a6 * a29 * (REAL)2.0 + a7 * a32 * (REAL)1.0 + a8 * a33 * (REAL)2.0 + a9 * a34 * (REAL)1.0;
        const vec t12 = a10 * a20 * (REAL)1.0 + a11 * a21 * (REAL)3.0 + a12 * a22 * (REAL)3.0 + a13 * a23 * (REAL)3.0 + a14 * a24 * (REAL)6.0 + a15 * a25 * (REAL)3.0 + a16 * a26 * (REAL)1.0 + a17 * a27 * (REAL)3.0 + a18 * a28 * (REAL)3.0 + a19 * a29 * (REAL)1.0;
        const vec t13 = a10 * a21 * (REAL)1.0 + a11 * a23 * (REAL)3.0 + a12 * a24 * (REAL)3.0 + a13 * a26 * (REAL)3.0 + a14 * a27 * (REAL)6.0 + a15 * a28 * (REAL)3.0 + a16 * a30 * (REAL)1.0 + a17 * a31 * (REAL)3.0 + a18 * a32 * (REAL)3.0 + a19 * a33 * (REAL)1.0;
        const vec t14 = a10 * a22 * (REAL)1.0 + a11 * a24 * (REAL)3.0 + a12 * a25 * (REAL)3.0 + a13 * a27 * (REAL)3.0 + a14 * a28 * (REAL)6.0 + a15 * a29 * (REAL)3.0 + a16 * a31 * (REAL)1.0 + a17 * a32 * (REAL)3.0 + a18 * a33 * (REAL)3.0 + a19 * a34 * (REAL)1.0;
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a10 * a10 * (REAL)1.0 + a11 * a11 * (REAL)3.0 + a12 * a12 * (REAL)3.0 + a13 * a13 * (REAL)3.0 + a14 * a14 * (REAL)6.0 + a15 * a15 * (REAL)3.0 + a16 * a16 * (REAL)1.0 + a17 * a17 * (REAL)3.0 + a18 * a18 * (REAL)3.0 + a19 * a19 * (REAL)1.0);
        NAME(store)(result + 4 * columns + c, a20 * a20 * (REAL)1.0 + a21 * a21 * (REAL)4.0 + a22 * a22 * (REAL)4.0 + a23 * a23 * (REAL)6.0 + a24 * a24 * (REAL)12.0 + a25 * a25 * (REAL)6.0 + a26 * a26 * (REAL)4.0 + a27 * a27 * (REAL)12.0 + a28 * a28 * (REAL)12.0 + a29 * a29 * (REAL)4.0 + a30 * a30 * (REAL)1.0 + a31 * a31 * (REAL)4.0 + a32 * a32 * (REAL)6.0 + a33 * a33 * (REAL)4.0 + a34 * a34 * (REAL)1.0);
        NAME(store)(result + 5 * columns + c, a1 * t0 * (REAL)1.0 + a2 * t1 * (REAL)1.0 + a3 * t2 * (REAL)1.0);
        NAME(store)(result + 6 * columns + c, a1 * t3 * (REAL)1.0 + a2 * t4 * (REAL)1.0 + a3 * t5 * (REAL)1.0);
        NAME(store)(result + 7 * columns + c, a1 * t12 * (REAL)1.0 + a2 * t13 * (REAL)1.0 + a3 * t14 * (REAL)1.0);
        NAME(store)(result + 8 * columns + c, a4 * t6 * (REAL)1.0 + a5 * t7 * (REAL)2.0 + a6 * t8 * (REAL)2.0 + a7 * t9 * (REAL)1.0 + a8 * t10 * (REAL)2.0 + a9 * t11 * (REAL)1.0);
    }
}

static void NAME(gradients_4_3)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec t6 = a4 * a20 * (REAL)1.0 + a5 * a21 * (REAL)2.0 + a6 * a22 * (REAL)2.0 + a7 * a23 * (REAL)1.0 + a8 * a24 * (REAL)2.0 + a9 * a25 * (REAL)1.0;
        const vec t7 = a4 * a21 * (REAL)1.0 + a5 * a23 * (REAL)2.0 + a6 * a24 * (REAL)2.0 + a7 * a26 * (REAL)1.0 + a8 * a27 * (REAL)2.0 + a9 * a28 * (REAL)1.0;
        const vec t8 = a4 * a22 * (REAL)1.0 + a5 * a24 * (REAL)2.0 + a6 * a25 * (REAL)2.0 + a7 * a27 * (REAL)1.0 + a8 * a28 * (REAL)2.0 + a9 * a29 * (REAL)1.0;
        const vec t9 = a4 * a23 * (REAL)1.0 + a5 * a26 * (REAL)2.0 + a6 * a27 * (REAL)2.0 + a7 * a30 * (REAL)1.0 + a8 * a31 * (REAL)2.0 + a9 * a32 * (REAL)1.0;
        const vec t10 = a4 * a24 * (REAL)1.0 + a5 * a27 * (REAL)2.0 + a6 * a28 * (REAL)2.0 + a7 * a31 * (REAL)1.0 + a8 * a32 * (REAL)2.0 + a9 * a33 * (REAL)1.0;
        const vec t11 = a4 * a25 * (REAL)1.0 + a5 * a28 * (REAL)2.0 + a6 * a29 * (REAL)2.0 + a7 * a32 * (REAL)1.0 + a8 * a33 * (REAL)2.0 + a9 * a34 * (REAL)1.0;
        const vec t12 = a10 * a20 * (REAL)1.0 + a11 * a21 * (REAL)3.0 + a12 * a22 * (REAL)3.0 + a13 * a23 * (REAL)3.0 + a14 * a24 * (REAL)6.0 + a15 * a25 * (REAL)3.0 + a16 * a26 * (REAL)1.0 + a17 * a27 * (REAL)3.0 + a18 * a28 * (REAL)3.0 + a19 * a29 * (REAL)1.0;
        const vec t13 = a10 * a21 * (REAL)1.0 + a11 * a23 * (REAL)3.0 + a12 * a24 * (REAL)3.0 + a13 * a26 * (REAL)3.0 + a14 * a27 * (REAL)6.0 + a15 * a28 * (REAL)3.0 + a16 * a30 * (REAL)1.0 + a17 * a31 * (REAL)3.0 + a18 * a32 * (REAL)3.0 + a19 * a33 * (REAL)1.0;
        const vec t14 = a10 * a22 * (REAL)1.0 + a11 * a24 * (REAL)3.0 + a12 * a25 * (REAL)3.0 + a13 * a27 * (REAL)3.0 + a14 * a28 * (REAL)6.0 + a15 * a29 * (REAL)3.0 + a16 * a31 * (REAL)1.0 + a17 * a32 * (REAL)3.0 + a18 * a33 * (REAL)3.0 + a19 * a34 * (REAL)1.0;
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        vec g20 = {0};
        vec g21 = {0};
        vec g22 = {0};
        vec g23 = {0};
        vec g24 = {0};
        vec g25 = {0};
        vec g26 = {0};
        vec g27 = {0};
        vec g28 = {0};
        vec g29 = {0};
        vec g30 = {0};
        vec g31 = {0};
        vec g32 = {0};
        vec g33 = {0};
        vec g34 = {0};
        vec h0 = {0};
        vec h1 = {0};
        vec h2 = {0};
        vec h3 = {0};
        vec h4 = {0};
        vec h5 = {0};
        vec h6 = {0};
        vec h7 = {0};
        vec h8 = {0};
        vec h9 = {0};
        vec h10 = {0};
        vec h11 = {0};
        vec h12 = {0};
        vec h13 = {0};
        vec h14 = {0};
        const vec q0 = NAME(load)(by_values + 5 * columns + c);
        const vec q1 = NAME(load)(by_values + 6 * columns + c);
        const vec q2 = NAME(load)(by_values + 7 * columns + c);
        const vec q3 = NAME(load)(by_values + 8 * columns + c);
        g1 += q0 * t0 * (REAL)1.0;
        h0 += q0 * a1 * (REAL)1.0;
        g2 += q0 * t1 * (REAL)1.0;
        h1 += q0 * a2 * (REAL)1.0;
        g3 += q0 * t2 * (REAL)1.0;
        h2 += q0 * a3 * (REAL)1.0;
        g1 += q1 * t3 * (REAL)1.0;
        h3 += q1 * a1 * (REAL)1.0;
        g2 += q1 * t4 * (REAL)1.0;
        h4 += q1 * a2 * (REAL)1.0;
        g3 += q1 * t5 * (REAL)1.0;
        h5 += q1 * a3 * (REAL)1.0;
        g1 += q2 * t12 * (REAL)1.0;
        h12 += q2 * a1 * (REAL)1.0;
        g2 += q2 * t13 * (REAL)1.0;
        h13 += q2 * a2 * (REAL)1.0;
        g3 += q2 * t14 * (REAL)1.0;
        h14 += q2 * a3 * (REAL)1.0;
        g4 += q3 * t6 * (REAL)1.0;
        h6 += q3 * a4 * (REAL)1.0;
        g5 += q3 * t7 * (REAL)2.0;
        h7 += q3 * a5 * (REAL)2.0;
        g6 += q3 * t8 * (REAL)2.0;
        h8 += q3 * a6 * (REAL)2.0;
        g7 += q3 * t9 * (REAL)1.0;
        h9 += q3 * a7 * (REAL)1.0;
        g8 += q3 * t10 * (REAL)2.0;
        h10 += q3 * a8 * (REAL)2.0;
        g9 += q3 * t11 * (REAL)1.0;
        h11 += q3 * a9 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        g4 += h3 * a10 * (REAL)1.0;
        g10 += h3 * a4 * (REAL)1.0;
        g5 += h3 * a11 * (REAL)2.0;
        g11 += h3 * a5 * (REAL)2.0;
        g6 += h3 * a12 * (REAL)2.0;
        g12 += h3 * a6 * (REAL)2.0;
        g7 += h3 * a13 * (REAL)1.0;
        g13 += h3 * a7 * (REAL)1.0;
        g8 += h3 * a14 * (REAL)2.0;
        g14 += h3 * a8 * (REAL)2.0;
        g9 += h3 * a15 * (REAL)1.0;
        g15 += h3 * a9 * (REAL)1.0;
        g4 += h4 * a11 * (REAL)1.0;
        g11 += h4 * a4 * (REAL)1.0;
        g5 += h4 * a13 * (REAL)2.0;
        g13 += h4 * a5 * (REAL)2.0;
        g6 += h4 * a14 * (REAL)2.0;
        g14 += h4 * a6 * (REAL)2.0;
        g7 += h4 * a16 * (REAL)1.0;
        g16 += h4 * a7 * (REAL)1.0;
        g8 += h4 * a17 * (REAL)2.0;
        g17 += h4 * a8 * (REAL)2.0;
        g9 += h4 * a18 * (REAL)1.0;
        g18 += h4 * a9 * (REAL)1.0;
        g4 += h5 * a12 * (REAL)1.0;
        g12 += h5 * a4 * (REAL)1.0;
        g5 += h5 * a14 * (REAL)2.0;
        g14 += h5 * a5 * (REAL)2.0;
        g6 += h5 * a15 * (REAL)2.0;
        g15 += h5 * a6 * (REAL)2.0;
        g7 += h5 * a17 * (REAL)1.0;
        g17 += h5 * a7 * (REAL)1.0;
        g8 += h5 * a18 * (REAL)2.0;
        g18 += h5 * a8 * (REAL)2.0;
        g9 += h5 * a19 * (REAL)1.0;
        g19 += h5 * a9 * (REAL)1.0;
        g4 += h6 * a20 * (REAL)1.0;
        g20 += h6 * a4 * (REAL)1.0;
        g5 += h6 * a21 * (REAL)2.0;
        g21 += h6 * a5 * (REAL)2.0;
        g6 += h6 * a22 * (REAL)2.0;
        g22 += h6 * a6 * (REAL)2.0;
        g7 += h6 * a23 * (REAL)1.0;
        g23 += h6 * a7 * (REAL)1.0;
        g8 += h6 * a24 * (REAL)2.0;
        g24 += h6 * a8 * (REAL)2.0;
        g9 += h6 * a25 * (REAL)1.0;
        g25 += h6 * a9 * (REAL)1.0;
        g4 += h7 * a21 * (REAL)1.0;
        g21 += h7 * a4 * (REAL)1.0;
        g5 += h7 * a23 * (REAL)2.0;
        g23 += h7 * a5 * (REAL)2.0;
        g6 += h7 * a24 * (REAL)2.0;
        g24 += h7 * a6 * (REAL)2.0;
        g7 += h7 * a26 * (REAL)1.0;
        g26 += h7 * a7 * (REAL)1.0;
        g8 += h7 * a27 * (REAL)2.0;
        g27 += h7 * a8 * (REAL)2.0;
        g9 += h7 * a28 * (REAL)1.0;
        g28 += h7 * a9 * (REAL)1.0;
        g4 += h8 * a22 * (REAL)1.0;
        g22 += h8 * a4 * (REAL)1.0;
        g5 += h8 * a24 * (REAL)2.0;
        g24 += h8 * a5 * (REAL)2.0;
        g6 += h8 * a25 * (REAL)2.0;
        g25 += h8 * a6 * (REAL)2.0;
        g7 += h8 * a27 * (REAL)1.0;
        g27 += h8 * a7 * (REAL)1.0;
        g8 += h8 * a28 * (REAL)2.0;
        g28 += h8 * a8 * (REAL)2.0;
        g9 += h8 * a29 * (REAL)1.0;
        g29 += h8 * a9 * (REAL)1.0;
        g4 += h9 * a23 * (REAL)1.0;
        g23 += h9 * a4 * (REAL)1.0;
        g5 += h9 * a26 * (REAL)2.0;
        g26 += h9 * a5 * (REAL)2.0;
        g6 += h9 * a27 * (REAL)2.0;
        g27 += h9 * a6 * (REAL)2.0;
        g7 += h9 * a30 * (REAL)1.0;
        g30 += h9 * a7 * (REAL)1.0;
        g8 += h9 * a31 * (REAL)2.0;
        g31 += h9 * a8 * (REAL)2.0;
        g9 += h9 * a32 * (REAL)1.0;
        g32 += h9 * a9 * (REAL)1.0;
        g4 += h10 * a24 * (REAL)1.0;
        g24 += h10 * a4 * (REAL)1.0;
        g5 += h10 * a27 * (REAL)2.0;
        g27 += h10 * a5 * (REAL)2.0;
        g6 += h10 * a28 * (REAL)2.0;
        g28 += h10 * a6 * (REAL)2.0;
        g7 += h10 * a31 * (REAL)1.0;
        g31 += h10 * a7 * (REAL)1.0;
        g8 += h10 * a32 * (REAL)2.0;
        g32 += h10 * a8 * (REAL)2.0;
        g9 += h10 * a33 * (REAL)1.0;
        g33 += h10 * a9 * (REAL)1.0;
        g4 += h11 * a25 * (REAL)1.0;
        g25 += h11 * a4 * (REAL)1.0;
        g5 += h11 * a28 * (REAL)2.0;
        g28 += h11 * a5 * (REAL)2.0;
        g6 += h11 * a29 * (REAL)2.0;
        g29 += h11 * a6 * (REAL)2.0;
        g7 += h11 * a32 * (REAL)1.0;
        g32 += h11 * a7 * (REAL)1.0;
        g8 += h11 * a33 * (REAL)2.0;
        g33 += h11 * a8 * (REAL)2.0;
        g9 += h11 * a34 * (REAL)1.0;
        g34 += h11 * a9 * (REAL)1.0;
        g10 += h12 * a20 * (REAL)1.0;
        g20 += h12 * a10 * (REAL)1.0;
        g11 += h12 * a21 * (REAL)3.0;
        g21 += h12 * a11 * (REAL)3.0;
        g12 += h12 * a22 * (REAL)3.0;
        g22 += h12 * a12 * (REAL)3.0;
        g13 += h12 * a23 * (REAL)3.0;
        g23 += h12 * a13 * (REAL)3.0;
        g14 += h12 * a24 * (REAL)6.0;
        g24 += h12 * a14 * (REAL)6.0;
        g15 += h12 * a25 * (REAL)3.0;
        g25 += h12 * a15 * (REAL)3.0;
        g16 += h12 * a26 * (REAL)1.0;
        g26 += h12 * a16 * (REAL)1.0;
        g17 += h12 * a27 * (REAL)3.0;
        g27 += h12 * a17 * (REAL)3.0;
        g18 += h12 * a28 * (REAL)3.0;
        g28 += h12 * a18 * (REAL)3.0;
        g19 += h12 * a29 * (REAL)1.0;
        g29 += h12 * a19 * (REAL)1.0;
        g10 += h13 * a21 * (REAL)1.0;
        g21 += h13 * a10 * (REAL)1.0;
        g11 += h13 * a23 * (REAL)3.0;
        g23 += h13 * a11 * (REAL)3.0;
        g12 += h13 * a24 * (REAL)3.0;
        g24 += h13 * a12 * (REAL)3.0;
        g13 += h13 * a26 * (REAL)3.0;
        g26 += h13 * a13 * (REAL)3.0;
        g14 += h13 * a27 * (REAL)6.0;
        g27 += h13 * a14 * (REAL)6.0;
        g15 += h13 * a28 * (REAL)3.0;
        g28 += h13 * a15 * (REAL)3.0;
        g16 += h13 * a30 * (REAL)1.0;
        g30 += h13 * a16 * (REAL)1.0;
        g17 += h13 * a31 * (REAL)3.0;
        g31 += h13 * a17 * (REAL)3.0;
        g18 += h13 * a32 * (REAL)3.0;
        g32 += h13 * a18 * (REAL)3.0;
        g19 += h13 * a33 * (REAL)1.0;
        g33 += h13 * a19 * (REAL)1.0;
        g10 += h14 * a22 * (REAL)1.0;
        g22 += h14 * a10 * (REAL)1.0;
        g11 += h14 * a24 * (REAL)3.0;
        g24 += h14 * a11 * (REAL)3.0;
        g12 += h14 * a25 * (REAL)3.0;
        g25 += h14 * a12 * (REAL)3.0;
        g13 += h14 * a27 * (REAL)3.0;
        g27 += h14 * a13 * (REAL)3.0;
        g14 += h14 * a28 * (REAL)6.0;
        g28 += h14 * a14 * (REAL)6.0;
        g15 += h14 * a29 * (REAL)3.0;
        g29 += h14 * a15 * (REAL)3.0;
        g16 += h14 * a31 * (REAL)1.0;
        g31 += h14 * a16 * (REAL)1.0;
        g17 += h14 * a32 * (REAL)3.0;
        g32 += h14 * a17 * (REAL)3.0;
        g18 += h14 * a33 * (REAL)3.0;
        g33 += h14 * a18 * (REAL)3.0;
        g19 += h14 * a34 * (REAL)1.0;
        g34 += h14 * a19 * (REAL)1.0;
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        const vec z2 = NAME(load)(by_values + 3 * columns + c);
        const vec z3 = NAME(load)(by_values + 4 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g11 += z2 * a11 * (REAL)3.0;
        g11 += z2 * a11 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g14 += z2 * a14 * (REAL)6.0;
        g14 += z2 * a14 * (REAL)6.0;
        g15 += z2 * a15 * (REAL)3.0;
        g15 += z2 * a15 * (REAL)3.0;
        g16 += z2 * a16 * (REAL)1.0;
        g16 += z2 * a16 * (REAL)1.0;
        g17 += z2 * a17 * (REAL)3.0;
        g17 += z2 * a17 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g19 += z2 * a19 * (REAL)1.0;
        g19 += z2 * a19 * (REAL)1.0;
        g20 += z3 * a20 * (REAL)1.0;
        g20 += z3 * a20 * (REAL)1.0;
        g21 += z3 * a21 * (REAL)4.0;
        g21 += z3 * a21 * (REAL)4.0;
        g22 += z3 * a22 * (REAL)4.0;
        g22 += z3 * a22 * (REAL)4.0;
        g23 += z3 * a23 * (REAL)6.0;
        g23 += z3 * a23 * (REAL)6.0;
        g24 += z3 * a24 * (REAL)12.0;
        g24 += z3 * a24 * (REAL)12.0;
        g25 += z3 * a25 * (REAL)6.0;
        g25 += z3 * a25 * (REAL)6.0;
        g26 += z3 * a26 * (REAL)4.0;
        g26 += z3 * a26 * (REAL)4.0;
        g27 += z3 * a27 * (REAL)12.0;
        g27 += z3 * a27 * (REAL)12.0;
        g28 += z3 * a28 * (REAL)12.0;
        g28 += z3 * a28 * (REAL)12.0;
        g29 += z3 * a29 * (REAL)4.0;
        g29 += z3 * a29 * (REAL)4.0;
        g30 += z3 * a30 * (REAL)1.0;
        g30 += z3 * a30 * (REAL)1.0;
        g31 += z3 * a31 * (REAL)4.0;
        g31 += z3 * a31 * (REAL)4.0;
        g32 += z3 * a32 * (REAL)6.0;
        g32 += z3 * a32 * (REAL)6.0;
        g33 += z3 * a33 * (REAL)4.0;
        g33 += z3 * a33 * (REAL)4.0;
        g34 += z3 * a34 * (REAL)1.0;
        g34 += z3 * a34 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
        NAME(store)(result + 20 * columns + c, g20);
        NAME(store)(result + 21 * columns + c, g21);
        NAME(store)(result + 22 * columns + c, g22);
        NAME(store)(result + 23 * columns + c, g23);
        NAME(store)(result + 24 * columns + c, g24);
        NAME(store)(result + 25 * columns + c, g25);
        NAME(store)(result + 26 * columns + c, g26);
        NAME(store)(result + 27 * columns + c, g27);
        NAME(store)(result + 28 * columns + c, g28);
        NAME(store)(result + 29 * columns + c, g29);
        NAME(store)(result + 30 * columns + c, g30);
        NAME(store)(result + 31 * columns + c, g31);
        NAME(store)(result + 32 * columns + c, g32);
        NAME(store)(result + 33 * columns + c, g33);
        NAME(store)(result + 34 * columns + c, g34);
    }
}

static void NAME(values_4_4)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a1 * a10 * (REAL)1.0 + a2 * a11 * (REAL)1.0 + a3 * a12 * (REAL)1.0;
        const vec t4 = a1 * a11 * (REAL)1.0 + a2 * a13 * (REAL)1.0 + a3 * a14 * (REAL)1.0;
        const vec t5 = a1 * a12 * (REAL)1.0 + a2 * a14 * (REAL)1.0 + a3 * a15 * (REAL)1.0;
        const vec t6 = a1 * a13 * (REAL)1.0 + a2 * a16 * (REAL)1.0 + a3 * a17 * (REAL)1.0;
        const vec t7 = a1 * a14 * (REAL)1.0 + a2 * a17 * (REAL)1.0 + a3 * a18 * (REAL)1.0;
        const vec t8 = a1 * a15 * (REAL)1.0 + a2 * a18 * (REAL)1.0 + a3 * a19 * (REAL)1.0;
        const vec t9 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t10 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t11 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec t12 = a4 * a20 * (REAL)1.0 + a5 * a21 * (REAL)2.0 + a6 * a22 * (REAL)2.0 + a7 * a23 * (REAL)1.0 + a8 * a24 * (REAL)2.0 + a9 * a25 * (REAL)1.0;
        const vec t13 = a4 * a21 * (REAL)1.0 + a5 * a23 * (REAL)2.0 + a6 * a24 * (REAL)2.0 + a7 * a26 * (REAL)1.0 + a8 * a27 * (REAL)2.0 + a9 * a28 * (REAL)1.0;
        const vec t14 = a4 * a22 * (REAL)1.0 + a5 * a24 * (REAL)2.0 + a6 * a25 * (REAL)2.0 + a7 * a27 * (REAL)1.0 + a8 * a28 * (REAL)2.0 + a9 * a29 * (REAL)1.0;
        const vec t15 = a4 * a23 * (REAL)1.0 + a5 * a26 * (REAL)2.0 + a6 * a27 * (REAL)2.0 + a7 * a30 * (REAL)1.0 + a8 * a31 * (REAL)2.0 + a9 * a32 * (REAL)1.0;
        const vec t16 = a4 * a24 * (REAL)1.0 + a5 * a27 * (REAL)2.0 + a6 * a28 * (REAL)2.0 + a7 * a31 * (REAL)1.0 + a8 * a32 * (REAL)2.0 + a9 * a33 * (REAL)1.0;
        const vec t17 = a4 * a25 * (REAL)1.0 + a5 * a28 * (REAL)2.0 + a6 * a29 * (REAL)2.0 + a7 * a32 * (REAL)1.0 + a8 * a33 * (REAL)2.0 + a9 * a34 * (REAL)1.0;
        const vec t18 = a10 * a20 * (REAL)1.0 + a11 * a21 * (REAL)3.0 + a12 * a22 * (REAL)3.0 + a13 * a23 * (REAL)3.0 + a14 * a24 * (REAL)6.0 + a15 * a25 * (REAL)3.0 + a16 * a26 * (REAL)1.0 + a17 * a27 * (REAL)3.0 + a18 * a28 * (REAL)3.0 + a19 * a29 * (REAL)1.0;
        const vec t19 = a10 * a21 * (REAL)1.0 + a11 * a23 * (REAL)3.0 + a12 * a24 * (REAL)3.0 + a13 * a26 * (REAL)3.0 + a14 * a27 * (REAL)6.0 + a15 * a28 * (REAL)3.0 + a16 * a30 * (REAL)1.0 + a17 * a31 * (REAL)3.0 + a18 * a32 * (REAL)3.0 + a19 * a33 * (REAL)1.0;
        const vec t20 = a10 * a22 * (REAL)1.0 + a11 * a24 * (REAL)3.0 + a12 * a25 * (REAL)3.0 + a13 * a27 * (REAL)3.0 + a14 * a28 * (REAL)6.0 + a15 * a29 * (REAL)3.0 + a16 * a31 * (REAL)1.0 + a17 * a32 * (REAL)3.0 + a18 * a33 * (REAL)3.0 + a19 * a34 * (REAL)1.0;
        NAME(store)(result + c, a0);
        NAME(store)(result + 1 * columns + c, a1 * a1 * (REAL)1.0 + a2 * a2 * (REAL)1.0 + a3 * a3 * (REAL)1.0);
        NAME(store)(result + 2 * columns + c, a4 * a4 * (REAL)1.0 + a5 * a5 * (REAL)2.0 + a6 * a6 * (REAL)2.0 + a7 * a7 * (REAL)1.0 + a8 * a8 * (REAL)2.0 + a9 * a9 * (REAL)1.0);
        NAME(store)(result + 3 * columns + c, a10 * a10 * (REAL)1.0 + a11 * a11 * (REAL)3.0 + a12 * a12 * (REAL)3.0 + a13 * a13 * (REAL)3.0 + a14 * a14 * (REAL)6.0 + a15 * a15 * (REAL)3.0 + a16 * a16 * (REAL)1.0 + a17 * a17 * (REAL)3.0 + a18 * a18 * (REAL)3.0 + a19 * a19 * (REAL)1.0);
        NAME(store)(result + 4 * columns + c, a20 * a20 * (REAL)1.0 + a21 * a21 * (REAL)4.0 + a22 * a22 * (REAL)4.0 + a23 * a23 * (REAL)6.0 + a24 * a24 * (REAL)12.0 + a25 * a25 * (REAL)6.0 + a26 * a26 * (REAL)4.0 + a27 * a27 * (REAL)12.0 + a28 * a28 * (REAL)12.0 + a29 * a29 * (REAL)4.0 + a30 * a30 * (REAL)1.0 + a31 * a31 * (REAL)4.0 + a32 * a32 * (REAL)6.0 + a33 * a33 * (REAL)4.0 + a34 * a34 * (REAL)1.0);
        NAME(store)(result + 5 * columns + c, a1 * t0 * (REAL)1.0 + a2 * t1 * (REAL)1.0 + a3 * t2 * (REAL)1.0);
        NAME(store)(result + 6 * columns + c, a1 * t9 * (REAL)1.0 + a2 * t10 * (REAL)1.0 + a3 * t11 * (REAL)1.0);
        NAME(store)(result + 7 * columns + c, a1 * t18 * (REAL)1.0 + a2 * t19 * (REAL)1.0 + a3 * t20 * (REAL)1.0);
        NAME(store)(result + 8 * columns + c, a4 * t12 * (REAL)1.0 + a5 * t13 * (REAL)2.0 + a6 * t14 * (REAL)2.0 + a7 * t15 * (REAL)1.0 + a8 * t16 * (REAL)2.0 + a9 * t17 * (REAL)1.0);
        NAME(store)(result + 9 * columns + c, t0 * t9 * (REAL)1.0 + t1 * t10 * (REAL)1.0 + t2 * t11 * (REAL)1.0);
        NAME(store)(result + 10 * columns + c, t3 * t12 * (REAL)1.0 + t4 * t13 * (REAL)2.0 + t5 * t14 * (REAL)2.0 + t6 * t15 * (REAL)1.0 + t7 * t16 * (REAL)2.0 + t8 * t17 * (REAL)1.0);
        NAME(store)(result + 11 * columns + c, t0 * t18 * (REAL)1.0 + t1 * t19 * (REAL)1.0 + t2 * t20 * (REAL)1.0);
        NAME(store)(result + 12 * columns + c, t9 * t18 * (REAL)1.0 + t10 * t19 * (REAL)1.0 + t11 * t20 * (REAL)1.0);
    }
}

static void NAME(gradients_4_4)(const REAL *mixed, const REAL *by_values, REAL *result,
                          int64_t columns)
{
    (void)by_values;
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec t3 = a1 * a10 * (REAL)1.0 + a2 * a11 * (REAL)1.0 + a3 * a12 * (REAL)1.0;
        const vec t4 = a1 * a11 * (REAL)1.0 + a2 * a13 * (REAL)1.0 + a3 * a14 * (REAL)1.0;
        const vec t5 = a1 * a12 * (REAL)1.0 + a2 * a14 * (REAL)1.0 + a3 * a15 * (REAL)1.0;
        const vec t6 = a1 * a13 * (REAL)1.0 + a2 * a16 * (REAL)1.0 + a3 * a17 * (REAL)1.0;
        const vec t7 = a1 * a14 * (REAL)1.0 + a2 * a17 * (REAL)1.0 + a3 * a18 * (REAL)1.0;
        const vec t8 = a1 * a15 * (REAL)1.0 + a2 * a18 * (REAL)1.0 + a3 * a19 * (REAL)1.0;
        const vec t9 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec t10 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec t11 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec t12 = a4 * a20 * (REAL)1.0 + a5 * a21 * (REAL)2.0 + a6 * a22 * (REAL)2.0 + a7 * a23 * (REAL)1.0 + a8 * a24 * (REAL)2.0 + a9 * a25 * (REAL)1.0;
        const vec t13 = a4 * a21 * (REAL)1.0 + a5 * a23 * (REAL)2.0 + a6 * a24 * (REAL)2.0 + a7 * a26 * (REAL)1.0 + a8 * a27 * (REAL)2.0 + a9 * a28 * (REAL)1.0;
        const vec t14 = a4 * a22 * (REAL)1.0 + a5 * a24 * (REAL)2.0 + a6 * a25 * (REAL)2.0 + a7 * a27 * (REAL)1.0 + a8 * a28 * (REAL)2.0 + a9 * a29 * (REAL)1.0;
        const vec t15 = a4 * a23 * (REAL)1.0 + a5 * a26 * (REAL)2.0 + a6 * a27 * (REAL)2.0 + a7 * a30 * (REAL)1.0 + a8 * a31 * (REAL)2.0 + a9 * a32 * (REAL)1.0;
        const vec t16 = a4 * a24 * (REAL)1.0 + a5 * a27 * (REAL)2.0 + a6 * a28 * (REAL)2.0 + a7 * a31 * (REAL)1.0 + a8 * a32 * (REAL)2.0 + a9 * a33 * (REAL)1.0;
        const vec t17 = a4 * a25 * (REAL)1.0 + a5 * a28 * (REAL)2.0 + a6 * a29 * (REAL)2.0 + a7 * a32 * (REAL)1.0 + a8 * a33 * (REAL)2.0 + a9 * a34 * (REAL)1.0;
        const vec t18 = a10 * a20 * (REAL)1.0 + a11 * a21 * (REAL)3.0 + a12 * a22 * (REAL)3.0 + a13 * a23 * (REAL)3.0 + a14 * a24 * (REAL)6.0 + a15 * a25 * (REAL)3.0 + a16 * a26 * (REAL)1.0 + a17 * a27 * (REAL)3.0 + a18 * a28 * (REAL)3.0 + a19 * a29 * (REAL)1.0;
        const vec t19 = a10 * a21 * (REAL)1.0 + a11 * a23 * (REAL)3.0 + a12 * a24 * (REAL)3.0 + a13 * a26 * (REAL)3.0 + a14 * a27 * (REAL)6.0 + a15 * a28 * (REAL)3.0 + a16 * a30 * (REAL)1.0 + a17 * a31 * (REAL)3.0 + a18 * a32 * (REAL)3.0 + a19 * a33 * (REAL)1.0;
        const vec t20 = a10 * a22 * (REAL)1.0 + a11 * a24 * (REAL)3.0 + a12 * a25 * (REAL)3.0 + a13 * a27 * (REAL)3.0 + a14 * a28 * (REAL)6.0 + a15 * a29 * (REAL)3.0 + a16 * a31 * (REAL)1.0 + a17 * a32 * (REAL)3.0 + a18 * a33 * (REAL)3.0 + a19 * a34 * (REAL)1.0;
        vec g0 = NAME(load)(by_values + c);
        vec g1 = {0};
        vec g2 = {0};
        vec g3 = {0};
        vec g4 = {0};
        vec g5 = {0};
        vec g6 = {0};
        vec g7 = {0};
        vec g8 = {0};
        vec g9 = {0};
        vec g10 = {0};
        vec g11 = {0};
        vec g12 = {0};
        vec g13 = {0};
        vec g14 = {0};
        vec g15 = {0};
        vec g16 = {0};
        vec g17 = {0};
        vec g18 = {0};
        vec g19 = {0};
        vec g20 = {0};
        vec g21 = {0};
        vec g22 = {0};
        vec g23 = {0};
        vec g24 = {0};
        vec g25 = {0};
        vec g26 = {0};
        vec g27 = {0};
        vec g28 = {0};
        vec g29 = {0};
        vec g30 = {0};
        vec g31 = {0};
        vec g32 = {0};
        vec g33 = {0};
        vec g34 = {0};
        vec h0 = {0};
        vec h1 = {0};
        vec h2 = {0};
        vec h3 = {0};
        vec h4 = {0};
        vec h5 = {0};
        vec h6 = {0};
        vec h7 = {0};
        vec h8 = {0};
        vec h9 = {0};
        vec h10 = {0};
        vec h11 = {0};
        vec h12 = {0};
        vec h13 = {0};
        vec h14 = {0};
        vec h15 = {0};
        vec h16 = {0};
        vec h17 = {0};
        vec h18 = {0};
        vec h19 = {0};
        vec h20 = {0};
        const vec q0 = NAME(load)(by_values + 5 * columns + c);
        const vec q1 = NAME(load)(by_values + 6 * columns + c);
        const vec q2 = NAME(load)(by_values + 7 * columns + c);
        const vec q3 = NAME(load)(by_values + 8 * columns + c);
        const vec q4 = NAME(load)(by_values + 9 * columns + c);
        const vec q5 = NAME(load)(by_values + 10 * columns + c);
        const vec q6 = NAME(load)(by_values + 11 * columns + c);
        const vec q7 = NAME(load)(by_values + 12 * columns + c);
        g1 += q0 * t0 * (REAL)1.0;
        h0 += q0 * a1 * (REAL)1.0;
        g2 += q0 * t1 * (REAL)1.0;
        h1 += q0 * a2 * (REAL)1.0;
        g3 += q0 * t2 * (REAL)1.0;
        h2 += q0 * a3 * (REAL)1.0;
        g1 += q1 * t9 * (REAL)1.0;
        h9 += q1 * a1 * (REAL)1.0;
        g2 += q1 * t10 * (REAL)1.0;
        h10 += q1 * a2 * (REAL)1.0;
        g3 += q1 * t11 * (REAL)1.0;
        h11 += q1 * a3 * (REAL)1.0;
        g1 += q2 * t18 * (REAL)1.0;
        h18 += q2 * a1 * (REAL)1.0;
        g2 += q2 * t19 * (REAL)1.0;
        h19 += q2 * a2 * (REAL)1.0;
        g3 += q2 * t20 * (REAL)1.0;
        h20 += q2 * a3 * (REAL)1.0;
        g4 += q3 * t12 * (REAL)1.0;
        h12 += q3 * a4 * (REAL)1.0;
        g5 += q3 * t13 * (REAL)2.0;
        h13 += q3 * a5 * (REAL)2.0;
        g6 += q3 * t14 * (REAL)2.0;
        h14 += q3 * a6 * (REAL)2.0;
        g7 += q3 * t15 * (REAL)1.0;
        h15 += q3 * a7 * (REAL)1.0;
        g8 += q3 * t16 * (REAL)2.0;
        h16 += q3 * a8 * (REAL)2.0;
        g9 += q3 * t17 * (REAL)1.0;
        h17 += q3 * a9 * (REAL)1.0;
        h0 += q4 * t9 * (REAL)1.0;
        h9 += q4 * t0 * (REAL)1.0;
        h1 += q4 * t10 * (REAL)1.0;
        h10 += q4 * t1 * (REAL)1.0;
        h2 += q4 * t11 * (REAL)1.0;
        h11 += q4 * t2 * (REAL)1.0;
        h3 += q5 * t12 * (REAL)1.0;
        h12 += q5 * t3 * (REAL)1.0;
        h4 += q5 * t13 * (REAL)2.0;
        h13 += q5 * t4 * (REAL)2.0;
        h5 += q5 * t14 * (REAL)2.0;
        h14 += q5 * t5 * (REAL)2.0;
        h6 += q5 * t15 * (REAL)1.0;
        h15 += q5 * t6 * (REAL)1.0;
        h7 += q5 * t16 * (REAL)2.0;
        h16 += q5 * t7 * (REAL)2.0;
        h8 += q5 * t17 * (REAL)1.0;
        h17 += q5 * t8 * (REAL)1.0;
        h0 += q6 * t18 * (REAL)1.0;
        h18 += q6 * t0 * (REAL)1.0;
        h1 += q6 * t19 * (REAL)1.0;
        h19 += q6 * t1 * (REAL)1.0;
        h2 += q6 * t20 * (REAL)1.0;
        h20 += q6 * t2 * (REAL)1.0;
        h9 += q7 * t18 * (REAL)1.0;
        h18 += q7 * t9 * (REAL)1.0;
        h10 += q7 * t19 * (REAL)1.0;
        h19 += q7 * t10 * (REAL)1.0;
        h11 += q7 * t20 * (REAL)1.0;
        h20 += q7 * t11 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        g1 += h3 * a10 * (REAL)1.0;
        g10 += h3 * a1 * (REAL)1.0;
        g2 += h3 * a11 * (REAL)1.0;
        g11 += h3 * a2 * (REAL)1.0;
        g3 += h3 * a12 * (REAL)1.0;
        g12 += h3 * a3 * (REAL)1.0;
        g1 += h4 * a11 * (REAL)1.0;
        g11 += h4 * a1 * (REAL)1.0;
        g2 += h4 * a13 * (REAL)1.0;
        g13 += h4 * a2 * (REAL)1.0;
        g3 += h4 * a14 * (REAL)1.0;
        g14 += h4 * a3 * (REAL)1.0;
        g1 += h5 * a12 * (REAL)1.0;
        g12 += h5 * a1 * (REAL)1.0;
        g2 += h5 * a14 * (REAL)1.0;
        g14 += h5 * a2 * (REAL)1.0;
        g3 += h5 * a15 * (REAL)1.0;
        g15 += h5 * a3 * (REAL)1.0;
        g1 += h6 * a13 * (REAL)1.0;
        g13 += h6 * a1 * (REAL)1.0;
        g2 += h6 * a16 * (REAL)1.0;
        g16 += h6 * a2 * (REAL)1.0;
        g3 += h6 * a17 * (REAL)1.0;
        g17 += h6 * a3 * (REAL)1.0;
        g1 += h7 * a14 * (REAL)1.0;
        g14 += h7 * a1 * (REAL)1.0;
        g2 += h7 * a17 * (REAL)1.0;
        g17 += h7 * a2 * (REAL)1.0;
        g3 += h7 * a18 * (REAL)1.0;
        g18 += h7 * a3 * (REAL)1.0;
        g1 += h8 * a15 * (REAL)1.0;
        g15 += h8 * a1 * (REAL)1.0;
        g2 += h8 * a18 * (REAL)1.0;
        g18 += h8 * a2 * (REAL)1.0;
        g3 += h8 * a19 * (REAL)1.0;
        g19 += h8 * a3 * (REAL)1.0;
        g4 += h9 * a10 * (REAL)1.0;
        g10 += h9 * a4 * (REAL)1.0;
        g5 += h9 * a11 * (REAL)2.0;
        g11 += h9 * a5 * (REAL)2.0;
        g6 += h9 * a12 * (REAL)2.0;
        g12 += h9 * a6 * (REAL)2.0;
        g7 += h9 * a13 * (REAL)1.0;
        g13 += h9 * a7 * (REAL)1.0;
        g8 += h9 * a14 * (REAL)2.0;
        g14 += h9 * a8 * (REAL)2.0;
        g9 += h9 * a15 * (REAL)1.0;
        g15 += h9 * a9 * (REAL)1.0;
        g4 += h10 * a11 * (REAL)1.0;
        g11 += h10 * a4 * (REAL)1.0;
        g5 += h10 * a13 * (REAL)2.0;
        g13 += h10 * a5 * (REAL)2.0;
        g6 += h10 * a14 * (REAL)2.0;
        g14 += h10 * a6 * (REAL)2.0;
        g7 += h10 * a16 * (REAL)1.0;
        g16 += h10 * a7 * (REAL)1.0;
        g8 += h10 * a17 * (REAL)2.0;
        g17 += h10 * a8 * (REAL)2.0;
        g9 += h10 * a18 * (REAL)1.0;
        g18 += h10 * a9 * (REAL)1.0;
        g4 += h11 * a12 * (REAL)1.0;
        g12 += h11 * a4 * (REAL)1.0;
        g5 += h11 * a14 * (REAL)2.0;
        g14 += h11 * a5 * (REAL)2.0;
        g6 += h11 * a15 * (REAL)2.0;
        g15 += h11 * a6 * (REAL)2.0;
        g7 += h11 * a17 * (REAL)1.0;
        g17 += h11 * a7 * (REAL)1.0;
        g8 += h11 * a18 * (REAL)2.0;
        g18 += h11 * a8 * (REAL)2.0;
        g9 += h11 * a19 * (REAL)1.0;
        g19 += h11 * a9 * (REAL)1.0;
        g4 += h12 * a20 * (REAL)1.0;
        g20 += h12 * a4 * (REAL)1.0;
        g5 += h12 * a21 * (REAL)2.0;
        g21 += h12 * a5 * (REAL)2.0;
        g6 += h12 * a22 * (REAL)2.0;
        g22 += h12 * a6 * (REAL)2.0;
        g7 += h12 * a23 * (REAL)1.0;
        g23 += h12 * a7 * (REAL)1.0;
        g8 += h12 * a24 * (REAL)2.0;
        g24 += h12 * a8 * (REAL)2.0;
        g9 += h12 * a25 * (REAL)1.0;
        g25 += h12 * a9 * (REAL)1.0;
        g4 += h13 * a21 * (REAL)1.0;
        g21 += h13 * a4 * (REAL)1.0;
        g5 += h13 * a23 * (REAL)2.0;
        g23 += h13 * a5 * (REAL)2.0;
        g6 += h13 * a24 * (REAL)2.0;
        g24 += h13 * a6 * (REAL)2.0;
        g7 += h13 * a26 * (REAL)1.0;
        g26 += h13 * a7 * (REAL)1.0;
        g8 += h13 * a27 * (REAL)2.0;
        g27 += h13 * a8 * (REAL)2.0;
        g9 += h13 * a28 * (REAL)1.0;
        g28 += h13 * a9 * (REAL)1.0;
        g4 += h14 * a22 * (REAL)1.0;
        g22 += h14 * a4 * (REAL)1.0;
        g5 += h14 * a24 * (REAL)2.0;
        g24 += h14 * a5 * (REAL)2.0;
        g6 += h14 * a25 * (REAL)2.0;
        g25 += h14 * a6 * (REAL)2.0;
        g7 += h14 * a27 * (REAL)1.0;
        g27 += h14 * a7 * (REAL)1.0;
        g8 += h14 * a28 * (REAL)2.0;
        g28 += h14 * a8 * (REAL)2.0;
        g9 += h14 * a29 * (REAL)1.0;
        g29 += h14 * a9 * (REAL)1.0;
        g4 += h15 * a23 * (REAL)1.0;
        g23 += h15 * a4 * (REAL)1.0;
        g5 += h15 * a26 * (REAL)2.0;
        g26 += h15 * a5 * (REAL)2.0;
        g6 += h15 * a27 * (REAL)2.0;
        g27 += h15 * a6 * (REAL)2.0;
        g7 += h15 * a30 * (REAL)1.0;
        g30 += h15 * a7 * (REAL)1.0;
        g8 += h15 * a31 * (REAL)2.0;
        g31 += h15 * a8 * (REAL)2.0;
        g9 += h15 * a32 * (REAL)1.0;
        g32 += h15 * a9 * (REAL)1.0;
        g4 += h16 * a24 * (REAL)1.0;
        g24 += h16 * a4 * (REAL)1.0;
        g5 += h16 * a27 * (REAL)2.0;
        g27 += h16 * a5 * (REAL)2.0;
        g6 += h16 * a28 * (REAL)2.0;
        g28 += h16 * a6 * (REAL)2.0;
        g7 += h16 * a31 * (REAL)1.0;
        g31 += h16 * a7 * (REAL)1.0;
        g8 += h16 * a32 * (REAL)2.0;
        g32 += h16 * a8 * (REAL)2.0;
        g9 += h16 * a33 * (REAL)1.0;
        g33 += h16 * a9 * (REAL)1.0;
        g4 += h17 * a25 * (REAL)1.0;
        g25 += h17 * a4 * (REAL)1.0;
        g5 += h17 * a28 * (REAL)2.0;
        g28 += h17 * a5 * (REAL)2.0;
        g6 += h17 * a29 * (REAL)2.0;
        g29 += h17 * a6 * (REAL)2.0;
        g7 += h17 * a32 * (REAL)1.0;
        g32 += h17 * a7 * (REAL)1.0;
        g8 += h17 * a33 * (REAL)2.0;
        g33 += h17 * a8 * (REAL)2.0;
        g9 += h17 * a34 * (REAL)1.0;
        g34 += h17 * a9 * (REAL)1.0;
        g10 += h18 * a20 * (REAL)1.0;
        g20 += h18 * a10 * (REAL)1.0;
        g11 += h18 * a21 * (REAL)3.0;
        g21 += h18 * a11 * (REAL)3.0;
        g12 += h18 * a22 * (REAL)3.0;
        g22 += h18 * a12 * (REAL)3.0;
        g13 += h18 * a23 * (REAL)3.0;
        g23 += h18 * a13 * (REAL)3.0;
        g14 += h18 * a24 * (REAL)6.0;
        g24 += h18 * a14 * (REAL)6.0;
        g15 += h18 * a25 * (REAL)3.0;
        g25 += h18 * a15 * (REAL)3.0;
        g16 += h18 * a26 * (REAL)1.0;
        g26 += h18 * a16 * (REAL)1.0;
        g17 += h18 * a27 * (REAL)3.0;
        g27 += h18 * a17 * (REAL)3.0;
        g18 += h18 * a28 * (REAL)3.0;
        g28 += h18 * a18 * (REAL)3.0;
        g19 += h18 * a29 * (REAL)1.0;
        g29 += h18 * a19 * (REAL)1.0;
        g10 += h19 * a21 * (REAL)1.0;
        g21 += h19 * a10 * (REAL)1.0;
        g11 += h19 * a23 * (REAL)3.0;
        g23 += h19 * a11 * (REAL)3.0;
        g12 += h19 * a24 * (REAL)3.0;
        g24 += h19 * a12 * (REAL)3.0;
        g13 += h19 * a26 * (REAL)3.0;
        g26 += h19 * a13 * (REAL)3.0;
        g14 += h19 * a27 * (REAL)6.0;
        g27 += h19 * a14 * (REAL)6.0;
        g15 += h19 * a28 * (REAL)3.0;
        g28 += h19 * a15 * (REAL)3.0;
        g16 += h19 * a30 * (REAL)1.0;
        g30 += h19 * a16 * (REAL)1.0;
        g17 += h19 * a31 * (REAL)3.0;
        g31 += h19 * a17 * (REAL)3.0;
        g18 += h19 * a32 * (REAL)3.0;
        g32 += h19 * a18 * (REAL)3.0;
        g19 += h19 * a33 * (REAL)1.0;
        g33 += h19 * a19 * (REAL)1.0;
        g10 += h20 * a22 * (REAL)1.0;
        g22 += h20 * a10 * (REAL)1.0;
        g11 += h20 * a24 * (REAL)3.0;
        g24 += h20 * a11 * (REAL)3.0;
        g12 += h20 * a25 * (REAL)3.0;
        g25 += h20 * a12 * (REAL)3.0;
        g13 += h20 * a27 * (REAL)3.0;
        g27 += h20 * a13 * (REAL)3.0;
        g14 += h20 * a28 * (REAL)6.0;
        g28 += h20 * a14 * (REAL)6.0;
        g15 += h20 * a29 * (REAL)3.0;
        g29 += h20 * a15 * (REAL)3.0;
        g16 += h20 * a31 * (REAL)1.0;
        g31 += h20 * a16 * (REAL)1.0;
        g17 += h20 * a32 * (REAL)3.0;
        g32 += h20 * a17 * (REAL)3.0;
        g18 += h20 * a33 * (REAL)3.0;
        g33 += h20 * a18 * (REAL)3.0;
        g19 += h20 * a34 * (REAL)1.0;
        g34 += h20 * a19 * (REAL)1.0;
        const vec z0 = NAME(load)(by_values + 1 * columns + c);
        const vec z1 = NAME(load)(by_values + 2 * columns + c);
        const vec z2 = NAME(load)(by_values + 3 * columns + c);
        const vec z3 = NAME(load)(by_values + 4 * columns + c);
        g1 += z0 * a1 * (REAL)1.0;
        g1 += z0 * a1 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g2 += z0 * a2 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g3 += z0 * a3 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g4 += z1 * a4 * (REAL)1.0;
        g5 += z1 * a5 * (REAL)2.0;
        g5 += z1 * a5 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g6 += z1 * a6 * (REAL)2.0;
        g7 += z1 * a7 * (REAL)1.0;
        g7 += z1 * a7 * (REAL)1.0;
        g8 += z1 * a8 * (REAL)2.0;
        g8 += z1 * a8 * (REAL)2.0;
        g9 += z1 * a9 * (REAL)1.0;
        g9 += z1 * a9 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g10 += z2 * a10 * (REAL)1.0;
        g11 += z2 * a11 * (REAL)3.0;
        g11 += z2 * a11 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g12 += z2 * a12 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g13 += z2 * a13 * (REAL)3.0;
        g14 += z2 * a14 * (REAL)6.0;
        g14 += z2 * a14 * (REAL)6.0;
        g15 += z2 * a15 * (REAL)3.0;
        g15 += z2 * a15 * (REAL)3.0;
        g16 += z2 * a16 * (REAL)1.0;
        g16 += z2 * a16 * (REAL)1.0;
        g17 += z2 * a17 * (REAL)3.0;
        g17 += z2 * a17 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g18 += z2 * a18 * (REAL)3.0;
        g19 += z2 * a19 * (REAL)1.0;
        g19 += z2 * a19 * (REAL)1.0;
        g20 += z3 * a20 * (REAL)1.0;
        g20 += z3 * a20 * (REAL)1.0;
        g21 += z3 * a21 * (REAL)4.0;
        g21 += z3 * a21 * (REAL)4.0;
        g22 += z3 * a22 * (REAL)4.0;
        g22 += z3 * a22 * (REAL)4.0;
        g23 += z3 * a23 * (REAL)6.0;
        g23 += z3 * a23 * (REAL)6.0;
        g24 += z3 * a24 * (REAL)12.0;
        g24 += z3 * a24 * (REAL)12.0;
        g25 += z3 * a25 * (REAL)6.0;
        g25 += z3 * a25 * (REAL)6.0;
        g26 += z3 * a26 * (REAL)4.0;
        g26 += z3 * a26 * (REAL)4.0;
        g27 += z3 * a27 * (REAL)12.0;
        g27 += z3 * a27 * (REAL)12.0;
        g28 += z3 * a28 * (REAL)12.0;
        g28 += z3 * a28 * (REAL)12.0;
        g29 += z3 * a29 * (REAL)4.0;
        g29 += z3 * a29 * (REAL)4.0;
        g30 += z3 * a30 * (REAL)1.0;
        g30 += z3 * a30 * (REAL)1.0;
        g31 += z3 * a31 * (REAL)4.0;
        g31 += z3 * a31 * (REAL)4.0;
        g32 += z3 * a32 * (REAL)6.0;
        g32 += z3 * a32 * (REAL)6.0;
        g33 += z3 * a33 * (REAL)4.0;
        g33 += z3 * a33 * (REAL)4.0;
        g34 += z3 * a34 * (REAL)1.0;
        g34 += z3 * a34 * (REAL)1.0;
        NAME(store)(result + 0 * columns + c, g0);
        NAME(store)(result + 1 * columns + c, g1);
        NAME(store)(result + 2 * columns + c, g2);
        NAME(store)(result + 3 * columns + c, g3);
        NAME(store)(result + 4 * columns + c, g4);
        NAME(store)(result + 5 * columns + c, g5);
        NAME(store)(result + 6 * columns + c, g6);
        NAME(store)(result + 7 * columns + c, g7);
        NAME(store)(result + 8 * columns + c, g8);
        NAME(store)(result + 9 * columns + c, g9);
        NAME(store)(result + 10 * columns + c, g10);
        NAME(store)(result + 11 * columns + c, g11);
        NAME(store)(result + 12 * columns + c, g12);
        NAME(store)(result + 13 * columns + c, g13);
        NAME(store)(result + 14 * columns + c, g14);
        NAME(store)(result + 15 * columns + c, g15);
        NAME(store)(result + 16 * columns + c, g16);
        NAME(store)(result + 17 * columns + c, g17);
        NAME(store)(result + 18 * columns + c, g18);
        NAME(store)(result + 19 * columns + c, g19);
        NAME(store)(result + 20 * columns + c, g20);
        NAME(store)(result + 21 * columns + c, g21);
        NAME(store)(result + 22 * columns + c, g22);
        NAME(store)(result + 23 * columns + c, g23);
        NAME(store)(result + 24 * columns + c, g24);
        NAME(store)(result + 25 * columns + c, g25);
        NAME(store)(result + 26 * columns + c, g26);
        NAME(store)(result + 27 * columns + c, g27);
        NAME(store)(result + 28 * columns + c, g28);
        NAME(store)(result + 29 * columns + c, g29);
        NAME(store)(result + 30 * columns + c, g30);
        NAME(store)(result + 31 * columns + c, g31);
        NAME(store)(result + 32 * columns + c, g32);
        NAME(store)(result + 33 * columns + c, g33);
        NAME(store)(result + 34 * columns + c, g34);
    }
}


typedef void (*NAME(products_4))(const REAL *, const REAL *, REAL *, int64_t);

static int NAME(forward_4)(const fused_model *model, const fused_graph *graph, int64_t first,
                             int64_t last, REAL *raw, REAL *features)
{
    NAME(products_4) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_4_1); n_invariants = 1; break;
    case 2: products = NAME(values_4_2); n_invariants = 5; break;
    case 3: products = NAME(values_4_3); n_invariants = 9; break;
    case 4: products = NAME(values_4_4); n_invariants = 13; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 35 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 35, n_invariants))
        return NO_MEMORY;
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 0);
        NAME(monomials_4)(&s);
        REAL *own = raw ? raw + atom * n_raw : s.raw;
        memset(own, 0, n_raw * sizeof *own);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            NAME(sum_4)(&s, s.start[kind], s.start[kind + 1], width);
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                REAL *to = own + e * 35 * width;
                for (int64_t k = 0; k < 35 * width; ++k)
                    to[k] += sender[e] * s.sums[k];
            }
        }
        NAME(mix_4)(model, graph->kinds[atom], own, s.mixed);
        products(s.mixed, NULL, s.features, model->n_embedding * PADDED(n_mixed));
        REAL *row = features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(row + k * n_mixed, s.features + k * PADDED(n_mixed), n_mixed * sizeof *row);
    }
    free(memory.memory);
    return DONE;
}

/* Gradient by the edges of one kind, whose gradient by the sums is s->sums. */
static void NAME(edges_4)(const fused_model *model, const fused_graph *graph, const scratch *s,
                            int64_t begin, int64_t end, int64_t atom, double *by_positions,
                            double *by_cells)
{
    const int64_t n_radial = model->n_radial, width = PADDED(n_radial), capacity = s->capacity;
    const REAL *sums = s->sums, *angular = s->angular;
    for (int64_t lane = begin; lane < end; lane += LANES) {
        const REAL *radial = s->radial + lane, *slopes = s->slopes + lane;
        const vec inverse = NAME(load)(s->inverse + lane);
        vec unit[3], t[35], along = inverse - inverse;
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(s->unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[3 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[4 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[5 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[6 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[3] = a0;
            along += b0 * NAME(load)(angular + 3 * capacity + lane);
            t[4] = a1;
            along += b1 * NAME(load)(angular + 4 * capacity + lane);
            t[5] = a2;
            along += b2 * NAME(load)(angular + 5 * capacity + lane);
            t[6] = a3;
            along += b3 * NAME(load)(angular + 6 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[7 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[8 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[9 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[10 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[7] = a0;
            along += b0 * NAME(load)(angular + 7 * capacity + lane);
            t[8] = a1;
            along += b1 * NAME(load)(angular + 8 * capacity + lane);
            t[9] = a2;
            along += b2 * NAME(load)(angular + 9 * capacity + lane);
            t[10] = a3;
            along += b3 * NAME(load)(angular + 10 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[11 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[12 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[13 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[14 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[11] = a0;
            along += b0 * NAME(load)(angular + 11 * capacity + lane);
            t[12] = a1;
            along += b1 * NAME(load)(angular + 12 * capacity + lane);
            t[13] = a2;
            along += b2 * NAME(load)(angular + 13 * capacity + lane);
            t[14] = a3;
            along += b3 * NAME(load)(angular + 14 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[15 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[16 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[17 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[18 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[15] = a0;
            along += b0 * NAME(load)(angular + 15 * capacity + lane);
            t[16] = a1;
            along += b1 * NAME(load)(angular + 16 * capacity + lane);
            t[17] = a2;
            along += b2 * NAME(load)(angular + 17 * capacity + lane);
            t[18] = a3;
            along += b3 * NAME(load)(angular + 18 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[19 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[20 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[21 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[22 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[19] = a0;
            along += b0 * NAME(load)(angular + 19 * capacity + lane);
            t[20] = a1;
            along += b1 * NAME(load)(angular + 20 * capacity + lane);
            t[21] = a2;
            along += b2 * NAME(load)(angular + 21 * capacity + lane);
            t[22] = a3;
            along += b3 * NAME(load)(angular + 22 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[23 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[24 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[25 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[26 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[23] = a0;
            along += b0 * NAME(load)(angular + 23 * capacity + lane);
            t[24] = a1;
            along += b1 * NAME(load)(angular + 24 * capacity + lane);
            t[25] = a2;
            along += b2 * NAME(load)(angular + 25 * capacity + lane);
            t[26] = a3;
            along += b3 * NAME(load)(angular + 26 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[27 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[28 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[29 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[30 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[27] = a0;
            along += b0 * NAME(load)(angular + 27 * capacity + lane);
            t[28] = a1;
            along += b1 * NAME(load)(angular + 28 * capacity + lane);
            t[29] = a2;
            along += b2 * NAME(load)(angular + 29 * capacity + lane);
            t[30] = a3;
            along += b3 * NAME(load)(angular + 30 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[31 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[32 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[33 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[34 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[31] = a0;
            along += b0 * NAME(load)(angular + 31 * capacity + lane);
            t[32] = a1;
            along += b1 * NAME(load)(angular + 32 * capacity + lane);
            t[33] = a2;
            along += b2 * NAME(load)(angular + 33 * capacity + lane);
            t[34] = a3;
            along += b3 * NAME(load)(angular + 34 * capacity + lane);
        }
        vec across[3] = {inverse - inverse, inverse - inverse, inverse - inverse};
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across[0] += t[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3;
        across[0] += t[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[1] += t[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[2] += t[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[0] += t[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1;
        across[1] += t[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1;
        across[2] += t[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1;
        across[0] += t[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[1] += t[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3;
        across[1] += t[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3;
        across[0] += t[20] * NAME(load)(angular + 10 * capacity + lane) * (REAL)4;
        across[0] += t[21] * NAME(load)(angular + 11 * capacity + lane) * (REAL)3;
        across[1] += t[21] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1;
        across[0] += t[22] * NAME(load)(angular + 12 * capacity + lane) * (REAL)3;
        across[2] += t[22] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1;
        across[0] += t[23] * NAME(load)(angular + 13 * capacity + lane) * (REAL)2;
        across[1] += t[23] * NAME(load)(angular + 11 * capacity + lane) * (REAL)2;
        across[0] += t[24] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across[1] += t[24] * NAME(load)(angular + 12 * capacity + lane) * (REAL)1;
        across[2] += t[24] * NAME(load)(angular + 11 * capacity + lane) * (REAL)1;
        across[0] += t[25] * NAME(load)(angular + 15 * capacity + lane) * (REAL)2;
        across[2] += t[25] * NAME(load)(angular + 12 * capacity + lane) * (REAL)2;
        across[0] += t[26] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1;
        across[1] += t[26] * NAME(load)(angular + 13 * capacity + lane) * (REAL)3;
        across[0] += t[27] * NAME(load)(angular + 17 * capacity + lane) * (REAL)1;
        across[1] += t[27] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across[2] += t[27] * NAME(load)(angular + 13 * capacity + lane) * (REAL)1;
        across[0] += t[28] * NAME(load)(angular + 18 * capacity + lane) * (REAL)1;
        across[1] += t[28] * NAME(load)(angular + 15 * capacity + lane) * (REAL)1;
        across[2] += t[28] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across[0] += t[29] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1;
        across[2] += t[29] * NAME(load)(angular + 15 * capacity + lane) * (REAL)3;
        across[1] += t[30] * NAME(load)(angular + 16 * capacity + lane) * (REAL)4;
        across[1] += t[31] * NAME(load)(angular + 17 * capacity + lane) * (REAL)3;
        across[2] += t[31] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1;
        across[1] += t[32] * NAME(load)(angular + 18 * capacity + lane) * (REAL)2;
        across[2] += t[32] * NAME(load)(angular + 17 * capacity + lane) * (REAL)2;
        across[1] += t[33] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1;
        across[2] += t[33] * NAME(load)(angular + 18 * capacity + lane) * (REAL)3;
        across[2] += t[34] * NAME(load)(angular + 19 * capacity + lane) * (REAL)4;
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] * inverse;
        along = along
            - (across[0] * unit[0] + across[1] * unit[1] + across[2] * unit[2]);
        for (int axis = 0; axis < 3; ++axis)
            across[axis] = across[axis] + along * unit[axis];
        NAME(scatter)(graph, s, lane, atom, across, by_positions, by_cells);
    }
}

static int NAME(backward_4)(const fused_model *model, const fused_graph *graph, int64_t first,
                              int64_t last, const REAL *raw, const REAL *by_features,
                              double *by_positions, double *by_cells)
{
    NAME(products_4) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_4_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_4_2); n_invariants = 5; break;
    case 3: products = NAME(gradients_4_3); n_invariants = 9; break;
    case 4: products = NAME(gradients_4_4); n_invariants = 13; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t width = PADDED(model->n_radial), n_raw = model->n_embedding * 35 * width;
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    scratch s;
    arena memory;
    if (NAME(allocate)(&s, &memory, model, graph, first, last, 35, n_invariants))
        return NO_MEMORY;
    memset(s.features, 0, rows * PADDED(n_mixed) * sizeof *s.features);
    int64_t edge = first_edge(graph, first);
    for (int64_t atom = first; atom < last; ++atom) {
        const int64_t begin = edge;
        while (edge < graph->n_edges && graph->receivers[edge] == atom)
            ++edge;
        NAME(find_neighbors)(graph, model->n_kinds, model->cutoff, atom, begin, edge, &s);
        NAME(radial)(model, &s, 1);
        NAME(monomials_4)(&s);
        const REAL *row = by_features + atom * rows * n_mixed;
        for (int64_t k = 0; k < rows; ++k)
            memcpy(s.features + k * PADDED(n_mixed), row + k * n_mixed, n_mixed * sizeof *row);
        NAME(mix_4)(model, graph->kinds[atom], raw + atom * n_raw, s.mixed);
        products(s.mixed, s.features, s.by_mixed, model->n_embedding * PADDED(n_mixed));
        NAME(unmix_4)(model, graph->kinds[atom], s.by_mixed, s.raw);
        for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
            if (s.start[kind] == s.start[kind + 1])
                continue;
            const REAL *sender = (const REAL *)model->sender + kind * model->n_embedding;
            memset(s.sums, 0, 35 * width * sizeof *s.sums);
            for (int64_t e = 0; e < model->n_embedding; ++e) {
                const REAL *from = s.raw + e * 35 * width;
                for (int64_t k = 0; k < 35 * width; ++k)
                    s.sums[k] += sender[e] * from[k];
            }
            NAME(edges_4)(model, graph, &s, s.start[kind], s.start[kind + 1], atom,
                            by_positions, by_cells);
        }
    }
    free(memory.memory);
    return DONE;
}
/* ---- training up to degree 4 ---- */

static void NAME(angular_rates_4)(training *t)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular;
    for (int64_t lane = 0; lane < t->s.n; lane += LANES) {
        const vec x = NAME(load)(t->unit_rate[0] + lane), y = NAME(load)(t->unit_rate[1] + lane);
        const vec z = NAME(load)(t->unit_rate[2] + lane);
        (void)x, (void)y, (void)z, (void)angular;
        NAME(store)(t->angular_rates + 0 * capacity + lane, x - x);
        NAME(store)(t->angular_rates + 1 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * x * (REAL)1);
        NAME(store)(t->angular_rates + 2 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 3 * capacity + lane, NAME(load)(angular + 0 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 4 * capacity + lane, NAME(load)(angular + 1 * capacity + lane) * x * (REAL)2);
        NAME(store)(t->angular_rates + 5 * capacity + lane, NAME(load)(angular + 2 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 1 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 6 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 1 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 7 * capacity + lane, NAME(load)(angular + 2 * capacity + lane) * y * (REAL)2);
        NAME(store)(t->angular_rates + 8 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 2 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 9 * capacity + lane, NAME(load)(angular + 3 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 10 * capacity + lane, NAME(load)(angular + 4 * capacity + lane) * x * (REAL)3);
        NAME(store)(t->angular_rates + 11 * capacity + lane, NAME(load)(angular + 5 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 4 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 12 * capacity + lane, NAME(load)(angular + 6 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 4 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 13 * capacity + lane, NAME(load)(angular + 7 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 5 * capacity + lane) * y * (REAL)2);
        NAME(store)(t->angular_rates + 14 * capacity + lane, NAME(load)(angular + 8 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 6 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 5 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 15 * capacity + lane, NAME(load)(angular + 9 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 6 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 16 * capacity + lane, NAME(load)(angular + 7 * capacity + lane) * y * (REAL)3);
        NAME(store)(t->angular_rates + 17 * capacity + lane, NAME(load)(angular + 8 * capacity + lane) * y * (REAL)2 + NAME(load)(angular + 7 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 18 * capacity + lane, NAME(load)(angular + 9 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 8 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 19 * capacity + lane, NAME(load)(angular + 9 * capacity + lane) * z * (REAL)3);
        NAME(store)(t->angular_rates + 20 * capacity + lane, NAME(load)(angular + 10 * capacity + lane) * x * (REAL)4);
        NAME(store)(t->angular_rates + 21 * capacity + lane, NAME(load)(angular + 11 * capacity + lane) * x * (REAL)3 + NAME(load)(angular + 10 * capacity + lane) * y * (REAL)1);
        NAME(store)(t->angular_rates + 22 * capacity + lane, NAME(load)(angular + 12 * capacity + lane) * x * (REAL)3 + NAME(load)(angular + 10 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 23 * capacity + lane, NAME(load)(angular + 13 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 11 * capacity + lane) * y * (REAL)2);
        NAME(store)(t->angular_rates + 24 * capacity + lane, NAME(load)(angular + 14 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 12 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 11 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 25 * capacity + lane, NAME(load)(angular + 15 * capacity + lane) * x * (REAL)2 + NAME(load)(angular + 12 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 26 * capacity + lane, NAME(load)(angular + 16 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 13 * capacity + lane) * y * (REAL)3);
        NAME(store)(t->angular_rates + 27 * capacity + lane, NAME(load)(angular + 17 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 14 * capacity + lane) * y * (REAL)2 + NAME(load)(angular + 13 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 28 * capacity + lane, NAME(load)(angular + 18 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 15 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 14 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 29 * capacity + lane, NAME(load)(angular + 19 * capacity + lane) * x * (REAL)1 + NAME(load)(angular + 15 * capacity + lane) * z * (REAL)3);
        NAME(store)(t->angular_rates + 30 * capacity + lane, NAME(load)(angular + 16 * capacity + lane) * y * (REAL)4);
        NAME(store)(t->angular_rates + 31 * capacity + lane, NAME(load)(angular + 17 * capacity + lane) * y * (REAL)3 + NAME(load)(angular + 16 * capacity + lane) * z * (REAL)1);
        NAME(store)(t->angular_rates + 32 * capacity + lane, NAME(load)(angular + 18 * capacity + lane) * y * (REAL)2 + NAME(load)(angular + 17 * capacity + lane) * z * (REAL)2);
        NAME(store)(t->angular_rates + 33 * capacity + lane, NAME(load)(angular + 19 * capacity + lane) * y * (REAL)1 + NAME(load)(angular + 18 * capacity + lane) * z * (REAL)3);
        NAME(store)(t->angular_rates + 34 * capacity + lane, NAME(load)(angular + 19 * capacity + lane) * z * (REAL)4);
    }
}

/* Rates of the sums of one kind, to s.sums. */
static void NAME(sum_rates_4)(const training *t, int64_t begin, int64_t end, int64_t width)
{
    const int64_t capacity = t->s.capacity;
    const REAL *angular = t->s.angular, *angular_rates = t->angular_rates;
    for (int64_t v = 0; v < width; v += LANES) {
        const REAL *radial = t->s.radial + v, *radial_rates = t->radial_rates + v;
        REAL *sums = t->s.sums + v;
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[0 * capacity + lane] + r * angular_rates[0 * capacity + lane];
                a1 += d * angular[1 * capacity + lane] + r * angular_rates[1 * capacity + lane];
                a2 += d * angular[2 * capacity + lane] + r * angular_rates[2 * capacity + lane];
                a3 += d * angular[3 * capacity + lane] + r * angular_rates[3 * capacity + lane];
                a4 += d * angular[4 * capacity + lane] + r * angular_rates[4 * capacity + lane];
            }
            NAME(store)(sums + 0 * width, a0);
            NAME(store)(sums + 1 * width, a1);
            NAME(store)(sums + 2 * width, a2);
            NAME(store)(sums + 3 * width, a3);
            NAME(store)(sums + 4 * width, a4);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[5 * capacity + lane] + r * angular_rates[5 * capacity + lane];
                a1 += d * angular[6 * capacity + lane] + r * angular_rates[6 * capacity + lane];
                a2 += d * angular[7 * capacity + lane] + r * angular_rates[7 * capacity + lane];
                a3 += d * angular[8 * capacity + lane] + r * angular_rates[8 * capacity + lane];
                a4 += d * angular[9 * capacity + lane] + r * angular_rates[9 * capacity + lane];
                a5 += d * angular[10 * capacity + lane] + r * angular_rates[10 * capacity + lane];
            }
            NAME(store)(sums + 5 * width, a0);
            NAME(store)(sums + 6 * width, a1);
            NAME(store)(sums + 7 * width, a2);
            NAME(store)(sums + 8 * width, a3);
            NAME(store)(sums + 9 * width, a4);
            NAME(store)(sums + 10 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[11 * capacity + lane] + r * angular_rates[11 * capacity + lane];
                a1 += d * angular[12 * capacity + lane] + r * angular_rates[12 * capacity + lane];
                a2 += d * angular[13 * capacity + lane] + r * angular_rates[13 * capacity + lane];
                a3 += d * angular[14 * capacity + lane] + r * angular_rates[14 * capacity + lane];
                a4 += d * angular[15 * capacity + lane] + r * angular_rates[15 * capacity + lane];
                a5 += d * angular[16 * capacity + lane] + r * angular_rates[16 * capacity + lane];
            }
            NAME(store)(sums + 11 * width, a0);
            NAME(store)(sums + 12 * width, a1);
            NAME(store)(sums + 13 * width, a2);
            NAME(store)(sums + 14 * width, a3);
            NAME(store)(sums + 15 * width, a4);
            NAME(store)(sums + 16 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[17 * capacity + lane] + r * angular_rates[17 * capacity + lane];
                a1 += d * angular[18 * capacity + lane] + r * angular_rates[18 * capacity + lane];
                a2 += d * angular[19 * capacity + lane] + r * angular_rates[19 * capacity + lane];
                a3 += d * angular[20 * capacity + lane] + r * angular_rates[20 * capacity + lane];
                a4 += d * angular[21 * capacity + lane] + r * angular_rates[21 * capacity + lane];
                a5 += d * angular[22 * capacity + lane] + r * angular_rates[22 * capacity + lane];
            }
            NAME(store)(sums + 17 * width, a0);
            NAME(store)(sums + 18 * width, a1);
            NAME(store)(sums + 19 * width, a2);
            NAME(store)(sums + 20 * width, a3);
            NAME(store)(sums + 21 * width, a4);
            NAME(store)(sums + 22 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[23 * capacity + lane] + r * angular_rates[23 * capacity + lane];
                a1 += d * angular[24 * capacity + lane] + r * angular_rates[24 * capacity + lane];
                a2 += d * angular[25 * capacity + lane] + r * angular_rates[25 * capacity + lane];
                a3 += d * angular[26 * capacity + lane] + r * angular_rates[26 * capacity + lane];
                a4 += d * angular[27 * capacity + lane] + r * angular_rates[27 * capacity + lane];
                a5 += d * angular[28 * capacity + lane] + r * angular_rates[28 * capacity + lane];
            }
            NAME(store)(sums + 23 * width, a0);
            NAME(store)(sums + 24 * width, a1);
            NAME(store)(sums + 25 * width, a2);
            NAME(store)(sums + 26 * width, a3);
            NAME(store)(sums + 27 * width, a4);
            NAME(store)(sums + 28 * width, a5);
        }
        {
            vec a0 = {0};
            vec a1 = {0};
            vec a2 = {0};
            vec a3 = {0};
            vec a4 = {0};
            vec a5 = {0};
            for (int64_t lane = begin; lane < end; ++lane) {
                const vec r = NAME(load)(radial + lane * width), d = NAME(load)(radial_rates + lane * width);
                a0 += d * angular[29 * capacity + lane] + r * angular_rates[29 * capacity + lane];
                a1 += d * angular[30 * capacity + lane] + r * angular_rates[30 * capacity + lane];
                a2 += d * angular[31 * capacity + lane] + r * angular_rates[31 * capacity + lane];
                a3 += d * angular[32 * capacity + lane] + r * angular_rates[32 * capacity + lane];
                a4 += d * angular[33 * capacity + lane] + r * angular_rates[33 * capacity + lane];
                a5 += d * angular[34 * capacity + lane] + r * angular_rates[34 * capacity + lane];
            }
            NAME(store)(sums + 29 * width, a0);
            NAME(store)(sums + 30 * width, a1);
            NAME(store)(sums + 31 * width, a2);
            NAME(store)(sums + 32 * width, a3);
            NAME(store)(sums + 33 * width, a4);
            NAME(store)(sums + 34 * width, a5);
        }
    }
}

/* Gradients by the vectors of one kind. */
static void NAME(vectors_4)(const fused_cace *cace, const training *own, int64_t kind,
                              int64_t atom, REAL *by_vectors)
{
    const int64_t n_radial = cace->model.n_radial, width = PADDED(n_radial);
    const int64_t capacity = own->s.capacity;
    const REAL *sums = own->by_sums, *angular = own->s.angular;
    for (int64_t lane = own->s.start[kind]; lane < own->s.start[kind + 1]; lane += LANES) {
        const REAL *radial = own->functions + lane, *slopes = own->slopes + lane;
        const vec inverse = NAME(load)(own->s.inverse + lane);
        vec unit[3], t[35], along = {0}, across[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis)
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[0 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[1 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[2 * width + n];
                a2 += r * g2;
                b2 += d * g2;
            }
            t[0] = a0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            t[1] = a1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            t[2] = a2;
            along += b2 * NAME(load)(angular + 2 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[3 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[4 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[5 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[6 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[3] = a0;
            along += b0 * NAME(load)(angular + 3 * capacity + lane);
            t[4] = a1;
            along += b1 * NAME(load)(angular + 4 * capacity + lane);
            t[5] = a2;
            along += b2 * NAME(load)(angular + 5 * capacity + lane);
            t[6] = a3;
            along += b3 * NAME(load)(angular + 6 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[7 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[8 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[9 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[10 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[7] = a0;
            along += b0 * NAME(load)(angular + 7 * capacity + lane);
            t[8] = a1;
            along += b1 * NAME(load)(angular + 8 * capacity + lane);
            t[9] = a2;
            along += b2 * NAME(load)(angular + 9 * capacity + lane);
            t[10] = a3;
            along += b3 * NAME(load)(angular + 10 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[11 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[12 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[13 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[14 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[11] = a0;
            along += b0 * NAME(load)(angular + 11 * capacity + lane);
            t[12] = a1;
            along += b1 * NAME(load)(angular + 12 * capacity + lane);
            t[13] = a2;
            along += b2 * NAME(load)(angular + 13 * capacity + lane);
            t[14] = a3;
            along += b3 * NAME(load)(angular + 14 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[15 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[16 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[17 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[18 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[15] = a0;
            along += b0 * NAME(load)(angular + 15 * capacity + lane);
            t[16] = a1;
            along += b1 * NAME(load)(angular + 16 * capacity + lane);
            t[17] = a2;
            along += b2 * NAME(load)(angular + 17 * capacity + lane);
            t[18] = a3;
            along += b3 * NAME(load)(angular + 18 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[19 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[20 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[21 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[22 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[19] = a0;
            along += b0 * NAME(load)(angular + 19 * capacity + lane);
            t[20] = a1;
            along += b1 * NAME(load)(angular + 20 * capacity + lane);
            t[21] = a2;
            along += b2 * NAME(load)(angular + 21 * capacity + lane);
            t[22] = a3;
            along += b3 * NAME(load)(angular + 22 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[23 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[24 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[25 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[26 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[23] = a0;
            along += b0 * NAME(load)(angular + 23 * capacity + lane);
            t[24] = a1;
            along += b1 * NAME(load)(angular + 24 * capacity + lane);
            t[25] = a2;
            along += b2 * NAME(load)(angular + 25 * capacity + lane);
            t[26] = a3;
            along += b3 * NAME(load)(angular + 26 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[27 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[28 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[29 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[30 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[27] = a0;
            along += b0 * NAME(load)(angular + 27 * capacity + lane);
            t[28] = a1;
            along += b1 * NAME(load)(angular + 28 * capacity + lane);
            t[29] = a2;
            along += b2 * NAME(load)(angular + 29 * capacity + lane);
            t[30] = a3;
            along += b3 * NAME(load)(angular + 30 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0};
            vec a1 = {0}, b1 = {0};
            vec a2 = {0}, b2 = {0};
            vec a3 = {0}, b3 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec d = NAME(load)(slopes + n * capacity);
                const REAL g0 = sums[31 * width + n];
                a0 += r * g0;
                b0 += d * g0;
                const REAL g1 = sums[32 * width + n];
                a1 += r * g1;
                b1 += d * g1;
                const REAL g2 = sums[33 * width + n];
                a2 += r * g2;
                b2 += d * g2;
                const REAL g3 = sums[34 * width + n];
                a3 += r * g3;
                b3 += d * g3;
            }
            t[31] = a0;
            along += b0 * NAME(load)(angular + 31 * capacity + lane);
            t[32] = a1;
            along += b1 * NAME(load)(angular + 32 * capacity + lane);
            t[33] = a2;
            along += b2 * NAME(load)(angular + 33 * capacity + lane);
            t[34] = a3;
            along += b3 * NAME(load)(angular + 34 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across[0] += t[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3;
        across[0] += t[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[1] += t[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[2] += t[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across[0] += t[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across[0] += t[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1;
        across[1] += t[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1;
        across[2] += t[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1;
        across[0] += t[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across[1] += t[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3;
        across[1] += t[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across[1] += t[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across[2] += t[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across[2] += t[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3;
        across[0] += t[20] * NAME(load)(angular + 10 * capacity + lane) * (REAL)4;
        across[0] += t[21] * NAME(load)(angular + 11 * capacity + lane) * (REAL)3;
        across[1] += t[21] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1;
        across[0] += t[22] * NAME(load)(angular + 12 * capacity + lane) * (REAL)3;
        across[2] += t[22] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1;
        across[0] += t[23] * NAME(load)(angular + 13 * capacity + lane) * (REAL)2;
        across[1] += t[23] * NAME(load)(angular + 11 * capacity + lane) * (REAL)2;
        across[0] += t[24] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across[1] += t[24] * NAME(load)(angular + 12 * capacity + lane) * (REAL)1;
        across[2] += t[24] * NAME(load)(angular + 11 * capacity + lane) * (REAL)1;
        across[0] += t[25] * NAME(load)(angular + 15 * capacity + lane) * (REAL)2;
        across[2] += t[25] * NAME(load)(angular + 12 * capacity + lane) * (REAL)2;
        across[0] += t[26] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1;
        across[1] += t[26] * NAME(load)(angular + 13 * capacity + lane) * (REAL)3;
        across[0] += t[27] * NAME(load)(angular + 17 * capacity + lane) * (REAL)1;
        across[1] += t[27] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across[2] += t[27] * NAME(load)(angular + 13 * capacity + lane) * (REAL)1;
        across[0] += t[28] * NAME(load)(angular + 18 * capacity + lane) * (REAL)1;
        across[1] += t[28] * NAME(load)(angular + 15 * capacity + lane) * (REAL)1;
        across[2] += t[28] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across[0] += t[29] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1;
        across[2] += t[29] * NAME(load)(angular + 15 * capacity + lane) * (REAL)3;
        across[1] += t[30] * NAME(load)(angular + 16 * capacity + lane) * (REAL)4;
        across[1] += t[31] * NAME(load)(angular + 17 * capacity + lane) * (REAL)3;
        across[2] += t[31] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1;
        across[1] += t[32] * NAME(load)(angular + 18 * capacity + lane) * (REAL)2;
        across[2] += t[32] * NAME(load)(angular + 17 * capacity + lane) * (REAL)2;
        across[1] += t[33] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1;
        across[2] += t[33] * NAME(load)(angular + 18 * capacity + lane) * (REAL)3;
        across[2] += t[34] * NAME(load)(angular + 19 * capacity + lane) * (REAL)4;
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
static void NAME(second_vectors_4)(const fused_cace *cace, const training *own, int64_t kind,
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
        vec unit[3], unit_rate[3], t[35], t_rate[35], along = {0}, along_rate = {0};
        vec across[3] = {{0}, {0}, {0}}, across_rate[3] = {{0}, {0}, {0}};
        for (int axis = 0; axis < 3; ++axis) {
            unit[axis] = NAME(load)(own->s.unit[axis] + lane);
            unit_rate[axis] = NAME(load)(own->unit_rate[axis] + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[0 * width + n];
                const REAL h0 = sum_rates[0 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[1 * width + n];
                const REAL h1 = sum_rates[1 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
            }
            t[0] = a0;
            t_rate[0] = c0;
            along += b0 * NAME(load)(angular + 0 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 0 * capacity + lane) + b0 * NAME(load)(angular_rates + 0 * capacity + lane);
            t[1] = a1;
            t_rate[1] = c1;
            along += b1 * NAME(load)(angular + 1 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 1 * capacity + lane) + b1 * NAME(load)(angular_rates + 1 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[2 * width + n];
                const REAL h0 = sum_rates[2 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[3 * width + n];
                const REAL h1 = sum_rates[3 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[4 * width + n];
                const REAL h2 = sum_rates[4 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[2] = a0;
            t_rate[2] = c0;
            along += b0 * NAME(load)(angular + 2 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 2 * capacity + lane) + b0 * NAME(load)(angular_rates + 2 * capacity + lane);
            t[3] = a1;
            t_rate[3] = c1;
            along += b1 * NAME(load)(angular + 3 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 3 * capacity + lane) + b1 * NAME(load)(angular_rates + 3 * capacity + lane);
            t[4] = a2;
            t_rate[4] = c2;
            along += b2 * NAME(load)(angular + 4 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 4 * capacity + lane) + b2 * NAME(load)(angular_rates + 4 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[5 * width + n];
                const REAL h0 = sum_rates[5 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[6 * width + n];
                const REAL h1 = sum_rates[6 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[7 * width + n];
                const REAL h2 = sum_rates[7 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[5] = a0;
            t_rate[5] = c0;
            along += b0 * NAME(load)(angular + 5 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 5 * capacity + lane) + b0 * NAME(load)(angular_rates + 5 * capacity + lane);
            t[6] = a1;
            t_rate[6] = c1;
            along += b1 * NAME(load)(angular + 6 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 6 * capacity + lane) + b1 * NAME(load)(angular_rates + 6 * capacity + lane);
            t[7] = a2;
            t_rate[7] = c2;
            along += b2 * NAME(load)(angular + 7 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 7 * capacity + lane) + b2 * NAME(load)(angular_rates + 7 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[8 * width + n];
                const REAL h0 = sum_rates[8 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[9 * width + n];
                const REAL h1 = sum_rates[9 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[10 * width + n];
                const REAL h2 = sum_rates[10 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[8] = a0;
            t_rate[8] = c0;
            along += b0 * NAME(load)(angular + 8 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 8 * capacity + lane) + b0 * NAME(load)(angular_rates + 8 * capacity + lane);
            t[9] = a1;
            t_rate[9] = c1;
            along += b1 * NAME(load)(angular + 9 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 9 * capacity + lane) + b1 * NAME(load)(angular_rates + 9 * capacity + lane);
            t[10] = a2;
            t_rate[10] = c2;
            along += b2 * NAME(load)(angular + 10 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 10 * capacity + lane) + b2 * NAME(load)(angular_rates + 10 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[11 * width + n];
                const REAL h0 = sum_rates[11 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[12 * width + n];
                const REAL h1 = sum_rates[12 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[13 * width + n];
                const REAL h2 = sum_rates[13 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[11] = a0;
            t_rate[11] = c0;
            along += b0 * NAME(load)(angular + 11 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 11 * capacity + lane) + b0 * NAME(load)(angular_rates + 11 * capacity + lane);
            t[12] = a1;
            t_rate[12] = c1;
            along += b1 * NAME(load)(angular + 12 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 12 * capacity + lane) + b1 * NAME(load)(angular_rates + 12 * capacity + lane);
            t[13] = a2;
            t_rate[13] = c2;
            along += b2 * NAME(load)(angular + 13 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 13 * capacity + lane) + b2 * NAME(load)(angular_rates + 13 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[14 * width + n];
                const REAL h0 = sum_rates[14 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[15 * width + n];
                const REAL h1 = sum_rates[15 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[16 * width + n];
                const REAL h2 = sum_rates[16 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[14] = a0;
            t_rate[14] = c0;
            along += b0 * NAME(load)(angular + 14 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 14 * capacity + lane) + b0 * NAME(load)(angular_rates + 14 * capacity + lane);
            t[15] = a1;
            t_rate[15] = c1;
            along += b1 * NAME(load)(angular + 15 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 15 * capacity + lane) + b1 * NAME(load)(angular_rates + 15 * capacity + lane);
            t[16] = a2;
            t_rate[16] = c2;
            along += b2 * NAME(load)(angular + 16 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 16 * capacity + lane) + b2 * NAME(load)(angular_rates + 16 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[17 * width + n];
                const REAL h0 = sum_rates[17 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[18 * width + n];
                const REAL h1 = sum_rates[18 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[19 * width + n];
                const REAL h2 = sum_rates[19 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[17] = a0;
            t_rate[17] = c0;
            along += b0 * NAME(load)(angular + 17 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 17 * capacity + lane) + b0 * NAME(load)(angular_rates + 17 * capacity + lane);
            t[18] = a1;
            t_rate[18] = c1;
            along += b1 * NAME(load)(angular + 18 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 18 * capacity + lane) + b1 * NAME(load)(angular_rates + 18 * capacity + lane);
            t[19] = a2;
            t_rate[19] = c2;
            along += b2 * NAME(load)(angular + 19 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 19 * capacity + lane) + b2 * NAME(load)(angular_rates + 19 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[20 * width + n];
                const REAL h0 = sum_rates[20 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[21 * width + n];
                const REAL h1 = sum_rates[21 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[22 * width + n];
                const REAL h2 = sum_rates[22 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[20] = a0;
            t_rate[20] = c0;
            along += b0 * NAME(load)(angular + 20 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 20 * capacity + lane) + b0 * NAME(load)(angular_rates + 20 * capacity + lane);
            t[21] = a1;
            t_rate[21] = c1;
            along += b1 * NAME(load)(angular + 21 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 21 * capacity + lane) + b1 * NAME(load)(angular_rates + 21 * capacity + lane);
            t[22] = a2;
            t_rate[22] = c2;
            along += b2 * NAME(load)(angular + 22 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 22 * capacity + lane) + b2 * NAME(load)(angular_rates + 22 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[23 * width + n];
                const REAL h0 = sum_rates[23 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[24 * width + n];
                const REAL h1 = sum_rates[24 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[25 * width + n];
                const REAL h2 = sum_rates[25 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[23] = a0;
            t_rate[23] = c0;
            along += b0 * NAME(load)(angular + 23 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 23 * capacity + lane) + b0 * NAME(load)(angular_rates + 23 * capacity + lane);
            t[24] = a1;
            t_rate[24] = c1;
            along += b1 * NAME(load)(angular + 24 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 24 * capacity + lane) + b1 * NAME(load)(angular_rates + 24 * capacity + lane);
            t[25] = a2;
            t_rate[25] = c2;
            along += b2 * NAME(load)(angular + 25 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 25 * capacity + lane) + b2 * NAME(load)(angular_rates + 25 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[26 * width + n];
                const REAL h0 = sum_rates[26 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[27 * width + n];
                const REAL h1 = sum_rates[27 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[28 * width + n];
                const REAL h2 = sum_rates[28 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[26] = a0;
            t_rate[26] = c0;
            along += b0 * NAME(load)(angular + 26 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 26 * capacity + lane) + b0 * NAME(load)(angular_rates + 26 * capacity + lane);
            t[27] = a1;
            t_rate[27] = c1;
            along += b1 * NAME(load)(angular + 27 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 27 * capacity + lane) + b1 * NAME(load)(angular_rates + 27 * capacity + lane);
            t[28] = a2;
            t_rate[28] = c2;
            along += b2 * NAME(load)(angular + 28 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 28 * capacity + lane) + b2 * NAME(load)(angular_rates + 28 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[29 * width + n];
                const REAL h0 = sum_rates[29 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[30 * width + n];
                const REAL h1 = sum_rates[30 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[31 * width + n];
                const REAL h2 = sum_rates[31 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[29] = a0;
            t_rate[29] = c0;
            along += b0 * NAME(load)(angular + 29 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 29 * capacity + lane) + b0 * NAME(load)(angular_rates + 29 * capacity + lane);
            t[30] = a1;
            t_rate[30] = c1;
            along += b1 * NAME(load)(angular + 30 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 30 * capacity + lane) + b1 * NAME(load)(angular_rates + 30 * capacity + lane);
            t[31] = a2;
            t_rate[31] = c2;
            along += b2 * NAME(load)(angular + 31 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 31 * capacity + lane) + b2 * NAME(load)(angular_rates + 31 * capacity + lane);
        }
        {
            vec a0 = {0}, b0 = {0}, c0 = {0}, d0 = {0};
            vec a1 = {0}, b1 = {0}, c1 = {0}, d1 = {0};
            vec a2 = {0}, b2 = {0}, c2 = {0}, d2 = {0};
            for (int64_t n = 0; n < n_radial; ++n) {
                const vec r = NAME(load)(radial + n * capacity);
                const vec s = NAME(load)(slopes + n * capacity);
                const vec u = NAME(load)(curves + n * capacity) * rate, v = s * rate;
                const REAL g0 = sums[32 * width + n];
                const REAL h0 = sum_rates[32 * width + n];
                a0 += r * g0;
                b0 += s * g0;
                c0 += v * g0 + r * h0;
                d0 += u * g0 + s * h0;
                const REAL g1 = sums[33 * width + n];
                const REAL h1 = sum_rates[33 * width + n];
                a1 += r * g1;
                b1 += s * g1;
                c1 += v * g1 + r * h1;
                d1 += u * g1 + s * h1;
                const REAL g2 = sums[34 * width + n];
                const REAL h2 = sum_rates[34 * width + n];
                a2 += r * g2;
                b2 += s * g2;
                c2 += v * g2 + r * h2;
                d2 += u * g2 + s * h2;
            }
            t[32] = a0;
            t_rate[32] = c0;
            along += b0 * NAME(load)(angular + 32 * capacity + lane);
            along_rate += d0 * NAME(load)(angular + 32 * capacity + lane) + b0 * NAME(load)(angular_rates + 32 * capacity + lane);
            t[33] = a1;
            t_rate[33] = c1;
            along += b1 * NAME(load)(angular + 33 * capacity + lane);
            along_rate += d1 * NAME(load)(angular + 33 * capacity + lane) + b1 * NAME(load)(angular_rates + 33 * capacity + lane);
            t[34] = a2;
            t_rate[34] = c2;
            along += b2 * NAME(load)(angular + 34 * capacity + lane);
            along_rate += d2 * NAME(load)(angular + 34 * capacity + lane) + b2 * NAME(load)(angular_rates + 34 * capacity + lane);
        }
        across[0] += t[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[1] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[1] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[1] += t[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[2] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[2] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[2] += t[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[3] * NAME(load)(angular + 0 * capacity + lane) * (REAL)1 + t[3] * NAME(load)(angular_rates + 0 * capacity + lane) * (REAL)1;
        across[0] += t[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[4] * NAME(load)(angular + 1 * capacity + lane) * (REAL)2 + t[4] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)2;
        across[0] += t[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[5] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1 + t[5] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)1;
        across[1] += t[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[5] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1 + t[5] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)1;
        across[0] += t[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[6] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1 + t[6] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)1;
        across[2] += t[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[6] * NAME(load)(angular + 1 * capacity + lane) * (REAL)1 + t[6] * NAME(load)(angular_rates + 1 * capacity + lane) * (REAL)1;
        across[1] += t[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[7] * NAME(load)(angular + 2 * capacity + lane) * (REAL)2 + t[7] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)2;
        across[1] += t[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[8] * NAME(load)(angular + 3 * capacity + lane) * (REAL)1 + t[8] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)1;
        across[2] += t[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[8] * NAME(load)(angular + 2 * capacity + lane) * (REAL)1 + t[8] * NAME(load)(angular_rates + 2 * capacity + lane) * (REAL)1;
        across[2] += t[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[9] * NAME(load)(angular + 3 * capacity + lane) * (REAL)2 + t[9] * NAME(load)(angular_rates + 3 * capacity + lane) * (REAL)2;
        across[0] += t[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3;
        across_rate[0] += t_rate[10] * NAME(load)(angular + 4 * capacity + lane) * (REAL)3 + t[10] * NAME(load)(angular_rates + 4 * capacity + lane) * (REAL)3;
        across[0] += t[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[11] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2 + t[11] * NAME(load)(angular_rates + 5 * capacity + lane) * (REAL)2;
        across[1] += t[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[11] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1 + t[11] * NAME(load)(angular_rates + 4 * capacity + lane) * (REAL)1;
        across[0] += t[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[12] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2 + t[12] * NAME(load)(angular_rates + 6 * capacity + lane) * (REAL)2;
        across[2] += t[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[12] * NAME(load)(angular + 4 * capacity + lane) * (REAL)1 + t[12] * NAME(load)(angular_rates + 4 * capacity + lane) * (REAL)1;
        across[0] += t[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[13] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1 + t[13] * NAME(load)(angular_rates + 7 * capacity + lane) * (REAL)1;
        across[1] += t[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[13] * NAME(load)(angular + 5 * capacity + lane) * (REAL)2 + t[13] * NAME(load)(angular_rates + 5 * capacity + lane) * (REAL)2;
        across[0] += t[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[14] * NAME(load)(angular + 8 * capacity + lane) * (REAL)1 + t[14] * NAME(load)(angular_rates + 8 * capacity + lane) * (REAL)1;
        across[1] += t[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[14] * NAME(load)(angular + 6 * capacity + lane) * (REAL)1 + t[14] * NAME(load)(angular_rates + 6 * capacity + lane) * (REAL)1;
        across[2] += t[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[14] * NAME(load)(angular + 5 * capacity + lane) * (REAL)1 + t[14] * NAME(load)(angular_rates + 5 * capacity + lane) * (REAL)1;
        across[0] += t[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[15] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1 + t[15] * NAME(load)(angular_rates + 9 * capacity + lane) * (REAL)1;
        across[2] += t[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[15] * NAME(load)(angular + 6 * capacity + lane) * (REAL)2 + t[15] * NAME(load)(angular_rates + 6 * capacity + lane) * (REAL)2;
        across[1] += t[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3;
        across_rate[1] += t_rate[16] * NAME(load)(angular + 7 * capacity + lane) * (REAL)3 + t[16] * NAME(load)(angular_rates + 7 * capacity + lane) * (REAL)3;
        across[1] += t[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[17] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2 + t[17] * NAME(load)(angular_rates + 8 * capacity + lane) * (REAL)2;
        across[2] += t[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[17] * NAME(load)(angular + 7 * capacity + lane) * (REAL)1 + t[17] * NAME(load)(angular_rates + 7 * capacity + lane) * (REAL)1;
        across[1] += t[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[18] * NAME(load)(angular + 9 * capacity + lane) * (REAL)1 + t[18] * NAME(load)(angular_rates + 9 * capacity + lane) * (REAL)1;
        across[2] += t[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[18] * NAME(load)(angular + 8 * capacity + lane) * (REAL)2 + t[18] * NAME(load)(angular_rates + 8 * capacity + lane) * (REAL)2;
        across[2] += t[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3;
        across_rate[2] += t_rate[19] * NAME(load)(angular + 9 * capacity + lane) * (REAL)3 + t[19] * NAME(load)(angular_rates + 9 * capacity + lane) * (REAL)3;
        across[0] += t[20] * NAME(load)(angular + 10 * capacity + lane) * (REAL)4;
        across_rate[0] += t_rate[20] * NAME(load)(angular + 10 * capacity + lane) * (REAL)4 + t[20] * NAME(load)(angular_rates + 10 * capacity + lane) * (REAL)4;
        across[0] += t[21] * NAME(load)(angular + 11 * capacity + lane) * (REAL)3;
        across_rate[0] += t_rate[21] * NAME(load)(angular + 11 * capacity + lane) * (REAL)3 + t[21] * NAME(load)(angular_rates + 11 * capacity + lane) * (REAL)3;
        across[1] += t[21] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[21] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1 + t[21] * NAME(load)(angular_rates + 10 * capacity + lane) * (REAL)1;
        across[0] += t[22] * NAME(load)(angular + 12 * capacity + lane) * (REAL)3;
        across_rate[0] += t_rate[22] * NAME(load)(angular + 12 * capacity + lane) * (REAL)3 + t[22] * NAME(load)(angular_rates + 12 * capacity + lane) * (REAL)3;
        across[2] += t[22] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[22] * NAME(load)(angular + 10 * capacity + lane) * (REAL)1 + t[22] * NAME(load)(angular_rates + 10 * capacity + lane) * (REAL)1;
        across[0] += t[23] * NAME(load)(angular + 13 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[23] * NAME(load)(angular + 13 * capacity + lane) * (REAL)2 + t[23] * NAME(load)(angular_rates + 13 * capacity + lane) * (REAL)2;
        across[1] += t[23] * NAME(load)(angular + 11 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[23] * NAME(load)(angular + 11 * capacity + lane) * (REAL)2 + t[23] * NAME(load)(angular_rates + 11 * capacity + lane) * (REAL)2;
        across[0] += t[24] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[24] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2 + t[24] * NAME(load)(angular_rates + 14 * capacity + lane) * (REAL)2;
        across[1] += t[24] * NAME(load)(angular + 12 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[24] * NAME(load)(angular + 12 * capacity + lane) * (REAL)1 + t[24] * NAME(load)(angular_rates + 12 * capacity + lane) * (REAL)1;
        across[2] += t[24] * NAME(load)(angular + 11 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[24] * NAME(load)(angular + 11 * capacity + lane) * (REAL)1 + t[24] * NAME(load)(angular_rates + 11 * capacity + lane) * (REAL)1;
        across[0] += t[25] * NAME(load)(angular + 15 * capacity + lane) * (REAL)2;
        across_rate[0] += t_rate[25] * NAME(load)(angular + 15 * capacity + lane) * (REAL)2 + t[25] * NAME(load)(angular_rates + 15 * capacity + lane) * (REAL)2;
        across[2] += t[25] * NAME(load)(angular + 12 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[25] * NAME(load)(angular + 12 * capacity + lane) * (REAL)2 + t[25] * NAME(load)(angular_rates + 12 * capacity + lane) * (REAL)2;
        across[0] += t[26] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[26] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1 + t[26] * NAME(load)(angular_rates + 16 * capacity + lane) * (REAL)1;
        across[1] += t[26] * NAME(load)(angular + 13 * capacity + lane) * (REAL)3;
        across_rate[1] += t_rate[26] * NAME(load)(angular + 13 * capacity + lane) * (REAL)3 + t[26] * NAME(load)(angular_rates + 13 * capacity + lane) * (REAL)3;
        across[0] += t[27] * NAME(load)(angular + 17 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[27] * NAME(load)(angular + 17 * capacity + lane) * (REAL)1 + t[27] * NAME(load)(angular_rates + 17 * capacity + lane) * (REAL)1;
        across[1] += t[27] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[27] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2 + t[27] * NAME(load)(angular_rates + 14 * capacity + lane) * (REAL)2;
        across[2] += t[27] * NAME(load)(angular + 13 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[27] * NAME(load)(angular + 13 * capacity + lane) * (REAL)1 + t[27] * NAME(load)(angular_rates + 13 * capacity + lane) * (REAL)1;
        across[0] += t[28] * NAME(load)(angular + 18 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[28] * NAME(load)(angular + 18 * capacity + lane) * (REAL)1 + t[28] * NAME(load)(angular_rates + 18 * capacity + lane) * (REAL)1;
        across[1] += t[28] * NAME(load)(angular + 15 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[28] * NAME(load)(angular + 15 * capacity + lane) * (REAL)1 + t[28] * NAME(load)(angular_rates + 15 * capacity + lane) * (REAL)1;
        across[2] += t[28] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[28] * NAME(load)(angular + 14 * capacity + lane) * (REAL)2 + t[28] * NAME(load)(angular_rates + 14 * capacity + lane) * (REAL)2;
        across[0] += t[29] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1;
        across_rate[0] += t_rate[29] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1 + t[29] * NAME(load)(angular_rates + 19 * capacity + lane) * (REAL)1;
        across[2] += t[29] * NAME(load)(angular + 15 * capacity + lane) * (REAL)3;
        across_rate[2] += t_rate[29] * NAME(load)(angular + 15 * capacity + lane) * (REAL)3 + t[29] * NAME(load)(angular_rates + 15 * capacity + lane) * (REAL)3;
        across[1] += t[30] * NAME(load)(angular + 16 * capacity + lane) * (REAL)4;
        across_rate[1] += t_rate[30] * NAME(load)(angular + 16 * capacity + lane) * (REAL)4 + t[30] * NAME(load)(angular_rates + 16 * capacity + lane) * (REAL)4;
        across[1] += t[31] * NAME(load)(angular + 17 * capacity + lane) * (REAL)3;
        across_rate[1] += t_rate[31] * NAME(load)(angular + 17 * capacity + lane) * (REAL)3 + t[31] * NAME(load)(angular_rates + 17 * capacity + lane) * (REAL)3;
        across[2] += t[31] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1;
        across_rate[2] += t_rate[31] * NAME(load)(angular + 16 * capacity + lane) * (REAL)1 + t[31] * NAME(load)(angular_rates + 16 * capacity + lane) * (REAL)1;
        across[1] += t[32] * NAME(load)(angular + 18 * capacity + lane) * (REAL)2;
        across_rate[1] += t_rate[32] * NAME(load)(angular + 18 * capacity + lane) * (REAL)2 + t[32] * NAME(load)(angular_rates + 18 * capacity + lane) * (REAL)2;
        across[2] += t[32] * NAME(load)(angular + 17 * capacity + lane) * (REAL)2;
        across_rate[2] += t_rate[32] * NAME(load)(angular + 17 * capacity + lane) * (REAL)2 + t[32] * NAME(load)(angular_rates + 17 * capacity + lane) * (REAL)2;
        across[1] += t[33] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1;
        across_rate[1] += t_rate[33] * NAME(load)(angular + 19 * capacity + lane) * (REAL)1 + t[33] * NAME(load)(angular_rates + 19 * capacity + lane) * (REAL)1;
        across[2] += t[33] * NAME(load)(angular + 18 * capacity + lane) * (REAL)3;
        across_rate[2] += t_rate[33] * NAME(load)(angular + 18 * capacity + lane) * (REAL)3 + t[33] * NAME(load)(angular_rates + 18 * capacity + lane) * (REAL)3;
        across[2] += t[34] * NAME(load)(angular + 19 * capacity + lane) * (REAL)4;
        across_rate[2] += t_rate[34] * NAME(load)(angular + 19 * capacity + lane) * (REAL)4 + t[34] * NAME(load)(angular_rates + 19 * capacity + lane) * (REAL)4;
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
static void NAME(sums_of_atom_4)(const fused_cace *cace, int64_t atom, const REAL *change,
                                   training *t)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 35 * width;
    const int64_t n_embedding = model->n_embedding;
    fused_model without_receiver = *model;
    without_receiver.receiver = t->ones;
    NAME(fill_lanes)(cace, atom, change, t);
    NAME(monomials_4)(&t->s);
    memset(t->raw, 0, n_embedding * block * sizeof *t->raw);
    if (change) {
        NAME(angular_rates_4)(t);
        memset(t->raw_rates, 0, n_embedding * block * sizeof *t->raw);
    }
    for (int64_t kind = 0; kind < model->n_kinds; ++kind) {
        const int64_t begin = t->s.start[kind], end = t->s.start[kind + 1];
        const REAL *sender = (const REAL *)model->sender + kind * n_embedding;
        if (begin == end)
            continue;
        t->s.sums = t->sums + kind * block;
        NAME(sum_4)(&t->s, begin, end, width);
        for (int64_t e = 0; e < n_embedding; ++e)
            NAME(add_times)(t->raw + e * block, t->s.sums, sender[e], block);
        if (change) {
            t->s.sums = t->sum_rates + kind * block;
            NAME(sum_rates_4)(t, begin, end, width);
            for (int64_t e = 0; e < n_embedding; ++e)
                NAME(add_times)(t->raw_rates + e * block, t->s.sums, sender[e], block);
        }
    }
    const int64_t n_mixed = PADDED(model->n_mixed), n_rows = 35 * n_embedding;
    const REAL *own = (const REAL *)model->receiver + cace->kinds[atom] * n_mixed;
    NAME(mix_4)(&without_receiver, 0, t->raw, t->plain);
    NAME(times_receiver)(t->mixed, t->plain, own, n_rows, n_mixed);
    if (change) {
        NAME(mix_4)(&without_receiver, 0, t->raw_rates, t->plain_rates);
        NAME(times_receiver)(t->mixed_rates, t->plain_rates, own, n_rows, n_mixed);
    }
}

static void NAME(by_mixing_4)(const fused_model *model, const REAL *raw, const REAL *by_mixed,
                                REAL *by_mixing)
{
    static const int64_t starts[] = {0, 1, 4, 10, 20, 35};
    const int64_t n_embedding = model->n_embedding, width = PADDED(model->n_radial);
    const int64_t n_mixed = PADDED(model->n_mixed), columns = n_embedding * n_mixed;
    for (int degree = 0; degree <= 4; ++degree)
        for (int64_t e = 0; e < n_embedding; ++e)
            for (int64_t n = 0; n < model->n_radial; ++n, by_mixing += n_mixed)
                for (int64_t m = 0; m < n_mixed; m += LANES) {
                    vec total = NAME(load)(by_mixing + m);
                    for (int64_t l = starts[degree]; l < starts[degree + 1]; ++l)
                        total += raw[(e * 35 + l) * width + n]
                            * NAME(load)(by_mixed + l * columns + e * n_mixed + m);
                    NAME(store)(by_mixing + m, total);
                }
}

/* Gradients of one atom from those by its mixed sums and, with a change, by their rates. */
static void NAME(gradients_of_atom_4)(const fused_cace *cace, int64_t atom, int has_rates,
                                        training *t, const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    const int64_t width = PADDED(model->n_radial), block = 35 * width;
    const int64_t n_embedding = model->n_embedding, n_mixed = PADDED(model->n_mixed);
    const int64_t n_rows = 35 * n_embedding, place = cace->kinds[atom] * n_mixed;
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
    NAME(unmix_4)(&without_receiver, 0, t->by_mixed, t->by_raw);
    if (to->mixing)
        NAME(by_mixing_4)(model, t->raw, t->by_mixed, to->mixing);
    if (has_rates) {
        NAME(times_receiver)(t->by_mixed_rates, t->by_mixed_rates, own, n_rows, n_mixed);
        NAME(unmix_4)(&without_receiver, 0, t->by_mixed_rates, t->by_raw_rates);
        if (to->mixing)
            NAME(by_mixing_4)(model, t->raw_rates, t->by_mixed_rates, to->mixing);
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
            NAME(by_frequencies)(cace, t, kind, 35, has_rates, to->frequencies);
        if (to->vectors && has_rates)
            NAME(second_vectors_4)(cace, t, kind, atom, to->vectors);
        else if (to->vectors)
            NAME(vectors_4)(cace, t, kind, atom, to->vectors);
    }
}

typedef void (*NAME(second_products_4))(const REAL *, const REAL *, const REAL *, REAL *, REAL *,
                                          REAL *, int64_t);

static void NAME(second_4_1)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        const vec e20 = NAME(load)(rates + 20 * columns + c);
        const vec e21 = NAME(load)(rates + 21 * columns + c);
        const vec e22 = NAME(load)(rates + 22 * columns + c);
        const vec e23 = NAME(load)(rates + 23 * columns + c);
        const vec e24 = NAME(load)(rates + 24 * columns + c);
        const vec e25 = NAME(load)(rates + 25 * columns + c);
        const vec e26 = NAME(load)(rates + 26 * columns + c);
        const vec e27 = NAME(load)(rates + 27 * columns + c);
        const vec e28 = NAME(load)(rates + 28 * columns + c);
        const vec e29 = NAME(load)(rates + 29 * columns + c);
        const vec e30 = NAME(load)(rates + 30 * columns + c);
        const vec e31 = NAME(load)(rates + 31 * columns + c);
        const vec e32 = NAME(load)(rates + 32 * columns + c);
        const vec e33 = NAME(load)(rates + 33 * columns + c);
        const vec e34 = NAME(load)(rates + 34 * columns + c);
        NAME(store)(value_rates + c, e0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        vec g20 = {0}, p20 = {0};
        vec g21 = {0}, p21 = {0};
        vec g22 = {0}, p22 = {0};
        vec g23 = {0}, p23 = {0};
        vec g24 = {0}, p24 = {0};
        vec g25 = {0}, p25 = {0};
        vec g26 = {0}, p26 = {0};
        vec g27 = {0}, p27 = {0};
        vec g28 = {0}, p28 = {0};
        vec g29 = {0}, p29 = {0};
        vec g30 = {0}, p30 = {0};
        vec g31 = {0}, p31 = {0};
        vec g32 = {0}, p32 = {0};
        vec g33 = {0}, p33 = {0};
        vec g34 = {0}, p34 = {0};
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
        NAME(store)(gradients + 20 * columns + c, g20);
        NAME(store)(gradient_rates + 20 * columns + c, p20);
        NAME(store)(gradients + 21 * columns + c, g21);
        NAME(store)(gradient_rates + 21 * columns + c, p21);
        NAME(store)(gradients + 22 * columns + c, g22);
        NAME(store)(gradient_rates + 22 * columns + c, p22);
        NAME(store)(gradients + 23 * columns + c, g23);
        NAME(store)(gradient_rates + 23 * columns + c, p23);
        NAME(store)(gradients + 24 * columns + c, g24);
        NAME(store)(gradient_rates + 24 * columns + c, p24);
        NAME(store)(gradients + 25 * columns + c, g25);
        NAME(store)(gradient_rates + 25 * columns + c, p25);
        NAME(store)(gradients + 26 * columns + c, g26);
        NAME(store)(gradient_rates + 26 * columns + c, p26);
        NAME(store)(gradients + 27 * columns + c, g27);
        NAME(store)(gradient_rates + 27 * columns + c, p27);
        NAME(store)(gradients + 28 * columns + c, g28);
        NAME(store)(gradient_rates + 28 * columns + c, p28);
        NAME(store)(gradients + 29 * columns + c, g29);
        NAME(store)(gradient_rates + 29 * columns + c, p29);
        NAME(store)(gradients + 30 * columns + c, g30);
        NAME(store)(gradient_rates + 30 * columns + c, p30);
        NAME(store)(gradients + 31 * columns + c, g31);
        NAME(store)(gradient_rates + 31 * columns + c, p31);
        NAME(store)(gradients + 32 * columns + c, g32);
        NAME(store)(gradient_rates + 32 * columns + c, p32);
        NAME(store)(gradients + 33 * columns + c, g33);
        NAME(store)(gradient_rates + 33 * columns + c, p33);
        NAME(store)(gradients + 34 * columns + c, g34);
        NAME(store)(gradient_rates + 34 * columns + c, p34);
    }
}

static void NAME(second_4_2)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        const vec e20 = NAME(load)(rates + 20 * columns + c);
        const vec e21 = NAME(load)(rates + 21 * columns + c);
        const vec e22 = NAME(load)(rates + 22 * columns + c);
        const vec e23 = NAME(load)(rates + 23 * columns + c);
        const vec e24 = NAME(load)(rates + 24 * columns + c);
        const vec e25 = NAME(load)(rates + 25 * columns + c);
        const vec e26 = NAME(load)(rates + 26 * columns + c);
        const vec e27 = NAME(load)(rates + 27 * columns + c);
        const vec e28 = NAME(load)(rates + 28 * columns + c);
        const vec e29 = NAME(load)(rates + 29 * columns + c);
        const vec e30 = NAME(load)(rates + 30 * columns + c);
        const vec e31 = NAME(load)(rates + 31 * columns + c);
        const vec e32 = NAME(load)(rates + 32 * columns + c);
        const vec e33 = NAME(load)(rates + 33 * columns + c);
        const vec e34 = NAME(load)(rates + 34 * columns + c);
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e10 * a10 + a10 * e10) * (REAL)1.0 + (e11 * a11 + a11 * e11) * (REAL)3.0 + (e12 * a12 + a12 * e12) * (REAL)3.0 + (e13 * a13 + a13 * e13) * (REAL)3.0 + (e14 * a14 + a14 * e14) * (REAL)6.0 + (e15 * a15 + a15 * e15) * (REAL)3.0 + (e16 * a16 + a16 * e16) * (REAL)1.0 + (e17 * a17 + a17 * e17) * (REAL)3.0 + (e18 * a18 + a18 * e18) * (REAL)3.0 + (e19 * a19 + a19 * e19) * (REAL)1.0);
        NAME(store)(value_rates + 4 * columns + c, (e20 * a20 + a20 * e20) * (REAL)1.0 + (e21 * a21 + a21 * e21) * (REAL)4.0 + (e22 * a22 + a22 * e22) * (REAL)4.0 + (e23 * a23 + a23 * e23) * (REAL)6.0 + (e24 * a24 + a24 * e24) * (REAL)12.0 + (e25 * a25 + a25 * e25) * (REAL)6.0 + (e26 * a26 + a26 * e26) * (REAL)4.0 + (e27 * a27 + a27 * e27) * (REAL)12.0 + (e28 * a28 + a28 * e28) * (REAL)12.0 + (e29 * a29 + a29 * e29) * (REAL)4.0 + (e30 * a30 + a30 * e30) * (REAL)1.0 + (e31 * a31 + a31 * e31) * (REAL)4.0 + (e32 * a32 + a32 * e32) * (REAL)6.0 + (e33 * a33 + a33 * e33) * (REAL)4.0 + (e34 * a34 + a34 * e34) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        vec g20 = {0}, p20 = {0};
        vec g21 = {0}, p21 = {0};
        vec g22 = {0}, p22 = {0};
        vec g23 = {0}, p23 = {0};
        vec g24 = {0}, p24 = {0};
        vec g25 = {0}, p25 = {0};
        vec g26 = {0}, p26 = {0};
        vec g27 = {0}, p27 = {0};
        vec g28 = {0}, p28 = {0};
        vec g29 = {0}, p29 = {0};
        vec g30 = {0}, p30 = {0};
        vec g31 = {0}, p31 = {0};
        vec g32 = {0}, p32 = {0};
        vec g33 = {0}, p33 = {0};
        vec g34 = {0}, p34 = {0};
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        const vec w4 = NAME(load)(by_values + 4 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g20 += w4 * a20 * (REAL)1.0;
        p20 += w4 * e20 * (REAL)1.0;
        g20 += w4 * a20 * (REAL)1.0;
        p20 += w4 * e20 * (REAL)1.0;
        g21 += w4 * a21 * (REAL)4.0;
        p21 += w4 * e21 * (REAL)4.0;
        g21 += w4 * a21 * (REAL)4.0;
        p21 += w4 * e21 * (REAL)4.0;
        g22 += w4 * a22 * (REAL)4.0;
        p22 += w4 * e22 * (REAL)4.0;
        g22 += w4 * a22 * (REAL)4.0;
        p22 += w4 * e22 * (REAL)4.0;
        g23 += w4 * a23 * (REAL)6.0;
        p23 += w4 * e23 * (REAL)6.0;
        g23 += w4 * a23 * (REAL)6.0;
        p23 += w4 * e23 * (REAL)6.0;
        g24 += w4 * a24 * (REAL)12.0;
        p24 += w4 * e24 * (REAL)12.0;
        g24 += w4 * a24 * (REAL)12.0;
        p24 += w4 * e24 * (REAL)12.0;
        g25 += w4 * a25 * (REAL)6.0;
        p25 += w4 * e25 * (REAL)6.0;
        g25 += w4 * a25 * (REAL)6.0;
        p25 += w4 * e25 * (REAL)6.0;
        g26 += w4 * a26 * (REAL)4.0;
        p26 += w4 * e26 * (REAL)4.0;
        g26 += w4 * a26 * (REAL)4.0;
        p26 += w4 * e26 * (REAL)4.0;
        g27 += w4 * a27 * (REAL)12.0;
        p27 += w4 * e27 * (REAL)12.0;
        g27 += w4 * a27 * (REAL)12.0;
        p27 += w4 * e27 * (REAL)12.0;
        g28 += w4 * a28 * (REAL)12.0;
        p28 += w4 * e28 * (REAL)12.0;
        g28 += w4 * a28 * (REAL)12.0;
        p28 += w4 * e28 * (REAL)12.0;
        g29 += w4 * a29 * (REAL)4.0;
        p29 += w4 * e29 * (REAL)4.0;
        g29 += w4 * a29 * (REAL)4.0;
        p29 += w4 * e29 * (REAL)4.0;
        g30 += w4 * a30 * (REAL)1.0;
        p30 += w4 * e30 * (REAL)1.0;
        g30 += w4 * a30 * (REAL)1.0;
        p30 += w4 * e30 * (REAL)1.0;
        g31 += w4 * a31 * (REAL)4.0;
        p31 += w4 * e31 * (REAL)4.0;
        g31 += w4 * a31 * (REAL)4.0;
        p31 += w4 * e31 * (REAL)4.0;
        g32 += w4 * a32 * (REAL)6.0;
        p32 += w4 * e32 * (REAL)6.0;
        g32 += w4 * a32 * (REAL)6.0;
        p32 += w4 * e32 * (REAL)6.0;
        g33 += w4 * a33 * (REAL)4.0;
        p33 += w4 * e33 * (REAL)4.0;
        g33 += w4 * a33 * (REAL)4.0;
        p33 += w4 * e33 * (REAL)4.0;
        g34 += w4 * a34 * (REAL)1.0;
        p34 += w4 * e34 * (REAL)1.0;
        g34 += w4 * a34 * (REAL)1.0;
        p34 += w4 * e34 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
        NAME(store)(gradients + 20 * columns + c, g20);
        NAME(store)(gradient_rates + 20 * columns + c, p20);
        NAME(store)(gradients + 21 * columns + c, g21);
        NAME(store)(gradient_rates + 21 * columns + c, p21);
        NAME(store)(gradients + 22 * columns + c, g22);
        NAME(store)(gradient_rates + 22 * columns + c, p22);
        NAME(store)(gradients + 23 * columns + c, g23);
        NAME(store)(gradient_rates + 23 * columns + c, p23);
        NAME(store)(gradients + 24 * columns + c, g24);
        NAME(store)(gradient_rates + 24 * columns + c, p24);
        NAME(store)(gradients + 25 * columns + c, g25);
        NAME(store)(gradient_rates + 25 * columns + c, p25);
        NAME(store)(gradients + 26 * columns + c, g26);
        NAME(store)(gradient_rates + 26 * columns + c, p26);
        NAME(store)(gradients + 27 * columns + c, g27);
        NAME(store)(gradient_rates + 27 * columns + c, p27);
        NAME(store)(gradients + 28 * columns + c, g28);
        NAME(store)(gradient_rates + 28 * columns + c, p28);
        NAME(store)(gradients + 29 * columns + c, g29);
        NAME(store)(gradient_rates + 29 * columns + c, p29);
        NAME(store)(gradients + 30 * columns + c, g30);
        NAME(store)(gradient_rates + 30 * columns + c, p30);
        NAME(store)(gradients + 31 * columns + c, g31);
        NAME(store)(gradient_rates + 31 * columns + c, p31);
        NAME(store)(gradients + 32 * columns + c, g32);
        NAME(store)(gradient_rates + 32 * columns + c, p32);
        NAME(store)(gradients + 33 * columns + c, g33);
        NAME(store)(gradient_rates + 33 * columns + c, p33);
        NAME(store)(gradients + 34 * columns + c, g34);
        NAME(store)(gradient_rates + 34 * columns + c, p34);
    }
}

static void NAME(second_4_3)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        const vec e20 = NAME(load)(rates + 20 * columns + c);
        const vec e21 = NAME(load)(rates + 21 * columns + c);
        const vec e22 = NAME(load)(rates + 22 * columns + c);
        const vec e23 = NAME(load)(rates + 23 * columns + c);
        const vec e24 = NAME(load)(rates + 24 * columns + c);
        const vec e25 = NAME(load)(rates + 25 * columns + c);
        const vec e26 = NAME(load)(rates + 26 * columns + c);
        const vec e27 = NAME(load)(rates + 27 * columns + c);
        const vec e28 = NAME(load)(rates + 28 * columns + c);
        const vec e29 = NAME(load)(rates + 29 * columns + c);
        const vec e30 = NAME(load)(rates + 30 * columns + c);
        const vec e31 = NAME(load)(rates + 31 * columns + c);
        const vec e32 = NAME(load)(rates + 32 * columns + c);
        const vec e33 = NAME(load)(rates + 33 * columns + c);
        const vec e34 = NAME(load)(rates + 34 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec u0 = (e1 * a4 + a1 * e4) * (REAL)1.0 + (e2 * a5 + a2 * e5) * (REAL)1.0 + (e3 * a6 + a3 * e6) * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec u1 = (e1 * a5 + a1 * e5) * (REAL)1.0 + (e2 * a7 + a2 * e7) * (REAL)1.0 + (e3 * a8 + a3 * e8) * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec u2 = (e1 * a6 + a1 * e6) * (REAL)1.0 + (e2 * a8 + a2 * e8) * (REAL)1.0 + (e3 * a9 + a3 * e9) * (REAL)1.0;
        const vec t3 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec u3 = (e4 * a10 + a4 * e10) * (REAL)1.0 + (e5 * a11 + a5 * e11) * (REAL)2.0 + (e6 * a12 + a6 * e12) * (REAL)2.0 + (e7 * a13 + a7 * e13) * (REAL)1.0 + (e8 * a14 + a8 * e14) * (REAL)2.0 + (e9 * a15 + a9 * e15) * (REAL)1.0;
        const vec t4 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec u4 = (e4 * a11 + a4 * e11) * (REAL)1.0 + (e5 * a13 + a5 * e13) * (REAL)2.0 + (e6 * a14 + a6 * e14) * (REAL)2.0 + (e7 * a16 + a7 * e16) * (REAL)1.0 + (e8 * a17 + a8 * e17) * (REAL)2.0 + (e9 * a18 + a9 * e18) * (REAL)1.0;
        const vec t5 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec u5 = (e4 * a12 + a4 * e12) * (REAL)1.0 + (e5 * a14 + a5 * e14) * (REAL)2.0 + (e6 * a15 + a6 * e15) * (REAL)2.0 + (e7 * a17 + a7 * e17) * (REAL)1.0 + (e8 * a18 + a8 * e18) * (REAL)2.0 + (e9 * a19 + a9 * e19) * (REAL)1.0;
        const vec t6 = a4 * a20 * (REAL)1.0 + a5 * a21 * (REAL)2.0 + a6 * a22 * (REAL)2.0 + a7 * a23 * (REAL)1.0 + a8 * a24 * (REAL)2.0 + a9 * a25 * (REAL)1.0;
        const vec u6 = (e4 * a20 + a4 * e20) * (REAL)1.0 + (e5 * a21 + a5 * e21) * (REAL)2.0 + (e6 * a22 + a6 * e22) * (REAL)2.0 + (e7 * a23 + a7 * e23) * (REAL)1.0 + (e8 * a24 + a8 * e24) * (REAL)2.0 + (e9 * a25 + a9 * e25) * (REAL)1.0;
        const vec t7 = a4 * a21 * (REAL)1.0 + a5 * a23 * (REAL)2.0 + a6 * a24 * (REAL)2.0 + a7 * a26 * (REAL)1.0 + a8 * a27 * (REAL)2.0 + a9 * a28 * (REAL)1.0;
        const vec u7 = (e4 * a21 + a4 * e21) * (REAL)1.0 + (e5 * a23 + a5 * e23) * (REAL)2.0 + (e6 * a24 + a6 * e24) * (REAL)2.0 + (e7 * a26 + a7 * e26) * (REAL)1.0 + (e8 * a27 + a8 * e27) * (REAL)2.0 + (e9 * a28 + a9 * e28) * (REAL)1.0;
        const vec t8 = a4 * a22 * (REAL)1.0 + a5 * a24 * (REAL)2.0 + a6 * a25 * (REAL)2.0 + a7 * a27 * (REAL)1.0 + a8 * a28 * (REAL)2.0 + a9 * a29 * (REAL)1.0;
        const vec u8 = (e4 * a22 + a4 * e22) * (REAL)1.0 + (e5 * a24 + a5 * e24) * (REAL)2.0 + (e6 * a25 + a6 * e25) * (REAL)2.0 + (e7 * a27 + a7 * e27) * (REAL)1.0 + (e8 * a28 + a8 * e28) * (REAL)2.0 + (e9 * a29 + a9 * e29) * (REAL)1.0;
        const vec t9 = a4 * a23 * (REAL)1.0 + a5 * a26 * (REAL)2.0 + a6 * a27 * (REAL)2.0 + a7 * a30 * (REAL)1.0 + a8 * a31 * (REAL)2.0 + a9 * a32 * (REAL)1.0;
        const vec u9 = (e4 * a23 + a4 * e23) * (REAL)1.0 + (e5 * a26 + a5 * e26) * (REAL)2.0 + (e6 * a27 + a6 * e27) * (REAL)2.0 + (e7 * a30 + a7 * e30) * (REAL)1.0 + (e8 * a31 + a8 * e31) * (REAL)2.0 + (e9 * a32 + a9 * e32) * (REAL)1.0;
        const vec t10 = a4 * a24 * (REAL)1.0 + a5 * a27 * (REAL)2.0 + a6 * a28 * (REAL)2.0 + a7 * a31 * (REAL)1.0 + a8 * a32 * (REAL)2.0 + a9 * a33 * (REAL)1.0;
        const vec u10 = (e4 * a24 + a4 * e24) * (REAL)1.0 + (e5 * a27 + a5 * e27) * (REAL)2.0 + (e6 * a28 + a6 * e28) * (REAL)2.0 + (e7 * a31 + a7 * e31) * (REAL)1.0 + (e8 * a32 + a8 * e32) * (REAL)2.0 + (e9 * a33 + a9 * e33) * (REAL)1.0;
        const vec t11 = a4 * a25 * (REAL)1.0 + a5 * a28 * (REAL)2.0 + a6 * a29 * (REAL)2.0 + a7 * a32 * (REAL)1.0 + a8 * a33 * (REAL)2.0 + a9 * a34 * (REAL)1.0;
        const vec u11 = (e4 * a25 + a4 * e25) * (REAL)1.0 + (e5 * a28 + a5 * e28) * (REAL)2.0 + (e6 * a29 + a6 * e29) * (REAL)2.0 + (e7 * a32 + a7 * e32) * (REAL)1.0 + (e8 * a33 + a8 * e33) * (REAL)2.0 + (e9 * a34 + a9 * e34) * (REAL)1.0;
        const vec t12 = a10 * a20 * (REAL)1.0 + a11 * a21 * (REAL)3.0 + a12 * a22 * (REAL)3.0 + a13 * a23 * (REAL)3.0 + a14 * a24 * (REAL)6.0 + a15 * a25 * (REAL)3.0 + a16 * a26 * (REAL)1.0 + a17 * a27 * (REAL)3.0 + a18 * a28 * (REAL)3.0 + a19 * a29 * (REAL)1.0;
        const vec u12 = (e10 * a20 + a10 * e20) * (REAL)1.0 + (e11 * a21 + a11 * e21) * (REAL)3.0 + (e12 * a22 + a12 * e22) * (REAL)3.0 + (e13 * a23 + a13 * e23) * (REAL)3.0 + (e14 * a24 + a14 * e24) * (REAL)6.0 + (e15 * a25 + a15 * e25) * (REAL)3.0 + (e16 * a26 + a16 * e26) * (REAL)1.0 + (e17 * a27 + a17 * e27) * (REAL)3.0 + (e18 * a28 + a18 * e28) * (REAL)3.0 + (e19 * a29 + a19 * e29) * (REAL)1.0;
        const vec t13 = a10 * a21 * (REAL)1.0 + a11 * a23 * (REAL)3.0 + a12 * a24 * (REAL)3.0 + a13 * a26 * (REAL)3.0 + a14 * a27 * (REAL)6.0 + a15 * a28 * (REAL)3.0 + a16 * a30 * (REAL)1.0 + a17 * a31 * (REAL)3.0 + a18 * a32 * (REAL)3.0 + a19 * a33 * (REAL)1.0;
        const vec u13 = (e10 * a21 + a10 * e21) * (REAL)1.0 + (e11 * a23 + a11 * e23) * (REAL)3.0 + (e12 * a24 + a12 * e24) * (REAL)3.0 + (e13 * a26 + a13 * e26) * (REAL)3.0 + (e14 * a27 + a14 * e27) * (REAL)6.0 + (e15 * a28 + a15 * e28) * (REAL)3.0 + (e16 * a30 + a16 * e30) * (REAL)1.0 + (e17 * a31 + a17 * e31) * (REAL)3.0 + (e18 * a32 + a18 * e32) * (REAL)3.0 + (e19 * a33 + a19 * e33) * (REAL)1.0;
        const vec t14 = a10 * a22 * (REAL)1.0 + a11 * a24 * (REAL)3.0 + a12 * a25 * (REAL)3.0 + a13 * a27 * (REAL)3.0 + a14 * a28 * (REAL)6.0 + a15 * a29 * (REAL)3.0 + a16 * a31 * (REAL)1.0 + a17 * a32 * (REAL)3.0 + a18 * a33 * (REAL)3.0 + a19 * a34 * (REAL)1.0;
        const vec u14 = (e10 * a22 + a10 * e22) * (REAL)1.0 + (e11 * a24 + a11 * e24) * (REAL)3.0 + (e12 * a25 + a12 * e25) * (REAL)3.0 + (e13 * a27 + a13 * e27) * (REAL)3.0 + (e14 * a28 + a14 * e28) * (REAL)6.0 + (e15 * a29 + a15 * e29) * (REAL)3.0 + (e16 * a31 + a16 * e31) * (REAL)1.0 + (e17 * a32 + a17 * e32) * (REAL)3.0 + (e18 * a33 + a18 * e33) * (REAL)3.0 + (e19 * a34 + a19 * e34) * (REAL)1.0;
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e10 * a10 + a10 * e10) * (REAL)1.0 + (e11 * a11 + a11 * e11) * (REAL)3.0 + (e12 * a12 + a12 * e12) * (REAL)3.0 + (e13 * a13 + a13 * e13) * (REAL)3.0 + (e14 * a14 + a14 * e14) * (REAL)6.0 + (e15 * a15 + a15 * e15) * (REAL)3.0 + (e16 * a16 + a16 * e16) * (REAL)1.0 + (e17 * a17 + a17 * e17) * (REAL)3.0 + (e18 * a18 + a18 * e18) * (REAL)3.0 + (e19 * a19 + a19 * e19) * (REAL)1.0);
        NAME(store)(value_rates + 4 * columns + c, (e20 * a20 + a20 * e20) * (REAL)1.0 + (e21 * a21 + a21 * e21) * (REAL)4.0 + (e22 * a22 + a22 * e22) * (REAL)4.0 + (e23 * a23 + a23 * e23) * (REAL)6.0 + (e24 * a24 + a24 * e24) * (REAL)12.0 + (e25 * a25 + a25 * e25) * (REAL)6.0 + (e26 * a26 + a26 * e26) * (REAL)4.0 + (e27 * a27 + a27 * e27) * (REAL)12.0 + (e28 * a28 + a28 * e28) * (REAL)12.0 + (e29 * a29 + a29 * e29) * (REAL)4.0 + (e30 * a30 + a30 * e30) * (REAL)1.0 + (e31 * a31 + a31 * e31) * (REAL)4.0 + (e32 * a32 + a32 * e32) * (REAL)6.0 + (e33 * a33 + a33 * e33) * (REAL)4.0 + (e34 * a34 + a34 * e34) * (REAL)1.0);
        NAME(store)(value_rates + 5 * columns + c, (e1 * t0 + a1 * u0) * (REAL)1.0 + (e2 * t1 + a2 * u1) * (REAL)1.0 + (e3 * t2 + a3 * u2) * (REAL)1.0);
        NAME(store)(value_rates + 6 * columns + c, (e1 * t3 + a1 * u3) * (REAL)1.0 + (e2 * t4 + a2 * u4) * (REAL)1.0 + (e3 * t5 + a3 * u5) * (REAL)1.0);
        NAME(store)(value_rates + 7 * columns + c, (e1 * t12 + a1 * u12) * (REAL)1.0 + (e2 * t13 + a2 * u13) * (REAL)1.0 + (e3 * t14 + a3 * u14) * (REAL)1.0);
        NAME(store)(value_rates + 8 * columns + c, (e4 * t6 + a4 * u6) * (REAL)1.0 + (e5 * t7 + a5 * u7) * (REAL)2.0 + (e6 * t8 + a6 * u8) * (REAL)2.0 + (e7 * t9 + a7 * u9) * (REAL)1.0 + (e8 * t10 + a8 * u10) * (REAL)2.0 + (e9 * t11 + a9 * u11) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        vec g20 = {0}, p20 = {0};
        vec g21 = {0}, p21 = {0};
        vec g22 = {0}, p22 = {0};
        vec g23 = {0}, p23 = {0};
        vec g24 = {0}, p24 = {0};
        vec g25 = {0}, p25 = {0};
        vec g26 = {0}, p26 = {0};
        vec g27 = {0}, p27 = {0};
        vec g28 = {0}, p28 = {0};
        vec g29 = {0}, p29 = {0};
        vec g30 = {0}, p30 = {0};
        vec g31 = {0}, p31 = {0};
        vec g32 = {0}, p32 = {0};
        vec g33 = {0}, p33 = {0};
        vec g34 = {0}, p34 = {0};
        vec h0 = {0}, q0 = {0};
        vec h1 = {0}, q1 = {0};
        vec h2 = {0}, q2 = {0};
        vec h3 = {0}, q3 = {0};
        vec h4 = {0}, q4 = {0};
        vec h5 = {0}, q5 = {0};
        vec h6 = {0}, q6 = {0};
        vec h7 = {0}, q7 = {0};
        vec h8 = {0}, q8 = {0};
        vec h9 = {0}, q9 = {0};
        vec h10 = {0}, q10 = {0};
        vec h11 = {0}, q11 = {0};
        vec h12 = {0}, q12 = {0};
        vec h13 = {0}, q13 = {0};
        vec h14 = {0}, q14 = {0};
        const vec w5 = NAME(load)(by_values + 5 * columns + c);
        const vec w6 = NAME(load)(by_values + 6 * columns + c);
        const vec w7 = NAME(load)(by_values + 7 * columns + c);
        const vec w8 = NAME(load)(by_values + 8 * columns + c);
        g1 += w5 * t0 * (REAL)1.0;
        p1 += w5 * u0 * (REAL)1.0;
        h0 += w5 * a1 * (REAL)1.0;
        q0 += w5 * e1 * (REAL)1.0;
        g2 += w5 * t1 * (REAL)1.0;
        p2 += w5 * u1 * (REAL)1.0;
        h1 += w5 * a2 * (REAL)1.0;
        q1 += w5 * e2 * (REAL)1.0;
        g3 += w5 * t2 * (REAL)1.0;
        p3 += w5 * u2 * (REAL)1.0;
        h2 += w5 * a3 * (REAL)1.0;
        q2 += w5 * e3 * (REAL)1.0;
        g1 += w6 * t3 * (REAL)1.0;
        p1 += w6 * u3 * (REAL)1.0;
        h3 += w6 * a1 * (REAL)1.0;
        q3 += w6 * e1 * (REAL)1.0;
        g2 += w6 * t4 * (REAL)1.0;
        p2 += w6 * u4 * (REAL)1.0;
        h4 += w6 * a2 * (REAL)1.0;
        q4 += w6 * e2 * (REAL)1.0;
        g3 += w6 * t5 * (REAL)1.0;
        p3 += w6 * u5 * (REAL)1.0;
        h5 += w6 * a3 * (REAL)1.0;
        q5 += w6 * e3 * (REAL)1.0;
        g1 += w7 * t12 * (REAL)1.0;
        p1 += w7 * u12 * (REAL)1.0;
        h12 += w7 * a1 * (REAL)1.0;
        q12 += w7 * e1 * (REAL)1.0;
        g2 += w7 * t13 * (REAL)1.0;
        p2 += w7 * u13 * (REAL)1.0;
        h13 += w7 * a2 * (REAL)1.0;
        q13 += w7 * e2 * (REAL)1.0;
        g3 += w7 * t14 * (REAL)1.0;
        p3 += w7 * u14 * (REAL)1.0;
        h14 += w7 * a3 * (REAL)1.0;
        q14 += w7 * e3 * (REAL)1.0;
        g4 += w8 * t6 * (REAL)1.0;
        p4 += w8 * u6 * (REAL)1.0;
        h6 += w8 * a4 * (REAL)1.0;
        q6 += w8 * e4 * (REAL)1.0;
        g5 += w8 * t7 * (REAL)2.0;
        p5 += w8 * u7 * (REAL)2.0;
        h7 += w8 * a5 * (REAL)2.0;
        q7 += w8 * e5 * (REAL)2.0;
        g6 += w8 * t8 * (REAL)2.0;
        p6 += w8 * u8 * (REAL)2.0;
        h8 += w8 * a6 * (REAL)2.0;
        q8 += w8 * e6 * (REAL)2.0;
        g7 += w8 * t9 * (REAL)1.0;
        p7 += w8 * u9 * (REAL)1.0;
        h9 += w8 * a7 * (REAL)1.0;
        q9 += w8 * e7 * (REAL)1.0;
        g8 += w8 * t10 * (REAL)2.0;
        p8 += w8 * u10 * (REAL)2.0;
        h10 += w8 * a8 * (REAL)2.0;
        q10 += w8 * e8 * (REAL)2.0;
        g9 += w8 * t11 * (REAL)1.0;
        p9 += w8 * u11 * (REAL)1.0;
        h11 += w8 * a9 * (REAL)1.0;
        q11 += w8 * e9 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        p1 += (q0 * a4 + h0 * e4) * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        p4 += (q0 * a1 + h0 * e1) * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        p2 += (q0 * a5 + h0 * e5) * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        p5 += (q0 * a2 + h0 * e2) * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        p3 += (q0 * a6 + h0 * e6) * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        p6 += (q0 * a3 + h0 * e3) * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        p1 += (q1 * a5 + h1 * e5) * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        p5 += (q1 * a1 + h1 * e1) * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        p2 += (q1 * a7 + h1 * e7) * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        p7 += (q1 * a2 + h1 * e2) * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        p3 += (q1 * a8 + h1 * e8) * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        p8 += (q1 * a3 + h1 * e3) * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        p1 += (q2 * a6 + h2 * e6) * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        p6 += (q2 * a1 + h2 * e1) * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        p2 += (q2 * a8 + h2 * e8) * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        p8 += (q2 * a2 + h2 * e2) * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        p3 += (q2 * a9 + h2 * e9) * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        p9 += (q2 * a3 + h2 * e3) * (REAL)1.0;
        g4 += h3 * a10 * (REAL)1.0;
        p4 += (q3 * a10 + h3 * e10) * (REAL)1.0;
        g10 += h3 * a4 * (REAL)1.0;
        p10 += (q3 * a4 + h3 * e4) * (REAL)1.0;
        g5 += h3 * a11 * (REAL)2.0;
        p5 += (q3 * a11 + h3 * e11) * (REAL)2.0;
        g11 += h3 * a5 * (REAL)2.0;
        p11 += (q3 * a5 + h3 * e5) * (REAL)2.0;
        g6 += h3 * a12 * (REAL)2.0;
        p6 += (q3 * a12 + h3 * e12) * (REAL)2.0;
        g12 += h3 * a6 * (REAL)2.0;
        p12 += (q3 * a6 + h3 * e6) * (REAL)2.0;
        g7 += h3 * a13 * (REAL)1.0;
        p7 += (q3 * a13 + h3 * e13) * (REAL)1.0;
        g13 += h3 * a7 * (REAL)1.0;
        p13 += (q3 * a7 + h3 * e7) * (REAL)1.0;
        g8 += h3 * a14 * (REAL)2.0;
        p8 += (q3 * a14 + h3 * e14) * (REAL)2.0;
        g14 += h3 * a8 * (REAL)2.0;
        p14 += (q3 * a8 + h3 * e8) * (REAL)2.0;
        g9 += h3 * a15 * (REAL)1.0;
        p9 += (q3 * a15 + h3 * e15) * (REAL)1.0;
        g15 += h3 * a9 * (REAL)1.0;
        p15 += (q3 * a9 + h3 * e9) * (REAL)1.0;
        g4 += h4 * a11 * (REAL)1.0;
        p4 += (q4 * a11 + h4 * e11) * (REAL)1.0;
        g11 += h4 * a4 * (REAL)1.0;
        p11 += (q4 * a4 + h4 * e4) * (REAL)1.0;
        g5 += h4 * a13 * (REAL)2.0;
        p5 += (q4 * a13 + h4 * e13) * (REAL)2.0;
        g13 += h4 * a5 * (REAL)2.0;
        p13 += (q4 * a5 + h4 * e5) * (REAL)2.0;
        g6 += h4 * a14 * (REAL)2.0;
        p6 += (q4 * a14 + h4 * e14) * (REAL)2.0;
        g14 += h4 * a6 * (REAL)2.0;
        p14 += (q4 * a6 + h4 * e6) * (REAL)2.0;
        g7 += h4 * a16 * (REAL)1.0;
        p7 += (q4 * a16 + h4 * e16) * (REAL)1.0;
        g16 += h4 * a7 * (REAL)1.0;
        p16 += (q4 * a7 + h4 * e7) * (REAL)1.0;
        g8 += h4 * a17 * (REAL)2.0;
        p8 += (q4 * a17 + h4 * e17) * (REAL)2.0;
        g17 += h4 * a8 * (REAL)2.0;
        p17 += (q4 * a8 + h4 * e8) * (REAL)2.0;
        g9 += h4 * a18 * (REAL)1.0;
        p9 += (q4 * a18 + h4 * e18) * (REAL)1.0;
        g18 += h4 * a9 * (REAL)1.0;
        p18 += (q4 * a9 + h4 * e9) * (REAL)1.0;
        g4 += h5 * a12 * (REAL)1.0;
        p4 += (q5 * a12 + h5 * e12) * (REAL)1.0;
        g12 += h5 * a4 * (REAL)1.0;
        p12 += (q5 * a4 + h5 * e4) * (REAL)1.0;
        g5 += h5 * a14 * (REAL)2.0;
        p5 += (q5 * a14 + h5 * e14) * (REAL)2.0;
        g14 += h5 * a5 * (REAL)2.0;
        p14 += (q5 * a5 + h5 * e5) * (REAL)2.0;
        g6 += h5 * a15 * (REAL)2.0;
        p6 += (q5 * a15 + h5 * e15) * (REAL)2.0;
        g15 += h5 * a6 * (REAL)2.0;
        p15 += (q5 * a6 + h5 * e6) * (REAL)2.0;
        g7 += h5 * a17 * (REAL)1.0;
        p7 += (q5 * a17 + h5 * e17) * (REAL)1.0;
        g17 += h5 * a7 * (REAL)1.0;
        p17 += (q5 * a7 + h5 * e7) * (REAL)1.0;
        g8 += h5 * a18 * (REAL)2.0;
        p8 += (q5 * a18 + h5 * e18) * (REAL)2.0;
        g18 += h5 * a8 * (REAL)2.0;
        p18 += (q5 * a8 + h5 * e8) * (REAL)2.0;
        g9 += h5 * a19 * (REAL)1.0;
        p9 += (q5 * a19 + h5 * e19) * (REAL)1.0;
        g19 += h5 * a9 * (REAL)1.0;
        p19 += (q5 * a9 + h5 * e9) * (REAL)1.0;
        g4 += h6 * a20 * (REAL)1.0;
        p4 += (q6 * a20 + h6 * e20) * (REAL)1.0;
        g20 += h6 * a4 * (REAL)1.0;
        p20 += (q6 * a4 + h6 * e4) * (REAL)1.0;
        g5 += h6 * a21 * (REAL)2.0;
        p5 += (q6 * a21 + h6 * e21) * (REAL)2.0;
        g21 += h6 * a5 * (REAL)2.0;
        p21 += (q6 * a5 + h6 * e5) * (REAL)2.0;
        g6 += h6 * a22 * (REAL)2.0;
        p6 += (q6 * a22 + h6 * e22) * (REAL)2.0;
        g22 += h6 * a6 * (REAL)2.0;
        p22 += (q6 * a6 + h6 * e6) * (REAL)2.0;
        g7 += h6 * a23 * (REAL)1.0;
        p7 += (q6 * a23 + h6 * e23) * (REAL)1.0;
        g23 += h6 * a7 * (REAL)1.0;
        p23 += (q6 * a7 + h6 * e7) * (REAL)1.0;
        g8 += h6 * a24 * (REAL)2.0;
        p8 += (q6 * a24 + h6 * e24) * (REAL)2.0;
        g24 += h6 * a8 * (REAL)2.0;
        p24 += (q6 * a8 + h6 * e8) * (REAL)2.0;
        g9 += h6 * a25 * (REAL)1.0;
        p9 += (q6 * a25 + h6 * e25) * (REAL)1.0;
        g25 += h6 * a9 * (REAL)1.0;
        p25 += (q6 * a9 + h6 * e9) * (REAL)1.0;
        g4 += h7 * a21 * (REAL)1.0;
        p4 += (q7 * a21 + h7 * e21) * (REAL)1.0;
        g21 += h7 * a4 * (REAL)1.0;
        p21 += (q7 * a4 + h7 * e4) * (REAL)1.0;
        g5 += h7 * a23 * (REAL)2.0;
        p5 += (q7 * a23 + h7 * e23) * (REAL)2.0;
        g23 += h7 * a5 * (REAL)2.0;
        p23 += (q7 * a5 + h7 * e5) * (REAL)2.0;
        g6 += h7 * a24 * (REAL)2.0;
        p6 += (q7 * a24 + h7 * e24) * (REAL)2.0;
        g24 += h7 * a6 * (REAL)2.0;
        p24 += (q7 * a6 + h7 * e6) * (REAL)2.0;
        g7 += h7 * a26 * (REAL)1.0;
        p7 += (q7 * a26 + h7 * e26) * (REAL)1.0;
        g26 += h7 * a7 * (REAL)1.0;
        p26 += (q7 * a7 + h7 * e7) * (REAL)1.0;
        g8 += h7 * a27 * (REAL)2.0;
        p8 += (q7 * a27 + h7 * e27) * (REAL)2.0;
        g27 += h7 * a8 * (REAL)2.0;
        p27 += (q7 * a8 + h7 * e8) * (REAL)2.0;
        g9 += h7 * a28 * (REAL)1.0;
        p9 += (q7 * a28 + h7 * e28) * (REAL)1.0;
        g28 += h7 * a9 * (REAL)1.0;
        p28 += (q7 * a9 + h7 * e9) * (REAL)1.0;
        g4 += h8 * a22 * (REAL)1.0;
        p4 += (q8 * a22 + h8 * e22) * (REAL)1.0;
        g22 += h8 * a4 * (REAL)1.0;
        p22 += (q8 * a4 + h8 * e4) * (REAL)1.0;
        g5 += h8 * a24 * (REAL)2.0;
        p5 += (q8 * a24 + h8 * e24) * (REAL)2.0;
        g24 += h8 * a5 * (REAL)2.0;
        p24 += (q8 * a5 + h8 * e5) * (REAL)2.0;
        g6 += h8 * a25 * (REAL)2.0;
        p6 += (q8 * a25 + h8 * e25) * (REAL)2.0;
        g25 += h8 * a6 * (REAL)2.0;
        p25 += (q8 * a6 + h8 * e6) * (REAL)2.0;
        g7 += h8 * a27 * (REAL)1.0;
        p7 += (q8 * a27 + h8 * e27) * (REAL)1.0;
        g27 += h8 * a7 * (REAL)1.0;
        p27 += (q8 * a7 + h8 * e7) * (REAL)1.0;
        g8 += h8 * a28 * (REAL)2.0;
        p8 += (q8 * a28 + h8 * e28) * (REAL)2.0;
        g28 += h8 * a8 * (REAL)2.0;
        p28 += (q8 * a8 + h8 * e8) * (REAL)2.0;
        g9 += h8 * a29 * (REAL)1.0;
        p9 += (q8 * a29 + h8 * e29) * (REAL)1.0;
        g29 += h8 * a9 * (REAL)1.0;
        p29 += (q8 * a9 + h8 * e9) * (REAL)1.0;
        g4 += h9 * a23 * (REAL)1.0;
        p4 += (q9 * a23 + h9 * e23) * (REAL)1.0;
        g23 += h9 * a4 * (REAL)1.0;
        p23 += (q9 * a4 + h9 * e4) * (REAL)1.0;
        g5 += h9 * a26 * (REAL)2.0;
        p5 += (q9 * a26 + h9 * e26) * (REAL)2.0;
        g26 += h9 * a5 * (REAL)2.0;
        p26 += (q9 * a5 + h9 * e5) * (REAL)2.0;
        g6 += h9 * a27 * (REAL)2.0;
        p6 += (q9 * a27 + h9 * e27) * (REAL)2.0;
        g27 += h9 * a6 * (REAL)2.0;
        p27 += (q9 * a6 + h9 * e6) * (REAL)2.0;
        g7 += h9 * a30 * (REAL)1.0;
        p7 += (q9 * a30 + h9 * e30) * (REAL)1.0;
        g30 += h9 * a7 * (REAL)1.0;
        p30 += (q9 * a7 + h9 * e7) * (REAL)1.0;
        g8 += h9 * a31 * (REAL)2.0;
        p8 += (q9 * a31 + h9 * e31) * (REAL)2.0;
        g31 += h9 * a8 * (REAL)2.0;
        p31 += (q9 * a8 + h9 * e8) * (REAL)2.0;
        g9 += h9 * a32 * (REAL)1.0;
        p9 += (q9 * a32 + h9 * e32) * (REAL)1.0;
        g32 += h9 * a9 * (REAL)1.0;
        p32 += (q9 * a9 + h9 * e9) * (REAL)1.0;
        g4 += h10 * a24 * (REAL)1.0;
        p4 += (q10 * a24 + h10 * e24) * (REAL)1.0;
        g24 += h10 * a4 * (REAL)1.0;
        p24 += (q10 * a4 + h10 * e4) * (REAL)1.0;
        g5 += h10 * a27 * (REAL)2.0;
        p5 += (q10 * a27 + h10 * e27) * (REAL)2.0;
        g27 += h10 * a5 * (REAL)2.0;
        p27 += (q10 * a5 + h10 * e5) * (REAL)2.0;
        g6 += h10 * a28 * (REAL)2.0;
        p6 += (q10 * a28 + h10 * e28) * (REAL)2.0;
        g28 += h10 * a6 * (REAL)2.0;
        p28 += (q10 * a6 + h10 * e6) * (REAL)2.0;
        g7 += h10 * a31 * (REAL)1.0;
        p7 += (q10 * a31 + h10 * e31) * (REAL)1.0;
        g31 += h10 * a7 * (REAL)1.0;
        p31 += (q10 * a7 + h10 * e7) * (REAL)1.0;
        g8 += h10 * a32 * (REAL)2.0;
        p8 += (q10 * a32 + h10 * e32) * (REAL)2.0;
        g32 += h10 * a8 * (REAL)2.0;
        p32 += (q10 * a8 + h10 * e8) * (REAL)2.0;
        g9 += h10 * a33 * (REAL)1.0;
        p9 += (q10 * a33 + h10 * e33) * (REAL)1.0;
        g33 += h10 * a9 * (REAL)1.0;
        p33 += (q10 * a9 + h10 * e9) * (REAL)1.0;
        g4 += h11 * a25 * (REAL)1.0;
        p4 += (q11 * a25 + h11 * e25) * (REAL)1.0;
        g25 += h11 * a4 * (REAL)1.0;
        p25 += (q11 * a4 + h11 * e4) * (REAL)1.0;
        g5 += h11 * a28 * (REAL)2.0;
        p5 += (q11 * a28 + h11 * e28) * (REAL)2.0;
        g28 += h11 * a5 * (REAL)2.0;
        p28 += (q11 * a5 + h11 * e5) * (REAL)2.0;
        g6 += h11 * a29 * (REAL)2.0;
        p6 += (q11 * a29 + h11 * e29) * (REAL)2.0;
        g29 += h11 * a6 * (REAL)2.0;
        p29 += (q11 * a6 + h11 * e6) * (REAL)2.0;
        g7 += h11 * a32 * (REAL)1.0;
        p7 += (q11 * a32 + h11 * e32) * (REAL)1.0;
        g32 += h11 * a7 * (REAL)1.0;
        p32 += (q11 * a7 + h11 * e7) * (REAL)1.0;
        g8 += h11 * a33 * (REAL)2.0;
        p8 += (q11 * a33 + h11 * e33) * (REAL)2.0;
        g33 += h11 * a8 * (REAL)2.0;
        p33 += (q11 * a8 + h11 * e8) * (REAL)2.0;
        g9 += h11 * a34 * (REAL)1.0;
        p9 += (q11 * a34 + h11 * e34) * (REAL)1.0;
        g34 += h11 * a9 * (REAL)1.0;
        p34 += (q11 * a9 + h11 * e9) * (REAL)1.0;
        g10 += h12 * a20 * (REAL)1.0;
        p10 += (q12 * a20 + h12 * e20) * (REAL)1.0;
        g20 += h12 * a10 * (REAL)1.0;
        p20 += (q12 * a10 + h12 * e10) * (REAL)1.0;
        g11 += h12 * a21 * (REAL)3.0;
        p11 += (q12 * a21 + h12 * e21) * (REAL)3.0;
        g21 += h12 * a11 * (REAL)3.0;
        p21 += (q12 * a11 + h12 * e11) * (REAL)3.0;
        g12 += h12 * a22 * (REAL)3.0;
        p12 += (q12 * a22 + h12 * e22) * (REAL)3.0;
        g22 += h12 * a12 * (REAL)3.0;
        p22 += (q12 * a12 + h12 * e12) * (REAL)3.0;
        g13 += h12 * a23 * (REAL)3.0;
        p13 += (q12 * a23 + h12 * e23) * (REAL)3.0;
        g23 += h12 * a13 * (REAL)3.0;
        p23 += (q12 * a13 + h12 * e13) * (REAL)3.0;
        g14 += h12 * a24 * (REAL)6.0;
        p14 += (q12 * a24 + h12 * e24) * (REAL)6.0;
        g24 += h12 * a14 * (REAL)6.0;
        p24 += (q12 * a14 + h12 * e14) * (REAL)6.0;
        g15 += h12 * a25 * (REAL)3.0;
        p15 += (q12 * a25 + h12 * e25) * (REAL)3.0;
        g25 += h12 * a15 * (REAL)3.0;
        p25 += (q12 * a15 + h12 * e15) * (REAL)3.0;
        g16 += h12 * a26 * (REAL)1.0;
        p16 += (q12 * a26 + h12 * e26) * (REAL)1.0;
        g26 += h12 * a16 * (REAL)1.0;
        p26 += (q12 * a16 + h12 * e16) * (REAL)1.0;
        g17 += h12 * a27 * (REAL)3.0;
        p17 += (q12 * a27 + h12 * e27) * (REAL)3.0;
        g27 += h12 * a17 * (REAL)3.0;
        p27 += (q12 * a17 + h12 * e17) * (REAL)3.0;
        g18 += h12 * a28 * (REAL)3.0;
        p18 += (q12 * a28 + h12 * e28) * (REAL)3.0;
        g28 += h12 * a18 * (REAL)3.0;
        p28 += (q12 * a18 + h12 * e18) * (REAL)3.0;
        g19 += h12 * a29 * (REAL)1.0;
        p19 += (q12 * a29 + h12 * e29) * (REAL)1.0;
        g29 += h12 * a19 * (REAL)1.0;
        p29 += (q12 * a19 + h12 * e19) * (REAL)1.0;
        g10 += h13 * a21 * (REAL)1.0;
        p10 += (q13 * a21 + h13 * e21) * (REAL)1.0;
        g21 += h13 * a10 * (REAL)1.0;
        p21 += (q13 * a10 + h13 * e10) * (REAL)1.0;
        g11 += h13 * a23 * (REAL)3.0;
        p11 += (q13 * a23 + h13 * e23) * (REAL)3.0;
        g23 += h13 * a11 * (REAL)3.0;
        p23 += (q13 * a11 + h13 * e11) * (REAL)3.0;
        g12 += h13 * a24 * (REAL)3.0;
        p12 += (q13 * a24 + h13 * e24) * (REAL)3.0;
        g24 += h13 * a12 * (REAL)3.0;
        p24 += (q13 * a12 + h13 * e12) * (REAL)3.0;
        g13 += h13 * a26 * (REAL)3.0;
        p13 += (q13 * a26 + h13 * e26) * (REAL)3.0;
        g26 += h13 * a13 * (REAL)3.0;
        p26 += (q13 * a13 + h13 * e13) * (REAL)3.0;
        g14 += h13 * a27 * (REAL)6.0;
        p14 += (q13 * a27 + h13 * e27) * (REAL)6.0;
        g27 += h13 * a14 * (REAL)6.0;
        p27 += (q13 * a14 + h13 * e14) * (REAL)6.0;
        g15 += h13 * a28 * (REAL)3.0;
        p15 += (q13 * a28 + h13 * e28) * (REAL)3.0;
        g28 += h13 * a15 * (REAL)3.0;
        p28 += (q13 * a15 + h13 * e15) * (REAL)3.0;
        g16 += h13 * a30 * (REAL)1.0;
        p16 += (q13 * a30 + h13 * e30) * (REAL)1.0;
        g30 += h13 * a16 * (REAL)1.0;
        p30 += (q13 * a16 + h13 * e16) * (REAL)1.0;
        g17 += h13 * a31 * (REAL)3.0;
        p17 += (q13 * a31 + h13 * e31) * (REAL)3.0;
        g31 += h13 * a17 * (REAL)3.0;
        p31 += (q13 * a17 + h13 * e17) * (REAL)3.0;
        g18 += h13 * a32 * (REAL)3.0;
        p18 += (q13 * a32 + h13 * e32) * (REAL)3.0;
        g32 += h13 * a18 * (REAL)3.0;
        p32 += (q13 * a18 + h13 * e18) * (REAL)3.0;
        g19 += h13 * a33 * (REAL)1.0;
        p19 += (q13 * a33 + h13 * e33) * (REAL)1.0;
        g33 += h13 * a19 * (REAL)1.0;
        p33 += (q13 * a19 + h13 * e19) * (REAL)1.0;
        g10 += h14 * a22 * (REAL)1.0;
        p10 += (q14 * a22 + h14 * e22) * (REAL)1.0;
        g22 += h14 * a10 * (REAL)1.0;
        p22 += (q14 * a10 + h14 * e10) * (REAL)1.0;
        g11 += h14 * a24 * (REAL)3.0;
        p11 += (q14 * a24 + h14 * e24) * (REAL)3.0;
        g24 += h14 * a11 * (REAL)3.0;
        p24 += (q14 * a11 + h14 * e11) * (REAL)3.0;
        g12 += h14 * a25 * (REAL)3.0;
        p12 += (q14 * a25 + h14 * e25) * (REAL)3.0;
        g25 += h14 * a12 * (REAL)3.0;
        p25 += (q14 * a12 + h14 * e12) * (REAL)3.0;
        g13 += h14 * a27 * (REAL)3.0;
        p13 += (q14 * a27 + h14 * e27) * (REAL)3.0;
        g27 += h14 * a13 * (REAL)3.0;
        p27 += (q14 * a13 + h14 * e13) * (REAL)3.0;
        g14 += h14 * a28 * (REAL)6.0;
        p14 += (q14 * a28 + h14 * e28) * (REAL)6.0;
        g28 += h14 * a14 * (REAL)6.0;
        p28 += (q14 * a14 + h14 * e14) * (REAL)6.0;
        g15 += h14 * a29 * (REAL)3.0;
        p15 += (q14 * a29 + h14 * e29) * (REAL)3.0;
        g29 += h14 * a15 * (REAL)3.0;
        p29 += (q14 * a15 + h14 * e15) * (REAL)3.0;
        g16 += h14 * a31 * (REAL)1.0;
        p16 += (q14 * a31 + h14 * e31) * (REAL)1.0;
        g31 += h14 * a16 * (REAL)1.0;
        p31 += (q14 * a16 + h14 * e16) * (REAL)1.0;
        g17 += h14 * a32 * (REAL)3.0;
        p17 += (q14 * a32 + h14 * e32) * (REAL)3.0;
        g32 += h14 * a17 * (REAL)3.0;
        p32 += (q14 * a17 + h14 * e17) * (REAL)3.0;
        g18 += h14 * a33 * (REAL)3.0;
        p18 += (q14 * a33 + h14 * e33) * (REAL)3.0;
        g33 += h14 * a18 * (REAL)3.0;
        p33 += (q14 * a18 + h14 * e18) * (REAL)3.0;
        g19 += h14 * a34 * (REAL)1.0;
        p19 += (q14 * a34 + h14 * e34) * (REAL)1.0;
        g34 += h14 * a19 * (REAL)1.0;
        p34 += (q14 * a19 + h14 * e19) * (REAL)1.0;
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        const vec w4 = NAME(load)(by_values + 4 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g20 += w4 * a20 * (REAL)1.0;
        p20 += w4 * e20 * (REAL)1.0;
        g20 += w4 * a20 * (REAL)1.0;
        p20 += w4 * e20 * (REAL)1.0;
        g21 += w4 * a21 * (REAL)4.0;
        p21 += w4 * e21 * (REAL)4.0;
        g21 += w4 * a21 * (REAL)4.0;
        p21 += w4 * e21 * (REAL)4.0;
        g22 += w4 * a22 * (REAL)4.0;
        p22 += w4 * e22 * (REAL)4.0;
        g22 += w4 * a22 * (REAL)4.0;
        p22 += w4 * e22 * (REAL)4.0;
        g23 += w4 * a23 * (REAL)6.0;
        p23 += w4 * e23 * (REAL)6.0;
        g23 += w4 * a23 * (REAL)6.0;
        p23 += w4 * e23 * (REAL)6.0;
        g24 += w4 * a24 * (REAL)12.0;
        p24 += w4 * e24 * (REAL)12.0;
        g24 += w4 * a24 * (REAL)12.0;
        p24 += w4 * e24 * (REAL)12.0;
        g25 += w4 * a25 * (REAL)6.0;
        p25 += w4 * e25 * (REAL)6.0;
        g25 += w4 * a25 * (REAL)6.0;
        p25 += w4 * e25 * (REAL)6.0;
        g26 += w4 * a26 * (REAL)4.0;
        p26 += w4 * e26 * (REAL)4.0;
        g26 += w4 * a26 * (REAL)4.0;
        p26 += w4 * e26 * (REAL)4.0;
        g27 += w4 * a27 * (REAL)12.0;
        p27 += w4 * e27 * (REAL)12.0;
        g27 += w4 * a27 * (REAL)12.0;
        p27 += w4 * e27 * (REAL)12.0;
        g28 += w4 * a28 * (REAL)12.0;
        p28 += w4 * e28 * (REAL)12.0;
        g28 += w4 * a28 * (REAL)12.0;
        p28 += w4 * e28 * (REAL)12.0;
        g29 += w4 * a29 * (REAL)4.0;
        p29 += w4 * e29 * (REAL)4.0;
        g29 += w4 * a29 * (REAL)4.0;
        p29 += w4 * e29 * (REAL)4.0;
        g30 += w4 * a30 * (REAL)1.0;
        p30 += w4 * e30 * (REAL)1.0;
        g30 += w4 * a30 * (REAL)1.0;
        p30 += w4 * e30 * (REAL)1.0;
        g31 += w4 * a31 * (REAL)4.0;
        p31 += w4 * e31 * (REAL)4.0;
        g31 += w4 * a31 * (REAL)4.0;
        p31 += w4 * e31 * (REAL)4.0;
        g32 += w4 * a32 * (REAL)6.0;
        p32 += w4 * e32 * (REAL)6.0;
        g32 += w4 * a32 * (REAL)6.0;
        p32 += w4 * e32 * (REAL)6.0;
        g33 += w4 * a33 * (REAL)4.0;
        p33 += w4 * e33 * (REAL)4.0;
        g33 += w4 * a33 * (REAL)4.0;
        p33 += w4 * e33 * (REAL)4.0;
        g34 += w4 * a34 * (REAL)1.0;
        p34 += w4 * e34 * (REAL)1.0;
        g34 += w4 * a34 * (REAL)1.0;
        p34 += w4 * e34 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
        NAME(store)(gradients + 20 * columns + c, g20);
        NAME(store)(gradient_rates + 20 * columns + c, p20);
        NAME(store)(gradients + 21 * columns + c, g21);
        NAME(store)(gradient_rates + 21 * columns + c, p21);
        NAME(store)(gradients + 22 * columns + c, g22);
        NAME(store)(gradient_rates + 22 * columns + c, p22);
        NAME(store)(gradients + 23 * columns + c, g23);
        NAME(store)(gradient_rates + 23 * columns + c, p23);
        NAME(store)(gradients + 24 * columns + c, g24);
        NAME(store)(gradient_rates + 24 * columns + c, p24);
        NAME(store)(gradients + 25 * columns + c, g25);
        NAME(store)(gradient_rates + 25 * columns + c, p25);
        NAME(store)(gradients + 26 * columns + c, g26);
        NAME(store)(gradient_rates + 26 * columns + c, p26);
        NAME(store)(gradients + 27 * columns + c, g27);
        NAME(store)(gradient_rates + 27 * columns + c, p27);
        NAME(store)(gradients + 28 * columns + c, g28);
        NAME(store)(gradient_rates + 28 * columns + c, p28);
        NAME(store)(gradients + 29 * columns + c, g29);
        NAME(store)(gradient_rates + 29 * columns + c, p29);
        NAME(store)(gradients + 30 * columns + c, g30);
        NAME(store)(gradient_rates + 30 * columns + c, p30);
        NAME(store)(gradients + 31 * columns + c, g31);
        NAME(store)(gradient_rates + 31 * columns + c, p31);
        NAME(store)(gradients + 32 * columns + c, g32);
        NAME(store)(gradient_rates + 32 * columns + c, p32);
        NAME(store)(gradients + 33 * columns + c, g33);
        NAME(store)(gradient_rates + 33 * columns + c, p33);
        NAME(store)(gradients + 34 * columns + c, g34);
        NAME(store)(gradient_rates + 34 * columns + c, p34);
    }
}

static void NAME(second_4_4)(const REAL *mixed, const REAL *rates,
                          const REAL *by_values, REAL *value_rates, REAL *gradients,
                          REAL *gradient_rates, int64_t columns)
{
    for (int64_t c = 0; c < columns; c += LANES) {
        const vec a0 = NAME(load)(mixed + 0 * columns + c);
        const vec a1 = NAME(load)(mixed + 1 * columns + c);
        const vec a2 = NAME(load)(mixed + 2 * columns + c);
        const vec a3 = NAME(load)(mixed + 3 * columns + c);
        const vec a4 = NAME(load)(mixed + 4 * columns + c);
        const vec a5 = NAME(load)(mixed + 5 * columns + c);
        const vec a6 = NAME(load)(mixed + 6 * columns + c);
        const vec a7 = NAME(load)(mixed + 7 * columns + c);
        const vec a8 = NAME(load)(mixed + 8 * columns + c);
        const vec a9 = NAME(load)(mixed + 9 * columns + c);
        const vec a10 = NAME(load)(mixed + 10 * columns + c);
        const vec a11 = NAME(load)(mixed + 11 * columns + c);
        const vec a12 = NAME(load)(mixed + 12 * columns + c);
        const vec a13 = NAME(load)(mixed + 13 * columns + c);
        const vec a14 = NAME(load)(mixed + 14 * columns + c);
        const vec a15 = NAME(load)(mixed + 15 * columns + c);
        const vec a16 = NAME(load)(mixed + 16 * columns + c);
        const vec a17 = NAME(load)(mixed + 17 * columns + c);
        const vec a18 = NAME(load)(mixed + 18 * columns + c);
        const vec a19 = NAME(load)(mixed + 19 * columns + c);
        const vec a20 = NAME(load)(mixed + 20 * columns + c);
        const vec a21 = NAME(load)(mixed + 21 * columns + c);
        const vec a22 = NAME(load)(mixed + 22 * columns + c);
        const vec a23 = NAME(load)(mixed + 23 * columns + c);
        const vec a24 = NAME(load)(mixed + 24 * columns + c);
        const vec a25 = NAME(load)(mixed + 25 * columns + c);
        const vec a26 = NAME(load)(mixed + 26 * columns + c);
        const vec a27 = NAME(load)(mixed + 27 * columns + c);
        const vec a28 = NAME(load)(mixed + 28 * columns + c);
        const vec a29 = NAME(load)(mixed + 29 * columns + c);
        const vec a30 = NAME(load)(mixed + 30 * columns + c);
        const vec a31 = NAME(load)(mixed + 31 * columns + c);
        const vec a32 = NAME(load)(mixed + 32 * columns + c);
        const vec a33 = NAME(load)(mixed + 33 * columns + c);
        const vec a34 = NAME(load)(mixed + 34 * columns + c);
        const vec e0 = NAME(load)(rates + 0 * columns + c);
        const vec e1 = NAME(load)(rates + 1 * columns + c);
        const vec e2 = NAME(load)(rates + 2 * columns + c);
        const vec e3 = NAME(load)(rates + 3 * columns + c);
        const vec e4 = NAME(load)(rates + 4 * columns + c);
        const vec e5 = NAME(load)(rates + 5 * columns + c);
        const vec e6 = NAME(load)(rates + 6 * columns + c);
        const vec e7 = NAME(load)(rates + 7 * columns + c);
        const vec e8 = NAME(load)(rates + 8 * columns + c);
        const vec e9 = NAME(load)(rates + 9 * columns + c);
        const vec e10 = NAME(load)(rates + 10 * columns + c);
        const vec e11 = NAME(load)(rates + 11 * columns + c);
        const vec e12 = NAME(load)(rates + 12 * columns + c);
        const vec e13 = NAME(load)(rates + 13 * columns + c);
        const vec e14 = NAME(load)(rates + 14 * columns + c);
        const vec e15 = NAME(load)(rates + 15 * columns + c);
        const vec e16 = NAME(load)(rates + 16 * columns + c);
        const vec e17 = NAME(load)(rates + 17 * columns + c);
        const vec e18 = NAME(load)(rates + 18 * columns + c);
        const vec e19 = NAME(load)(rates + 19 * columns + c);
        const vec e20 = NAME(load)(rates + 20 * columns + c);
        const vec e21 = NAME(load)(rates + 21 * columns + c);
        const vec e22 = NAME(load)(rates + 22 * columns + c);
        const vec e23 = NAME(load)(rates + 23 * columns + c);
        const vec e24 = NAME(load)(rates + 24 * columns + c);
        const vec e25 = NAME(load)(rates + 25 * columns + c);
        const vec e26 = NAME(load)(rates + 26 * columns + c);
        const vec e27 = NAME(load)(rates + 27 * columns + c);
        const vec e28 = NAME(load)(rates + 28 * columns + c);
        const vec e29 = NAME(load)(rates + 29 * columns + c);
        const vec e30 = NAME(load)(rates + 30 * columns + c);
        const vec e31 = NAME(load)(rates + 31 * columns + c);
        const vec e32 = NAME(load)(rates + 32 * columns + c);
        const vec e33 = NAME(load)(rates + 33 * columns + c);
        const vec e34 = NAME(load)(rates + 34 * columns + c);
        const vec t0 = a1 * a4 * (REAL)1.0 + a2 * a5 * (REAL)1.0 + a3 * a6 * (REAL)1.0;
        const vec u0 = (e1 * a4 + a1 * e4) * (REAL)1.0 + (e2 * a5 + a2 * e5) * (REAL)1.0 + (e3 * a6 + a3 * e6) * (REAL)1.0;
        const vec t1 = a1 * a5 * (REAL)1.0 + a2 * a7 * (REAL)1.0 + a3 * a8 * (REAL)1.0;
        const vec u1 = (e1 * a5 + a1 * e5) * (REAL)1.0 + (e2 * a7 + a2 * e7) * (REAL)1.0 + (e3 * a8 + a3 * e8) * (REAL)1.0;
        const vec t2 = a1 * a6 * (REAL)1.0 + a2 * a8 * (REAL)1.0 + a3 * a9 * (REAL)1.0;
        const vec u2 = (e1 * a6 + a1 * e6) * (REAL)1.0 + (e2 * a8 + a2 * e8) * (REAL)1.0 + (e3 * a9 + a3 * e9) * (REAL)1.0;
        const vec t3 = a1 * a10 * (REAL)1.0 + a2 * a11 * (REAL)1.0 + a3 * a12 * (REAL)1.0;
        const vec u3 = (e1 * a10 + a1 * e10) * (REAL)1.0 + (e2 * a11 + a2 * e11) * (REAL)1.0 + (e3 * a12 + a3 * e12) * (REAL)1.0;
        const vec t4 = a1 * a11 * (REAL)1.0 + a2 * a13 * (REAL)1.0 + a3 * a14 * (REAL)1.0;
        const vec u4 = (e1 * a11 + a1 * e11) * (REAL)1.0 + (e2 * a13 + a2 * e13) * (REAL)1.0 + (e3 * a14 + a3 * e14) * (REAL)1.0;
        const vec t5 = a1 * a12 * (REAL)1.0 + a2 * a14 * (REAL)1.0 + a3 * a15 * (REAL)1.0;
        const vec u5 = (e1 * a12 + a1 * e12) * (REAL)1.0 + (e2 * a14 + a2 * e14) * (REAL)1.0 + (e3 * a15 + a3 * e15) * (REAL)1.0;
        const vec t6 = a1 * a13 * (REAL)1.0 + a2 * a16 * (REAL)1.0 + a3 * a17 * (REAL)1.0;
        const vec u6 = (e1 * a13 + a1 * e13) * (REAL)1.0 + (e2 * a16 + a2 * e16) * (REAL)1.0 + (e3 * a17 + a3 * e17) * (REAL)1.0;
        const vec t7 = a1 * a14 * (REAL)1.0 + a2 * a17 * (REAL)1.0 + a3 * a18 * (REAL)1.0;
        const vec u7 = (e1 * a14 + a1 * e14) * (REAL)1.0 + (e2 * a17 + a2 * e17) * (REAL)1.0 + (e3 * a18 + a3 * e18) * (REAL)1.0;
        const vec t8 = a1 * a15 * (REAL)1.0 + a2 * a18 * (REAL)1.0 + a3 * a19 * (REAL)1.0;
        const vec u8 = (e1 * a15 + a1 * e15) * (REAL)1.0 + (e2 * a18 + a2 * e18) * (REAL)1.0 + (e3 * a19 + a3 * e19) * (REAL)1.0;
        const vec t9 = a4 * a10 * (REAL)1.0 + a5 * a11 * (REAL)2.0 + a6 * a12 * (REAL)2.0 + a7 * a13 * (REAL)1.0 + a8 * a14 * (REAL)2.0 + a9 * a15 * (REAL)1.0;
        const vec u9 = (e4 * a10 + a4 * e10) * (REAL)1.0 + (e5 * a11 + a5 * e11) * (REAL)2.0 + (e6 * a12 + a6 * e12) * (REAL)2.0 + (e7 * a13 + a7 * e13) * (REAL)1.0 + (e8 * a14 + a8 * e14) * (REAL)2.0 + (e9 * a15 + a9 * e15) * (REAL)1.0;
        const vec t10 = a4 * a11 * (REAL)1.0 + a5 * a13 * (REAL)2.0 + a6 * a14 * (REAL)2.0 + a7 * a16 * (REAL)1.0 + a8 * a17 * (REAL)2.0 + a9 * a18 * (REAL)1.0;
        const vec u10 = (e4 * a11 + a4 * e11) * (REAL)1.0 + (e5 * a13 + a5 * e13) * (REAL)2.0 + (e6 * a14 + a6 * e14) * (REAL)2.0 + (e7 * a16 + a7 * e16) * (REAL)1.0 + (e8 * a17 + a8 * e17) * (REAL)2.0 + (e9 * a18 + a9 * e18) * (REAL)1.0;
        const vec t11 = a4 * a12 * (REAL)1.0 + a5 * a14 * (REAL)2.0 + a6 * a15 * (REAL)2.0 + a7 * a17 * (REAL)1.0 + a8 * a18 * (REAL)2.0 + a9 * a19 * (REAL)1.0;
        const vec u11 = (e4 * a12 + a4 * e12) * (REAL)1.0 + (e5 * a14 + a5 * e14) * (REAL)2.0 + (e6 * a15 + a6 * e15) * (REAL)2.0 + (e7 * a17 + a7 * e17) * (REAL)1.0 + (e8 * a18 + a8 * e18) * (REAL)2.0 + (e9 * a19 + a9 * e19) * (REAL)1.0;
        const vec t12 = a4 * a20 * (REAL)1.0 + a5 * a21 * (REAL)2.0 + a6 * a22 * (REAL)2.0 + a7 * a23 * (REAL)1.0 + a8 * a24 * (REAL)2.0 + a9 * a25 * (REAL)1.0;
        const vec u12 = (e4 * a20 + a4 * e20) * (REAL)1.0 + (e5 * a21 + a5 * e21) * (REAL)2.0 + (e6 * a22 + a6 * e22) * (REAL)2.0 + (e7 * a23 + a7 * e23) * (REAL)1.0 + (e8 * a24 + a8 * e24) * (REAL)2.0 + (e9 * a25 + a9 * e25) * (REAL)1.0;
        const vec t13 = a4 * a21 * (REAL)1.0 + a5 * a23 * (REAL)2.0 + a6 * a24 * (REAL)2.0 + a7 * a26 * (REAL)1.0 + a8 * a27 * (REAL)2.0 + a9 * a28 * (REAL)1.0;
        const vec u13 = (e4 * a21 + a4 * e21) * (REAL)1.0 + (e5 * a23 + a5 * e23) * (REAL)2.0 + (e6 * a24 + a6 * e24) * (REAL)2.0 + (e7 * a26 + a7 * e26) * (REAL)1.0 + (e8 * a27 + a8 * e27) * (REAL)2.0 + (e9 * a28 + a9 * e28) * (REAL)1.0;
        const vec t14 = a4 * a22 * (REAL)1.0 + a5 * a24 * (REAL)2.0 + a6 * a25 * (REAL)2.0 + a7 * a27 * (REAL)1.0 + a8 * a28 * (REAL)2.0 + a9 * a29 * (REAL)1.0;
        const vec u14 = (e4 * a22 + a4 * e22) * (REAL)1.0 + (e5 * a24 + a5 * e24) * (REAL)2.0 + (e6 * a25 + a6 * e25) * (REAL)2.0 + (e7 * a27 + a7 * e27) * (REAL)1.0 + (e8 * a28 + a8 * e28) * (REAL)2.0 + (e9 * a29 + a9 * e29) * (REAL)1.0;
        const vec t15 = a4 * a23 * (REAL)1.0 + a5 * a26 * (REAL)2.0 + a6 * a27 * (REAL)2.0 + a7 * a30 * (REAL)1.0 + a8 * a31 * (REAL)2.0 + a9 * a32 * (REAL)1.0;
        const vec u15 = (e4 * a23 + a4 * e23) * (REAL)1.0 + (e5 * a26 + a5 * e26) * (REAL)2.0 + (e6 * a27 + a6 * e27) * (REAL)2.0 + (e7 * a30 + a7 * e30) * (REAL)1.0 + (e8 * a31 + a8 * e31) * (REAL)2.0 + (e9 * a32 + a9 * e32) * (REAL)1.0;
        const vec t16 = a4 * a24 * (REAL)1.0 + a5 * a27 * (REAL)2.0 + a6 * a28 * (REAL)2.0 + a7 * a31 * (REAL)1.0 + a8 * a32 * (REAL)2.0 + a9 * a33 * (REAL)1.0;
        const vec u16 = (e4 * a24 + a4 * e24) * (REAL)1.0 + (e5 * a27 + a5 * e27) * (REAL)2.0 + (e6 * a28 + a6 * e28) * (REAL)2.0 + (e7 * a31 + a7 * e31) * (REAL)1.0 + (e8 * a32 + a8 * e32) * (REAL)2.0 + (e9 * a33 + a9 * e33) * (REAL)1.0;
        const vec t17 = a4 * a25 * (REAL)1.0 + a5 * a28 * (REAL)2.0 + a6 * a29 * (REAL)2.0 + a7 * a32 * (REAL)1.0 + a8 * a33 * (REAL)2.0 + a9 * a34 * (REAL)1.0;
        const vec u17 = (e4 * a25 + a4 * e25) * (REAL)1.0 + (e5 * a28 + a5 * e28) * (REAL)2.0 + (e6 * a29 + a6 * e29) * (REAL)2.0 + (e7 * a32 + a7 * e32) * (REAL)1.0 + (e8 * a33 + a8 * e33) * (REAL)2.0 + (e9 * a34 + a9 * e34) * (REAL)1.0;
        const vec t18 = a10 * a20 * (REAL)1.0 + a11 * a21 * (REAL)3.0 + a12 * a22 * (REAL)3.0 + a13 * a23 * (REAL)3.0 + a14 * a24 * (REAL)6.0 + a15 * a25 * (REAL)3.0 + a16 * a26 * (REAL)1.0 + a17 * a27 * (REAL)3.0 + a18 * a28 * (REAL)3.0 + a19 * a29 * (REAL)1.0;
        const vec u18 = (e10 * a20 + a10 * e20) * (REAL)1.0 + (e11 * a21 + a11 * e21) * (REAL)3.0 + (e12 * a22 + a12 * e22) * (REAL)3.0 + (e13 * a23 + a13 * e23) * (REAL)3.0 + (e14 * a24 + a14 * e24) * (REAL)6.0 + (e15 * a25 + a15 * e25) * (REAL)3.0 + (e16 * a26 + a16 * e26) * (REAL)1.0 + (e17 * a27 + a17 * e27) * (REAL)3.0 + (e18 * a28 + a18 * e28) * (REAL)3.0 + (e19 * a29 + a19 * e29) * (REAL)1.0;
        const vec t19 = a10 * a21 * (REAL)1.0 + a11 * a23 * (REAL)3.0 + a12 * a24 * (REAL)3.0 + a13 * a26 * (REAL)3.0 + a14 * a27 * (REAL)6.0 + a15 * a28 * (REAL)3.0 + a16 * a30 * (REAL)1.0 + a17 * a31 * (REAL)3.0 + a18 * a32 * (REAL)3.0 + a19 * a33 * (REAL)1.0;
        const vec u19 = (e10 * a21 + a10 * e21) * (REAL)1.0 + (e11 * a23 + a11 * e23) * (REAL)3.0 + (e12 * a24 + a12 * e24) * (REAL)3.0 + (e13 * a26 + a13 * e26) * (REAL)3.0 + (e14 * a27 + a14 * e27) * (REAL)6.0 + (e15 * a28 + a15 * e28) * (REAL)3.0 + (e16 * a30 + a16 * e30) * (REAL)1.0 + (e17 * a31 + a17 * e31) * (REAL)3.0 + (e18 * a32 + a18 * e32) * (REAL)3.0 + (e19 * a33 + a19 * e33) * (REAL)1.0;
        const vec t20 = a10 * a22 * (REAL)1.0 + a11 * a24 * (REAL)3.0 + a12 * a25 * (REAL)3.0 + a13 * a27 * (REAL)3.0 + a14 * a28 * (REAL)6.0 + a15 * a29 * (REAL)3.0 + a16 * a31 * (REAL)1.0 + a17 * a32 * (REAL)3.0 + a18 * a33 * (REAL)3.0 + a19 * a34 * (REAL)1.0;
        const vec u20 = (e10 * a22 + a10 * e22) * (REAL)1.0 + (e11 * a24 + a11 * e24) * (REAL)3.0 + (e12 * a25 + a12 * e25) * (REAL)3.0 + (e13 * a27 + a13 * e27) * (REAL)3.0 + (e14 * a28 + a14 * e28) * (REAL)6.0 + (e15 * a29 + a15 * e29) * (REAL)3.0 + (e16 * a31 + a16 * e31) * (REAL)1.0 + (e17 * a32 + a17 * e32) * (REAL)3.0 + (e18 * a33 + a18 * e33) * (REAL)3.0 + (e19 * a34 + a19 * e34) * (REAL)1.0;
        NAME(store)(value_rates + c, e0);
        NAME(store)(value_rates + 1 * columns + c, (e1 * a1 + a1 * e1) * (REAL)1.0 + (e2 * a2 + a2 * e2) * (REAL)1.0 + (e3 * a3 + a3 * e3) * (REAL)1.0);
        NAME(store)(value_rates + 2 * columns + c, (e4 * a4 + a4 * e4) * (REAL)1.0 + (e5 * a5 + a5 * e5) * (REAL)2.0 + (e6 * a6 + a6 * e6) * (REAL)2.0 + (e7 * a7 + a7 * e7) * (REAL)1.0 + (e8 * a8 + a8 * e8) * (REAL)2.0 + (e9 * a9 + a9 * e9) * (REAL)1.0);
        NAME(store)(value_rates + 3 * columns + c, (e10 * a10 + a10 * e10) * (REAL)1.0 + (e11 * a11 + a11 * e11) * (REAL)3.0 + (e12 * a12 + a12 * e12) * (REAL)3.0 + (e13 * a13 + a13 * e13) * (REAL)3.0 + (e14 * a14 + a14 * e14) * (REAL)6.0 + (e15 * a15 + a15 * e15) * (REAL)3.0 + (e16 * a16 + a16 * e16) * (REAL)1.0 + (e17 * a17 + a17 * e17) * (REAL)3.0 + (e18 * a18 + a18 * e18) * (REAL)3.0 + (e19 * a19 + a19 * e19) * (REAL)1.0);
        NAME(store)(value_rates + 4 * columns + c, (e20 * a20 + a20 * e20) * (REAL)1.0 + (e21 * a21 + a21 * e21) * (REAL)4.0 + (e22 * a22 + a22 * e22) * (REAL)4.0 + (e23 * a23 + a23 * e23) * (REAL)6.0 + (e24 * a24 + a24 * e24) * (REAL)12.0 + (e25 * a25 + a25 * e25) * (REAL)6.0 + (e26 * a26 + a26 * e26) * (REAL)4.0 + (e27 * a27 + a27 * e27) * (REAL)12.0 + (e28 * a28 + a28 * e28) * (REAL)12.0 + (e29 * a29 + a29 * e29) * (REAL)4.0 + (e30 * a30 + a30 * e30) * (REAL)1.0 + (e31 * a31 + a31 * e31) * (REAL)4.0 + (e32 * a32 + a32 * e32) * (REAL)6.0 + (e33 * a33 + a33 * e33) * (REAL)4.0 + (e34 * a34 + a34 * e34) * (REAL)1.0);
        NAME(store)(value_rates + 5 * columns + c, (e1 * t0 + a1 * u0) * (REAL)1.0 + (e2 * t1 + a2 * u1) * (REAL)1.0 + (e3 * t2 + a3 * u2) * (REAL)1.0);
        NAME(store)(value_rates + 6 * columns + c, (e1 * t9 + a1 * u9) * (REAL)1.0 + (e2 * t10 + a2 * u10) * (REAL)1.0 + (e3 * t11 + a3 * u11) * (REAL)1.0);
        NAME(store)(value_rates + 7 * columns + c, (e1 * t18 + a1 * u18) * (REAL)1.0 + (e2 * t19 + a2 * u19) * (REAL)1.0 + (e3 * t20 + a3 * u20) * (REAL)1.0);
        NAME(store)(value_rates + 8 * columns + c, (e4 * t12 + a4 * u12) * (REAL)1.0 + (e5 * t13 + a5 * u13) * (REAL)2.0 + (e6 * t14 + a6 * u14) * (REAL)2.0 + (e7 * t15 + a7 * u15) * (REAL)1.0 + (e8 * t16 + a8 * u16) * (REAL)2.0 + (e9 * t17 + a9 * u17) * (REAL)1.0);
        NAME(store)(value_rates + 9 * columns + c, (u0 * t9 + t0 * u9) * (REAL)1.0 + (u1 * t10 + t1 * u10) * (REAL)1.0 + (u2 * t11 + t2 * u11) * (REAL)1.0);
        NAME(store)(value_rates + 10 * columns + c, (u3 * t12 + t3 * u12) * (REAL)1.0 + (u4 * t13 + t4 * u13) * (REAL)2.0 + (u5 * t14 + t5 * u14) * (REAL)2.0 + (u6 * t15 + t6 * u15) * (REAL)1.0 + (u7 * t16 + t7 * u16) * (REAL)2.0 + (u8 * t17 + t8 * u17) * (REAL)1.0);
        NAME(store)(value_rates + 11 * columns + c, (u0 * t18 + t0 * u18) * (REAL)1.0 + (u1 * t19 + t1 * u19) * (REAL)1.0 + (u2 * t20 + t2 * u20) * (REAL)1.0);
        NAME(store)(value_rates + 12 * columns + c, (u9 * t18 + t9 * u18) * (REAL)1.0 + (u10 * t19 + t10 * u19) * (REAL)1.0 + (u11 * t20 + t11 * u20) * (REAL)1.0);
        vec g0 = NAME(load)(by_values + c), p0 = {0};
        vec g1 = {0}, p1 = {0};
        vec g2 = {0}, p2 = {0};
        vec g3 = {0}, p3 = {0};
        vec g4 = {0}, p4 = {0};
        vec g5 = {0}, p5 = {0};
        vec g6 = {0}, p6 = {0};
        vec g7 = {0}, p7 = {0};
        vec g8 = {0}, p8 = {0};
        vec g9 = {0}, p9 = {0};
        vec g10 = {0}, p10 = {0};
        vec g11 = {0}, p11 = {0};
        vec g12 = {0}, p12 = {0};
        vec g13 = {0}, p13 = {0};
        vec g14 = {0}, p14 = {0};
        vec g15 = {0}, p15 = {0};
        vec g16 = {0}, p16 = {0};
        vec g17 = {0}, p17 = {0};
        vec g18 = {0}, p18 = {0};
        vec g19 = {0}, p19 = {0};
        vec g20 = {0}, p20 = {0};
        vec g21 = {0}, p21 = {0};
        vec g22 = {0}, p22 = {0};
        vec g23 = {0}, p23 = {0};
        vec g24 = {0}, p24 = {0};
        vec g25 = {0}, p25 = {0};
        vec g26 = {0}, p26 = {0};
        vec g27 = {0}, p27 = {0};
        vec g28 = {0}, p28 = {0};
        vec g29 = {0}, p29 = {0};
        vec g30 = {0}, p30 = {0};
        vec g31 = {0}, p31 = {0};
        vec g32 = {0}, p32 = {0};
        vec g33 = {0}, p33 = {0};
        vec g34 = {0}, p34 = {0};
        vec h0 = {0}, q0 = {0};
        vec h1 = {0}, q1 = {0};
        vec h2 = {0}, q2 = {0};
        vec h3 = {0}, q3 = {0};
        vec h4 = {0}, q4 = {0};
        vec h5 = {0}, q5 = {0};
        vec h6 = {0}, q6 = {0};
        vec h7 = {0}, q7 = {0};
        vec h8 = {0}, q8 = {0};
        vec h9 = {0}, q9 = {0};
        vec h10 = {0}, q10 = {0};
        vec h11 = {0}, q11 = {0};
        vec h12 = {0}, q12 = {0};
        vec h13 = {0}, q13 = {0};
        vec h14 = {0}, q14 = {0};
        vec h15 = {0}, q15 = {0};
        vec h16 = {0}, q16 = {0};
        vec h17 = {0}, q17 = {0};
        vec h18 = {0}, q18 = {0};
        vec h19 = {0}, q19 = {0};
        vec h20 = {0}, q20 = {0};
        const vec w5 = NAME(load)(by_values + 5 * columns + c);
        const vec w6 = NAME(load)(by_values + 6 * columns + c);
        const vec w7 = NAME(load)(by_values + 7 * columns + c);
        const vec w8 = NAME(load)(by_values + 8 * columns + c);
        const vec w9 = NAME(load)(by_values + 9 * columns + c);
        const vec w10 = NAME(load)(by_values + 10 * columns + c);
        const vec w11 = NAME(load)(by_values + 11 * columns + c);
        const vec w12 = NAME(load)(by_values + 12 * columns + c);
        g1 += w5 * t0 * (REAL)1.0;
        p1 += w5 * u0 * (REAL)1.0;
        h0 += w5 * a1 * (REAL)1.0;
        q0 += w5 * e1 * (REAL)1.0;
        g2 += w5 * t1 * (REAL)1.0;
        p2 += w5 * u1 * (REAL)1.0;
        h1 += w5 * a2 * (REAL)1.0;
        q1 += w5 * e2 * (REAL)1.0;
        g3 += w5 * t2 * (REAL)1.0;
        p3 += w5 * u2 * (REAL)1.0;
        h2 += w5 * a3 * (REAL)1.0;
        q2 += w5 * e3 * (REAL)1.0;
        g1 += w6 * t9 * (REAL)1.0;
        p1 += w6 * u9 * (REAL)1.0;
        h9 += w6 * a1 * (REAL)1.0;
        q9 += w6 * e1 * (REAL)1.0;
        g2 += w6 * t10 * (REAL)1.0;
        p2 += w6 * u10 * (REAL)1.0;
        h10 += w6 * a2 * (REAL)1.0;
        q10 += w6 * e2 * (REAL)1.0;
        g3 += w6 * t11 * (REAL)1.0;
        p3 += w6 * u11 * (REAL)1.0;
        h11 += w6 * a3 * (REAL)1.0;
        q11 += w6 * e3 * (REAL)1.0;
        g1 += w7 * t18 * (REAL)1.0;
        p1 += w7 * u18 * (REAL)1.0;
        h18 += w7 * a1 * (REAL)1.0;
        q18 += w7 * e1 * (REAL)1.0;
        g2 += w7 * t19 * (REAL)1.0;
        p2 += w7 * u19 * (REAL)1.0;
        h19 += w7 * a2 * (REAL)1.0;
        q19 += w7 * e2 * (REAL)1.0;
        g3 += w7 * t20 * (REAL)1.0;
        p3 += w7 * u20 * (REAL)1.0;
        h20 += w7 * a3 * (REAL)1.0;
        q20 += w7 * e3 * (REAL)1.0;
        g4 += w8 * t12 * (REAL)1.0;
        p4 += w8 * u12 * (REAL)1.0;
        h12 += w8 * a4 * (REAL)1.0;
        q12 += w8 * e4 * (REAL)1.0;
        g5 += w8 * t13 * (REAL)2.0;
        p5 += w8 * u13 * (REAL)2.0;
        h13 += w8 * a5 * (REAL)2.0;
        q13 += w8 * e5 * (REAL)2.0;
        g6 += w8 * t14 * (REAL)2.0;
        p6 += w8 * u14 * (REAL)2.0;
        h14 += w8 * a6 * (REAL)2.0;
        q14 += w8 * e6 * (REAL)2.0;
        g7 += w8 * t15 * (REAL)1.0;
        p7 += w8 * u15 * (REAL)1.0;
        h15 += w8 * a7 * (REAL)1.0;
        q15 += w8 * e7 * (REAL)1.0;
        g8 += w8 * t16 * (REAL)2.0;
        p8 += w8 * u16 * (REAL)2.0;
        h16 += w8 * a8 * (REAL)2.0;
        q16 += w8 * e8 * (REAL)2.0;
        g9 += w8 * t17 * (REAL)1.0;
        p9 += w8 * u17 * (REAL)1.0;
        h17 += w8 * a9 * (REAL)1.0;
        q17 += w8 * e9 * (REAL)1.0;
        h0 += w9 * t9 * (REAL)1.0;
        q0 += w9 * u9 * (REAL)1.0;
        h9 += w9 * t0 * (REAL)1.0;
        q9 += w9 * u0 * (REAL)1.0;
        h1 += w9 * t10 * (REAL)1.0;
        q1 += w9 * u10 * (REAL)1.0;
        h10 += w9 * t1 * (REAL)1.0;
        q10 += w9 * u1 * (REAL)1.0;
        h2 += w9 * t11 * (REAL)1.0;
        q2 += w9 * u11 * (REAL)1.0;
        h11 += w9 * t2 * (REAL)1.0;
        q11 += w9 * u2 * (REAL)1.0;
        h3 += w10 * t12 * (REAL)1.0;
        q3 += w10 * u12 * (REAL)1.0;
        h12 += w10 * t3 * (REAL)1.0;
        q12 += w10 * u3 * (REAL)1.0;
        h4 += w10 * t13 * (REAL)2.0;
        q4 += w10 * u13 * (REAL)2.0;
        h13 += w10 * t4 * (REAL)2.0;
        q13 += w10 * u4 * (REAL)2.0;
        h5 += w10 * t14 * (REAL)2.0;
        q5 += w10 * u14 * (REAL)2.0;
        h14 += w10 * t5 * (REAL)2.0;
        q14 += w10 * u5 * (REAL)2.0;
        h6 += w10 * t15 * (REAL)1.0;
        q6 += w10 * u15 * (REAL)1.0;
        h15 += w10 * t6 * (REAL)1.0;
        q15 += w10 * u6 * (REAL)1.0;
        h7 += w10 * t16 * (REAL)2.0;
        q7 += w10 * u16 * (REAL)2.0;
        h16 += w10 * t7 * (REAL)2.0;
        q16 += w10 * u7 * (REAL)2.0;
        h8 += w10 * t17 * (REAL)1.0;
        q8 += w10 * u17 * (REAL)1.0;
        h17 += w10 * t8 * (REAL)1.0;
        q17 += w10 * u8 * (REAL)1.0;
        h0 += w11 * t18 * (REAL)1.0;
        q0 += w11 * u18 * (REAL)1.0;
        h18 += w11 * t0 * (REAL)1.0;
        q18 += w11 * u0 * (REAL)1.0;
        h1 += w11 * t19 * (REAL)1.0;
        q1 += w11 * u19 * (REAL)1.0;
        h19 += w11 * t1 * (REAL)1.0;
        q19 += w11 * u1 * (REAL)1.0;
        h2 += w11 * t20 * (REAL)1.0;
        q2 += w11 * u20 * (REAL)1.0;
        h20 += w11 * t2 * (REAL)1.0;
        q20 += w11 * u2 * (REAL)1.0;
        h9 += w12 * t18 * (REAL)1.0;
        q9 += w12 * u18 * (REAL)1.0;
        h18 += w12 * t9 * (REAL)1.0;
        q18 += w12 * u9 * (REAL)1.0;
        h10 += w12 * t19 * (REAL)1.0;
        q10 += w12 * u19 * (REAL)1.0;
        h19 += w12 * t10 * (REAL)1.0;
        q19 += w12 * u10 * (REAL)1.0;
        h11 += w12 * t20 * (REAL)1.0;
        q11 += w12 * u20 * (REAL)1.0;
        h20 += w12 * t11 * (REAL)1.0;
        q20 += w12 * u11 * (REAL)1.0;
        g1 += h0 * a4 * (REAL)1.0;
        p1 += (q0 * a4 + h0 * e4) * (REAL)1.0;
        g4 += h0 * a1 * (REAL)1.0;
        p4 += (q0 * a1 + h0 * e1) * (REAL)1.0;
        g2 += h0 * a5 * (REAL)1.0;
        p2 += (q0 * a5 + h0 * e5) * (REAL)1.0;
        g5 += h0 * a2 * (REAL)1.0;
        p5 += (q0 * a2 + h0 * e2) * (REAL)1.0;
        g3 += h0 * a6 * (REAL)1.0;
        p3 += (q0 * a6 + h0 * e6) * (REAL)1.0;
        g6 += h0 * a3 * (REAL)1.0;
        p6 += (q0 * a3 + h0 * e3) * (REAL)1.0;
        g1 += h1 * a5 * (REAL)1.0;
        p1 += (q1 * a5 + h1 * e5) * (REAL)1.0;
        g5 += h1 * a1 * (REAL)1.0;
        p5 += (q1 * a1 + h1 * e1) * (REAL)1.0;
        g2 += h1 * a7 * (REAL)1.0;
        p2 += (q1 * a7 + h1 * e7) * (REAL)1.0;
        g7 += h1 * a2 * (REAL)1.0;
        p7 += (q1 * a2 + h1 * e2) * (REAL)1.0;
        g3 += h1 * a8 * (REAL)1.0;
        p3 += (q1 * a8 + h1 * e8) * (REAL)1.0;
        g8 += h1 * a3 * (REAL)1.0;
        p8 += (q1 * a3 + h1 * e3) * (REAL)1.0;
        g1 += h2 * a6 * (REAL)1.0;
        p1 += (q2 * a6 + h2 * e6) * (REAL)1.0;
        g6 += h2 * a1 * (REAL)1.0;
        p6 += (q2 * a1 + h2 * e1) * (REAL)1.0;
        g2 += h2 * a8 * (REAL)1.0;
        p2 += (q2 * a8 + h2 * e8) * (REAL)1.0;
        g8 += h2 * a2 * (REAL)1.0;
        p8 += (q2 * a2 + h2 * e2) * (REAL)1.0;
        g3 += h2 * a9 * (REAL)1.0;
        p3 += (q2 * a9 + h2 * e9) * (REAL)1.0;
        g9 += h2 * a3 * (REAL)1.0;
        p9 += (q2 * a3 + h2 * e3) * (REAL)1.0;
        g1 += h3 * a10 * (REAL)1.0;
        p1 += (q3 * a10 + h3 * e10) * (REAL)1.0;
        g10 += h3 * a1 * (REAL)1.0;
        p10 += (q3 * a1 + h3 * e1) * (REAL)1.0;
        g2 += h3 * a11 * (REAL)1.0;
        p2 += (q3 * a11 + h3 * e11) * (REAL)1.0;
        g11 += h3 * a2 * (REAL)1.0;
        p11 += (q3 * a2 + h3 * e2) * (REAL)1.0;
        g3 += h3 * a12 * (REAL)1.0;
        p3 += (q3 * a12 + h3 * e12) * (REAL)1.0;
        g12 += h3 * a3 * (REAL)1.0;
        p12 += (q3 * a3 + h3 * e3) * (REAL)1.0;
        g1 += h4 * a11 * (REAL)1.0;
        p1 += (q4 * a11 + h4 * e11) * (REAL)1.0;
        g11 += h4 * a1 * (REAL)1.0;
        p11 += (q4 * a1 + h4 * e1) * (REAL)1.0;
        g2 += h4 * a13 * (REAL)1.0;
        p2 += (q4 * a13 + h4 * e13) * (REAL)1.0;
        g13 += h4 * a2 * (REAL)1.0;
        p13 += (q4 * a2 + h4 * e2) * (REAL)1.0;
        g3 += h4 * a14 * (REAL)1.0;
        p3 += (q4 * a14 + h4 * e14) * (REAL)1.0;
        g14 += h4 * a3 * (REAL)1.0;
        p14 += (q4 * a3 + h4 * e3) * (REAL)1.0;
        g1 += h5 * a12 * (REAL)1.0;
        p1 += (q5 * a12 + h5 * e12) * (REAL)1.0;
        g12 += h5 * a1 * (REAL)1.0;
        p12 += (q5 * a1 + h5 * e1) * (REAL)1.0;
        g2 += h5 * a14 * (REAL)1.0;
        p2 += (q5 * a14 + h5 * e14) * (REAL)1.0;
        g14 += h5 * a2 * (REAL)1.0;
        p14 += (q5 * a2 + h5 * e2) * (REAL)1.0;
        g3 += h5 * a15 * (REAL)1.0;
        p3 += (q5 * a15 + h5 * e15) * (REAL)1.0;
        g15 += h5 * a3 * (REAL)1.0;
        p15 += (q5 * a3 + h5 * e3) * (REAL)1.0;
        g1 += h6 * a13 * (REAL)1.0;
        p1 += (q6 * a13 + h6 * e13) * (REAL)1.0;
        g13 += h6 * a1 * (REAL)1.0;
        p13 += (q6 * a1 + h6 * e1) * (REAL)1.0;
        g2 += h6 * a16 * (REAL)1.0;
        p2 += (q6 * a16 + h6 * e16) * (REAL)1.0;
        g16 += h6 * a2 * (REAL)1.0;
        p16 += (q6 * a2 + h6 * e2) * (REAL)1.0;
        g3 += h6 * a17 * (REAL)1.0;
        p3 += (q6 * a17 + h6 * e17) * (REAL)1.0;
        g17 += h6 * a3 * (REAL)1.0;
        p17 += (q6 * a3 + h6 * e3) * (REAL)1.0;
        g1 += h7 * a14 * (REAL)1.0;
        p1 += (q7 * a14 + h7 * e14) * (REAL)1.0;
        g14 += h7 * a1 * (REAL)1.0;
        p14 += (q7 * a1 + h7 * e1) * (REAL)1.0;
        g2 += h7 * a17 * (REAL)1.0;
        p2 += (q7 * a17 + h7 * e17) * (REAL)1.0;
        g17 += h7 * a2 * (REAL)1.0;
        p17 += (q7 * a2 + h7 * e2) * (REAL)1.0;
        g3 += h7 * a18 * (REAL)1.0;
        p3 += (q7 * a18 + h7 * e18) * (REAL)1.0;
        g18 += h7 * a3 * (REAL)1.0;
        p18 += (q7 * a3 + h7 * e3) * (REAL)1.0;
        g1 += h8 * a15 * (REAL)1.0;
        p1 += (q8 * a15 + h8 * e15) * (REAL)1.0;
        g15 += h8 * a1 * (REAL)1.0;
        p15 += (q8 * a1 + h8 * e1) * (REAL)1.0;
        g2 += h8 * a18 * (REAL)1.0;
        p2 += (q8 * a18 + h8 * e18) * (REAL)1.0;
        g18 += h8 * a2 * (REAL)1.0;
        p18 += (q8 * a2 + h8 * e2) * (REAL)1.0;
        g3 += h8 * a19 * (REAL)1.0;
        p3 += (q8 * a19 + h8 * e19) * (REAL)1.0;
        g19 += h8 * a3 * (REAL)1.0;
        p19 += (q8 * a3 + h8 * e3) * (REAL)1.0;
        g4 += h9 * a10 * (REAL)1.0;
        p4 += (q9 * a10 + h9 * e10) * (REAL)1.0;
        g10 += h9 * a4 * (REAL)1.0;
        p10 += (q9 * a4 + h9 * e4) * (REAL)1.0;
        g5 += h9 * a11 * (REAL)2.0;
        p5 += (q9 * a11 + h9 * e11) * (REAL)2.0;
        g11 += h9 * a5 * (REAL)2.0;
        p11 += (q9 * a5 + h9 * e5) * (REAL)2.0;
        g6 += h9 * a12 * (REAL)2.0;
        p6 += (q9 * a12 + h9 * e12) * (REAL)2.0;
        g12 += h9 * a6 * (REAL)2.0;
        p12 += (q9 * a6 + h9 * e6) * (REAL)2.0;
        g7 += h9 * a13 * (REAL)1.0;
        p7 += (q9 * a13 + h9 * e13) * (REAL)1.0;
        g13 += h9 * a7 * (REAL)1.0;
        p13 += (q9 * a7 + h9 * e7) * (REAL)1.0;
        g8 += h9 * a14 * (REAL)2.0;
        p8 += (q9 * a14 + h9 * e14) * (REAL)2.0;
        g14 += h9 * a8 * (REAL)2.0;
        p14 += (q9 * a8 + h9 * e8) * (REAL)2.0;
        g9 += h9 * a15 * (REAL)1.0;
        p9 += (q9 * a15 + h9 * e15) * (REAL)1.0;
        g15 += h9 * a9 * (REAL)1.0;
        p15 += (q9 * a9 + h9 * e9) * (REAL)1.0;
        g4 += h10 * a11 * (REAL)1.0;
        p4 += (q10 * a11 + h10 * e11) * (REAL)1.0;
        g11 += h10 * a4 * (REAL)1.0;
        p11 += (q10 * a4 + h10 * e4) * (REAL)1.0;
        g5 += h10 * a13 * (REAL)2.0;
        p5 += (q10 * a13 + h10 * e13) * (REAL)2.0;
        g13 += h10 * a5 * (REAL)2.0;
        p13 += (q10 * a5 + h10 * e5) * (REAL)2.0;
        g6 += h10 * a14 * (REAL)2.0;
        p6 += (q10 * a14 + h10 * e14) * (REAL)2.0;
        g14 += h10 * a6 * (REAL)2.0;
        p14 += (q10 * a6 + h10 * e6) * (REAL)2.0;
        g7 += h10 * a16 * (REAL)1.0;
        p7 += (q10 * a16 + h10 * e16) * (REAL)1.0;
        g16 += h10 * a7 * (REAL)1.0;
        p16 += (q10 * a7 + h10 * e7) * (REAL)1.0;
        g8 += h10 * a17 * (REAL)2.0;
        p8 += (q10 * a17 + h10 * e17) * (REAL)2.0;
        g17 += h10 * a8 * (REAL)2.0;
        p17 += (q10 * a8 + h10 * e8) * (REAL)2.0;
        g9 += h10 * a18 * (REAL)1.0;
        p9 += (q10 * a18 + h10 * e18) * (REAL)1.0;
        g18 += h10 * a9 * (REAL)1.0;
        p18 += (q10 * a9 + h10 * e9) * (REAL)1.0;
        g4 += h11 * a12 * (REAL)1.0;
        p4 += (q11 * a12 + h11 * e12) * (REAL)1.0;
        g12 += h11 * a4 * (REAL)1.0;
        p12 += (q11 * a4 + h11 * e4) * (REAL)1.0;
        g5 += h11 * a14 * (REAL)2.0;
        p5 += (q11 * a14 + h11 * e14) * (REAL)2.0;
        g14 += h11 * a5 * (REAL)2.0;
        p14 += (q11 * a5 + h11 * e5) * (REAL)2.0;
        g6 += h11 * a15 * (REAL)2.0;
        p6 += (q11 * a15 + h11 * e15) * (REAL)2.0;
        g15 += h11 * a6 * (REAL)2.0;
        p15 += (q11 * a6 + h11 * e6) * (REAL)2.0;
        g7 += h11 * a17 * (REAL)1.0;
        p7 += (q11 * a17 + h11 * e17) * (REAL)1.0;
        g17 += h11 * a7 * (REAL)1.0;
        p17 += (q11 * a7 + h11 * e7) * (REAL)1.0;
        g8 += h11 * a18 * (REAL)2.0;
        p8 += (q11 * a18 + h11 * e18) * (REAL)2.0;
        g18 += h11 * a8 * (REAL)2.0;
        p18 += (q11 * a8 + h11 * e8) * (REAL)2.0;
        g9 += h11 * a19 * (REAL)1.0;
        p9 += (q11 * a19 + h11 * e19) * (REAL)1.0;
        g19 += h11 * a9 * (REAL)1.0;
        p19 += (q11 * a9 + h11 * e9) * (REAL)1.0;
        g4 += h12 * a20 * (REAL)1.0;
        p4 += (q12 * a20 + h12 * e20) * (REAL)1.0;
        g20 += h12 * a4 * (REAL)1.0;
        p20 += (q12 * a4 + h12 * e4) * (REAL)1.0;
        g5 += h12 * a21 * (REAL)2.0;
        p5 += (q12 * a21 + h12 * e21) * (REAL)2.0;
        g21 += h12 * a5 * (REAL)2.0;
        p21 += (q12 * a5 + h12 * e5) * (REAL)2.0;
        g6 += h12 * a22 * (REAL)2.0;
        p6 += (q12 * a22 + h12 * e22) * (REAL)2.0;
        g22 += h12 * a6 * (REAL)2.0;
        p22 += (q12 * a6 + h12 * e6) * (REAL)2.0;
        g7 += h12 * a23 * (REAL)1.0;
        p7 += (q12 * a23 + h12 * e23) * (REAL)1.0;
        g23 += h12 * a7 * (REAL)1.0;
        p23 += (q12 * a7 + h12 * e7) * (REAL)1.0;
        g8 += h12 * a24 * (REAL)2.0;
        p8 += (q12 * a24 + h12 * e24) * (REAL)2.0;
        g24 += h12 * a8 * (REAL)2.0;
        p24 += (q12 * a8 + h12 * e8) * (REAL)2.0;
        g9 += h12 * a25 * (REAL)1.0;
        p9 += (q12 * a25 + h12 * e25) * (REAL)1.0;
        g25 += h12 * a9 * (REAL)1.0;
        p25 += (q12 * a9 + h12 * e9) * (REAL)1.0;
        g4 += h13 * a21 * (REAL)1.0;
        p4 += (q13 * a21 + h13 * e21) * (REAL)1.0;
        g21 += h13 * a4 * (REAL)1.0;
        p21 += (q13 * a4 + h13 * e4) * (REAL)1.0;
        g5 += h13 * a23 * (REAL)2.0;
        p5 += (q13 * a23 + h13 * e23) * (REAL)2.0;
        g23 += h13 * a5 * (REAL)2.0;
        p23 += (q13 * a5 + h13 * e5) * (REAL)2.0;
        g6 += h13 * a24 * (REAL)2.0;
        p6 += (q13 * a24 + h13 * e24) * (REAL)2.0;
        g24 += h13 * a6 * (REAL)2.0;
        p24 += (q13 * a6 + h13 * e6) * (REAL)2.0;
        g7 += h13 * a26 * (REAL)1.0;
        p7 += (q13 * a26 + h13 * e26) * (REAL)1.0;
        g26 += h13 * a7 * (REAL)1.0;
        p26 += (q13 * a7 + h13 * e7) * (REAL)1.0;
        g8 += h13 * a27 * (REAL)2.0;
        p8 += (q13 * a27 + h13 * e27) * (REAL)2.0;
        g27 += h13 * a8 * (REAL)2.0;
        p27 += (q13 * a8 + h13 * e8) * (REAL)2.0;
        g9 += h13 * a28 * (REAL)1.0;
        p9 += (q13 * a28 + h13 * e28) * (REAL)1.0;
        g28 += h13 * a9 * (REAL)1.0;
        p28 += (q13 * a9 + h13 * e9) * (REAL)1.0;
        g4 += h14 * a22 * (REAL)1.0;
        p4 += (q14 * a22 + h14 * e22) * (REAL)1.0;
        g22 += h14 * a4 * (REAL)1.0;
        p22 += (q14 * a4 + h14 * e4) * (REAL)1.0;
        g5 += h14 * a24 * (REAL)2.0;
        p5 += (q14 * a24 + h14 * e24) * (REAL)2.0;
        g24 += h14 * a5 * (REAL)2.0;
        p24 += (q14 * a5 + h14 * e5) * (REAL)2.0;
        g6 += h14 * a25 * (REAL)2.0;
        p6 += (q14 * a25 + h14 * e25) * (REAL)2.0;
        g25 += h14 * a6 * (REAL)2.0;
        p25 += (q14 * a6 + h14 * e6) * (REAL)2.0;
        g7 += h14 * a27 * (REAL)1.0;
        p7 += (q14 * a27 + h14 * e27) * (REAL)1.0;
        g27 += h14 * a7 * (REAL)1.0;
        p27 += (q14 * a7 + h14 * e7) * (REAL)1.0;
        g8 += h14 * a28 * (REAL)2.0;
        p8 += (q14 * a28 + h14 * e28) * (REAL)2.0;
        g28 += h14 * a8 * (REAL)2.0;
        p28 += (q14 * a8 + h14 * e8) * (REAL)2.0;
        g9 += h14 * a29 * (REAL)1.0;
        p9 += (q14 * a29 + h14 * e29) * (REAL)1.0;
        g29 += h14 * a9 * (REAL)1.0;
        p29 += (q14 * a9 + h14 * e9) * (REAL)1.0;
        g4 += h15 * a23 * (REAL)1.0;
        p4 += (q15 * a23 + h15 * e23) * (REAL)1.0;
        g23 += h15 * a4 * (REAL)1.0;
        p23 += (q15 * a4 + h15 * e4) * (REAL)1.0;
        g5 += h15 * a26 * (REAL)2.0;
        p5 += (q15 * a26 + h15 * e26) * (REAL)2.0;
        g26 += h15 * a5 * (REAL)2.0;
        p26 += (q15 * a5 + h15 * e5) * (REAL)2.0;
        g6 += h15 * a27 * (REAL)2.0;
        p6 += (q15 * a27 + h15 * e27) * (REAL)2.0;
        g27 += h15 * a6 * (REAL)2.0;
        p27 += (q15 * a6 + h15 * e6) * (REAL)2.0;
        g7 += h15 * a30 * (REAL)1.0;
        p7 += (q15 * a30 + h15 * e30) * (REAL)1.0;
        g30 += h15 * a7 * (REAL)1.0;
        p30 += (q15 * a7 + h15 * e7) * (REAL)1.0;
        g8 += h15 * a31 * (REAL)2.0;
        p8 += (q15 * a31 + h15 * e31) * (REAL)2.0;
        g31 += h15 * a8 * (REAL)2.0;
        p31 += (q15 * a8 + h15 * e8) * (REAL)2.0;
        g9 += h15 * a32 * (REAL)1.0;
        p9 += (q15 * a32 + h15 * e32) * (REAL)1.0;
        g32 += h15 * a9 * (REAL)1.0;
        p32 += (q15 * a9 + h15 * e9) * (REAL)1.0;
        g4 += h16 * a24 * (REAL)1.0;
        p4 += (q16 * a24 + h16 * e24) * (REAL)1.0;
        g24 += h16 * a4 * (REAL)1.0;
        p24 += (q16 * a4 + h16 * e4) * (REAL)1.0;
        g5 += h16 * a27 * (REAL)2.0;
        p5 += (q16 * a27 + h16 * e27) * (REAL)2.0;
        g27 += h16 * a5 * (REAL)2.0;
        p27 += (q16 * a5 + h16 * e5) * (REAL)2.0;
        g6 += h16 * a28 * (REAL)2.0;
        p6 += (q16 * a28 + h16 * e28) * (REAL)2.0;
        g28 += h16 * a6 * (REAL)2.0;
        p28 += (q16 * a6 + h16 * e6) * (REAL)2.0;
        g7 += h16 * a31 * (REAL)1.0;
        p7 += (q16 * a31 + h16 * e31) * (REAL)1.0;
        g31 += h16 * a7 * (REAL)1.0;
        p31 += (q16 * a7 + h16 * e7) * (REAL)1.0;
        g8 += h16 * a32 * (REAL)2.0;
        p8 += (q16 * a32 + h16 * e32) * (REAL)2.0;
        g32 += h16 * a8 * (REAL)2.0;
        p32 += (q16 * a8 + h16 * e8) * (REAL)2.0;
        g9 += h16 * a33 * (REAL)1.0;
        p9 += (q16 * a33 + h16 * e33) * (REAL)1.0;
        g33 += h16 * a9 * (REAL)1.0;
        p33 += (q16 * a9 + h16 * e9) * (REAL)1.0;
        g4 += h17 * a25 * (REAL)1.0;
        p4 += (q17 * a25 + h17 * e25) * (REAL)1.0;
        g25 += h17 * a4 * (REAL)1.0;
        p25 += (q17 * a4 + h17 * e4) * (REAL)1.0;
        g5 += h17 * a28 * (REAL)2.0;
        p5 += (q17 * a28 + h17 * e28) * (REAL)2.0;
        g28 += h17 * a5 * (REAL)2.0;
        p28 += (q17 * a5 + h17 * e5) * (REAL)2.0;
        g6 += h17 * a29 * (REAL)2.0;
        p6 += (q17 * a29 + h17 * e29) * (REAL)2.0;
        g29 += h17 * a6 * (REAL)2.0;
        p29 += (q17 * a6 + h17 * e6) * (REAL)2.0;
        g7 += h17 * a32 * (REAL)1.0;
        p7 += (q17 * a32 + h17 * e32) * (REAL)1.0;
        g32 += h17 * a7 * (REAL)1.0;
        p32 += (q17 * a7 + h17 * e7) * (REAL)1.0;
        g8 += h17 * a33 * (REAL)2.0;
        p8 += (q17 * a33 + h17 * e33) * (REAL)2.0;
        g33 += h17 * a8 * (REAL)2.0;
        p33 += (q17 * a8 + h17 * e8) * (REAL)2.0;
        g9 += h17 * a34 * (REAL)1.0;
        p9 += (q17 * a34 + h17 * e34) * (REAL)1.0;
        g34 += h17 * a9 * (REAL)1.0;
        p34 += (q17 * a9 + h17 * e9) * (REAL)1.0;
        g10 += h18 * a20 * (REAL)1.0;
        p10 += (q18 * a20 + h18 * e20) * (REAL)1.0;
        g20 += h18 * a10 * (REAL)1.0;
        p20 += (q18 * a10 + h18 * e10) * (REAL)1.0;
        g11 += h18 * a21 * (REAL)3.0;
        p11 += (q18 * a21 + h18 * e21) * (REAL)3.0;
        g21 += h18 * a11 * (REAL)3.0;
        p21 += (q18 * a11 + h18 * e11) * (REAL)3.0;
        g12 += h18 * a22 * (REAL)3.0;
        p12 += (q18 * a22 + h18 * e22) * (REAL)3.0;
        g22 += h18 * a12 * (REAL)3.0;
        p22 += (q18 * a12 + h18 * e12) * (REAL)3.0;
        g13 += h18 * a23 * (REAL)3.0;
        p13 += (q18 * a23 + h18 * e23) * (REAL)3.0;
        g23 += h18 * a13 * (REAL)3.0;
        p23 += (q18 * a13 + h18 * e13) * (REAL)3.0;
        g14 += h18 * a24 * (REAL)6.0;
        p14 += (q18 * a24 + h18 * e24) * (REAL)6.0;
        g24 += h18 * a14 * (REAL)6.0;
        p24 += (q18 * a14 + h18 * e14) * (REAL)6.0;
        g15 += h18 * a25 * (REAL)3.0;
        p15 += (q18 * a25 + h18 * e25) * (REAL)3.0;
        g25 += h18 * a15 * (REAL)3.0;
        p25 += (q18 * a15 + h18 * e15) * (REAL)3.0;
        g16 += h18 * a26 * (REAL)1.0;
        p16 += (q18 * a26 + h18 * e26) * (REAL)1.0;
        g26 += h18 * a16 * (REAL)1.0;
        p26 += (q18 * a16 + h18 * e16) * (REAL)1.0;
        g17 += h18 * a27 * (REAL)3.0;
        p17 += (q18 * a27 + h18 * e27) * (REAL)3.0;
        g27 += h18 * a17 * (REAL)3.0;
        p27 += (q18 * a17 + h18 * e17) * (REAL)3.0;
        g18 += h18 * a28 * (REAL)3.0;
        p18 += (q18 * a28 + h18 * e28) * (REAL)3.0;
        g28 += h18 * a18 * (REAL)3.0;
        p28 += (q18 * a18 + h18 * e18) * (REAL)3.0;
        g19 += h18 * a29 * (REAL)1.0;
        p19 += (q18 * a29 + h18 * e29) * (REAL)1.0;
        g29 += h18 * a19 * (REAL)1.0;
        p29 += (q18 * a19 + h18 * e19) * (REAL)1.0;
        g10 += h19 * a21 * (REAL)1.0;
        p10 += (q19 * a21 + h19 * e21) * (REAL)1.0;
        g21 += h19 * a10 * (REAL)1.0;
        p21 += (q19 * a10 + h19 * e10) * (REAL)1.0;
        g11 += h19 * a23 * (REAL)3.0;
        p11 += (q19 * a23 + h19 * e23) * (REAL)3.0;
        g23 += h19 * a11 * (REAL)3.0;
        p23 += (q19 * a11 + h19 * e11) * (REAL)3.0;
        g12 += h19 * a24 * (REAL)3.0;
        p12 += (q19 * a24 + h19 * e24) * (REAL)3.0;
        g24 += h19 * a12 * (REAL)3.0;
        p24 += (q19 * a12 + h19 * e12) * (REAL)3.0;
        g13 += h19 * a26 * (REAL)3.0;
        p13 += (q19 * a26 + h19 * e26) * (REAL)3.0;
        g26 += h19 * a13 * (REAL)3.0;
        p26 += (q19 * a13 + h19 * e13) * (REAL)3.0;
        g14 += h19 * a27 * (REAL)6.0;
        p14 += (q19 * a27 + h19 * e27) * (REAL)6.0;
        g27 += h19 * a14 * (REAL)6.0;
        p27 += (q19 * a14 + h19 * e14) * (REAL)6.0;
        g15 += h19 * a28 * (REAL)3.0;
        p15 += (q19 * a28 + h19 * e28) * (REAL)3.0;
        g28 += h19 * a15 * (REAL)3.0;
        p28 += (q19 * a15 + h19 * e15) * (REAL)3.0;
        g16 += h19 * a30 * (REAL)1.0;
        p16 += (q19 * a30 + h19 * e30) * (REAL)1.0;
        g30 += h19 * a16 * (REAL)1.0;
        p30 += (q19 * a16 + h19 * e16) * (REAL)1.0;
        g17 += h19 * a31 * (REAL)3.0;
        p17 += (q19 * a31 + h19 * e31) * (REAL)3.0;
        g31 += h19 * a17 * (REAL)3.0;
        p31 += (q19 * a17 + h19 * e17) * (REAL)3.0;
        g18 += h19 * a32 * (REAL)3.0;
        p18 += (q19 * a32 + h19 * e32) * (REAL)3.0;
        g32 += h19 * a18 * (REAL)3.0;
        p32 += (q19 * a18 + h19 * e18) * (REAL)3.0;
        g19 += h19 * a33 * (REAL)1.0;
        p19 += (q19 * a33 + h19 * e33) * (REAL)1.0;
        g33 += h19 * a19 * (REAL)1.0;
        p33 += (q19 * a19 + h19 * e19) * (REAL)1.0;
        g10 += h20 * a22 * (REAL)1.0;
        p10 += (q20 * a22 + h20 * e22) * (REAL)1.0;
        g22 += h20 * a10 * (REAL)1.0;
        p22 += (q20 * a10 + h20 * e10) * (REAL)1.0;
        g11 += h20 * a24 * (REAL)3.0;
        p11 += (q20 * a24 + h20 * e24) * (REAL)3.0;
        g24 += h20 * a11 * (REAL)3.0;
        p24 += (q20 * a11 + h20 * e11) * (REAL)3.0;
        g12 += h20 * a25 * (REAL)3.0;
        p12 += (q20 * a25 + h20 * e25) * (REAL)3.0;
        g25 += h20 * a12 * (REAL)3.0;
        p25 += (q20 * a12 + h20 * e12) * (REAL)3.0;
        g13 += h20 * a27 * (REAL)3.0;
        p13 += (q20 * a27 + h20 * e27) * (REAL)3.0;
        g27 += h20 * a13 * (REAL)3.0;
        p27 += (q20 * a13 + h20 * e13) * (REAL)3.0;
        g14 += h20 * a28 * (REAL)6.0;
        p14 += (q20 * a28 + h20 * e28) * (REAL)6.0;
        g28 += h20 * a14 * (REAL)6.0;
        p28 += (q20 * a14 + h20 * e14) * (REAL)6.0;
        g15 += h20 * a29 * (REAL)3.0;
        p15 += (q20 * a29 + h20 * e29) * (REAL)3.0;
        g29 += h20 * a15 * (REAL)3.0;
        p29 += (q20 * a15 + h20 * e15) * (REAL)3.0;
        g16 += h20 * a31 * (REAL)1.0;
        p16 += (q20 * a31 + h20 * e31) * (REAL)1.0;
        g31 += h20 * a16 * (REAL)1.0;
        p31 += (q20 * a16 + h20 * e16) * (REAL)1.0;
        g17 += h20 * a32 * (REAL)3.0;
        p17 += (q20 * a32 + h20 * e32) * (REAL)3.0;
        g32 += h20 * a17 * (REAL)3.0;
        p32 += (q20 * a17 + h20 * e17) * (REAL)3.0;
        g18 += h20 * a33 * (REAL)3.0;
        p18 += (q20 * a33 + h20 * e33) * (REAL)3.0;
        g33 += h20 * a18 * (REAL)3.0;
        p33 += (q20 * a18 + h20 * e18) * (REAL)3.0;
        g19 += h20 * a34 * (REAL)1.0;
        p19 += (q20 * a34 + h20 * e34) * (REAL)1.0;
        g34 += h20 * a19 * (REAL)1.0;
        p34 += (q20 * a19 + h20 * e19) * (REAL)1.0;
        const vec w1 = NAME(load)(by_values + 1 * columns + c);
        const vec w2 = NAME(load)(by_values + 2 * columns + c);
        const vec w3 = NAME(load)(by_values + 3 * columns + c);
        const vec w4 = NAME(load)(by_values + 4 * columns + c);
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g1 += w1 * a1 * (REAL)1.0;
        p1 += w1 * e1 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g2 += w1 * a2 * (REAL)1.0;
        p2 += w1 * e2 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g3 += w1 * a3 * (REAL)1.0;
        p3 += w1 * e3 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g4 += w2 * a4 * (REAL)1.0;
        p4 += w2 * e4 * (REAL)1.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g5 += w2 * a5 * (REAL)2.0;
        p5 += w2 * e5 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g6 += w2 * a6 * (REAL)2.0;
        p6 += w2 * e6 * (REAL)2.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g7 += w2 * a7 * (REAL)1.0;
        p7 += w2 * e7 * (REAL)1.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g8 += w2 * a8 * (REAL)2.0;
        p8 += w2 * e8 * (REAL)2.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g9 += w2 * a9 * (REAL)1.0;
        p9 += w2 * e9 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g10 += w3 * a10 * (REAL)1.0;
        p10 += w3 * e10 * (REAL)1.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g11 += w3 * a11 * (REAL)3.0;
        p11 += w3 * e11 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g12 += w3 * a12 * (REAL)3.0;
        p12 += w3 * e12 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g13 += w3 * a13 * (REAL)3.0;
        p13 += w3 * e13 * (REAL)3.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g14 += w3 * a14 * (REAL)6.0;
        p14 += w3 * e14 * (REAL)6.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g15 += w3 * a15 * (REAL)3.0;
        p15 += w3 * e15 * (REAL)3.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g16 += w3 * a16 * (REAL)1.0;
        p16 += w3 * e16 * (REAL)1.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g17 += w3 * a17 * (REAL)3.0;
        p17 += w3 * e17 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g18 += w3 * a18 * (REAL)3.0;
        p18 += w3 * e18 * (REAL)3.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g19 += w3 * a19 * (REAL)1.0;
        p19 += w3 * e19 * (REAL)1.0;
        g20 += w4 * a20 * (REAL)1.0;
        p20 += w4 * e20 * (REAL)1.0;
        g20 += w4 * a20 * (REAL)1.0;
        p20 += w4 * e20 * (REAL)1.0;
        g21 += w4 * a21 * (REAL)4.0;
        p21 += w4 * e21 * (REAL)4.0;
        g21 += w4 * a21 * (REAL)4.0;
        p21 += w4 * e21 * (REAL)4.0;
        g22 += w4 * a22 * (REAL)4.0;
        p22 += w4 * e22 * (REAL)4.0;
        g22 += w4 * a22 * (REAL)4.0;
        p22 += w4 * e22 * (REAL)4.0;
        g23 += w4 * a23 * (REAL)6.0;
        p23 += w4 * e23 * (REAL)6.0;
        g23 += w4 * a23 * (REAL)6.0;
        p23 += w4 * e23 * (REAL)6.0;
        g24 += w4 * a24 * (REAL)12.0;
        p24 += w4 * e24 * (REAL)12.0;
        g24 += w4 * a24 * (REAL)12.0;
        p24 += w4 * e24 * (REAL)12.0;
        g25 += w4 * a25 * (REAL)6.0;
        p25 += w4 * e25 * (REAL)6.0;
        g25 += w4 * a25 * (REAL)6.0;
        p25 += w4 * e25 * (REAL)6.0;
        g26 += w4 * a26 * (REAL)4.0;
        p26 += w4 * e26 * (REAL)4.0;
        g26 += w4 * a26 * (REAL)4.0;
        p26 += w4 * e26 * (REAL)4.0;
        g27 += w4 * a27 * (REAL)12.0;
        p27 += w4 * e27 * (REAL)12.0;
        g27 += w4 * a27 * (REAL)12.0;
        p27 += w4 * e27 * (REAL)12.0;
        g28 += w4 * a28 * (REAL)12.0;
        p28 += w4 * e28 * (REAL)12.0;
        g28 += w4 * a28 * (REAL)12.0;
        p28 += w4 * e28 * (REAL)12.0;
        g29 += w4 * a29 * (REAL)4.0;
        p29 += w4 * e29 * (REAL)4.0;
        g29 += w4 * a29 * (REAL)4.0;
        p29 += w4 * e29 * (REAL)4.0;
        g30 += w4 * a30 * (REAL)1.0;
        p30 += w4 * e30 * (REAL)1.0;
        g30 += w4 * a30 * (REAL)1.0;
        p30 += w4 * e30 * (REAL)1.0;
        g31 += w4 * a31 * (REAL)4.0;
        p31 += w4 * e31 * (REAL)4.0;
        g31 += w4 * a31 * (REAL)4.0;
        p31 += w4 * e31 * (REAL)4.0;
        g32 += w4 * a32 * (REAL)6.0;
        p32 += w4 * e32 * (REAL)6.0;
        g32 += w4 * a32 * (REAL)6.0;
        p32 += w4 * e32 * (REAL)6.0;
        g33 += w4 * a33 * (REAL)4.0;
        p33 += w4 * e33 * (REAL)4.0;
        g33 += w4 * a33 * (REAL)4.0;
        p33 += w4 * e33 * (REAL)4.0;
        g34 += w4 * a34 * (REAL)1.0;
        p34 += w4 * e34 * (REAL)1.0;
        g34 += w4 * a34 * (REAL)1.0;
        p34 += w4 * e34 * (REAL)1.0;
        NAME(store)(gradients + 0 * columns + c, g0);
        NAME(store)(gradient_rates + 0 * columns + c, p0);
        NAME(store)(gradients + 1 * columns + c, g1);
        NAME(store)(gradient_rates + 1 * columns + c, p1);
        NAME(store)(gradients + 2 * columns + c, g2);
        NAME(store)(gradient_rates + 2 * columns + c, p2);
        NAME(store)(gradients + 3 * columns + c, g3);
        NAME(store)(gradient_rates + 3 * columns + c, p3);
        NAME(store)(gradients + 4 * columns + c, g4);
        NAME(store)(gradient_rates + 4 * columns + c, p4);
        NAME(store)(gradients + 5 * columns + c, g5);
        NAME(store)(gradient_rates + 5 * columns + c, p5);
        NAME(store)(gradients + 6 * columns + c, g6);
        NAME(store)(gradient_rates + 6 * columns + c, p6);
        NAME(store)(gradients + 7 * columns + c, g7);
        NAME(store)(gradient_rates + 7 * columns + c, p7);
        NAME(store)(gradients + 8 * columns + c, g8);
        NAME(store)(gradient_rates + 8 * columns + c, p8);
        NAME(store)(gradients + 9 * columns + c, g9);
        NAME(store)(gradient_rates + 9 * columns + c, p9);
        NAME(store)(gradients + 10 * columns + c, g10);
        NAME(store)(gradient_rates + 10 * columns + c, p10);
        NAME(store)(gradients + 11 * columns + c, g11);
        NAME(store)(gradient_rates + 11 * columns + c, p11);
        NAME(store)(gradients + 12 * columns + c, g12);
        NAME(store)(gradient_rates + 12 * columns + c, p12);
        NAME(store)(gradients + 13 * columns + c, g13);
        NAME(store)(gradient_rates + 13 * columns + c, p13);
        NAME(store)(gradients + 14 * columns + c, g14);
        NAME(store)(gradient_rates + 14 * columns + c, p14);
        NAME(store)(gradients + 15 * columns + c, g15);
        NAME(store)(gradient_rates + 15 * columns + c, p15);
        NAME(store)(gradients + 16 * columns + c, g16);
        NAME(store)(gradient_rates + 16 * columns + c, p16);
        NAME(store)(gradients + 17 * columns + c, g17);
        NAME(store)(gradient_rates + 17 * columns + c, p17);
        NAME(store)(gradients + 18 * columns + c, g18);
        NAME(store)(gradient_rates + 18 * columns + c, p18);
        NAME(store)(gradients + 19 * columns + c, g19);
        NAME(store)(gradient_rates + 19 * columns + c, p19);
        NAME(store)(gradients + 20 * columns + c, g20);
        NAME(store)(gradient_rates + 20 * columns + c, p20);
        NAME(store)(gradients + 21 * columns + c, g21);
        NAME(store)(gradient_rates + 21 * columns + c, p21);
        NAME(store)(gradients + 22 * columns + c, g22);
        NAME(store)(gradient_rates + 22 * columns + c, p22);
        NAME(store)(gradients + 23 * columns + c, g23);
        NAME(store)(gradient_rates + 23 * columns + c, p23);
        NAME(store)(gradients + 24 * columns + c, g24);
        NAME(store)(gradient_rates + 24 * columns + c, p24);
        NAME(store)(gradients + 25 * columns + c, g25);
        NAME(store)(gradient_rates + 25 * columns + c, p25);
        NAME(store)(gradients + 26 * columns + c, g26);
        NAME(store)(gradient_rates + 26 * columns + c, p26);
        NAME(store)(gradients + 27 * columns + c, g27);
        NAME(store)(gradient_rates + 27 * columns + c, p27);
        NAME(store)(gradients + 28 * columns + c, g28);
        NAME(store)(gradient_rates + 28 * columns + c, p28);
        NAME(store)(gradients + 29 * columns + c, g29);
        NAME(store)(gradient_rates + 29 * columns + c, p29);
        NAME(store)(gradients + 30 * columns + c, g30);
        NAME(store)(gradient_rates + 30 * columns + c, p30);
        NAME(store)(gradients + 31 * columns + c, g31);
        NAME(store)(gradient_rates + 31 * columns + c, p31);
        NAME(store)(gradients + 32 * columns + c, g32);
        NAME(store)(gradient_rates + 32 * columns + c, p32);
        NAME(store)(gradients + 33 * columns + c, g33);
        NAME(store)(gradient_rates + 33 * columns + c, p33);
        NAME(store)(gradients + 34 * columns + c, g34);
        NAME(store)(gradient_rates + 34 * columns + c, p34);
    }
}


static int NAME(cace_values_4)(const fused_cace *cace, int64_t first, int64_t last,
                                 REAL *features)
{
    const fused_model *model = &cace->model;
    NAME(products_4) products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(values_4_1); n_invariants = 1; break;
    case 2: products = NAME(values_4_2); n_invariants = 5; break;
    case 3: products = NAME(values_4_3); n_invariants = 9; break;
    case 4: products = NAME(values_4_4); n_invariants = 13; break;
    default: return NOT_SUPPORTED;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 35, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_4)(cace, atom, NULL, &t);
        products(t.mixed, NULL, t.by_features, model->n_embedding * PADDED(n_mixed));
        NAME(copy_rows)(features + atom * rows * n_mixed, n_mixed, t.by_features, PADDED(n_mixed),
                        rows, n_mixed);
    }
    free(memory.memory);
    return DONE;
}

static int NAME(cace_gradients_4)(const fused_cace *cace, int64_t first, int64_t last,
                                    const REAL *by_features, const REAL *change,
                                    const fused_cace_results *to)
{
    const fused_model *model = &cace->model;
    NAME(products_4) products = NULL;
    NAME(second_products_4) second_products = NULL;
    int64_t n_invariants = 0;
    switch (model->nu_max) {
    case 1: products = NAME(gradients_4_1); n_invariants = 1; break;
    case 2: products = NAME(gradients_4_2); n_invariants = 5; break;
    case 3: products = NAME(gradients_4_3); n_invariants = 9; break;
    case 4: products = NAME(gradients_4_4); n_invariants = 13; break;
    default: return NOT_SUPPORTED;
    }
    switch (model->nu_max) {
    case 1: second_products = NAME(second_4_1); break;
    case 2: second_products = NAME(second_4_2); break;
    case 3: second_products = NAME(second_4_3); break;
    case 4: second_products = NAME(second_4_4); break;
    }
    const int64_t n_mixed = model->n_mixed, rows = n_invariants * model->n_embedding;
    const int64_t columns = model->n_embedding * PADDED(n_mixed);
    training t;
    arena memory;
    if (NAME(allocate_training)(&t, &memory, cace, 35, n_invariants))
        return NO_MEMORY;
    for (int64_t atom = first; atom < last; ++atom) {
        NAME(sums_of_atom_4)(cace, atom, change, &t);
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
        NAME(gradients_of_atom_4)(cace, atom, change != NULL, &t, to);
    }
    free(memory.memory);
    return DONE;
}


static int NAME(forward)(const fused_model *model, const fused_graph *graph, int64_t first,
                         int64_t last, void *raw, void *features)
{
    switch (model->l_max) {
    case 0: return NAME(forward_0)(model, graph, first, last, raw, features);
    case 1: return NAME(forward_1)(model, graph, first, last, raw, features);
    case 2: return NAME(forward_2)(model, graph, first, last, raw, features);
    case 3: return NAME(forward_3)(model, graph, first, last, raw, features);
    case 4: return NAME(forward_4)(model, graph, first, last, raw, features);
    }
    return NOT_SUPPORTED;
}

static int NAME(backward)(const fused_model *model, const fused_graph *graph, int64_t first,
                          int64_t last, const void *raw, const void *by_features,
                          double *by_positions, double *by_cells)
{
    switch (model->l_max) {
    case 0: return NAME(backward_0)(model, graph, first, last, raw, by_features, by_positions, by_cells);
    case 1: return NAME(backward_1)(model, graph, first, last, raw, by_features, by_positions, by_cells);
    case 2: return NAME(backward_2)(model, graph, first, last, raw, by_features, by_positions, by_cells);
    case 3: return NAME(backward_3)(model, graph, first, last, raw, by_features, by_positions, by_cells);
    case 4: return NAME(backward_4)(model, graph, first, last, raw, by_features, by_positions, by_cells);
    }
    return NOT_SUPPORTED;
}

static int NAME(cace_values)(const fused_cace *cace, int64_t first, int64_t last, void *features)
{
    switch (cace->model.l_max) {
    case 0: return NAME(cace_values_0)(cace, first, last, features);
    case 1: return NAME(cace_values_1)(cace, first, last, features);
    case 2: return NAME(cace_values_2)(cace, first, last, features);
    case 3: return NAME(cace_values_3)(cace, first, last, features);
    case 4: return NAME(cace_values_4)(cace, first, last, features);
    }
    return NOT_SUPPORTED;
}

static int NAME(cace_gradients)(const fused_cace *cace, int64_t first, int64_t last,
                                const void *by_features, const void *change,
                                const fused_cace_results *to)
{
    switch (cace->model.l_max) {
    case 0: return NAME(cace_gradients_0)(cace, first, last, by_features, change, to);
    case 1: return NAME(cace_gradients_1)(cace, first, last, by_features, change, to);
    case 2: return NAME(cace_gradients_2)(cace, first, last, by_features, change, to);
    case 3: return NAME(cace_gradients_3)(cace, first, last, by_features, change, to);
    case 4: return NAME(cace_gradients_4)(cace, first, last, by_features, change, to);
    }
    return NOT_SUPPORTED;
}

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

/* ---- particle mesh: charges to the mesh and potentials back, see
 * ase_les.electrostatics.particle_mesh ---- */
#ifdef IN_DOUBLE

/* Shares of the points an atom touches along each axis, their slopes, and the first point. */
INLINE int64_t NAME(touch)(const fused_mesh *mesh, const double *fractional, double *shares,
                           double *slopes)
{
    const int64_t order = mesh->order;
    int64_t first = 0;
    for (int axis = 0; axis < 3; ++axis) {
        const double steps = (fractional[axis] - floor(fractional[axis])) * mesh->size[axis];
        int64_t corner = (int64_t)steps;
        if (corner > mesh->size[axis] - 1)
            corner = mesh->size[axis] - 1;
        const double t = steps - corner;
        for (int64_t v = 0; v < PAD; v += LANES) {
            vec value = NAME(load)(mesh->spline + (order - 1) * PAD + v), slope = value - value;
            for (int64_t power = order - 2; power >= 0; --power) {
                slope = slope * t + value;
                value = value * t + NAME(load)(mesh->spline + power * PAD + v);
            }
            NAME(store)(shares + axis * PAD + v, value);
            NAME(store)(slopes + axis * PAD + v, slope);
        }
        first = first * (mesh->size[axis] + order - 1) + corner;
    }
    return first;
}

static void NAME(mesh_spread)(const fused_mesh *mesh, int64_t n_atoms, const double *fractional,
                              const double *charges, int64_t stride, double *density)
{
    const int64_t order = mesh->order, third = mesh->size[2] + order - 1;
    const int64_t second = third * (mesh->size[1] + order - 1);
    const double *end = density + second * (mesh->size[0] + order - 1);
    double shares[3 * PAD], slopes[3 * PAD];
    for (int64_t atom = 0; atom < n_atoms; ++atom) {
        double *corner = density + NAME(touch)(mesh, fractional + 3 * atom, shares, slopes);
        const double charge = charges[atom * stride];
        for (int64_t u = 0; u < order; ++u) {
            for (int64_t v = 0; v < order; ++v) {
                const double weight = charge * shares[u] * shares[PAD + v];
                double *line = corner + u * second + v * third;
                if (line + PAD <= end) {
                    for (int64_t w = 0; w < PAD; w += LANES)
                        NAME(store)(line + w, NAME(load)(line + w)
                                                  + weight * NAME(load)(shares + 2 * PAD + w));
                } else {
                    for (int64_t w = 0; w < order; ++w)
                        line[w] += weight * shares[2 * PAD + w];
                }
            }
        }
    }
}

/* Potentials at atoms, and their charges times the slopes along the axes added to by_fractional. */
static void NAME(mesh_gather)(const fused_mesh *mesh, int64_t n_atoms, const double *fractional,
                              const double *charges, int64_t stride, const double *surface,
                              double *potentials, double *by_fractional)
{
    const int64_t order = mesh->order, third = mesh->size[2] + order - 1;
    const int64_t second = third * (mesh->size[1] + order - 1);
    const double *end = surface + second * (mesh->size[0] + order - 1);
    double shares[3 * PAD], slopes[3 * PAD], spare[PAD] = {0};
    for (int64_t atom = 0; atom < n_atoms; ++atom) {
        const double *corner = surface + NAME(touch)(mesh, fractional + 3 * atom, shares, slopes);
        vec value[PAD / LANES], along_x[PAD / LANES], along_y[PAD / LANES];
        memset(value, 0, sizeof value);
        memset(along_x, 0, sizeof along_x);
        memset(along_y, 0, sizeof along_y);
        for (int64_t u = 0; u < order; ++u) {
            vec line_value[PAD / LANES], line_slope[PAD / LANES];
            memset(line_value, 0, sizeof line_value);
            memset(line_slope, 0, sizeof line_slope);
            for (int64_t v = 0; v < order; ++v) {
                const double *line = corner + u * second + v * third;
                if (line + PAD > end)
                    line = memcpy(spare, line, order * sizeof *line);
                for (int64_t w = 0; w < PAD / LANES; ++w) {
                    const vec points = NAME(load)(line + w * LANES);
                    line_value[w] += points * shares[PAD + v];
                    line_slope[w] += points * slopes[PAD + v];
                }
            }
            for (int64_t w = 0; w < PAD / LANES; ++w) {
                value[w] += line_value[w] * shares[u];
                along_x[w] += line_value[w] * slopes[u];
                along_y[w] += line_slope[w] * shares[u];
            }
        }
        double total[4] = {0, 0, 0, 0};
        for (int64_t w = 0; w < PAD; ++w) {
            const double share = shares[2 * PAD + w], slope = slopes[2 * PAD + w];
            total[0] += along_x[w / LANES][w % LANES] * share;
            total[1] += along_y[w / LANES][w % LANES] * share;
            total[2] += value[w / LANES][w % LANES] * slope;
            total[3] += value[w / LANES][w % LANES] * share;
        }
        for (int axis = 0; axis < 3; ++axis)
            by_fractional[3 * atom + axis]
                += charges[atom * stride] * (double)mesh->size[axis] * total[axis];
        potentials[atom * stride] = total[3];
    }
}
#endif

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


#undef vec
#undef scratch
#undef training
#undef LANES
#endif
