/** The real binary, real receivers and a real browser; all on loopback. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import { chromium } from "playwright-core";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const BINARY = path.resolve(process.env.CALLHOOK ?? path.join(ROOT, "build", "callhook"));
export const KEY = "test-key-0123456789abcdef";
export const OPERATOR = "operator-token-0123456789abcdef0123456789";
export const PATIENCE_MS = 60_000;
export const seedCall = () => JSON.parse(readFileSync(path.join(ROOT, "tests/data/seed-call.json"), "utf8"));
export const someCall = (changes = {}) => ({ ...seedCall(), id: randomUUID(), ...changes });

/** One `callhook serve`; stop() says whether it ended well. */
export class Service {
	static async start(...options) {
		const s = new Service();
		s.folder = mkdtempSync(path.join(os.tmpdir(), "callhook-page-"));
		const store = `sqlite:${s.folder}/callhook.db`;
		s.process = spawn(BINARY, ["serve", "--dev", "--listen", "127.0.0.1:0", "--store", store, ...options], {
			env: {
				...process.env,
				CALLHOOK_API_KEY: KEY,
				CALLHOOK_OPERATOR_TOKEN: OPERATOR,
				CALLHOOK_RATE_LIMIT: "off",
			},
			stdio: ["ignore", "pipe", "pipe"],
		});
		s.log = "";
		s.process.stderr.on("data", (d) => (s.log += d));
		s.ended = once(s.process, "exit");
		s.url = await new Promise((found, failed) => {
			let out = "";
			s.process.stdout.on("data", (d) => {
				out += d;
				const ready = /ready on (http:\/\/127\.0\.0\.1:\d+)/.exec(out);
				if (ready) found(ready[1] + "/");
			});
			s.ended.then(() => failed(new Error("serve did not start:\n" + s.log)));
		});
		return s;
	}

	async ask(method, what, body) {
		const answer = await fetch(this.url + what, {
			method,
			headers: { "X-Api-Key": KEY, "Content-Type": "application/json" },
			...(body !== undefined && { body: JSON.stringify(body) }),
		});
		const text = await answer.text();
		if (!answer.ok) throw new Error(`${method} ${what}: ${answer.status} ${text}`);
		return text ? JSON.parse(text) : null;
	}

	async asOperator(method, what, body) {
		const answer = await fetch(this.url + what, {
			method,
			headers: { Authorization: `Bearer ${OPERATOR}`, "Content-Type": "application/json" },
			body: JSON.stringify(body),
		});
		if (!answer.ok) throw new Error(`${method} ${what}: ${answer.status} ${await answer.text()}`);
		return answer.json();
	}

	put(call) {
		return this.ask("PUT", `v1/calls/${call.id}`, call);
	}

	/** Asks until it is as wanted; each round waits for the answer, not for a clock. */
	async until(what, isWanted) {
		const end = Date.now() + PATIENCE_MS;
		for (;;) {
			const got = await this.ask("GET", what);
			if (isWanted(got)) return got;
			if (Date.now() > end) throw new Error(`${what} never became as wanted: ${JSON.stringify(got)}`);
		}
	}

	async stop() {
		this.process.kill("SIGTERM");
		const [code] = await this.ended;
		rmSync(this.folder, { recursive: true });
		if (code !== 0) throw new Error(`serve ended with ${code}:\n${this.log}`);
	}
}

/** A customer's endpoint: keeps what it got; answers with `status`. */
export class Receiver {
	static async start() {
		const r = new Receiver();
		r.status = 200;
		r.got = [];
		r.waiting = [];
		r.server = http.createServer((request, response) => {
			const parts = [];
			request.on("data", (d) => parts.push(d));
			request.on("end", () => {
				const one = { headers: request.headers, body: Buffer.concat(parts) };
				r.got.push(one);
				r.waiting.splice(0).forEach((go) => go());
				response.writeHead(r.status, { "Content-Type": "text/plain" });
				response.end(r.status === 200 ? "thank you" : "no database today");
			});
		});
		r.server.listen(0, "127.0.0.1");
		await once(r.server, "listening");
		r.url = `http://127.0.0.1:${r.server.address().port}/calls`;
		return r;
	}

	async count(n) {
		while (this.got.length < n) await new Promise((go) => this.waiting.push(go));
		return this.got;
	}

	async stop() {
		this.server.closeAllConnections();
		this.server.close();
		await once(this.server, "close");
	}
}

/** A reverse proxy that shows the service under a path. */
export class Proxy {
	static async start(service, prefix) {
		const p = new Proxy();
		p.server = http.createServer((request, response) => {
			if (!request.url.startsWith(prefix)) {
				response.writeHead(404).end();
				return;
			}
			const { method, headers } = request;
			const on = http.request(
				service.url + request.url.slice(prefix.length),
				{ method, headers },
				(answer) => {
					response.writeHead(answer.statusCode, answer.headers);
					answer.pipe(response);
				},
			);
			on.on("error", () => response.destroy());
			request.pipe(on);
		});
		p.server.listen(0, "127.0.0.1");
		await once(p.server, "listening");
		p.url = `http://127.0.0.1:${p.server.address().port}${prefix}`;
		return p;
	}

	async stop() {
		this.server.closeAllConnections();
		this.server.close();
		await once(this.server, "close");
	}
}

export function launch() {
	return chromium.launch({
		executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
		args: ["--no-sandbox"],
	});
}

/** A page whose errors fail the test: of scripts, of the policy, of requests that were not expected to fail. */
export async function open(browser, service, options = {}, prepare = () => {}) {
	const context = await browser.newContext({
		locale: "en-GB",
		timezoneId: "Europe/Paris",
		viewport: { width: 1280, height: 800 },
		...options,
	});
	context.setDefaultTimeout(PATIENCE_MS);
	const page = await context.newPage();
	page.wrongs = [];
	page.on("pageerror", (e) => page.wrongs.push(String(e)));
	page.on("console", (m) => {
		if (m.type() === "error" && !/Failed to load resource/.test(m.text())) page.wrongs.push(m.text());
	});
	await prepare(page);
	await page.goto(service.url);
	return page;
}

export async function signIn(page, words = { key: "API key", action: "Sign in" }) {
	await page.getByLabel(words.key).fill(KEY);
	await page.getByRole("button", { name: words.action }).click();
	await page.locator(".frame").waitFor();
}

/** A view, when it has loaded. */
export async function goTo(page, service, hash) {
	await page.goto(service.url + hash);
	await page.locator("main h1").waitFor();
	await page.locator(".skeleton").waitFor({ state: "detached" });
}

export const row = (page, name) => page.getByRole("row").filter({ hasText: name });

export async function close(page) {
	const { wrongs } = page;
	await page.context().close();
	if (wrongs.length) throw new Error(wrongs.join("\n"));
}

/** What axe-core finds against WCAG 2.2 AA. */
export async function violations(page) {
	await page.evaluate(axe.source);
	const found = await page.evaluate(() =>
		window.axe.run(document, {
			runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
		}),
	);
	return found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`);
}

const SHOTS = process.env.CALLHOOK_SCREENSHOTS;
export async function shot(page, name) {
	if (!SHOTS) return;
	mkdirSync(SHOTS, { recursive: true });
	await page.evaluate(() => scrollTo(0, 0));
	await page.screenshot({ path: path.join(SHOTS, `${name}.png`), fullPage: true });
}
