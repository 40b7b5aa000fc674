//! `pysurge check --trace`: each test once, in an interpreter in the foreground that has this terminal, so that `print`, `breakpoint()` and a
//! debugger work. This process only waits: Ctrl+C is the interpreter's.

use super::collect;
use super::fire::Job;
use crate::error::{CliError, EXIT_INTERNAL};
use crate::world::World;
use pysurge_core::plan::{Data, DataSource, Reuse, RowOrder, Target, TestPlan};
use pysurge_core::value::Value;
use serde_json::{Map, Value as Json, json};
use signal_hook::consts::SIGINT;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What the interpreter runs; see `command/fire.rs` for why it is not `-m`.
const START: &str =
    "import sys; sys.path[:1] == [''] and sys.path.pop(0); from pysurge._trace import main; main()";

/// The variable that holds what is to be run, as JSON.
const VARIABLE: &str = "PYSURGE_TRACE";

/// Linux takes 128 KiB for one variable, its name included.
const MAX_BYTES: usize = 120 * 1024;

/// Runs each test of a job once in the foreground; gives the exit code of the interpreter.
pub(super) fn trace(mut job: Job, pdb: bool, world: &mut World) -> Result<u8, CliError> {
    job.show_warnings(world);
    if let Some(outcome) = collect::tests(&mut job, world)? {
        return job.conclude(&outcome);
    }
    let orders = orders(&job, pdb, world)?.to_string();
    if orders.len() > MAX_BYTES {
        return Err(CliError::TraceTooLong { bytes: orders.len() });
    }
    let mut command = Command::new(&world.python);
    command
        .args(["-c", START])
        .env(VARIABLE, orders)
        .current_dir(&world.cwd);
    let status = led(command).map_err(|source| CliError::Trace {
        python: world.python.clone(),
        source,
    })?;
    Ok(exit_code(status))
}

/// Waits for the end of a command; Ctrl+C ends it as it will, and not this process.
fn led(mut command: Command) -> std::io::Result<ExitStatus> {
    let noticed = Arc::new(AtomicBool::new(false));
    let ignored = signal_hook::flag::register(SIGINT, noticed)?;
    // A handler, unlike a signal that is ignored, is not inherited.
    let status = command.status();
    signal_hook::low_level::unregister(ignored);
    status
}

fn exit_code(status: ExitStatus) -> u8 {
    let of_signal = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(of_signal);
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(EXIT_INTERNAL)
}

fn orders(job: &Job, pdb: bool, world: &World) -> Result<Json, CliError> {
    let tests: Vec<Json> = job.config.plan.tests.iter().map(test).collect::<Result<_, _>>()?;
    let import_last: Vec<String> = job
        .import_last
        .iter()
        .map(|folder| folder.to_string_lossy().into_owned())
        .collect();
    Ok(json!({
        "tests": tests,
        "import_first": [world.cwd.to_string_lossy()],
        "import_last": import_last,
        "pytest_args": job.config.plan.pytest_args,
        "pdb": pdb,
    }))
}

fn test(test: &TestPlan) -> Result<Json, CliError> {
    let mut kwargs = Map::new();
    for (name, value) in &test.kwargs {
        let value = plain(value).map_err(|what| CliError::NotTraceable {
            test: test.short_name().to_owned(),
            name: name.clone(),
            what,
        })?;
        kwargs.insert(name.clone(), value);
    }
    let (kind, item) = match &test.target {
        Target::Class(_) => ("class", None),
        Target::Object(_) => ("object", None),
        Target::Pytest(pytest) => ("pytest", pytest.item.as_ref()),
    };
    Ok(json!({
        "kind": kind,
        "path": test.target.path(),
        "item": item.map(|item| {
            json!({ "id": item.id, "file": item.file, "rootdir": item.rootdir, "inifile": item.inifile })
        }),
        "kwargs": kwargs,
        "data": test.data.as_ref().map(data),
    }))
}

