/* base/log.h - log lines: one event, one line, key=value or JSON.
 *
 * Role:      used by api/, cli/ and the delivery pipeline only. Phone numbers and secrets
 *            are redacted in every value, whoever passes them: + and 4 or more digits keep
 *            "+" and the last two ("+…78"); what begins with whsec_ or is a key becomes "whsec_…".
 * Units:     time is UTC with milliseconds.
 * Threads:   safe; a line is one write(2). Levels are set before threads start.
 * Errors:    none; a line that can't be written, or not without waiting for its reader, is lost and counted.
 */
#ifndef CH_BASE_LOG_H
#define CH_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"

enum ch_log_level { CH_LOG_DEBUG, CH_LOG_INFO, CH_LOG_WARN, CH_LOG_ERROR };
enum ch_log_format { CH_LOG_TEXT, CH_LOG_JSON };

struct ch_log {
	int fd;
	enum ch_log_level level; /* the least that is written */
	enum ch_log_format format;
	struct ch_clock clock;
	/* For tests: gets the finished line instead of fd. NULL: write to fd. */
	void (*sink)(void *ctx, const char *line, size_t len);
	void *sink_ctx;
	atomic_uint_fast64_t lost; /* lines that could not be written */
};

enum ch_log_kind { CH_LOG_STR, CH_LOG_INT };

struct ch_log_field {
	const char *key; /* snake_case, a constant */
	enum ch_log_kind kind;
	const char *s; /* CH_LOG_STR; NULL is written as "" */
	int64_t i; /* CH_LOG_INT */
};

#define CH_S(k, v) ((struct ch_log_field){.key = (k), .kind = CH_LOG_STR, .s = (v)})
#define CH_I(k, v) ((struct ch_log_field){.key = (k), .kind = CH_LOG_INT, .i = (int64_t)(v)})

/* event is a constant in snake_case ("delivery_failed"). Use the macro:
 * CH_LOG(log, CH_LOG_INFO, "listening", CH_S("address", a), CH_I("port", p)); log NULL: nothing. */
void ch_log_event(struct ch_log *log, enum ch_log_level level, const char *event,
		const struct ch_log_field *fields, int count);

#define CH_LOG(log, level, event, ...)                                                                       \
	ch_log_event((log), (level), (event), (const struct ch_log_field[]){__VA_ARGS__},                    \
			(int)(sizeof((const struct ch_log_field[]){__VA_ARGS__}) /                           \
					sizeof(struct ch_log_field)))

/* Appends text with phone numbers and secrets replaced. */
void ch_log_redact(struct ch_buf *out, const char *text, size_t len);

#endif
