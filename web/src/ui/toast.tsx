/** Short notes that something was done; said by screen readers too. */
import { useEffect, useState } from "preact/hooks";

const SHOWN_MS = 5000;
let add: (text: string) => void = () => {};

export function toast(text: string): void {
	add(text);
}

export function Toasts() {
	const [shown, setShown] = useState<{ id: number; text: string }[]>([]);
	useEffect(() => {
		let next = 0;
		add = (text) => {
			const id = next++;
			setShown((s) => [...s.slice(-2), { id, text }]);
			setTimeout(() => setShown((s) => s.filter((one) => one.id !== id)), SHOWN_MS);
		};
		return () => {
			add = () => {};
		};
	}, []);
	return (
		<div class="toasts" role="status" aria-live="polite">
			{shown.map((s) => (
				<div class="toast" key={s.id}>
					{s.text}
				</div>
			))}
		</div>
	);
}
