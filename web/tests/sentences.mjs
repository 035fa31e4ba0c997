/** The sentences that stand in C sources: every string literal that reads like one. Literals that stand side by side
 * are one, comments and character constants are none, and a PRId64 between two is its %lld. */
import { readFileSync } from "node:fs";

const TOKEN = /\/\*[\s\S]*?\*\/|^[ \t]*#[ \t]*include.*$|'(?:[^'\\\n]|\\.)+'|"(?:[^"\\\n]|\\.)*"|\w+|\S/gm;
const BETWEEN = { PRId64: "lld", PRIu64: "llu" };
const ESCAPES = { n: "\n", r: "\r", t: "\t" };

const textOf = (literal) => literal.slice(1, -1).replace(/\\(.)/g, (_, c) => (c in ESCAPES ? ESCAPES[c] : c));

/** A space between words, or one word of lower case where single words are sentences too. */
const isSentence = (text, withWords) =>
	/[a-z]{2}/.test(text) && (/ /.test(text.trim()) || (withWords && /^[a-z-]+$/.test(text)));

export function sentencesOf(path, withWords = false) {
	const found = new Set();
	let text = null;
	for (const [token] of readFileSync(path, "utf8").matchAll(TOKEN)) {
		if (token.startsWith("/*") || /^[ \t]*#/.test(token)) continue;
		if (token.startsWith('"')) text = (text ?? "") + textOf(token);
		else if (text !== null && token in BETWEEN) text += BETWEEN[token];
		else if (text !== null) {
			if (isSentence(text, withWords)) found.add(text);
			text = null;
		}
	}
	return [...found];
}
