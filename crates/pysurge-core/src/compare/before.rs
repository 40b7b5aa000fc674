//! Names of run folders: `20261122-162500-shop`, with `-2`, `-3`, … where several began within a second.

/// What a run's folder says by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderName<'a> {
    /// `YYYYMMDD-HHMMSS`, the wall time when the run began.
    pub stamp: &'a str,
    /// Which one it is of those that began in the same second under the same name, from 1.
    pub namesake: u32,
    /// The run's name, as far as a folder can have it.
    pub name: &'a str,
}

/// Characters of a stamp.
const STAMP: usize = 15;

impl<'a> FolderName<'a> {
    /// Reads a folder's name; `None` where it is not that of a run.
    pub fn parse(folder: &'a str) -> Option<Self> {
        let (stamp, rest) = folder.split_at_checked(STAMP)?;
        let is_stamp = stamp.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        let name = rest.strip_prefix('-').filter(|name| !name.is_empty())?;
        is_stamp.then_some(Self {
            stamp,
            namesake: 1,
            name,
        })
    }

    /// The same folder read as a namesake: `shop-2` as the second run of `shop`.
    fn as_namesake(&self) -> Option<Self> {
        let (name, number) = self.name.rsplit_once('-')?;
        let namesake = number.parse().ok().filter(|n| *n >= 2)?;
        Some(Self {
            namesake,
            name,
            ..*self
        })
    }
}

/// Of the folders in a results folder, in any order: those of runs of the same name that began before this one, the latest first.
///
/// Whether `shop-2` is a run of that name or the second of two runs of `shop` within a second cannot be told from the folder alone: it is
/// taken as the first unless it is the folder asked about that has the shorter name.
pub fn run_before<'a>(folders: &[&'a str], this: &str) -> Vec<&'a str> {
    let Some(this) = FolderName::parse(this) else {
        return Vec::new();
    };
    let readings: Vec<FolderName<'_>> = std::iter::once(this.clone()).chain(this.as_namesake()).collect();
    let mut found: Vec<(FolderName<'a>, &'a str)> = folders
        .iter()
        .filter_map(|folder| {
            let plain = FolderName::parse(folder)?;
            let both = std::iter::once(plain.clone()).chain(plain.as_namesake());
            let mut of_name = both.filter(|theirs| {
                readings.iter().any(|ours| {
                    ours.name == theirs.name && (theirs.stamp, theirs.namesake) < (ours.stamp, ours.namesake)
                })
            });
            Some((of_name.next()?, *folder))
        })
        .collect();
    found.sort_by(|(a, _), (b, _)| (b.stamp, b.namesake).cmp(&(a.stamp, a.namesake)));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_before_is_the_latest_of_that_name() {
        let folders = [
            "20261122-100000-shop",
            "20261122-110000-shop",
            "20261122-110000-shop-2",
            "20261122-110000-shop-3",
            "20261122-120000-other",
            "20261122-130000-shop",
            "20261122-125959-shopping",
            "notes",
            "20261122-13000x-shop",
        ];
        for (this, before) in [
            (
                "20261122-130000-shop",
                &[
                    "20261122-110000-shop-3",
                    "20261122-110000-shop-2",
                    "20261122-110000-shop",
                    "20261122-100000-shop",
                ][..],
            ),
            (
                "20261122-110000-shop-2",
                &["20261122-110000-shop", "20261122-100000-shop"],
            ),
            ("20261122-110000-shop", &["20261122-100000-shop"]),
            ("20261122-100000-shop", &[]),
            ("20261122-120000-other", &[]),
            ("elsewhere", &[]),
        ] {
            assert_eq!(run_before(&folders, this), before, "{this}");
        }
    }

    #[test]
    fn only_names_of_runs_are_read() {
        for folder in [
            "",
            "é",
            "20261122-100000",
            "20261122-100000-",
            "20261122_100000-a",
            "2026112é-100000-a",
        ] {
            assert_eq!(FolderName::parse(folder), None, "{folder}");
        }
        assert_eq!(FolderName::parse("20261122-100000-a-b").unwrap().name, "a-b");
    }
}
