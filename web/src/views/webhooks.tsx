/** Webhook Integration Settings: the list. */
import { get, type WebhookList as List } from "../api/client";
import { count, useText } from "../i18n";
import { useLoad } from "../load";
import { hrefOf } from "../router";
import * as format from "../format";
import { Await, Badge, Empty, Head, Table } from "../ui/parts";
import { may } from "../session";
import { LaneBadge, nameOf } from "./states";
import { useSession } from "../who";

export function WebhookList() {
	const t = useText();
	const session = useSession();
	const canWrite = may(session, "integrations:write");
	const list = useLoad("webhooks", (signal) => get<List>("v1/webhooks", {}, signal));
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
						<Table
							caption={t("webhooks.title")}
							heads={["webhook", "state", "security", "webhook.statuses", "webhook.parked"]}
						>
							{data.content.map((w) => (
								<tr role="row" key={w.id}>
									<th scope="row" role="rowheader" class="break">
										<a href={hrefOf(["webhooks", w.id])}>{nameOf(w)}</a>
										<div class="muted small break">{w.url}</div>
									</th>
									<td role="cell">
										<LaneBadge state={w.state} />
									</td>
									<td role="cell">
										<Badge tone={w.secured ? "good" : "warn"}>
											{w.secured ? t("secured") : t("unsecured")}
										</Badge>
									</td>
									<td role="cell" data-label={t("webhook.statuses")}>
										{count(
											"statuses.one",
											"statuses.other",
											w.statuses.length,
											format.number(w.statuses.length),
										)}
									</td>
									<td role="cell" class="number" data-label={t("webhook.parked")}>
										{format.number(w.parked)}
									</td>
								</tr>
							))}
						</Table>
					)
				}
			</Await>
		</div>
	);
}
