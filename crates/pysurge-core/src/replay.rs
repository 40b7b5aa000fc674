//! A recorded log of arrivals, read as a plan: when each iteration starts, and with which keyword arguments.
//!
//! [`Recording::parse`] turns the bytes of a CSV file into instants and rows, or says in which line and column it
//! cannot. Whatever it accepts is whole: instants are sorted, every cell has the type asked for, so that nothing is left
//! to fail during the run. Times are integers throughout; a nanosecond of an epoch time survives, which `f64`
//! would lose.
//!
//! It must never guess: mixed kinds of times, ragged rows and a quote that is never closed are errors, and so is a
//! date without a time of day, since all its arrivals would fall on one instant.
//!
//! Format: RFC 4180 with a header row, UTF-8.

mod columns;
mod error;
mod rows;
mod table;
mod time;

pub use error::ReplayError;
pub use rows::Cell;
pub use time::{BadTime, TimeKind, TimeUnit};

use columns::Columns;
use rows::Rows;
use table::Table;

use serde::{Deserialize, Serialize};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The most rows of a recording: instants and offsets of more would take a gigabyte in every process.
const ROWS_MAX: usize = 50_000_000;

/// How a CSV file is read as arrivals.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayForm {
    /// The column of the times; the first one where `None`.
    pub time: Option<String>,
    /// What a time without a date counts in.
    pub unit: TimeUnit,
    /// How much faster than recorded, in thousandths: 2000 halves every instant.
    pub speed_milli: u64,
    /// Keyword arguments and the columns that they come from. `None`: every column but the time's, by its own name.
    pub columns: Option<Vec<(String, String)>>,
    /// The types of keyword arguments; the others are strings.
    pub types: Vec<(String, ColumnType)>,
}

impl Default for ReplayForm {
    fn default() -> Self {
        Self {
            time: None,
            unit: TimeUnit::default(),
            speed_milli: 1_000,
            columns: None,
            types: Vec::new(),
        }
    }
}

/// What the cells of a column are read as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// The text as it stands, also where it is empty.
    #[default]
    Str,
    /// A whole number of 64 bits.
    Int,
    /// A finite number.
    Float,
    /// `true`, `yes`, `1`, `false`, `no` or `0`, in any case.
    Bool,
}

impl ColumnType {
    fn name(self) -> &'static str {
        match self {
            Self::Str => "a string",
            Self::Int => "a whole number of 64 bits",
            Self::Float => "a finite number",
            Self::Bool => "true or false",
        }
    }
}

/// The arrivals of a file, earliest first. Clones share their memory.
#[derive(Debug, Clone)]
pub struct Recording {
    instants: Arc<[u64]>,
    rows: Arc<Rows>,
    digest: u64,
}

impl Recording {
    /// Reads the bytes of a CSV file.
    pub fn parse(bytes: &[u8], form: &ReplayForm) -> Result<Self, ReplayError> {
        Self::parse_up_to(ROWS_MAX, bytes, form)
    }

    fn parse_up_to(rows_max: usize, bytes: &[u8], form: &ReplayForm) -> Result<Self, ReplayError> {
        if form.speed_milli == 0 {
            return Err(ReplayError::ZeroSpeed);
        }
        let mut table = Table::open(bytes)?;
        let columns = Columns::find(table.header(), form)?;
        let mut rows = Rows::new(&columns.kwargs);
        let mut kind = None;
        let mut arrivals = Vec::new();
        while table.advance()? {
            if arrivals.len() == rows_max {
                let line = table.line();
                return Err(ReplayError::TooManyRows { line, rows_max });
            }
            let recorded_ns = table.time(columns.time, form.unit, &mut kind)?;
            arrivals.push((recorded_ns, rows.next_offset()));
            for kwarg in &columns.kwargs {
                rows.push(table.cell(kwarg)?);
            }
        }
        // Stable, and linear where the file is in order.
        arrivals.sort_by_key(|(recorded_ns, _)| *recorded_ns);
        let (Some(&(first_ns, _)), Some(&(last_ns, _))) = (arrivals.first(), arrivals.last()) else {
            return Err(ReplayError::NoRows);
        };
        let base_ns = if kind == Some(TimeKind::SinceStart) {
            0
        } else {
            first_ns
        };
        let at_speed = |recorded_ns: u64| {
            u64::try_from(u128::from(recorded_ns - base_ns) * 1_000 / u128::from(form.speed_milli)).ok()
        };
        at_speed(last_ns).ok_or(ReplayError::TooSlow)?;
        let instants = arrivals.iter().map(|(recorded_ns, _)| {
            at_speed(*recorded_ns).expect("no later than the last, which was checked")
        });
        Ok(Self {
            instants: instants.collect(),
            rows: Arc::new(rows.in_order(arrivals.into_iter().map(|(_, offset)| offset))),
            digest: digest(bytes, form),
        })
    }

