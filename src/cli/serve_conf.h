/* cli/serve_conf.h - what serve was told: its options, checked and typed.
 *
 * Role:      from struct opts to values; nothing here opens or starts anything.
 * Ownership: texts are borrowed from the opts, which must outlive this.
 * Errors:    CH_EINVAL with words that name the option.
 */
#ifndef CH_CLI_SERVE_CONF_H
#define CH_CLI_SERVE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/request_limit.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/log.h"
#include "cli/opts.h"
#include "model/address.h"
#include "model/url.h"
#include "policy/retry.h"
#include "store/request_retention.h"

#define SERVE_WORKERS_MAX 16
#define SERVE_NETWORKS_MAX (OPTS_VALUES_MAX + 2)
#define SERVE_DESCRIPTORS_RESERVED 512 /* for the store, the libraries and the API's connections */

extern const struct opts_page serve_page;

struct serve_conf {
	char host[256];
	uint16_t port;
	bool has_metrics; /* an address of its own for /metrics: */
	char metrics_host[256];
	uint16_t metrics_port;
	const char *tls_cert; /* NULL: plain HTTP; else tls_key is there too */
	const char *tls_key;
	struct network trusted[OPTS_VALUES_MAX];
	size_t trusted_count;
	int request_timeout_ms;
	int idle_timeout_ms;
	const char *store_url;
	char key_path[4096]; /* "": a key for this run alone */
	const char *api_key; /* NULL: generated */
	const char *operator_token;
	char public_url[URL_MAX_BYTES + 2]; /* ends in /; "": what a request says */
	char *events_url; /* the operator's, normalised; owned; NULL: none */
	struct ch_secret events_secret; /* text NULL without a URL */
	bool is_dev;
	struct network networks[SERVE_NETWORKS_MAX];
	struct url_rules url_rules; /* points to addresses below */
	struct address_policy addresses; /* points to networks above */
	const char *dns_servers[OPTS_VALUES_MAX + 1]; /* NULL-terminated; first NULL: the system's */
	const char *ca_file;
	const char *egress_proxy;
	int workers;
	int readers;
	int connections_max; /* of the API */
	int max_in_flight; /* of each worker */
	size_t body_budget_bytes; /* of each worker */
	struct retry_schedule schedule;
	size_t call_max_bytes;
	int max_webhooks;
	struct store_retention retention;
	struct request_rate request_rate;
	int grace_ms;
	enum ch_log_level log_level;
	enum ch_log_format log_format;
};

/* Also raises this process's limit of open files to its hard limit: max_in_flight depends on it. */
int serve_conf_read(const struct opts *o, struct serve_conf *ret, struct ch_err *err) CH_MUST_USE;
void serve_conf_fini(struct serve_conf *c); /* after a failure too */

#endif
