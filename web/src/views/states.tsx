/** States in plain words and colours. */
import type { Attempt, Delivery, Webhook } from "../api/client";
import { sayOf, useText } from "../i18n";
import * as format from "../format";
import { Badge, Notice, Said, type Tone } from "../ui/parts";

/** The statuses of calls that have ended; a webhook is sent those of them that it asks for. */
export const FINAL_STATUSES = [
	"COMPLETED",
	"FAILED",
	"CANCELED",
	"NO_ANSWER",
	"VOICE_BOX",
	"UNREACHABLE",
	"TRANSFERRED",
	"REJECTED",
	"FAILOVER",
] as const;

const LANE: Record<string, Tone> = {
	READY: "good",
	DEAD: "bad",
	PROBING: "warn",
	SUSPENDED: "warn",
	DISABLED: "none",
};
const DELIVERY: Record<string, Tone> = {
	PENDING: "info",
	DELIVERING: "info",
	DELIVERED: "good",
	FAILED: "bad",
	PARKED: "warn",
	CANCELED: "none",
};
const CALL: Record<string, Tone> = { COMPLETED: "good", FAILED: "bad", IN_PROGRESS: "info" };

export function LaneBadge({ state }: { state: string }) {
	useText();
	return <Badge tone={LANE[state] ?? "none"}>{sayOf("lane", state)}</Badge>;
}

export function DeliveryBadge({ state }: { state: Delivery["state"] }) {
	useText();
	return <Badge tone={DELIVERY[state] ?? "none"}>{sayOf("delivery", state)}</Badge>;
}

export function CallBadge({ status }: { status: string }) {
	useText();
	return <Badge tone={CALL[status] ?? "none"}>{sayOf("call", status)}</Badge>;
}

export function isGood(a: Attempt): boolean {
	return a.outcome === "answered" && a.status !== null && a.status >= 200 && a.status < 300;
}

export function AttemptBadge({ attempt }: { attempt: Attempt }) {
	useText();
	const text = attempt.status !== null ? `HTTP ${attempt.status}` : sayOf("outcome", attempt.outcome);
	return <Badge tone={isGood(attempt) ? "good" : "bad"}>{text}</Badge>;
}

/** Why nothing is sent just now, and what will happen; nothing when all is well. */
export function LaneReason({ webhook }: { webhook: Webhook }) {
	const t = useText();
	if (webhook.state === "READY" && !webhook.slow) return null;
	if (webhook.state === "READY")
		return (
			<Notice tone="info">
				<p>{t("lane.slow.text")}</p>
			</Notice>
		);
	return (
		<Notice tone={webhook.state === "DEAD" ? "bad" : "warn"} title={sayOf("lane", webhook.state)}>
			<p>{sayOf("lane.text", webhook.state)}</p>
			{webhook.reason && (
				<p>
					<Said text={webhook.reason} />
				</p>
			)}
			{webhook.until && !webhook.reason && <p>{t("lane.until", { time: format.time(webhook.until) })}</p>}
		</Notice>
	);
}

export function nameOf(w: { name: string; url: string }): string {
	if (w.name) return w.name;
	try {
		return new URL(w.url).host;
	} catch {
		return w.url;
	}
}
