import "@fontsource-variable/figtree/wght.css";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/now.css";
import "./styles/screens.css";
import { render } from "preact";
import { App } from "./app";
import { LiveContext } from "./hooks";
import { Live } from "./live";

const live = new Live();
live.start();
render(
  <LiveContext.Provider value={live}>
    <App />
  </LiveContext.Provider>,
  document.getElementById("page")!,
);
