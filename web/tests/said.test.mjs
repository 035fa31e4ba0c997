/** Each sentence that the service can say has its French, and the page finds it among the numbers and times. */
import assert from "node:assert/strict";
import path from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { sentencesOf } from "./sentences.mjs";

const SRC = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../src");

// Where the sentences stand that a customer can come to read: as a reason, as an attempt's detail, or because
// something was refused that the page asks for.
const SOURCES = [
	"api/account_events.c",
	"api/api_input.c",
	"api/api_reply.c",
	"api/deliveries.c",
	"api/delivery_answer.c",
	"api/moment.h",
	"api/replays.c",
	"api/secret_change.c",
	"api/secrets.c",
	"api/secrets_rotate.c",
	"api/url_check.c",
	"api/webhook_switch.c",
	"api/webhook_test.c",
	"api/webhooks.c",
	"delivery/curl_result.c",
	"delivery/curl_target.c",
	"delivery/curl_tls.c",
	"delivery/engine_core.h",
	"delivery/engine_info.c",
	"delivery/engine_outage.c",
	"delivery/engine_states.c",
	"delivery/engine_test.c",
	"delivery/lane_settings.c",
	"delivery/pipeline.c",
	"delivery/pipeline_verdict.c",
	"delivery/resolver.c",
	"delivery/transport_curl.c",
	"model/address.c",
	"model/url.c",
	"model/webhook_header.c",
	"model/webhook_json.c",
	"model/webhook_lists.c",
	"policy/sign.c",
	"store/rules.c",
	"store/store_memory_replays.c",
	"store/store_memory_write.c",
];
// Kinds of networks are single words.
const WITH_WORDS = new Set(["model/address.c"]);

// Not for the customer's eyes.
const INTERNAL = [
	/^\{|^"extractors"|^private, no-cache$/, // not words
	/^no memory for (certificate authorities|the transport)$|libcurl|^CA file/, // serve does not start
	/^there is no such account/, // the operator's
	/If-Match|If-None-Match|IN_PROGRESS|^there is an account/, // writers of calls
];

let SAID, said;

async function load(entry) {
	const made = await build({
		configFile: false,
		logLevel: "silent",
		build: { write: false, lib: { entry, formats: ["es"] } },
	});
	return import("data:text/javascript," + encodeURIComponent(made[0].output[0].code));
}

before(async () => {
	({ SAID } = await load("src/i18n/said.ts"));
	globalThis.document = { documentElement: {} };
	globalThis.localStorage = { getItem: () => "fr" };
	Object.defineProperty(globalThis, "navigator", {
		value: { languages: ["fr-FR"] },
		configurable: true,
	});
	({ said } = await load("src/said.ts"));
});

const inSources = () =>
	new Set(
		SOURCES.flatMap((file) => sentencesOf(path.join(SRC, file), WITH_WORDS.has(file))).filter(
			(s) => !INTERNAL.some((i) => i.test(s)),
		),
	);

test("what the service can say is known to the page", () => {
	const known = new Set(SAID.map(([english]) => english));
	assert.deepEqual(
		[...inSources()].filter((s) => !known.has(s)),
		[],
		"put it into web/src/i18n/said.ts",
	);
});

test("what the service no longer says is no longer there", () => {
	const sources = inSources();
	assert.deepEqual(
		SAID.map(([english]) => english).filter((s) => !sources.has(s)),
		[],
	);
	assert.equal(new Set(SAID.map(([english]) => english)).size, SAID.length, "none is there twice");
});

test("a translation says all that varies, and nothing that is not there", () => {
	for (const [english, french] of SAID) {
		const varying = english.replaceAll("%%", "").match(/%(?:\.\d+)?(?:l{1,2}|z)?[sdu]/g) ?? [];
		const used = new Set(french.match(/\{\d\}/g) ?? []);
		for (const one of used) assert.ok(Number(one[1]) >= 1 && Number(one[1]) <= varying.length, french);
		if (english !== "there is no such %s") assert.equal(used.size, varying.length, french);
	}
});

test("sentences are found again among their numbers, times and other sentences", () => {
	const cases = [
		["answered 503", "a répondu 503"],
		["no try is left; the last: answered 503", "aucun essai ne reste ; le dernier : a répondu 503"],
		["the receiver answered 410", "le destinataire a répondu 410"],
		[
			"7 attempts in a row failed, the last: connection to 192.0.2.7 port 443 refused; a probe is under way",
			"7 tentatives de suite ont échoué, la dernière : connexion à 192.0.2.7, port 443 refusée ; une requête d’essai est en cours",
		],
		[
			"crm.example.com resolves to 10.0.0.7, which is refused: private",
			"crm.example.com mène à 10.0.0.7, qui est refusée : privée",
		],
		[
			"no connection to 192.0.2.7 port 443: No route to host",
			"pas de connexion à 192.0.2.7, port 443 : aucun chemin vers l’hôte",
		],
		["timeout", "Délai dépassé"],
		[
			"10.0.0.7 is refused: private; 10.0.0.8 is refused: loopback; deliveries use the rest",
			"10.0.0.7 est refusée : privée ; 10.0.0.8 est refusée : de bouclage ; les livraisons utilisent les autres",
		],
		["the certificate ends in 1 day", "le certificat expire dans 1 jour"],
		["the certificate ends in 9 days", "le certificat expire dans 9 jours"],
		["SUSPENDED: resting", "Pause demandée : resting"],
		// The engine cuts what it repeats within another sentence.
		[
			"the certificate's authority is not known (is the intermediate",
			"l’autorité du certificat est inconnue (le certificat intermédiaire est-il envoyé ?)",
		],
	];
	const plain = (text) => text.replaceAll("\u00a0", " ");
	for (const [english, french] of cases) assert.equal(plain(said(english).text), french);
	const dead = said(
		"5 attempts in a row failed, the last: answered 500; the next probe goes 2024-07-30T14:35:00Z",
	);
	assert.match(plain(dead.text), /prochaine requête d’essai : 30 juil\. 2024/);
});

test("words that are not known are given back as they are, and marked", () => {
	assert.deepEqual(said("something quite new"), { text: "something quite new", isTranslated: false });
});
