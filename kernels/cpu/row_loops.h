/* row_loops.h: loops over one row of activations or of a cache, plain C that the compilers vectorise with the flags of the file
 * that includes inner_loops.h, which includes this. Their bits are the same whatever the flags: every sum has its order. */

static void norm_row(const float *x, const float *weight, size_t n, float eps, float *out)
{
    double sums[8] = {0}, sum = 0;
    size_t i = 0;
    float scale;

    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++) sums[l] += (double)x[i + l] * x[i + l];
    for (size_t l = 0; l < 8; l++) sum += sums[l];
    for (; i < n; i++) sum += (double)x[i] * x[i];
    scale = (float)(1 / sqrt(sum / (double)n + eps));
    for (i = 0; i < n; i++) out[i] = x[i] * scale * weight[i];
}

static void rotate(float *x, const float *cosine, const float *sine, size_t half)
{
    for (size_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        x[i] = a * cosine[i] - b * sine[i];
        x[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void add_scaled(float *out, const float *x, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] += scale * x[i];
}

static void widen(enum kernels_format format, const void *from, size_t n, float *out)
{
    if (format == KERNELS_F16)
        source_values(KERNELS_F16, from, 0, n, out);
    else
        kv_load(format, from, n, out);
}

static void narrow(enum kernels_format format, const float *x, size_t n, void *to)
{
    size_t i = 0;

    if (format != KERNELS_F16) {
        kv_store(format, x, n, to);
        return;
    }
    for (; i + LANES <= n; i += LANES) v_store_f16((uint16_t *)to + i, v_load(x + i));
    for (; i < n; i++) ((uint16_t *)to)[i] = half_f16_from_f32(x[i]);
}

static void scaled(float *out, const float *x, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = x[i] * scale;
}

/* Four rows become four columns; d may end within them. */
INLINE void turn_four(const float *const from[4], size_t c, float scale, float *out)
{
    typedef float four __attribute__((vector_size(16)));
    four a, b, x, y, rows[4];

    for (size_t i = 0; i < 4; i++) {
        memcpy(&rows[i], from[i] + c, sizeof rows[i]);
        rows[i] *= (four){scale, scale, scale, scale};
    }
    a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    b = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    x = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    y = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    memcpy(out + c * CPU_QUERIES, &x, sizeof x);
    memcpy(out + (c + 1) * CPU_QUERIES, &y, sizeof y);
    a = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    b = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    x = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    y = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    memcpy(out + (c + 2) * CPU_QUERIES, &x, sizeof x);
    memcpy(out + (c + 3) * CPU_QUERIES, &y, sizeof y);
}

static void turn(const float *const *from, size_t n, size_t d, float scale, float *out)
{
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        size_t c = 0;
        for (; c + 4 <= d; c += 4) turn_four(from + i, c, scale, out + i);
        for (; c < d; c++)
            for (size_t q = i; q < i + 4; q++) out[c * CPU_QUERIES + q] = from[q][c] * scale;
    }
    for (; i < n; i++)
        for (size_t c = 0; c < d; c++) out[c * CPU_QUERIES + i] = from[i][c] * scale;
}

static void exp_row(float *x, float less, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) v_store(x + i, v_exp(v_sub(v_load(x + i), v_set(less))));
}
