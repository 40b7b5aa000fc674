//! Which columns of a file are read, and as what.

use super::error::{ReplayError, nearest, shown};
use super::time::{BadTime, parse_time};
use super::{ColumnType, ReplayForm};
use std::collections::HashSet;

/// A column that becomes a keyword argument.
#[derive(Debug)]
pub(super) struct Kwarg {
    pub(super) name: String,
    pub(super) column: usize,
    pub(super) column_type: ColumnType,
}

/// Which columns are read.
#[derive(Debug)]
pub(super) struct Columns {
    pub(super) time: usize,
    pub(super) kwargs: Vec<Kwarg>,
}

impl Columns {
    pub(super) fn find(header: &[String], form: &ReplayForm) -> Result<Self, ReplayError> {
        let is_time = |name: &&String| {
            !matches!(
                parse_time(name, form.unit),
                Err(BadTime::Unknown | BadTime::Missing)
            )
        };
        let no_header = |cell: &String| ReplayError::NoHeader { cell: shown(cell) };
        let time = match &form.time {
            Some(name) => {
                find(header, name).map_err(|error| header.iter().find(is_time).map_or(error, no_header))?
            }
            None => match header.first().filter(is_time) {
                Some(cell) => return Err(no_header(cell)),
                None => 0,
            },
        };
        let (mut kwargs, mut names) = (Vec::new(), HashSet::new());
        match &form.columns {
            Some(chosen) => {
                for (kwarg, column) in chosen {
                    push_kwarg(&mut kwargs, &mut names, kwarg, header, find(header, column)?)?;
                }
            }
            None => {
                for column in (0..header.len()).filter(|column| *column != time) {
                    push_kwarg(&mut kwargs, &mut names, &header[column], header, column)?;
                }
            }
        }
        for (i, (name, column_type)) in form.types.iter().enumerate() {
            if form.types[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(ReplayError::TwoTypes { kwarg: shown(name) });
            }
            let Some(kwarg) = kwargs.iter_mut().find(|kwarg| kwarg.name == *name) else {
                return Err(ReplayError::NoKwarg {
                    kwarg: shown(name),
                    near: nearest(name, kwargs.iter().map(|kwarg| &kwarg.name)),
                });
            };
            kwarg.column_type = *column_type;
        }
        Ok(Self { time, kwargs })
    }
}

fn find(header: &[String], name: &str) -> Result<usize, ReplayError> {
    let mut places = (0..header.len()).filter(|place| header[*place] == name);
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(_), Some(_)) => Err(ReplayError::TwoColumns { column: shown(name) }),
        (None, _) => Err(ReplayError::NoColumn {
            column: shown(name),
            near: nearest(name, header),
            columns: header.to_vec(),
        }),
    }
}

fn push_kwarg(
    kwargs: &mut Vec<Kwarg>,
    names: &mut HashSet<String>,
    name: &str,
    header: &[String],
    column: usize,
) -> Result<(), ReplayError> {
    let mut letters = name.chars();
    let is_name = letters.next().is_some_and(|c| c == '_' || c.is_alphabetic())
        && letters.all(|c| c == '_' || c.is_alphanumeric());
    if !is_name {
        return Err(ReplayError::NotAName {
            column: shown(&header[column]),
            kwarg: shown(name),
        });
    }
    if !names.insert(name.to_owned()) {
        return Err(ReplayError::TwoKwargs { kwarg: shown(name) });
    }
    kwargs.push(Kwarg {
        name: name.to_owned(),
        column,
        column_type: ColumnType::Str,
    });
    Ok(())
}
