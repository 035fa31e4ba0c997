/** Sign-in with an API key; a portal link signs in by itself. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { ApiError, Session } from "../api/client";
import { useText } from "../i18n";
import { useAction } from "../load";
import { signInWithKey } from "../session";
import { Button, errorText, Head, Notice, TextField } from "../ui/parts";
import icon from "../icon.svg";

type Props = {
	onSession: (s: Session) => void;
	linkError: ApiError | undefined;
	settings: ComponentChildren;
};

export function SignIn({ onSession, linkError, settings }: Props) {
	const t = useText();
	const [key, setKey] = useState("");
	const action = useAction(async () => onSession(await signInWithKey(key.trim())));
	const isWrong = action.error?.status === 401;
	return (
		<main class="sign-in">
			<div class="brand">
				<img src={icon} alt="" />
				callhook
			</div>
			<Head title={t("signIn.title")} />
			{linkError && (
				<Notice tone="bad" isAlert>
					<p>{linkError.status === 401 ? t("signIn.linkWrong") : errorText(linkError)}</p>
				</Notice>
			)}
			<form
				class="card"
				onSubmit={(e) => {
					e.preventDefault();
					void action.run();
				}}
			>
				<TextField
					label={t("signIn.key")}
					hint={t("signIn.hint")}
					type="password"
					autocomplete="current-password"
					required
					value={key}
					onValue={setKey}
					wrong={isWrong ? t("signIn.wrong") : undefined}
				/>
				{action.error && !isWrong && (
					<Notice tone="bad" isAlert>
						<p>{errorText(action.error)}</p>
					</Notice>
				)}
				<Button kind="primary" type="submit" isBusy={action.isRunning} disabled={!key.trim()}>
					{t("signIn.action")}
				</Button>
			</form>
			<div class="row small">{settings}</div>
		</main>
	);
}
