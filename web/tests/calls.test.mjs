/** The Calls view, against the real binary: search, pages and the agents' names. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { close, launch, open, Service, signIn, someCall } from "./world.mjs";

const ANNA = "3c90c3cc-0d44-4b50-8888-8dd25736052a";
const OTHER = "3c90c3cc-0d44-4b50-8888-8dd25736052b";

let browser, service;

before(async () => {
	browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
	service = await Service.start();
});
afterEach(() => service.stop());

async function visit(page, hash) {
	await page.goto(service.url + hash);
	await page.locator("main h1").waitFor();
	await page.locator(".skeleton").waitFor({ state: "detached" });
}

const rows = (page) => page.getByRole("table", { name: "Calls" }).locator("tbody tr");

/** Waits until the list says how many there are. */
const total = (page, words) => page.getByText(words).waitFor();

test("calls are found by their agent, status, phone number and days", async () => {
	await service.ask("PUT", `v1/agents/${ANNA}`, { name: "Anna" });
	for (let i = 0; i < 3; i++)
		await service.put({
			...someCall(),
			agentId: i === 0 ? ANNA : OTHER,
			status: i === 1 ? "FAILED" : "COMPLETED",
			phone: `+3361234567${i}`,
			created: `2024-07-3${i === 2 ? 1 : 0}T10:00:00Z`,
		});
	const page = await open(browser, service);
	await signIn(page);
	await visit(page, "#/calls");
	await total(page, /Page 1 of 1.*3/);
	assert.equal(await rows(page).count(), 3);
	assert.match(await rows(page).first().innerText(), /\+33612345672/);
	await page.getByLabel("Agent").selectOption("Anna");
	await total(page, /Page 1 of 1.*1/);
	assert.match(await rows(page).first().innerText(), /\+33612345670[^]*Anna/);
	for (const [query, phone] of [
		["status=FAILED", "+33612345671"],
		["phone=%2B33612345672", "+33612345672"],
		["from=2024-07-31&to=2024-07-31", "+33612345672"],
	]) {
		await visit(page, `#/calls?${query}`);
		await total(page, /Page 1 of 1.*1/);
		assert.equal(await rows(page).count(), 1, query);
		assert.ok((await rows(page).first().innerText()).includes(phone), query);
	}
	await close(page);
});

test("a long list comes in pages", async () => {
	for (let i = 0; i < 60; i++) await service.put(someCall());
	const page = await open(browser, service);
	await signIn(page);
	await visit(page, "#/calls");
	await total(page, /Page 1 of 2.*60/);
	assert.equal(await rows(page).count(), 50);
	await page.getByRole("link", { name: "Next" }).click();
	await total(page, /Page 2 of 2.*60/);
	assert.equal(await rows(page).count(), 10);
	await close(page);
});
