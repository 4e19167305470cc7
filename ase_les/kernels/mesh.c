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
