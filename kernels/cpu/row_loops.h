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
