/** Webhook Integration Settings: the list. */
import { get, type Webhook, type WebhookList as List } from "../api/client";
import { count, sayOf, useText } from "../i18n";
import { useEvery, useLoad } from "../load";
import { hrefOf, replace } from "../router";
import * as format from "../format";
import { Await, Badge, Empty, Head, Said, SelectField, Table, TextField } from "../ui/parts";
import { may } from "../session";
import { LaneBadge, nameOf } from "./states";
import { useSession } from "../who";

const WATCH_MS = 5000;
const MANY = 8; // from so many on one has to search
const STATES = ["READY", "DEAD", "PROBING", "SUSPENDED", "DISABLED"] as const;
const NAMES = ["find", "state"] as const;

type Filters = Record<(typeof NAMES)[number], string>;

function fits(w: Webhook, f: Filters): boolean {
	const text = `${w.name} ${w.url} ${w.id}`.toLowerCase();
	return (!f.state || w.state === f.state) && text.includes(f.find.trim().toLowerCase());
}

function Row({ w }: { w: Webhook }) {
	const t = useText();
	return (
		<tr role="row">
			<th scope="row" role="rowheader" class="break wide">
				<a href={hrefOf(["webhooks", w.id])}>{nameOf(w)}</a>
				<div class="muted small break">{w.url}</div>
			</th>
			<td role="cell">
				<LaneBadge state={w.state} />
				{w.state !== "READY" && w.reason && (
					<div class="muted small break why">
						<Said text={w.reason} />
					</div>
				)}
			</td>
			<td role="cell">
				<Badge tone={w.secured ? "good" : "warn"}>{w.secured ? t("secured") : t("unsecured")}</Badge>
			</td>
			<td role="cell" data-label={t("webhook.statuses")}>
				{count("statuses.one", "statuses.other", w.statuses.length, format.number(w.statuses.length))}
			</td>
			<td role="cell" class="number" data-label={t("webhook.parked")}>
				{format.number(w.parked)}
			</td>
		</tr>
	);
}

function Filled({ all, query }: { all: Webhook[]; query: URLSearchParams }) {
	const t = useText();
	const filters = Object.fromEntries(NAMES.map((n) => [n, query.get(n) ?? ""])) as Filters;
	const set = (part: Partial<Filters>): void => replace(hrefOf(["webhooks"], { ...filters, ...part }));
	const isFiltered = Boolean(filters.find || filters.state);
	const rows = all.filter((w) => fits(w, filters));
	return (
		<>
			{(all.length >= MANY || isFiltered) && (
				<form class="filters" role="search" onSubmit={(e) => e.preventDefault()}>
					<TextField
						label={t("webhooks.find")}
						hint={t("webhooks.find.hint")}
						type="search"
						value={filters.find}
						onValue={(find) => set({ find })}
					/>
					<SelectField
						label={t("state")}
						hint={t("webhooks.count", {
							count: format.number(rows.length),
							total: format.number(all.length),
						})}
						value={filters.state}
						onValue={(state) => set({ state })}
						options={[["", t("all")], ...STATES.map((s): [string, string] => [s, sayOf("lane", s)])]}
					/>
				</form>
			)}
			{rows.length === 0 ? (
				<Empty title={t("webhooks.none.filtered")} />
			) : (
				<Table
					caption={t("webhooks.title")}
					heads={["webhook", "state", "security", "webhook.statuses", "webhook.parked"]}
				>
					{rows.map((w) => (
						<Row key={w.id} w={w} />
					))}
				</Table>
			)}
		</>
	);
}

export function WebhookList({ query }: { query: URLSearchParams }) {
	const t = useText();
	const canWrite = may(useSession(), "integrations:write");
	const list = useLoad("webhooks", (signal) => get<List>("v1/webhooks", {}, signal));
	useEvery(WATCH_MS, list.reload);
	const add = canWrite && (
		<a class="button primary" href={hrefOf(["webhooks", "new"])}>
			{t("webhooks.add")}
		</a>
	);
	return (
		<div class="view">
			<Head title={t("webhooks.title")}>{list.data && list.data.content.length > 0 && add}</Head>
			<Await of={list}>
				{(data) =>
					data.content.length === 0 ? (
						<Empty title={t("webhooks.none")}>
							<p>{t("webhooks.none.text")}</p>
							{add}
						</Empty>
					) : (
						<Filled all={data.content} query={query} />
					)
				}
			</Await>
		</div>
	);
}
