/** What the service said, in the user's language and by the user's clock. */
import { language, sayOf, unbroken } from "./i18n";
import { SAID, SAID_BY_OTHERS } from "./i18n/said";
import * as format from "./format";

export interface Heard {
	text: string;
	isTranslated: boolean; // false: these are the service's English words
}

const CONVERSION = /%(?:\.\d+)?(?:l{1,2}|z)?[sdu]/;
const MOMENT = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g;
const LANE = /^(READY|DEAD|PROBING|SUSPENDED|DISABLED): (.*)$/;
const CUT_FROM = 40; // within a sentence another may be cut; it is known by so much of it

interface Pattern {
	matches: RegExp;
	french: string;
	weight: number; // the more of it is words, the surer it is
}

function patternOf(english: string, french: string): Pattern {
	const open = english.endsWith(" ");
	const literals = (open ? english + "%s" : english).split(CONVERSION).map((l) => l.replaceAll("%%", "%"));
	const escaped = literals.map((l) => l.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
	return {
		matches: new RegExp(`^${escaped.join("(.*?)")}$`),
		french: open ? french + "{1}" : french,
		weight: literals.join("").length,
	};
}

const isPattern = (english: string): boolean => english.endsWith(" ") || CONVERSION.test(english);
const ALL = [...SAID, ...SAID_BY_OTHERS];
const JOINT = "; "; // some are several in a row
const bare = (text: string): string => text.replace(/^ ?; /, "");
const whole = new Map(
	ALL.filter(([english]) => !isPattern(english)).map((pair) => pair.map(bare) as typeof pair),
);
let patterns: Pattern[] | undefined; // made when first needed
const cache = new Map<string, Heard>();

const moments = (text: string): string => text.replace(MOMENT, (iso) => format.moment(iso));

function inFrench(text: string): string | null {
	const known = whole.get(text);
	if (known) return known;
	patterns ??= ALL.filter(([english]) => isPattern(english))
		.map(([english, french]) => patternOf(english, french))
		.sort((a, b) => b.weight - a.weight);
	const several = text.split(JOINT);
	for (const p of patterns) {
		const found = p.matches.exec(text);
		if (found && (several.length === 1 || p.french.includes(";")))
			return p.french.replace(/\{(\d)\}/g, (_, n: string) => part(found[Number(n)] as string));
	}
	if (several.length > 1) {
		const all = several.map(inFrench);
		return all.includes(null) ? null : all.join(" ; ");
	}
	const outcome = sayOf("outcome", text);
	if (outcome !== text) return outcome;
	const cut = text.length >= CUT_FROM && ALL.find(([english]) => english.startsWith(text));
	return cut ? cut[1] : null;
}

const part = (text: string): string => inFrench(text) ?? moments(text);

function hear(text: string): Heard {
	const lane = LANE.exec(text);
	if (lane) {
		const rest = hear(lane[2] as string);
		const colon = language() === "fr" ? "\u00a0: " : ": ";
		return { ...rest, text: sayOf("lane", lane[1] as string) + colon + rest.text };
	}
	if (language() === "en") return { text: moments(text), isTranslated: true };
	if (!text.includes(" ") && !inFrench(text)) return { text, isTranslated: true }; // an address, a name
	const french = inFrench(text);
	return { text: french ? unbroken(french) : moments(text), isTranslated: french !== null };
}

export function said(text: string): Heard {
	const key = language() + text;
	let heard = cache.get(key);
	if (!heard) cache.set(key, (heard = hear(text)));
	return heard;
}
