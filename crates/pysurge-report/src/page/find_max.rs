//! The page of a search: `report.html` in its folder, made of `find-max.json` alone.

use super::template::fill;
use crate::find_max::{FindMax, limits_s};
use serde::Serialize;

/// The page as `web/` is built.
const TEMPLATE: &str = include_str!(concat!(env!("OUT_DIR"), "/find-max.html"));

/// What the page is given.
#[derive(Debug, Serialize)]
struct FindMaxPage<'a> {
    search: &'a FindMax,
    /// The durations that objectives name, seconds.
    limits_s: Vec<f64>,
}

/// The page of a search, as far as it has come.
pub fn find_max_html(search: &FindMax) -> String {
    let page = FindMaxPage {
        search,
        limits_s: limits_s(search),
    };
    fill(TEMPLATE, &search.name, &page)
}
