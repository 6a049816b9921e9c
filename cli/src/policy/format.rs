//! `hoop policy fmt`: one layout for policies.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hoop_gateway_core::policy::formatted;

use crate::{
    arguments::PolicyFmt,
    failure::{ExitStatus, Failure},
    output::Output,
};

/// Lays out, or says what is laid out otherwise.
pub(super) fn run(arguments: &PolicyFmt, output: &Output) -> Result<ExitStatus, Failure> {
    let mut others = 0_usize;
    for file in arguments.paths.iter().map(|path| files(path)).collect::<Result<Vec<_>, _>>()?.concat() {
        let failed = |what: &str| Failure::failed(format!("{} {what}", file.display()));
        let text = fs::read_to_string(&file).map_err(|error| failed("cannot be read").caused_by(&error))?;
        let laid_out = formatted(&text).map_err(|why| failed("cannot be laid out").because(why))?;
        if text == laid_out {
            continue;
        }
        others += 1;
        output.text(&file.display().to_string())?;
        if !arguments.check {
            replace(&file, &laid_out).map_err(|error| failed("cannot be written").caused_by(&error))?;
        }
    }
    if arguments.check && others > 0 {
        return Err(Failure::failed(format!("{others} files are laid out otherwise")).next("run `hoop policy fmt`"));
    }
    Ok(ExitStatus::SUCCESS)
}

/// The policies of a site, or the file itself.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let folder = if path.join("policies").is_dir() { path.join("policies") } else { path.to_owned() };
    let failed = |error| Failure::failed(format!("{} cannot be read", folder.display())).caused_by(&error);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "cedar") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Complete or not at all: beside it first, then renamed. Its permissions stay.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let beside = file.with_extension("cedar.new");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::metadata(file)?.permissions())?;
    fs::rename(&beside, file)
}
