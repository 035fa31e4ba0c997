/** Sending an example call: request and answer side by side. */
import { useState } from "preact/hooks";
import { post, type TestResult, type Webhook, webhookPath } from "../api/client";
import { useText } from "../i18n";
import { useAction } from "../load";
import { Button, Card, Failure, Notice } from "../ui/parts";
import { AnswerBox, AttemptFacts, AttemptHead, headersText, RequestBox } from "./attempt";
import { inspect } from "./to_inspector";

export function TestCard({ webhook, onDone }: { webhook: Webhook; onDone: () => void }) {
	const t = useText();
	const [result, setResult] = useState<TestResult>();
	const test = useAction(async () => {
		setResult(undefined);
		setResult(await post<TestResult>(webhookPath(webhook.id, "/test")));
		onDone();
	});
	return (
		<Card title={t("test")}>
			<p class="muted">{t("test.text")}</p>
			<div>
				<Button isBusy={test.isRunning} onClick={() => void test.run()}>
					{t("test.send")}
				</Button>
			</div>
			<Failure error={test.error} />
			{result && (
				<>
					<Notice tone={result.ok ? "good" : "bad"} title={t(result.ok ? "test.ok" : "test.failed")} />
					<AttemptHead attempt={result.attempt} />
					<AttemptFacts attempt={result.attempt} />
					<div class="columns">
						<div class="stack">
							<h3>{t("attempt.request")}</h3>
							<RequestBox attempt={result.attempt} body={result.body} />
						</div>
						<div class="stack">
							<h3>{t("attempt.answer")}</h3>
							<AnswerBox attempt={result.attempt} />
						</div>
					</div>
					{webhook.secured && (
						<div>
							<Button
								isCompact
								onClick={() => inspect({ headers: headersText(result.attempt), body: result.body })}
							>
								{t("inspector.open")}
							</Button>
						</div>
					)}
				</>
			)}
		</Card>
	);
}
