import { render } from "preact";
import "./ui/tokens.css";
import "./ui/base.css";
import "./ui/parts.css";
import "uplot/dist/uPlot.min.css";
import { App } from "./app";
import { startTheme } from "./theme";

startTheme();
render(<App />, document.getElementById("app") as HTMLElement);
