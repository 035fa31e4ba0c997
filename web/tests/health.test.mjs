/** The Health view, against the real binary: what is shown is what GET /v1/stats says. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { close, launch, open, Receiver, Service, shot, signIn, someCall, violations } from "./world.mjs";

let browser, service, receiver;

before(async () => {
	browser = await launch();
});
after(() => browser.close());
beforeEach(async () => {
	service = await Service.start("--retry-schedule", "1h");
	receiver = await Receiver.start();
});
afterEach(async () => {
	await receiver.stop();
	await service.stop();
});

const attemptsOf = (s) => s.webhooks[0].series.reduce((sum, p) => sum + p.attempts, 0);

/** A webhook to which two calls were delivered and three were not. */
async function fill() {
	const made = await service.ask("POST", "v1/webhooks", { url: receiver.url, name: "CRM" });
	for (let i = 0; i < 2; i++) await service.put(someCall());
	await service.until("v1/stats", (s) => attemptsOf(s) === 2);
	receiver.status = 500;
	for (let i = 0; i < 3; i++) await service.put(someCall());
	await service.until("v1/stats", (s) => attemptsOf(s) === 5 && s.webhooks[0].backlog[0].count === 3);
	return made.id;
}

async function visit(page, hash) {
	await page.goto(service.url + hash);
	await page.locator("main h1").waitFor();
	await page.locator(".skeleton").waitFor({ state: "detached" });
}

const tile = (page, label) => page.locator(".tiles > div").filter({ hasText: label }).locator(".figure");
const card = (page, name) =>
	page.locator(".card").filter({ has: page.getByRole("heading", { name, exact: true }) });

test("figures, charts and the backlog are those of the service", async () => {
	const id = await fill();
	const page = await open(browser, service);
	await signIn(page);
	await visit(page, `#/health?webhookId=${id}&span=hour`);
	assert.equal(await tile(page, "Success").innerText(), "40%");
	assert.equal(await tile(page, "Waiting").first().innerText(), "3");
	const ages = card(page, "Waiting, by age").getByRole("row");
	assert.deepEqual(await ages.allInnerTexts(), ["Waiting for\tDeliveries\t", "less than 1 min\t3\t"]);
	await card(page, "Attempts a minute").getByText("As a table").click();
	const cells = await card(page, "Attempts a minute").locator("td.number").allInnerTexts();
	const sum = cells.reduce((all, text) => all + Number(text), 0);
	assert.equal(sum, 5);
	assert.equal(await page.locator(".chart canvas").count(), 3);
	for (const span of ["day", "week", "month"]) {
		await page.getByLabel("Time span").selectOption(span);
		await page.locator(".chart canvas").first().waitFor();
		assert.equal(await tile(page, "Success").innerText(), "40%");
	}
	await close(page);
});

test("nothing waits, and there is nothing to show", async () => {
	const page = await open(browser, service, { locale: "fr-FR" });
	await signIn(page, { key: "Clé d’API", action: "Se connecter" });
	await visit(page, "#/health");
	await page.getByText("sa santé s’affiche ici").waitFor();
	await service.ask("POST", "v1/webhooks", { url: receiver.url });
	await page.reload();
	await page.getByText("Rien n’est en attente.").waitFor();
	await close(page);
});

for (const [colorScheme, width] of [
	["light", 1280],
	["dark", 390],
])
	test(`everybody can read it, ${colorScheme}, ${width} wide`, async () => {
		const id = await fill();
		const page = await open(browser, service, { colorScheme, viewport: { width, height: 800 } });
		await signIn(page);
		await visit(page, `#/health?webhookId=${id}`);
		await page.locator(".chart canvas").first().waitFor();
		assert.deepEqual(await violations(page), []);
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
		assert.ok(wide <= 0, `the page is ${wide} px wider than the window`);
		await shot(page, `health-filled-${colorScheme}`);
		await close(page);
	});
