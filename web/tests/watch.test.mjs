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

	test("calls are searched by number, status, agent and day, page by page", async () => {
		const agents = [seedCall().agentId, "00000000-0000-4000-8000-000000000001"];
		const statuses = ["COMPLETED", "FAILED", "NO_ANSWER"];
		for (let i = 0; i < 120; i++)
			await service.put(
				someCall({ agentId: agents[i % 2], status: statuses[i % 3], phone: `+3361234${5000 + i}` }),
			);
		await service.ask("PUT", `v1/agents/${agents[0]}`, { name: "Reception" });
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/calls");
		await page.getByText("Page 1 of 3, 120 in all").waitFor();
		assert.deepEqual(await violations(page), []);
		await shot(page, "calls-filled");
		await page.getByLabel("Phone").fill("06 12 34 50 07");
		await page.getByText("With the country").waitFor();
		await page.getByLabel("Phone").fill("+33 6 12 34 50 07");
		await page.getByText("Page 1 of 1, 1 in all").waitFor();
		await row(page, "+33612345007").waitFor();
		await page.getByLabel("Phone").fill("");
		await page.getByLabel("Agent").selectOption({ label: "Reception" });
		await page.getByText("Page 1 of 2, 60 in all").waitFor();
		await page.getByRole("link", { name: "Next" }).click();
		await page.getByText("Page 2 of 2, 60 in all").waitFor();
		await page.getByLabel("Status").selectOption("FAILED");
		await page.getByText("Page 1 of 1, 20 in all").waitFor();
		await page.reload();
		await page.getByText("Page 1 of 1, 20 in all").waitFor();
		await page.getByLabel("From").fill("2020-01-01");
		await page.getByText("No calls").waitFor();
		assert.match(page.url(), /from=2020-01-01&to=2020-01-01/);
		await page.getByLabel("Call id").fill(seedCall().id.toUpperCase());
		await page.getByRole("heading", { level: 1, name: "Call 3c90c3cc" }).waitFor();
		await close(page);
	});

	test("a webhook is set for an agent by its name", async () => {
		await service.put(seedCall());
		await service.ask("PUT", `v1/agents/${seedCall().agentId}`, { name: "Reception" });
		const page = await open(browser, service);
		await signIn(page);
		await visit(page, "#/webhooks/new");
		await page.getByLabel("Webhook URL").fill(receiver.url);
		await page.getByText("Agents, headers and limits").click();
		await page.getByLabel("Reception").check();
		assert.deepEqual(await violations(page), []);
		await page.getByRole("button", { name: "Create" }).click();
		await page.getByRole("button", { name: "Generate a secret" }).waitFor();
		const { content } = await service.ask("GET", "v1/webhooks");
		assert.deepEqual(content[0].agentIds, [seedCall().agentId]);
		await visit(page, `#/calls/${seedCall().id}`);
		await page.getByText("Reception").waitFor();
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
