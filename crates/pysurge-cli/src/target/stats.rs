//! Counts of what the target answered, by method, path class and status. Lock-free; a fixed table, so that nothing a
//! client sends can make it grow. A request is counted before its answer leaves: whoever holds an answer is in the counts.

use super::route::Class;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const STATUSES: [u16; 8] = [200, 201, 400, 404, 405, 411, 413, 431];
/// The place of every other method.
const OTHER_METHOD: usize = METHODS.len();

type ByStatus = [AtomicU64; STATUSES.len()];
type ByClass = [ByStatus; Class::ALL.len()];

/// The table.
#[derive(Debug, Default)]
pub(super) struct Stats {
    counts: [ByClass; METHODS.len() + 1],
    /// Connections turned away at the limit.
    pub(super) refused_connections: AtomicU64,
    /// Lines that could not be written to the log.
    pub(super) log_errors: AtomicU64,
}

impl Stats {
    /// Counts one request.
    pub(super) fn count(&self, method: &str, class: Class, status: u16) {
        let method = METHODS
            .iter()
            .position(|name| *name == method)
            .unwrap_or(OTHER_METHOD);
        let status = STATUSES.iter().position(|known| *known == status);
        let status = status.expect("every status that is answered is in the table");
        self.counts[method][class as usize][status].fetch_add(1, Ordering::Relaxed);
    }

    /// Requests so far, those that steer the target left out.
    pub(super) fn requests(&self) -> u64 {
        let load = self.cells().filter(|cell| !cell.class.is_control());
        load.map(|cell| cell.count).sum()
    }

    /// What `/stats` answers: `{"requests": 7, "counts": {"GET /items/N": {"200": 7}}, …}`; zeros are left out.
    pub(super) fn to_json(&self) -> Value {
        let mut counts = Map::new();
        for cell in self.cells().filter(|cell| cell.count > 0) {
            let row = format!("{} {}", cell.method, cell.class.name());
            let row = counts.entry(row).or_insert_with(|| json!({}));
            row[cell.status.to_string()] = json!(cell.count);
        }
        json!({
            "requests": self.requests(),
            "counts": counts,
            "refused_connections": self.refused_connections.load(Ordering::Relaxed),
            "log_errors": self.log_errors.load(Ordering::Relaxed),
        })
    }

    fn cells(&self) -> impl Iterator<Item = Cell> {
        self.counts.iter().enumerate().flat_map(|(m, by_class)| {
            by_class
                .iter()
                .zip(Class::ALL)
                .flat_map(move |(by_status, class)| {
                    by_status.iter().zip(STATUSES).map(move |(count, status)| Cell {
                        method: METHODS.get(m).copied().unwrap_or("-"),
                        class,
                        status,
                        count: count.load(Ordering::Relaxed),
                    })
                })
        })
    }
}

struct Cell {
    method: &'static str,
    class: Class,
    status: u16,
    count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_method_class_and_status() {
        let stats = Stats::default();
        for _ in 0..3 {
            stats.count("GET", Class::Item, 200);
        }
        stats.count("PURGE", Class::Other, 404);
        stats.count("GET", Class::Stats, 200);
        assert_eq!(stats.requests(), 4);
        let json = stats.to_json();
        assert_eq!(json["counts"]["GET /items/N"]["200"], 3);
        assert_eq!(json["counts"]["- other"]["404"], 1);
        assert_eq!(json["counts"]["GET /stats"]["200"], 1);
        assert_eq!(json["counts"].as_object().map(Map::len), Some(3));
    }

    #[test]
    fn classes_stand_at_their_own_place() {
        for (at, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
    }
}
