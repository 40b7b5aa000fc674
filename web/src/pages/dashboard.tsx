// The dashboard of a run that goes on: listens to the server that it came from.

import { render } from "preact";
import { dataInPage } from "../data";
import { Dashboard } from "../live/dashboard";
import { Feed } from "../live/feed";
import "uplot/dist/uPlot.min.css";
import "../style.css";

const place = document.getElementById("page");
if (place) {
  const { name } = dataInPage<{ name: string }>();
  const feed = new Feed();
  place.textContent = "";
  render(<Dashboard feed={feed} name={name} />, place);
  feed.open();
}
