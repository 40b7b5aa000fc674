// The report of a run: reads the data in the page and draws it.

import { render } from "preact";
import { dataInPage, type Page } from "../data";
import { Report } from "../report";
import "uplot/dist/uPlot.min.css";
import "../style.css";

const place = document.getElementById("page");
if (place) {
  place.textContent = "";
  render(<Report page={dataInPage<Page>()} />, place);
}
