//! A plan as text, picture and JSON.

#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of the test")]

mod plans;

use pysurge_report::{Style, plan_json, plan_svg, plan_text};

fn plain(columns: u16) -> Style {
    Style {
        color: false,
        columns,
    }
}

#[test]
fn plans_read_well() {
    for (name, forecast) in plans::all() {
        for columns in [40, 80] {
            let text = plan_text(&forecast, &plain(columns));
            insta::assert_snapshot!(format!("{name}_{columns}"), text);
        }
    }
}

#[test]
fn pictures_are_drawn() {
    for (name, forecast) in plans::all() {
        insta::assert_snapshot!(format!("{name}_svg"), plan_svg(&forecast));
    }
}

#[test]
fn plans_are_data() {
    for (name, forecast) in plans::all() {
        let mut plan: serde_json::Value = serde_json::from_str(&plan_json(&forecast)).unwrap();
        assert_eq!(plan["schema_version"], 1);
        assert_eq!(plan["span_s"].as_f64(), Some(seconds(forecast.span_ns)));
        for (shown, test) in std::iter::zip(plan["tests"].as_array().unwrap(), &forecast.tests) {
            assert_eq!(shown["planned"].as_u64(), test.planned.exact(), "{name}");
            let buckets = shown["planned_over_time"].as_array().unwrap();
            let sum: u64 = buckets.iter().filter_map(serde_json::Value::as_u64).sum();
            assert_eq!(sum, test.buckets.iter().sum::<u64>(), "{name}");
        }
        if name == "mixed" {
            plan["pysurge_version"] = "-".into();
            for test in plan["tests"].as_array_mut().unwrap() {
                test["planned_over_time"] = "…".into();
                test["line"].as_array_mut().unwrap().truncate(3);
            }
            insta::assert_snapshot!("mixed_json", serde_json::to_string_pretty(&plan).unwrap());
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "as the view does")]
fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for (name, forecast) in plans::all().into_iter().chain([("hostile", plans::hostile())]) {
        for columns in [40, 57, 80, 120] {
            for line in plan_text(&forecast, &plain(columns)).lines() {
                let width = line.chars().count();
                assert!(
                    width <= usize::from(columns),
                    "{name} at {columns}: {width} {line}"
                );
            }
        }
    }
}

#[test]
fn colour_changes_no_word() {
    for (name, forecast) in plans::all() {
        let colored = Style {
            color: true,
            columns: 80,
        };
        let text = without_escapes(&plan_text(&forecast, &colored));
        assert_eq!(text, plan_text(&forecast, &plain(80)), "{name}");
    }
}

#[test]
fn a_picture_is_well_formed_whatever_a_test_is_called() {
    for (name, forecast) in plans::all().into_iter().chain([("hostile", plans::hostile())]) {
        let svg = plan_svg(&forecast);
        if let Err(error) = well_formed(&svg) {
            panic!("{name}: {error}");
        }
        assert!(!svg.contains("<script"), "{name}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
    }
    assert!(well_formed("<a><b/></a>").is_ok());
    for broken in [
        "<a><b></a>",
        "<a x=1/>",
        "<a>&</a>",
        "<a>\u{7}</a>",
        "<a",
        "<a></a><b/>",
        "<a x='<'/>",
    ] {
        assert!(well_formed(broken).is_err(), "{broken}");
    }
}

/// Checks that elements nest, attributes are quoted, and every `<` and `&` is markup: enough of XML for what is written here.
fn well_formed(xml: &str) -> Result<(), String> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if let Some(c) = xml
        .chars()
        .find(|c| !allowed(*c) || matches!(c, '\u{fffe}' | '\u{ffff}'))
    {
        return Err(format!("{c:?} has no place in XML"));
    }
    let mut open: Vec<&str> = Vec::new();
    let mut roots = 0;
    let mut rest = xml.trim();
    while !rest.is_empty() {
        let (text, markup) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        references(text)?;
        if open.is_empty() && !text.trim().is_empty() {
            return Err(format!("text outside: {text:?}"));
        }
        if markup.is_empty() {
            break;
        }
        let (tag, after) = markup[1..].split_once('>').ok_or("a tag is open")?;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("{name} closes another"));
            }
        } else {
            let (tag, is_empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            attributes_of(attributes)?;
            roots += usize::from(open.is_empty());
            if !is_empty {
                open.push(name);
            }
        }
        rest = after;
    }
    match (open.as_slice(), roots) {
        ([], 1) => Ok(()),
        (open, roots) => Err(format!("{open:?} open, {roots} roots")),
    }
}

fn attributes_of(text: &str) -> Result<(), String> {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or(format!("no attribute: {rest}"))?;
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '"') {
            return Err(format!("no name: {name:?}"));
        }
        let (value, after) = after.split_once('"').ok_or("a value is open")?;
        if value.contains('<') {
            return Err(format!("< in {value}"));
        }
        references(value)?;
        rest = after.trim_start();
    }
    Ok(())
}

fn references(text: &str) -> Result<(), String> {
    for piece in text.split('&').skip(1) {
        let name = piece.split_once(';').map_or("", |(name, _)| name);
        if !matches!(name, "amp" | "lt" | "gt" | "quot" | "#39") {
            return Err(format!("no reference: &{piece}"));
        }
    }
    Ok(())
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain + rest
}
