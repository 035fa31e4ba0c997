#include "policy/outage.h"

#include "base/assert.h"

void outage_init(struct outage *o)
{
	*o = (struct outage){.answered_mono_ms = INT64_MIN};
}

/* On a kept connection nothing connects, so connect_us alone can't tell: then the address is known. */
static bool was_connected(const struct attempt *a)
{
	return a->connect_us >= 0 || a->tls_us >= 0 || a->first_byte_us >= 0 || a->address.len > 0;
}

enum outage_sign outage_sign_of(const struct attempt *a)
{
	switch (a->outcome) {
	case ATTEMPT_ANSWERED:
		return OUTAGE_ANSWERED;
	case ATTEMPT_DNS:
	case ATTEMPT_REFUSED:
		return OUTAGE_UNREACHED;
	case ATTEMPT_TIMEOUT:
		return was_connected(a) ? OUTAGE_OTHER : OUTAGE_UNREACHED;
	case ATTEMPT_RESET:
	case ATTEMPT_TLS:
	case ATTEMPT_MALFORMED: /* somebody answered, a gate of our own line maybe */
	case ATTEMPT_ADDRESS:
	case ATTEMPT_LOCAL:
		return OUTAGE_OTHER;
	case ATTEMPT_OUTCOME_COUNT:
		break;
	}
	CH_UNREACHABLE();
}

/* The host's own place, else a free one, else the oldest's. Places fill from the first on. */
static struct outage_host *place_of(struct outage *o, uint64_t host)
{
	struct outage_host *oldest = &o->hosts[0];
	for (int i = 0; i < OUTAGE_HOSTS; i++) {
		struct outage_host *h = &o->hosts[i];
		if (!h->is_used || h->host == host)
			return h;
		if (h->at_mono_ms < oldest->at_mono_ms)
			oldest = h;
	}
	return oldest;
}

void outage_note(struct outage *o, uint64_t host, enum outage_sign sign, int64_t now_mono_ms)
{
	*place_of(o, host) = (struct outage_host){host, now_mono_ms, sign, true};
	/* Kept apart from the hosts: the one that answered may fail since, or be replaced. */
	if (sign == OUTAGE_ANSWERED)
		o->answered_mono_ms = now_mono_ms;
}

/* An answer exactly as old as the window is out of it, and so is a failure. */
static bool is_recent(int64_t at_mono_ms, int64_t now_mono_ms)
{
	return at_mono_ms > now_mono_ms - OUTAGE_WINDOW_MS;
}

bool outage_is_ours(const struct outage *o, int64_t now_mono_ms)
{
	int hosts = 0, unreached = 0;
	if (is_recent(o->answered_mono_ms, now_mono_ms))
		return false;
	for (int i = 0; i < OUTAGE_HOSTS && o->hosts[i].is_used; i++) {
		if (!is_recent(o->hosts[i].at_mono_ms, now_mono_ms))
			continue;
		hosts++;
		unreached += o->hosts[i].sign == OUTAGE_UNREACHED;
	}
	return hosts >= OUTAGE_HOSTS_MIN && unreached * 10 >= hosts * 9;
}
