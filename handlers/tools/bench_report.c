/* bench_report.c: the measurements as a table for people and as JSON for machines. What was not measured is null, or left out. */
#include "handlers/tools/bench.h"

#include "worker/base/json.h"

#include <stdio.h>
#include <string.h>

static bool counts_bytes(int ceiling)
{
    return ceiling == BENCH_READ;
}

static const char *name_of(const struct bench_report *r, int ceiling)
{
    if (ceiling == BENCH_READ) return r->is_gpu ? "copy" : "read";
    return ceiling == BENCH_PRODUCTS ? "products" : ceiling_name((enum ceiling)ceiling);
}

/* What the row did a second of what that ceiling counts. */
static double achieved(const struct bench_row *row, bool bytes, double rate)
{
    double of_a_round = bytes ? row->bytes : row->operations;
    return row->amount > 0 && of_a_round > 0 ? of_a_round / row->amount * rate : 0;
}

static double ratio(const struct bench_row *row, int ceiling, bool by_processor)
{
    const struct bench_rate *c = &row->ceilings[ceiling];
    double most = by_processor ? c->processor : c->wall, rate = by_processor ? row->rate.processor : row->rate.wall;
    return most > 0 ? achieved(row, counts_bytes(ceiling), rate) / most : 0;
}

/* --- JSON --- */

static void put_known(struct json_writer *w, const char *key, double value)
{
    if (value > 0)
        json_put_double(w, key, value);
    else
        json_put_null(w, key);
}

static void put_bytes(struct json_writer *w, const char *key, uint64_t value)
{
    if (value == GPU_UNKNOWN)
        json_put_null(w, key);
    else
        json_put_u64(w, key, value);
}

static void put_ratios(struct json_writer *w, const char *key, const struct bench_report *r,
                       const struct bench_row *row, bool by_processor)
{
    json_begin_object(w, key);
    for (int i = 0; i < N_BENCH_CEILINGS; i++) {
        double found = row->problem[0] ? 0 : ratio(row, i, by_processor);
        if (found > 0) json_put_double(w, name_of(r, i), found);
    }
    json_end_object(w);
}

static void put_row(struct json_writer *w, const struct bench_report *r, const struct bench_row *row)
{
    json_begin_object(w, NULL);
    json_put_string(w, "step", row->step);
    json_put_string(w, "what", row->what);
    json_put_string(w, "problem", row->problem[0] ? row->problem : NULL);
    if (!row->problem[0]) {
        json_put_string(w, "unit", row->unit);
        json_put_double(w, "amount", row->amount);
        json_put_double(w, "seconds", row->seconds);
        json_put_u64(w, "rounds", row->n_rounds);
        json_put_double(w, "rate", row->rate.wall);
        put_known(w, "rate_by_processor_time", row->rate.processor);
        put_known(w, "operations_per_second", achieved(row, false, row->rate.wall));
        put_known(w, "bytes_per_second", achieved(row, true, row->rate.wall));
        put_ratios(w, "of_ceilings", r, row, false);
        put_ratios(w, "of_ceilings_by_processor_time", r, row, true);
        put_known(w, "joules_per_unit", row->joules);
        put_known(w, "share", row->share);
        json_put_string(w, "share_of", row->share > 0 ? row->of : NULL);
    }
    json_end_object(w);
}

