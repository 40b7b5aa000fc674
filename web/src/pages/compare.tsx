// The page of a comparison: reads the data in the page and draws it.

import { render } from "preact";
import type { ComparePage } from "../compare/data";
import { Compare } from "../compare/page";
import { dataInPage } from "../data";
import "uplot/dist/uPlot.min.css";
import "../style.css";

const place = document.getElementById("page");
if (place) {
  place.textContent = "";
  render(<Compare page={dataInPage<ComparePage>()} />, place);
}
