#include "api/problem.h"

const char *problem_title(int status)
{
	static const struct {
		int status;
		const char *title;
	} titles[] = {
			{200, "OK"},
			{201, "Created"},
			{202, "Accepted"},
			{204, "No Content"},
			{304, "Not Modified"},
			{400, "Bad Request"},
			{401, "Unauthorized"},
			{403, "Forbidden"},
			{404, "Not Found"},
			{405, "Method Not Allowed"},
			{408, "Request Timeout"},
			{409, "Conflict"},
			{410, "Gone"},
			{411, "Length Required"},
			{412, "Precondition Failed"},
			{413, "Content Too Large"},
			{414, "URI Too Long"},
			{415, "Unsupported Media Type"},
			{417, "Expectation Failed"},
			{422, "Unprocessable Content"},
			{429, "Too Many Requests"},
			{431, "Request Header Fields Too Large"},
			{500, "Internal Server Error"},
			{501, "Not Implemented"},
			{503, "Service Unavailable"},
			{505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (titles[i].status == status)
			return titles[i].title;
	return "Error";
}

static void put_errors(struct json_out *o, const struct problems *errors)
{
	json_out_open(o, "errors", '[');
	for (size_t i = 0; i < errors->count; i++) {
		json_out_open(o, NULL, '{');
		json_out_text(o, "pointer", errors->items[i].pointer);
		json_out_text(o, "detail", errors->items[i].detail);
		json_out_close(o, '}');
	}
	json_out_close(o, ']');
}

void problem_members(struct json_out *o, int status, const char *detail, const struct problems *errors)
{
	json_out_int(o, "status", status);
	json_out_text(o, "title", problem_title(status));
	if (detail)
		json_out_text(o, "detail", detail);
	if (errors && errors->count > 0)
		put_errors(o, errors);
}

void problem_write(struct ch_buf *out, int status, const char *detail, const struct problems *errors)
{
	struct json_out o = {.buf = out};

	json_out_open(&o, NULL, '{');
	json_out_text(&o, "type", "about:blank");
	problem_members(&o, status, detail, errors);
	json_out_close(&o, '}');
}