static void put_ceilings(struct json_writer *w, const struct bench_report *r)
{
    json_begin_array(w, "ceilings");
    for (int i = 0; i < N_BENCH_CEILINGS; i++) {
        if (r->ceilings[i].wall <= 0) continue;
        json_begin_object(w, NULL);
        json_put_string(w, "name", name_of(r, i));
        json_put_string(w, "unit", counts_bytes(i) ? "bytes" : "operations");
        json_put_double(w, "rate", r->ceilings[i].wall);
        put_known(w, "rate_by_processor_time", r->ceilings[i].processor);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_memory(struct json_writer *w, const struct bench_report *r)
{
    json_begin_array(w, "memory");
    for (size_t i = 0; i < r->n_memory; i++) {
        const struct bench_memory *m = &r->memory[i];
        json_begin_object(w, NULL);
        json_put_string(w, "what", m->what);
        json_put_u64(w, "planned_bytes", m->planned_bytes);
        if (m->found_bytes) {
            json_put_u64(w, "found_bytes", m->found_bytes);
            json_put_i64(w, "difference_bytes", (int64_t)m->found_bytes - (int64_t)m->planned_bytes);
        } else {
            json_put_null(w, "found_bytes");
            json_put_null(w, "difference_bytes");
        }
        json_end_object(w);
    }
    json_end_array(w);
}

void bench_put_json(struct buffer *out, const struct bench_report *r)
{
    struct json_writer w = {.out = out, .spaced = true};
    json_begin_object(&w, NULL);
    json_put_string(&w, "model", r->model);
    json_put_string(&w, "quantization", r->quantization);
    json_put_string(&w, "kv_cache_format", r->kv_format);
    json_put_string(&w, "device", r->device);
    json_put_string(&w, "variant", r->variant);
    json_put_string(&w, "arithmetic", r->arithmetic[0] ? r->arithmetic : NULL);
    json_put_bool(&w, "is_gpu", r->is_gpu);
    json_put_u64(&w, "threads", r->n_threads);
    json_put_u64(&w, "layers", r->n_layers);
    json_put_u64(&w, "parameters", r->parameters);
    json_put_u64(&w, "parameters_per_token", r->parameters_a_token);
    put_known(&w, "make_seconds", r->make_seconds);
    json_put_bool(&w, "interrupted", r->interrupted);
    put_ceilings(&w, r);
    json_begin_array(&w, "rows");
    for (size_t i = 0; i < r->n_rows; i++) put_row(&w, r, &r->rows[i]);
    json_end_array(&w);
    put_memory(&w, r);
    put_bytes(&w, "device_memory_used_bytes", r->driver_used_bytes);
    put_bytes(&w, "device_memory_total_bytes", r->driver_total_bytes);
    json_end_object(&w);
    buffer_append_char(out, '\n');
}

/* --- text --- */

/* "12.3 GB", "12.3 k tokens", "12.3" */
static const char *short_number(char out[48], double value, const char *unit)
{
    static const char *const letters[] = {"", "k", "M", "G", "T", "P"};
    size_t i = 0;
    for (; value >= 1000 && i < 5; i++) value /= 1000;
    bool word = strlen(unit) > 2; /* tokens; not B and op */
    snprintf(out, 48, "%.*f%s%s%s%s",
             value >= 100  ? 0
             : value >= 10 ? 1
                           : 2,
             value, *unit || i ? " " : "", letters[i], word && i ? " " : "", unit);
    return out;
}

static void text_head(struct buffer *out, const struct bench_report *r)
{
    char all[48], active[48], rate[48];
    buffer_printf(out, "model     %s, %s, cache %s: %s in %zu layers, %s a token", r->model, r->quantization,
                  r->kv_format, short_number(all, (double)r->parameters, "parameters"), r->n_layers,
                  short_number(active, (double)r->parameters_a_token, ""));
    if (r->make_seconds > 0) buffer_printf(out, "; made in %.1f s", r->make_seconds);
    buffer_printf(out, "\ndevice    %s, %s", r->device, r->variant);
    if (r->arithmetic[0]) buffer_printf(out, " in %s", r->arithmetic);
    if (!r->is_gpu) buffer_printf(out, ", %u threads", r->n_threads);
    buffer_append_str(out, "\nceilings ");
    for (int i = 0; i < N_BENCH_CEILINGS; i++) {
        const struct bench_rate *c = &r->ceilings[i];
        double best = c->processor > 0 ? c->processor : c->wall;
        if (best > 0)
            buffer_printf(out, " %s %s/s,", name_of(r, i), short_number(rate, best, counts_bytes(i) ? "B" : "op"));
    }
    if (out->length && out->data && out->data[out->length - 1] == ',') out->data[out->length - 1] = ' ';
    if (r->is_gpu && r->products_name) buffer_printf(out, " (products: %s)", r->products_name);
    buffer_append_str(out, "\n\n");
}

static void text_row(struct buffer *out, const struct bench_report *r, const struct bench_row *row)
{
    char number[48];
    bool by_processor = row->rate.processor > 0;
    buffer_printf(out, "%-13s %-48s ", row->step, row->what);
    if (row->problem[0]) {
        buffer_printf(out, "not measured: %s\n", row->problem);
        return;
    }
    const char *unit = strcmp(row->unit, "bytes") == 0 ? "B" : row->unit;
    buffer_printf(out, "%s/s", short_number(number, row->rate.wall, unit));
    if (by_processor) buffer_printf(out, " (%s)", short_number(number, row->rate.processor, ""));
    double operations = achieved(row, false, by_processor ? row->rate.processor : row->rate.wall);
    double bytes = achieved(row, true, by_processor ? row->rate.processor : row->rate.wall);
    if (operations > 0) buffer_printf(out, ", %s/s", short_number(number, operations, "op"));
    if (bytes > 0) buffer_printf(out, ", %s/s", short_number(number, bytes, "B"));
    const char *lead = ":";
    for (int i = 0; i < N_BENCH_CEILINGS; i++) {
        double found = ratio(row, i, by_processor);
        bool avx2 = i == CEILING_F32_AVX2 || i == CEILING_INT16_AVX2;
        bool beside = avx2 && r->ceilings[CEILING_F32_AVX512].wall > 0 && !strstr(r->variant, "avx2");
        if (found <= 0 || beside) continue; /* JSON has all of them */
        buffer_printf(out, "%s %.0f %% of %s", lead, 100 * found, name_of(r, i));
        lead = ",";
    }
    if (row->joules > 0) buffer_printf(out, "; %.3g J each", row->joules);
    if (row->share > 0) buffer_printf(out, "; %.1f %% %s", 100 * row->share, row->of);
    buffer_append_char(out, '\n');
}

/* Why a share may be above 100 %, where one is. */
static void text_above(struct buffer *out, const struct bench_report *r)
{
    bool multiplies = false, reads = false;
    for (size_t k = 0; k < r->n_rows; k++)
        for (int i = 0; i < N_BENCH_CEILINGS; i++) {
            bool above = !r->rows[k].problem[0] && ratio(&r->rows[k], i, r->rows[k].rate.processor > 0) > 1;
            if (counts_bytes(i))
                reads |= above;
            else
                multiplies |= above;
        }
    if (multiplies)
        buffer_printf(out,
                      "above 100 %% of multiply-adds: products are in %s, whose own ceiling is higher than that one; "
                      "above its own: "
                      "neighbours or a changing clock slowed the ceiling's slices\n",
                      r->arithmetic[0] ? r->arithmetic : "another arithmetic");
    if (reads)
        buffer_append_str(
            out, "above 100 % of read: what is read again lies in the caches, which the ceiling's memory does not\n");
}

void bench_put_text(struct buffer *out, const struct bench_report *r)
{
    text_head(out, r);
    for (size_t i = 0; i < r->n_rows; i++) text_row(out, r, &r->rows[i]);
    if (!r->is_gpu)
        buffer_append_str(out, "in brackets, and all behind it: threads / processor time, as with the cores to itself; "
                               "a thread that waits is not seen\n");
    if (!r->is_gpu) text_above(out, r);
    if (r->n_memory) buffer_append_char(out, '\n');
    for (size_t i = 0; i < r->n_memory; i++) {
        const struct bench_memory *m = &r->memory[i];
        buffer_printf(out, "memory        %-27s planned %10.1f MB", m->what, (double)m->planned_bytes / 1e6);
        if (m->found_bytes)
            buffer_printf(out, ", found %10.1f MB (%+.2f %%)", (double)m->found_bytes / 1e6,
                          100 * ((double)m->found_bytes / (double)m->planned_bytes - 1));
        buffer_append_char(out, '\n');
    }
    if (r->driver_used_bytes != GPU_UNKNOWN)
        buffer_printf(out, "memory        the driver's count of the whole card: %.1f MB of %.1f MB\n",
                      (double)r->driver_used_bytes / 1e6, (double)r->driver_total_bytes / 1e6);
    if (r->interrupted) buffer_append_str(out, "interrupted: the other steps were not measured\n");
}
