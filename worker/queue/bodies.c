/* bodies.c: writes what is posted. Knows the shape that callers parse; knows neither HTTP nor files. */
#include "worker/queue/bodies.h"

#include "worker/base/json.h"

#include <string.h>

void body_result(struct buffer *out, const char *output, size_t output_bytes, const char *error, size_t error_bytes,
                 bool stop_pod)
{
    const char *comma = "";
    buffer_append_char(out, '{');
    if (output) {
        buffer_append_str(out, "\"output\": ");
        buffer_append(out, output, output_bytes);
        comma = ", ";
    }
    if (error) {
        buffer_append_str(out, comma);
        buffer_append_str(out, "\"error\": \"");
        json_escape(out, error, error_bytes, false);
        buffer_append_char(out, '"');
        comma = ", ";
    }
    if (stop_pod) {
        buffer_append_str(out, comma);
        buffer_append_str(out, "\"stopPod\": true");
    }
    buffer_append_char(out, '}');
}

void body_progress(struct buffer *out, const char *output, size_t output_bytes)
{
    buffer_append_str(out, "{\"status\": \"IN_PROGRESS\", \"output\": ");
    buffer_append(out, output, output_bytes);
    buffer_append_char(out, '}');
}

static void report_key(struct buffer *report, const char *key, const char *value)
{
    buffer_append_str(report, report->length > 1 ? ", \"" : "\"");
    buffer_append_str(report, key);
    buffer_append_str(report, "\": \"");
    json_escape(report, value, strlen(value), true);
    buffer_append_char(report, '"');
}

void body_error_report(struct buffer *out, const struct error *why, const struct body_report *facts)
{
    struct buffer report = {0};
    enum error_code code = why->code != CODE_NONE ? why->code : CODE_internal_error;
    buffer_append_char(&report, '{');
    report_key(&report, "error_type", error_code_name(code));
    report_key(&report, "error_message", why->message);
    report_key(&report, "error_traceback", "");
    report_key(&report, "hostname", facts->hostname ? facts->hostname : "unknown");
    report_key(&report, "worker_id", facts->worker_id ? facts->worker_id : "unknown");
    report_key(&report, "runpod_version", RUNPOD_SDK_VERSION);
    buffer_append_char(&report, '}');
    if (report.failed)
        out->failed = true;
    else
        body_result(out, NULL, 0, report.data, report.length, facts->stop_pod);
    buffer_free(&report);
}

void body_rejected(struct buffer *out, int status, size_t result_bytes)
{
    buffer_printf(out, "{\"error\": \"result_rejected: the queue refused the result of %zu bytes with status %d\"}",
                  result_bytes, status);
}

enum status body_check(const struct buffer *body, size_t max_bytes, struct error *err)
{
    struct error why = {0};
    if (body->failed) return fail(err, DOCKET_NO_MEMORY, CODE_internal_error, "no memory for the result");
    if (body->length > max_bytes)
        return fail(err, DOCKET_LIMIT, CODE_result_too_large, "the result has %zu bytes; the queue takes %zu",
                    body->length, max_bytes);
    const struct json_limits limits = {
        .max_bytes = max_bytes, .max_depth = 64, .max_values = 10000000, .nul_in_values = true};
    enum status st = json_gate(body->data, body->length, &limits, &why);
    if (st == DOCKET_OK) return DOCKET_OK;
    if (st == DOCKET_NO_MEMORY) return fail(err, st, CODE_internal_error, "no memory to check the result");
    return fail(err, DOCKET_INTERNAL, CODE_internal_error, "the handler's result is not valid JSON: %s", why.message);
}
