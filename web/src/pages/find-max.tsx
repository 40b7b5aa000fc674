// The page of a search: reads the data in the page and draws it.

import { render } from "preact";
import { dataInPage } from "../data";
import type { FindMaxPage } from "../find-max/data";
import { Search } from "../find-max/page";
import { setLog } from "../look";
import "uplot/dist/uPlot.min.css";
import "../style.css";

const place = document.getElementById("page");
if (place) {
  place.textContent = "";
  // As the picture and the drawing in the terminal: what is beyond the limit takes many times as long.
  setLog(true);
  render(<Search page={dataInPage<FindMaxPage>()} />, place);
}
