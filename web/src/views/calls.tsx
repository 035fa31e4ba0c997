/** Calls: search by agent, phone, status, type and days. */
import { type AgentPage, type CallPage, get } from "../api/client";
import { sayOf, useText } from "../i18n";
import { useLoad } from "../load";
import { hrefOf, replace } from "../router";
import * as format from "../format";
import { Await, Empty, Filters, Head, SelectField, Table, TextField } from "../ui/parts";
import { CallBadge, FINAL_STATUSES } from "./states";

const NAMES = ["phone", "status", "type", "agentId", "from", "to", "page"] as const;
const TYPES = ["INBOUND", "OUTBOUND"] as const;
const SIZE = 50;
const AGENTS = 100;
const PHONE = /^\+[1-9]\d{1,14}$/;

type Narrowed = Record<(typeof NAMES)[number], string>;

function OpenById() {
	const t = useText();
	return (
		<TextField
			label={t("call.id")}
			hint={t("call.id.hint")}
			value=""
			autocomplete="off"
			onValue={(text) => {
				if (format.isId(text.trim())) location.hash = hrefOf(["calls", text.trim().toLowerCase()]);
			}}
		/>
	);
}

function FilterBar({ filters, agents }: { filters: Narrowed; agents: [string, string][] }) {
	const t = useText();
	const set = (part: Partial<Narrowed>): void =>
		replace(hrefOf(["calls"], { ...filters, page: "", ...part }));
	const oneOf = (prefix: string, values: readonly string[]): [string, string][] => [
		["", t("all")],
		...values.map((v): [string, string] => [v, sayOf(prefix, v)]),
	];
	return (
		<Filters inUse={NAMES.filter((n) => n !== "page" && filters[n]).length}>
			<TextField
				label={t("call.phone")}
				type="tel"
				placeholder="+33612345678"
				value={filters.phone}
				wrong={filters.phone && !PHONE.test(filters.phone) ? t("call.phone.wrong") : undefined}
				onValue={(phone) => set({ phone: phone.replace(/[^+\d]/g, "") })}
			/>
			<SelectField
				label={t("call.status")}
				value={filters.status}
				onValue={(status) => set({ status })}
				options={oneOf("call", ["IN_PROGRESS", ...FINAL_STATUSES])}
			/>
			<SelectField
				label={t("call.type")}
				value={filters.type}
				onValue={(type) => set({ type })}
				options={oneOf("type", TYPES)}
			/>
			<SelectField
				label={t("agent")}
				value={filters.agentId}
				onValue={(agentId) => set({ agentId })}
				options={[["", t("all")], ...agents]}
			/>
			<TextField
				label={t("from")}
				type="date"
				value={filters.from}
				onValue={(from) => set({ from, ...(!filters.to && { to: from }) })}
			/>
			<TextField
				label={t("to")}
				type="date"
				value={filters.to}
				onValue={(to) => set({ to, ...(!filters.from && { from: to }) })}
			/>
			<OpenById />
		</Filters>
	);
}

function Pages({ data, filters }: { data: CallPage; filters: Narrowed }) {
	const t = useText();
	const to = (page: number): string => hrefOf(["calls"], { ...filters, page: String(page) });
	return (
		<nav class="row" aria-label={t("pages")}>
			{data.page > 1 && (
				<a class="button compact" href={to(data.page - 1)}>
					{t("page.previous")}
				</a>
			)}
			<span class="muted small">
				{t("page.of", {
					page: format.number(data.page),
					pages: format.number(Math.max(1, data.totalPages)),
					total: format.number(data.totalElements),
				})}
			</span>
			{data.page < data.totalPages && (
				<a class="button compact" href={to(data.page + 1)}>
					{t("page.next")}
				</a>
			)}
		</nav>
	);
}

export function CallList({ query }: { query: URLSearchParams }) {
	const t = useText();
	const filters = Object.fromEntries(NAMES.map((n) => [n, query.get(n) ?? ""])) as Narrowed;
	// Half typed, a number narrows nothing.
	const asked = { ...filters, phone: PHONE.test(filters.phone) ? filters.phone : "", size: SIZE };
	const page = useLoad(`calls ${JSON.stringify(asked)}`, (signal) =>
		get<CallPage>("v1/calls", asked, signal),
	);
	const agents = useLoad("agents", (signal) => get<AgentPage>("v1/agents", { size: AGENTS }, signal));
	const names = new Map(
		(agents.data?.content ?? []).map((a) => [a.id, a.name === a.id ? format.shortId(a.id) : a.name]),
	);
	return (
		<div class="view">
			<Head title={t("nav.calls")} />
			<FilterBar filters={filters} agents={[...names]} />
			<Await of={page}>
				{(data) =>
					data.content.length === 0 ? (
						<Empty title={t("calls.none")}>
							<p>{t("calls.none.text")}</p>
						</Empty>
					) : (
						<>
							<Table
								caption={t("nav.calls")}
								heads={["created", "call.status", "call.type", "call.phone", "agent", "call.duration"]}
							>
								{data.content.map((c) => (
									<tr role="row" key={c.id}>
										<th scope="row" role="rowheader" class="nowrap">
											<a href={hrefOf(["calls", c.id])}>{format.time(c.created)}</a>
										</th>
										<td role="cell">
											<CallBadge status={c.status} />
										</td>
										<td role="cell">{sayOf("type", c.type)}</td>
										<td role="cell" class="nowrap" data-label={t("call.phone")}>
											{c.phone ?? "–"}
										</td>
										<td role="cell" class="break" data-label={t("agent")}>
											{names.get(c.agentId) ?? format.shortId(c.agentId)}
										</td>
										<td role="cell" class="nowrap" data-label={t("call.duration")}>
											{c.duration === null ? "–" : format.length(c.duration)}
										</td>
									</tr>
								))}
							</Table>
							<Pages data={data} filters={filters} />
						</>
					)
				}
			</Await>
		</div>
	);
}