    /// The planned instants in nanoseconds since the start, sorted.
    pub fn instants(&self) -> &Arc<[u64]> {
        &self.instants
    }

    /// How many arrivals there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a recording is never empty")]
    pub fn len(&self) -> usize {
        self.instants.len()
    }

    /// The names of the keyword arguments that each iteration gets.
    pub fn kwargs(&self) -> &[String] {
        &self.rows.kwargs
    }

    /// The keyword arguments of iteration `k`, in the order of [`Self::kwargs`].
    ///
    /// # Panics
    /// Where there are keyword arguments and `k` is not below [`Self::len`].
    pub fn row(&self, k: usize) -> impl Iterator<Item = (&str, Cell<'_>)> {
        self.rows.row(k)
    }

    /// A digest of the file and its form: two processes of one build that read the same have the same one.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

fn digest(bytes: &[u8], form: &ReplayForm) -> u64 {
    let mut hasher = DefaultHasher::new();
    form.hash(&mut hasher);
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;

    const S: u64 = crate::NANOS_PER_SEC;

    fn read(text: &str) -> Result<Recording, ReplayError> {
        Recording::parse(text.as_bytes(), &ReplayForm::default())
    }

    fn instants(text: &str, form: &ReplayForm) -> Vec<u64> {
        Recording::parse(text.as_bytes(), form)
            .unwrap()
            .instants()
            .to_vec()
    }

    fn pairs<T: Clone>(pairs: &[(&str, T)]) -> Vec<(String, T)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    fn chosen(columns: &[(&str, &str)]) -> ReplayForm {
        let columns = columns
            .iter()
            .map(|(kwarg, column)| ((*kwarg).to_owned(), (*column).to_owned()));
        ReplayForm {
            columns: Some(columns.collect()),
            ..ReplayForm::default()
        }
    }

    fn row(recording: &Recording, k: usize) -> Vec<(&str, Cell<'_>)> {
        recording.row(k).collect()
    }

    #[test]
    fn absolute_times_count_from_the_earliest_and_others_stand() {
        let form = ReplayForm::default();
        assert_eq!(instants("t\n2.5\n4\n", &form), [2_500_000_000, 4 * S]);
        assert_eq!(
            instants("t\n1700000001.5\n1700000000.000000001\n", &form),
            [0, 1_499_999_999]
        );
        assert_eq!(
            instants("t\n2026-01-01T00:00:01Z\n2026-01-01T00:00:00Z\n", &form),
            [0, S]
        );
    }

    #[test]
    fn speed_divides_exactly() {
        let at = |speed_milli| ReplayForm {
            speed_milli,
            unit: TimeUnit::Ns,
            ..ReplayForm::default()
        };
        let text = "t\n0\n1\n10\n999999999999999999\n";
        assert_eq!(instants(text, &at(3_000)), [0, 0, 3, 333_333_333_333_333_333]);
        assert_eq!(instants(text, &at(500)), [0, 2, 20, 1_999_999_999_999_999_998]);
        let slow = Recording::parse(text.as_bytes(), &at(1)).unwrap_err();
        assert_eq!(slow, ReplayError::TooSlow);
        let none = Recording::parse(text.as_bytes(), &at(0)).unwrap_err();
        assert_eq!(none, ReplayError::ZeroSpeed);
    }

    #[test]
    fn further_columns_are_keyword_arguments() {
        let recording = read("\u{feff}path,time\r\n\"/a,\"\"b\"\"\",2\r\n\r\n /ü ,1").unwrap_err();
        assert!(
            matches!(recording, ReplayError::BadTime { line: 2, .. }),
            "{recording:?}"
        );
        let form = ReplayForm {
            time: Some("time".into()),
            ..ReplayForm::default()
        };
        let text = "\u{feff}path, time\r\n\"/a,\"\"b\"\"\",2\r\n\r\n /ü ,1";
        let recording = Recording::parse(text.as_bytes(), &form).unwrap();
        assert_eq!(recording.len(), 2);
        assert_eq!(recording.kwargs(), ["path"]);
        assert_eq!(row(&recording, 0), [("path", Cell::Str(" /ü "))]);
        assert_eq!(row(&recording, 1), [("path", Cell::Str("/a,\"b\""))]);
    }

    #[test]
    fn a_file_may_end_with_or_without_a_line_end() {
        for cell in ["x", "\"x\""] {
            for end in ["", "\n", "\r", "\r\n", "\n\r\n\n"] {
                let recording = read(&format!("t,a\n1,y\n2,{cell}{end}")).unwrap();
                assert_eq!(recording.len(), 2, "{cell:?} {end:?}");
                assert_eq!(row(&recording, 1), [("a", Cell::Str("x"))], "{cell:?} {end:?}");
            }
        }
    }

    #[test]
    fn columns_choose_and_rename() {
        let text = "at,status code,path\n1,200,/a\n";
        let recording = Recording::parse(
            text.as_bytes(),
            &chosen(&[("url", "path"), ("status", "status code"), ("recorded", "at")]),
        )
        .unwrap();
        assert_eq!(
            row(&recording, 0),
            [
                ("url", Cell::Str("/a")),
                ("status", Cell::Str("200")),
                ("recorded", Cell::Str("1"))
            ]
        );
        let recording = Recording::parse(text.as_bytes(), &chosen(&[])).unwrap();
        assert_eq!(recording.kwargs(), [""; 0]);
        assert_eq!(recording.row(0).count(), 0);
    }

    #[test]
    fn cells_have_the_types_asked_for() {
        let types = pairs(&[
            ("i", ColumnType::Int),
            ("f", ColumnType::Float),
            ("b", ColumnType::Bool),
        ]);
        let form = ReplayForm {
            types,
            ..ReplayForm::default()
        };
        let long = "x".repeat(20_000);
        let text = format!("t,i,f,b,s\n0,-9223372036854775808, 1e3,YES,{long}\n1,,,,\n2,+7,-0.5,0,ü\n");
        let recording = Recording::parse(text.as_bytes(), &form).unwrap();
        let cells = |k| recording.row(k).map(|(_, cell)| cell).collect::<Vec<_>>();
        assert_eq!(
            cells(0),
            [
                Cell::Int(i64::MIN),
                Cell::Float(1e3),
                Cell::Bool(true),
                Cell::Str(&long)
            ]
        );
        assert_eq!(cells(1), [Cell::None, Cell::None, Cell::None, Cell::Str("")]);
        assert_eq!(
            cells(2),
            [Cell::Int(7), Cell::Float(-0.5), Cell::Bool(false), Cell::Str("ü")]
        );
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn errors_say_what_where_and_what_to_do() {
        let plain = ReplayForm::default();
        let time = |name: &str| ReplayForm {
            time: Some(name.into()),
            ..ReplayForm::default()
        };
        let typed = |name, column_type| ReplayForm {
            types: pairs(&[(name, column_type)]),
            ..ReplayForm::default()
        };
        let long = format!("t\n{}\n", "ü".repeat(50));
        for (text, form, message, hint) in [
            ("", plain.clone(), "the file is empty", "the first line names"),
            (
                "\n\r\n\n",
                plain.clone(),
                "the file is empty",
                "the first line names",
            ),
            (
                "t,a\n\n",
                plain.clone(),
                "the file has a header but no rows",
                "the first line names",
            ),
            (
                "1.5,a\n2,b\n",
                plain.clone(),
                "line 1: a header is needed, but `1.5` is a time",
                "add a first line",
            ),
            (
                "2000-10-10,a\n",
                plain.clone(),
                "line 1: a header is needed, but `2000-10-10` is a time",
                "add",
            ),
            (
                "a,1.5\nb,2\n",
                time("at"),
                "line 1: a header is needed, but `1.5` is a time",
                "add a first",
            ),
            (
                "Timestamp,a\n",
                time("timestmp"),
                "line 1: no column `timestmp`",
                "did you mean `Timestamp`?",
            ),
            (
                "t,a\n",
                time("when"),
                "line 1: no column `when`",
                "the columns are `t`, `a`",
            ),
            (
                "t;a\n",
                time("t"),
                "line 1: no column `t`",
                "columns are separated by commas",
            ),
            (
                "t,t\n1,2\n",
                time("t"),
                "line 1: more than one column `t`",
                "give each column a name",
            ),
            (
                "t,a b\n1,2\n",
                plain.clone(),
                "column `a b`: `a b` cannot name a keyword argument",
                "names are",
            ),
            (
                "t,\n1,2\n",
                plain.clone(),
                "column ``: `` cannot name a keyword argument",
                "names are",
            ),
            (
                "t,a\n1,2\n",
                chosen(&[("2", "a")]),
                "column `a`: `2` cannot name a keyword argument",
                "names are",
            ),
            (
                "t,a,a\n1,2,3\n",
                plain.clone(),
                "more than one column for the keyword argument `a`",
                "give each",
            ),
            (
                "t,a\n1,2\n",
                chosen(&[("x", "a"), ("x", "t")]),
                "more than one column for the keyword argument `x`",
                "give each keyword argument once",
            ),
            (
                "t,count\n1,2\n",
                typed("coutn", ColumnType::Int),
                "a type for the keyword argument `coutn`, which no column gives",
                "did you mean `count`?",
            ),
            (
                "t,count\r\n1,2\r\n\r\n1,2.5\r\n",
                typed("count", ColumnType::Int),
                "line 4, column `count`: `2.5` is not a whole number of 64 bits",
                "correct the cell",
            ),
            (
                "t,x\n1,inf\n",
                typed("x", ColumnType::Float),
                "line 2, column `x`: `inf` is not a finite number",
                "correct the cell",
            ),
            (
                "t,x\n1,maybe\n",
                typed("x", ColumnType::Bool),
                "line 2, column `x`: `maybe` is not true or false",
                "use true, yes",
            ),
            (
                "t,a\n1,2\n3\n",
                plain.clone(),
                "line 3: 1 cells where the header has 2",
                "every line needs",
            ),
            (
                "t,a\r1,2\r3\r",
                plain.clone(),
                "line 3: 1 cells where the header has 2",
                "every line needs",
            ),
            (
                "t,a\n1,\"x\ny\"\n3\n",
                plain.clone(),
                "line 4: 1 cells where the header has 2",
                "every line",
            ),
            (
                "t\n1\nx\n",
                plain.clone(),
                "line 3, column `t`: `x` is not a time",
                "use numbers such as",
            ),
            (
                "t,a\n,1\n",
                plain.clone(),
                "line 2, column `t`: `` is empty, where a time is needed",
                "use",
            ),
            (
                "t\n-1\n",
                plain.clone(),
                "line 2, column `t`: `-1` is negative",
                "times count from the start",
            ),
            (
                "t\n1700000000123\n",
                plain.clone(),
                "line 2, column `t`: `1700000000123` is too late",
                "check the unit",
            ),
            (
                "t\n1700000000\n5\n",
                plain.clone(),
                "line 3, column `t`: `5` is a number since the start, but the first row has a number since 1970",
                "use one kind of time",
            ),
            (
                "t\n1\n2026-01-01T00:00:00Z\n",
                plain.clone(),
                "line 3, column `t`: `2026-01-01T00:00:00Z` is a date, but the first row has a number since the start",
                "use one kind of time",
            ),
            (
                "t,a\n1,\"x\n2,y\n",
                plain.clone(),
                "line 2: a quoted cell is never closed",
                "end the cell",
            ),
            (
                "t,\"a",
                plain.clone(),
                "line 1: a quoted cell is never closed",
                "end the cell",
            ),
            (
                &long,
                plain.clone(),
                &format!("line 2, column `t`: `{}…` is not a time", "ü".repeat(40)),
                "use",
            ),
        ] {
            let error = Recording::parse(text.as_bytes(), &form).expect_err(text);
            assert!(error.to_string().starts_with(message), "{text:?}: {error}");
            assert!(error.hint().starts_with(hint), "{text:?}: {}", error.hint());
        }
        let error = Recording::parse(b"t,a\n1,x\n2,\xff\n", &plain).unwrap_err();
        assert_eq!(error.to_string(), "line 3: not UTF-8");
        let error = Recording::parse_up_to(2, b"t\n1\n2\n3\n", &plain).unwrap_err();
        assert_eq!(error.to_string(), "line 4: more than 2 rows");
        assert_eq!(
            Recording::parse_up_to(3, b"t\n1\n2\n3\n", &plain).unwrap().len(),
            3
        );
    }

    #[test]
    fn the_digest_is_of_the_file_and_its_form() {
        let form = ReplayForm::default();
        let digest = |bytes: &[u8], form: &ReplayForm| Recording::parse(bytes, form).unwrap().digest();
        assert_eq!(digest(b"t\n1\n", &form), digest(b"t\n1\n", &form));
        assert_ne!(digest(b"t\n1\n", &form), digest(b"t\n1\n\n", &form));
        assert_ne!(digest(b"t\n1\n", &form), digest(b"t\n1\n", &chosen(&[])));
    }

    #[test]
    fn a_form_has_defaults() {
        assert_eq!(
            serde_json::from_str::<ReplayForm>("{}").unwrap(),
            ReplayForm::default()
        );
        let form = chosen(&[("a", "b")]);
        let text = serde_json::to_string(&form).unwrap();
        assert_eq!(serde_json::from_str::<ReplayForm>(&text).unwrap(), form);
    }

    #[test]
    fn a_million_rows() {
        let mut text = String::from("time,path,n\n");
        for i in 0..1_000_000_u64 {
            writeln!(
                text,
                "{}.{:03},/item/{i},{i}",
                1_700_000_000 + i / 1_000,
                i % 1_000
            )
            .unwrap();
        }
        let form = ReplayForm {
            types: pairs(&[("n", ColumnType::Int)]),
            ..ReplayForm::default()
        };
        let recording = Recording::parse(text.as_bytes(), &form).unwrap();
        assert_eq!(recording.len(), 1_000_000);
        assert_eq!(recording.instants()[999_999], 999_999_000_000);
        assert_eq!(
            row(&recording, 999_999),
            [("path", Cell::Str("/item/999999")), ("n", Cell::Int(999_999))]
        );
    }

    /// A cell as RFC 4180 writes it.
    fn quoted_cell(cell: &str) -> String {
        format!("\"{}\"", cell.replace('"', "\"\""))
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes: Vec<u8>, header in "t,a\n|", unit in 0..4usize) {
            let unit = [TimeUnit::S, TimeUnit::Ms, TimeUnit::Us, TimeUnit::Ns][unit];
            let bytes = [header.as_bytes(), &bytes].concat();
            let _ = Recording::parse(&bytes, &ReplayForm { unit, ..ReplayForm::default() });
        }

        #[test]
        fn parsing_what_looks_like_a_file_never_panics(text in "(t|,a){0,3}\n([0-9.\",\r\n:/TZ\\[\\] -]|a|ü){0,60}") {
            if let Ok(recording) = read(&text) {
                prop_assert!(recording.instants().is_sorted());
                for k in 0..recording.len() {
                    prop_assert_eq!(recording.row(k).count(), recording.kwargs().len());
                }
            }
        }

        #[test]
        fn rows_stay_with_their_times(rows in prop::collection::vec((0u64..20, any::<String>(), any::<i64>()), 1..60)) {
            let mut text = String::from("t,s,i\n");
            for (time, s, i) in &rows {
                writeln!(text, "{time},{},{i}", quoted_cell(s)).unwrap();
            }
            let form = ReplayForm { types: pairs(&[("i", ColumnType::Int)]), ..ReplayForm::default() };
            let recording = Recording::parse(text.as_bytes(), &form).unwrap();
            let mut expected = rows.clone();
            expected.sort_by_key(|(time, ..)| *time);
            prop_assert_eq!(recording.len(), rows.len());
            for (k, (time, s, i)) in expected.iter().enumerate() {
                prop_assert_eq!(recording.instants()[k], time * S);
                prop_assert_eq!(row(&recording, k), [("s", Cell::Str(s)), ("i", Cell::Int(*i))]);
            }
        }
    }
}
