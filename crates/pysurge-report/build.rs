//! Builds the pages from `web/` with Node.js, or takes those that were built before from the folder that `PYSURGE_WEB_DIST` names.

#![expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a build script speaks to cargo by its streams and its environment"
)]

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Names a folder with pages that are built already: for a machine without Node.js or network.
const BUILT: &str = "PYSURGE_WEB_DIST";

const PAGES: [&str; 4] = ["compare.html", "dashboard.html", "find-max.html", "report.html"];

/// What the pages are built from; the rest of `web/` checks it.
const SOURCES: [&str; 5] = [
    "package.json",
    "package-lock.json",
    "build.mjs",
    "tsconfig.json",
    "src",
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: pysurge's pages cannot be built: {error}");
            eprintln!(
                "  install Node.js 20 or newer with npm (https://nodejs.org; Debian: apt install nodejs npm),\n  \
                 or set {BUILT} to a folder with {} that were built elsewhere by: npm ci && npm run build",
                PAGES.join(", ")
            );
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={BUILT}");
    if let Some(built) = env::var_os(BUILT) {
        for name in PAGES {
            let page = Path::new(&built).join(name);
            println!("cargo::rerun-if-changed={}", page.display());
            fs::copy(&page, out.join(name)).map_err(|error| format!("copy {}: {error}", page.display()))?;
        }
        return Ok(());
    }
    let web = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../web");
    let copy = out.join("web");
    fs::create_dir_all(&copy)?;
    let locked = fs::read(copy.join("package-lock.json")).ok();
    for name in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(name).display());
        let _ = fs::remove_dir_all(copy.join(name));
        copy_all(&web.join(name), &copy.join(name))?;
    }
    // Nothing is written outside the build folder, and packages are fetched anew only when they are others.
    let is_fetched =
        copy.join("node_modules").is_dir() && locked == fs::read(copy.join("package-lock.json")).ok();
    if !is_fetched {
        run(
            "npm",
            &["ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"],
            &copy,
        )?;
    }
    run("node", &["build.mjs", &out.to_string_lossy()], &copy)
}

fn copy_all(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let failed = |error: std::io::Error| format!("copy {} to {}: {error}", from.display(), to.display());
    if from.is_dir() {
        fs::create_dir_all(to).map_err(failed)?;
        for entry in fs::read_dir(from).map_err(failed)? {
            let name = entry?.file_name();
            copy_all(&from.join(&name), &to.join(&name))?;
        }
    } else {
        fs::copy(from, to).map_err(failed)?;
    }
    Ok(())
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<(), Box<dyn Error>> {
    let command = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .map_err(|error| format!("run {program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    Err(format!("{command}: {}\n{}", output.status, said.trim()).into())
}
