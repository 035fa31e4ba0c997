#include "cli/record.h"

#include "base/clock.h"
#include "model/call_codec.h"

int record_canonical(
		const char *json, size_t len, struct ch_buf *out, struct call_facts *ret, struct ch_err *err)
{
	struct ch_clock clock = ch_clock_system();
	struct call_codec *codec = call_codec_create(CALL_MAX_BYTES_DEFAULT);
	struct problems problems;
	int rc;

	if (!codec)
		return ch_err_set(err, CH_ENOMEM, "out of memory");
	problems_init(&problems);
	rc = call_codec_run(codec, json, len, NULL, ch_clock_wall(&clock).ms / 1000, out, ret, &problems);
	if (rc != 0 && problems.count > 0)
		ch_err_set(err, rc, "the call record is not valid: %s%s%s%s", problems.items[0].pointer,
				*problems.items[0].pointer ? ": " : "", problems.items[0].detail,
				problems.count > 1 ? " (and more)" : "");
	else if (rc != 0)
		ch_err_set(err, rc, "the call record could not be read (%s)", ch_err_name(rc));
	problems_fini(&problems);
	call_codec_destroy(&codec);
	return rc;
}