fn data(data: &Data) -> Json {
    let (kind, from) = match &data.source {
        DataSource::File(file) => ("file", file),
        DataSource::Iterable(name) => ("iterable", name),
    };
    let order = match data.order {
        RowOrder::Sequential => "sequential",
        RowOrder::Shuffle => "shuffle",
        RowOrder::Random => "random",
    };
    let reuse = match data.reuse {
        Reuse::Once => "once",
        Reuse::Cycle => "cycle",
    };
    json!({ "kind": kind, "from": from, "order": order, "reuse": reuse, "seed": data.seed })
}

/// The same in JSON; what JSON cannot say is told.
fn plain(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Float(value) if value.is_finite() => json!(value),
        Value::Float(_) => return Err("a float that is no finite number".to_owned()),
        Value::BigInt(_) => return Err("an integer beyond 64 bits".to_owned()),
        Value::Str(text) => json!(text),
        Value::List(items) => Json::Array(items.iter().map(plain).collect::<Result<_, _>>()?),
        Value::Map(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Value::Str(key) = key else {
                    return Err(format!("a mapping with {} as a key", key.kind()));
                };
                map.insert(key.clone(), plain(value)?);
            }
            Json::Object(map)
        }
        Value::Bytes(_) | Value::Date(_) | Value::DateTime(_) | Value::Pickled(_) => {
            return Err(value.kind().to_owned());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pysurge_core::plan::{Model, Pytest, PytestItem};
    use pysurge_core::rate::Rate;

    #[test]
    fn what_is_handed_over() {
        let model = Model::constant(Rate::parse("1").unwrap());
        let mut function = TestPlan::of(Target::Object("load.py:upload".into()), model.clone());
        let nested = Value::Map(vec![(
            Value::Str("a".into()),
            Value::List(vec![Value::Null, Value::Float(0.5)]),
        )]);
        function.kwargs = vec![("b".into(), Value::Int(-1)), ("a".into(), nested)];
        function.data = Some(Data {
            source: DataSource::File("/users.csv".into()),
            order: RowOrder::Shuffle,
            reuse: Reuse::Once,
            seed: u64::MAX,
        });
        assert_eq!(
            test(&function).unwrap(),
            json!({
                "kind": "object", "path": "load.py:upload", "item": null, "kwargs": {"b": -1, "a": {"a": [null, 0.5]}},
                "data": {"kind": "file", "from": "/users.csv", "order": "shuffle", "reuse": "once", "seed": u64::MAX}
            })
        );
        let item = PytestItem {
            id: "t.py::test_x[1]".into(),
            file: "/t.py".into(),
            rootdir: "/".into(),
            inifile: Some("/pytest.ini".into()),
        };
        let pytest = Target::Pytest(Pytest {
            path: "t.py".into(),
            keyword: None,
            marks: None,
            item: Some(item),
        });
        assert_eq!(
            test(&TestPlan::of(pytest, model)).unwrap(),
            json!({
                "kind": "pytest", "path": "t.py::test_x[1]", "kwargs": {}, "data": null,
                "item": {"id": "t.py::test_x[1]", "file": "/t.py", "rootdir": "/", "inifile": "/pytest.ini"}
            })
        );
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        let keyed = Value::Map(vec![(Value::Int(1), Value::Null)]);
        for (value, what) in [
            (Value::Date("2020-01-31".into()), "a date"),
            (Value::List(vec![Value::Bytes(vec![1])]), "bytes"),
            (Value::Float(f64::NAN), "a float that is no finite number"),
            (
                Value::BigInt("99999999999999999999".into()),
                "an integer beyond 64 bits",
            ),
            (keyed, "a mapping with an integer as a key"),
        ] {
            assert_eq!(plain(&value), Err(what.to_owned()));
        }
    }

    #[test]
    fn the_exit_code_is_that_of_the_interpreter() {
        let ended = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            exit_code(led(command).unwrap())
        };
        assert_eq!((ended("exit 2"), ended("exit 0")), (2, 0));
        assert_eq!(ended("kill -TERM $$"), 143);
    }
}
