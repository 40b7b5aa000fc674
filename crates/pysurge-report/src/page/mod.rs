//! Pages, each one file that needs nothing else. `report.html` shows a whole run, without network or server. It is made of what the run's folder
//! has (`summary.json`, `timeseries.csv`, `config.yml`), so that it can be made again at any time. Others show a comparison, a search, and a
//! run that goes on: the last one alone has a server.
//!
//! A page is built from `web/` and has a place for its data, which is text in a block of JSON: a browser never runs it, and a content security
//! policy in the page lets nothing run but the script that it was built with. Text of user code is made harmless first.

mod compare;
mod curves;
mod data;
mod find_max;
mod live;
mod rows;
mod template;

pub use compare::compare_html;
pub use find_max::find_max_html;
pub use live::{LivePage, NotTold, Told, dashboard_html};

use data::Page;
use pysurge_core::summary::Summary;

/// The name of the file.
pub const REPORT: &str = "report.html";

/// The page as `web/` is built.
const TEMPLATE: &str = include_str!(concat!(env!("OUT_DIR"), "/report.html"));

/// The page of a run: of its summary, the text of its `timeseries.csv`, and that of its `config.yml`. What of the series cannot be read is
/// left out.
pub fn report_html(summary: &Summary, timeseries: &str, config: &str) -> String {
    let page = Page::of(summary, timeseries, config);
    template::fill(TEMPLATE, &summary.name, &page)
}
