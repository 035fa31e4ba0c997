/** Calls and deliveries, as one looks at them. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import {
	close,
	goTo,
	launch,
	open,
	Receiver,
	row,
	Service,
	seedCall,
	shot,
	signIn,
	someCall,
	violations,
} from "./world.mjs";

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

const makeWebhook = (more = {}) =>
	service.ask("POST", "v1/webhooks", { url: receiver.url, name: "CRM", ...more });
const visit = (page, hash) => goTo(page, service, hash);

describe("calls and deliveries", () => {
	test("a call is readable, and its bytes are those that were sent", async () => {
		await makeWebhook();
		await service.put(seedCall());
		const [got] = await receiver.count(1);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/calls/${seedCall().id}`);
		await page.getByText("Refund").first().waitFor();
		await page.getByText("John").first().waitFor();
		assert.equal(await page.locator("pre").innerText(), got.body.toString());
		await page.locator(".badge", { hasText: "Delivered" }).waitFor();
		await shot(page, "call");
		await close(page);
	});

	test("a call that ends now shows up by itself", async () => {
		await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/deliveries");
		await page.locator(".badge", { hasText: /^Live$/ }).waitFor();
		await page.getByText("No deliveries").waitFor();
		await service.put(someCall());
		await row(page, "CRM").getByText("Delivered").waitFor();
		await close(page);
	});

	test("the list stands still under the pointer, and its rows do not", async () => {
		await makeWebhook();
		await service.put(someCall());
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/deliveries");
		const first = row(page, "CRM");
		await first.getByText("Delivered").waitFor();
		await first.getByText("Delivered").hover();
		await service.put(someCall());
		const news = page.getByRole("button", { name: "Show what is new" });
		await news.waitFor();
		assert.equal(await row(page, "CRM").count(), 1);
		await news.click();
		await news.waitFor({ state: "detached" });
		assert.equal(await row(page, "CRM").count(), 2);
		await close(page);
	});

	test("older ones stay below while new ones come", async () => {
		await makeWebhook();
		const calls = Array.from({ length: 120 }, () => someCall());
		for (const call of calls) await service.put(call);
		await receiver.count(calls.length);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/deliveries");
		assert.equal(await row(page, "CRM").count(), 50);
		await page.getByRole("button", { name: "Show older" }).click();
		await row(page, "CRM").nth(99).waitFor();
		await page.mouse.move(0, 0);
		await service.put(someCall());
		await row(page, "CRM").nth(100).waitFor();
		await page.getByRole("button", { name: "Show older" }).click();
		await row(page, "CRM").nth(120).waitFor();
		await page.getByRole("button", { name: "Show older" }).waitFor({ state: "detached" });
		const links = await page.locator("tbody th a").evaluateAll((all) => all.map((a) => a.href));
		assert.equal(new Set(links).size, 121);
		await close(page);
	});

	test("a delivery shows the bytes that it sent, also when the call was corrected since", async () => {
		await makeWebhook();
		const call = someCall({ summary: "as it was said" });
		await service.put(call);
		const [got] = await receiver.count(1);
		const { content } = await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 1);
		await service.put({ ...call, summary: "corrected" });
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/deliveries/${content[0].id}`);
		await page.getByText("Request", { exact: true }).click();
		await page.getByText("as it was said").waitFor();
		assert.equal(await page.locator("pre").nth(1).innerText(), got.body.toString());
		await close(page);
	});

	test("a call is erased only when its id was typed", async () => {
		await makeWebhook();
		await service.put(seedCall());
		await receiver.count(1);
		const { content } = await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 1);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, `#/calls/${seedCall().id}`);
		await page.getByRole("button", { name: "Erase the call" }).click();
		const sure = page.getByRole("dialog").getByRole("button", { name: "Erase the call" });
		assert.equal(await sure.isDisabled(), true);
		await page
			.getByRole("dialog")
			.getByLabel(/to confirm/)
			.fill(seedCall().id.slice(0, 8));
		await sure.click();
		await page.getByRole("heading", { level: 1, name: "Calls" }).waitFor();
		await assert.rejects(service.ask("GET", `v1/calls/${seedCall().id}`), /410/);
		for (const view of [`calls/${seedCall().id}`, `deliveries/${content[0].id}`]) {
			await visit(page, `#/${view}`);
			await page.getByText("Request", { exact: true }).evaluateAll((all) => all.forEach((e) => e.click()));
			await page.getByText("was erased").first().waitFor();
			assert.deepEqual(await violations(page), [], view);
		}
		await close(page);
	});

	test("when the service is away it is said, and tried again", async () => {
		await makeWebhook();
		const page = await open(browser, service);
		await signIn(page);
		await row(page, "CRM").waitFor();
		await page.route("**/v1/**", (route) => route.abort());
		for (const name of ["Deliveries", "Health", "API keys"]) {
			await page.getByRole("navigation").getByRole("link", { name }).click();
			await page.getByText("The service can't be reached").first().waitFor();
		}
		assert.deepEqual(await violations(page), []);
		await shot(page, "offline");
		await page.unroute("**/v1/**");
		await page.getByRole("button", { name: "Try again" }).first().click();
		await page.getByRole("heading", { name: "Primary key" }).waitFor();
		await close(page);
	});

	test("the filters are in the address", async () => {
		await makeWebhook();
		await service.put(someCall());
		await service.until("v1/deliveries?state=DELIVERED", (p) => p.content.length === 1);
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/deliveries");
		await page.getByLabel("State").selectOption("FAILED");
		await page.getByText("Nothing matches these filters.").waitFor();
		assert.match(page.url(), /#\/deliveries\?state=FAILED$/);
		await page.reload();
		await page.getByText("Nothing matches these filters.").waitFor();
		await page.getByLabel("State").selectOption("DELIVERED");
		await row(page, "CRM").waitFor();
		await close(page);
	});
});
