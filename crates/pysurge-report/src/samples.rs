//! `--samples FILE.csv[.zst]`: one line per iteration, specified in `docs/reference/samples.md`. What comes faster than it can be written
//! is dropped and counted by the fan-out; trouble with the disk ends the file, never the run.

use crate::cell::cell;
use crate::fanout::Sink;
use crate::folder::ReportError;
use crate::naming::TestNames;
use crate::outfile::OutFile;
use pysurge_core::event::RunEvent;
use pysurge_core::failure::FailureKey;
use pysurge_core::wire::IterationRecord;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The columns, in order.
const HEAD: [&str; 17] = [
    "worker",
    "test",
    "number",
    "warmup",
    "planned_s",
    "started_s",
    "lateness_s",
    "setup_s",
    "run_s",
    "response_time_s",
    "teardown_s",
    "outcome",
    "error_phase",
    "error",
    "error_frame",
    "error_message",
    "metrics",
];

/// zstd's own default: half as much time again as the plain lines take, for a fifth of the size.
const ZSTD_LEVEL: i32 = 3;

/// Bytes that are gathered before they are handed on.
const BUFFER_BYTES: usize = 128 * 1024;

/// The form of the file, which its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    CsvZstd,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let forms = [(".csv.zst", Self::CsvZstd), (".csv", Self::Csv)];
        let form = forms
            .into_iter()
            .find(|(ending, _)| name.ends_with(ending) && name.len() > ending.len());
        form.map(|(_, form)| form)
    }
}

/// What is below the CSV.
enum Out {
    Plain(File),
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// The sink that writes every iteration.
pub struct Samples {
    form: Form,
    file: OutFile,
    names: TestNames,
    writer: Option<csv::Writer<Out>>,
    /// One field as text, again and again.
    field: String,
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples")
            .field("path", &self.file.path())
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl Samples {
    /// Opens the file; what is in it stays until iterations start. Refuses a name that tells no form we write.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        let form = Form::of(path).ok_or_else(|| ReportError::SamplesForm { path: path.into() })?;
        let file = OutFile::open(path).map_err(|source| ReportError::File {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            form,
            file,
            names: TestNames::default(),
            writer: None,
            field: String::new(),
        })
    }

    fn begin(&mut self) -> io::Result<()> {
        let Some(file) = self.file.begin()? else {
            return Ok(());
        };
        let out = match self.form {
            Form::Csv => Out::Plain(file),
            Form::CsvZstd => Out::Zstd(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?),
        };
        let mut writer = csv::WriterBuilder::new()
            .buffer_capacity(BUFFER_BYTES)
            .from_writer(out);
        writer.write_record(HEAD)?;
        self.writer = Some(writer);
        Ok(())
    }

    fn write(&mut self, worker: u32, iteration: &IterationRecord) -> io::Result<()> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        let mut line = Line {
            writer,
            field: &mut self.field,
        };
        let lateness_ns = iteration.started_ns.saturating_sub(iteration.planned_ns);
        // In the closed model nobody waits but the user who runs it: the response time is the service time.
        let waited_ns = if iteration.number.is_some() {
            lateness_ns
        } else {
            0
        };
        let test = usize::try_from(iteration.test).unwrap_or(usize::MAX);
        line.number(Some(u64::from(worker)))?;
        line.text(self.names.of(test))?;
        line.number(iteration.number)?;
        line.text(if iteration.warmup { "true" } else { "false" })?;
        line.seconds(Some(iteration.planned_ns))?;
        line.seconds(Some(iteration.started_ns))?;
        line.seconds(Some(lateness_ns))?;
        line.seconds(iteration.setup_ns)?;
        line.seconds(iteration.service_ns)?;
        line.seconds(iteration.service_ns.map(|ns| ns.saturating_add(waited_ns)))?;
        line.seconds(iteration.teardown_ns)?;
        line.text(if iteration.failed { "failed" } else { "passed" })?;
        let of_failure = |field: fn(&FailureKey) -> &str| iteration.failure.as_ref().map_or("", field);
        line.text(of_failure(|key| key.phase.name()))?;
        line.text(of_failure(|key| &key.exception))?;
        line.text(of_failure(|key| &key.frame))?;
        line.text(of_failure(|key| &key.message))?;
        line.metrics(&iteration.metrics)?;
        line.end()
    }
}

/// A line in the making.
struct Line<'a> {
    writer: &'a mut csv::Writer<Out>,
    field: &'a mut String,
}

impl Line<'_> {
    fn text(&mut self, text: &str) -> io::Result<()> {
        Ok(self.writer.write_field(&*cell(text))?)
    }

    fn number(&mut self, number: Option<u64>) -> io::Result<()> {
        self.field.clear();
        if let Some(number) = number {
            let _ = write!(self.field, "{number}");
        }
        Ok(self.writer.write_field(&*self.field)?)
    }

    /// Nanoseconds as seconds, exactly.
    fn seconds(&mut self, ns: Option<u64>) -> io::Result<()> {
        self.field.clear();
        if let Some(ns) = ns {
            let (whole, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
            let _ = write!(self.field, "{whole}.{rest:09}");
        }
        Ok(self.writer.write_field(&*self.field)?)
    }

    /// A JSON object; nothing where there are none. JSON has no infinity: what is no finite number is `null`.
    fn metrics(&mut self, metrics: &[(String, f64)]) -> io::Result<()> {
        self.field.clear();
        for (i, (name, value)) in metrics.iter().enumerate() {
            self.field.push(if i == 0 { '{' } else { ',' });
            self.field.push_str(&serde_json::to_string(name)?);
            self.field.push(':');
            self.field.push_str(&serde_json::to_string(value)?);
        }
        if !metrics.is_empty() {
            self.field.push('}');
        }
        Ok(self.writer.write_field(&*self.field)?)
    }

    fn end(self) -> io::Result<()> {
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }
}

impl Sink for Samples {
    fn name(&self) -> &'static str {
        "the samples"
    }

    fn wants_iterations(&self) -> bool {
        true
    }

    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.names.hear(event);
        let taken = match event {
            RunEvent::Started { .. } => self.begin(),
            RunEvent::Iterations { worker, iterations } => iterations
                .iter()
                .try_for_each(|iteration| self.write(*worker, iteration)),
            // Once a second: a manager that is killed leaves what was known then, and each flush costs zstd some of its wit.
            RunEvent::Progress(_) => self.writer.as_mut().map_or(Ok(()), csv::Writer::flush),
            _ => Ok(()),
        };
        taken.map_err(|error| self.told(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let finished = match writer.into_inner().map_err(csv::IntoInnerError::into_error) {
            Ok(Out::Zstd(encoder)) => encoder.finish().map(|_| ()),
            Ok(Out::Plain(_)) => Ok(()),
            Err(error) => Err(error),
        };
        finished.map_err(|error| self.told(&error))
    }
}

impl Samples {
    /// The error with the file it is about, and of its own kind: a pipe whose reader has gone is no error.
    fn told(&self, error: &io::Error) -> io::Error {
        let text = format!("cannot write all of {}: {error}", self.file.path().display());
        io::Error::new(error.kind(), text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_the_form() {
        for (name, form) in [
            ("a.csv", Some(Form::Csv)),
            ("dir.zst/A.CSV", Some(Form::Csv)),
            ("a.b.csv.zst", Some(Form::CsvZstd)),
            (".csv", None),
            ("csv", None),
            ("a.zst", None),
            ("a.parquet", None),
            ("a.csv.gz", None),
            ("..", None),
        ] {
            assert_eq!(Form::of(Path::new(name)), form, "{name}");
        }
    }
}
